"""The alignment matrix itself: `gram matrix`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gramcli.eval_options import EvalOptions
from gramcli.evaluate import store_notes
from gramcli.methods import get_method
from gramcli.modalities import Task
from gramcli.results import LeftOut
from gramcli.scoring import score_matrix
from gramcli.selection import chosen_items, select
from gramcli.store.reader import Store


@dataclass(frozen=True)
class AlignmentMatrix:
    """Scores of a task's queries against its candidates.

    Attributes:
        scores: Shape [queries, candidates], float32.
        query_ids: Item of each row; captions of one item share its id.
        candidate_ids: Item of each column.
        left_out: Items the task does not cover, and why.
        notes: What a reader must know.
    """

    scores: NDArray[np.float32]
    query_ids: tuple[str, ...]
    candidate_ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


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
    notes = (*store_notes(store, options), f"{better.capitalize()} scores are better aligned.")
    return AlignmentMatrix(scores.numpy(), selection.query_ids, selection.candidate_ids, selection.left_out, notes)
