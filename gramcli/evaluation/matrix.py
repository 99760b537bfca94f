"""The `matrix` verb: the alignment matrix itself."""

from __future__ import annotations

from pathlib import Path

from gramcli.evaluation.measure import store_notes
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.ranking_notes import degenerate_note
from gramcli.evaluation.selection import Selection, select, zero_note
from gramcli.evaluation.views import views_note
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import Task, one_task
from gramcli.results.matrices import AlignmentMatrix
from gramcli.scoring.normalize import n_degenerate
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.screening import open_sides
from gramcli.store.reader import Store, open_store
from gramcli.store.splits import chosen_items


def matrix(  # noqa: PLR0913 - a keyword for each option of the command
    store: str | Path | Store,
    task: str | Task | None = None,
    method: str = "cosine",
    *,
    query: str | None = None,
    candidates: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    missing: str = "drop",
) -> AlignmentMatrix:
    """Score a task's queries against its candidates, as `gram matrix` does.

    Args:
        store: A store, open or by its path.
        task: For instance `t2va`; or `query` and `candidates`, embeddings by name.
        method: As `gram methods` lists them.
        query: Query embeddings by name, comma between.
        candidates: Candidate embeddings by name.
        split: Only the items of this split.
        limit: Only the first so many items.
        missing: Items that lack a modality: `drop`, `present`, `zero` or `error`.

    Returns:
        Scores with the ids of rows and columns; `to_frame` gives them as a table.

    Raises:
        UserError: As `gram matrix` says in one sentence.
    """
    asked = one_task(task, query, candidates)
    opened = store if isinstance(store, Store) else open_store(store)
    return alignment_matrix(opened, asked, method, EvalOptions(split, limit, missing))


def alignment_matrix(store: Store, task: Task, method: str, options: EvalOptions | None = None) -> AlignmentMatrix:
    """The scores of a task's queries against its candidates.

    Args:
        store: An open store.
        task: Query and candidate modalities.
        method: Method name.
        options: Split, limit and policy for missing modalities.

    Returns:
        The matrix with the ids of its rows and columns.

    Raises:
        UserError: As `evaluate`.
    """
    options = options or EvalOptions()
    chosen = get_method(method)
    selection = select(store, task, chosen_items(store, options.split, options.limit), options.missing)
    scores = score_matrix(chosen, selection.queries, selection.candidates, present=selection.present)
    better = "higher" if chosen.higher_is_better else "lower"
    dependent = _n_degenerate(chosen, selection)
    views = views_note(store, task, (True,))
    notes = (
        *store_notes(store, options),
        *([views] if views else []),
        *([zero_note(store, selection)] if options.missing == "zero" else []),
        *([degenerate_note(selection, dependent)] if dependent else []),
        f"{better.capitalize()} scores are better aligned.",
    )
    ids = selection.query_ids, selection.candidate_ids
    return AlignmentMatrix(scores.numpy(), *ids, selection.left_out, notes, task.name, method)


def _n_degenerate(method: AlignmentMethod, selection: Selection) -> int:
    """Items whose own vectors are linearly dependent, as `evaluate` counts them."""
    queries, candidates = open_sides(method, selection.queries, selection.candidates, present=selection.present)
    return sum(n_degenerate(method, side) for side in (candidates, *([queries] if queries.k > 1 else [])))
