"""Ranked lists of a store: the best candidates of every query, for other tools to look at and to score again."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.evaluation.measure import store_notes
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.selection import Relevant, Selection, select
from gramcli.evaluation.views import taken
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import Task, one_task
from gramcli.results.lists import ListSide, RankedLists
from gramcli.scoring.ranking import rank
from gramcli.scoring.ties import placed
from gramcli.scoring.topk import top_k
from gramcli.store.layout import is_text
from gramcli.store.reader import Store, open_store
from gramcli.store.splits import chosen_items


def ranked_lists(  # noqa: PLR0913 - a keyword for each option of the command
    store: str | Path | Store,
    task: str | Task | None = None,
    method: str = "cosine",
    *,
    query: str | None = None,
    candidates: str | None = None,
    top: int = 1000,
    split: str | None = None,
    limit: int | None = None,
    missing: str = "drop",
    relevant: Relevant = "item",
) -> RankedLists:
    """Rank a task's candidates for every query.

    Args:
        store: A store, open or by its path.
        task: For instance `t2va`; or `query` and `candidates`, embeddings by name. It is ranked in its own direction.
        method: As `gram methods` lists them.
        query: Query embeddings by name, comma between.
        candidates: Candidate embeddings by name.
        top: How many candidates of each query; all of them where there are fewer.
        split: Only the items of this split.
        limit: Only the first so many items.
        missing: Items that lack a modality: `drop`, `zero` or `error`.
        relevant: What answers a query: its own `item`, or every item of its `label`.

    Returns:
        The lists, with what answers each query.

    Raises:
        UserError: As `evaluate`; or `missing` is `present`, whose groups of items are ranked each by itself.
    """
    if missing == "present":
        raise UserError(
            "usage", "--missing present ranks groups of items each by itself, which no list holds: use drop."
        )
    opened = store if isinstance(store, Store) else open_store(store)
    asked, chosen = one_task(task, query, candidates), get_method(method)
    selection = select(opened, asked, chosen_items(opened, split, limit), missing, relevant, forward=True)
    sides, present = (selection.queries, selection.candidates), selection.present
    scores, columns = top_k(chosen, *sides, min(top, len(selection.candidate_ids)), present=present)
    ranks = rank(chosen, *sides, selection.positives, both_directions=False, present=present)
    found = placed(ranks.forward, ranks.forward_ties, ranks.forward_right, "mean")
    sign = 1.0 if chosen.higher_is_better else -1.0
    values = scores.numpy()
    return RankedLists(
        task=selection.label(),
        method=method,
        queries=_side(opened, asked, selection, asks=True),
        candidates=_side(opened, asked, selection, asks=False),
        columns=columns.numpy(),
        scores=sign * values,
        distances=_distances(method, chosen, values),
        indptr=selection.positives[0].numpy(),
        indices=selection.positives[1].numpy(),
        ranks=found.ranks.numpy(),
        n_tied=int((ranks.forward_ties > 0).sum()),
        left_out=selection.left_out,
        notes=tuple(store_notes(opened, EvalOptions(split, limit, missing, relevant=relevant))),
    )


def _side(store: Store, task: Task, selection: Selection, *, asks: bool) -> ListSide:
    """Queries or candidates: a row of the text where a text is among them, else of the first embedding."""
    names = selection.task.query if asks else selection.task.candidates
    ids = selection.query_ids if asks else selection.candidate_ids
    rows: NDArray[np.int64] = (selection.query_rows if asks else selection.candidate_rows).numpy()
    first = next(filter(is_text, names), names[0])
    captions = None
    if is_text(first) and len(set(ids)) < len(ids):
        starts = np.concatenate([[0], np.cumsum([row.captions for row in store.rows])])
        owners = store.caption_items().numpy()[rows]
        captions = tuple((rows - starts[owners]).tolist())
    return ListSide(ids, captions, taken(store, task, forward=True).get(first, first), rows)


def _distances(name: str, method: AlignmentMethod, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as distances: themselves where lower is better, else how far they are below the best there is."""
    if not method.higher_is_better:
        return scores
    try:
        best = float(METHODS.row(name.partition(":")[0]).high)
    except ValueError:
        best = 0.0
    return (best if math.isfinite(best) else 0.0) - scores
