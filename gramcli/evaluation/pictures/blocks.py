"""A part of the alignment matrix that is small enough to look at."""

from __future__ import annotations

from typing import Final

from gramcli.evaluation.pictures.pairs import first_of_each_item, part_of
from gramcli.evaluation.selection import Selection
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.geometry.rows import subsample
from gramcli.results.matrices import AlignmentMatrix
from gramcli.scoring.scores import score_matrix

SIDE: Final = 60
"""Items that are shown."""


def block(selection: Selection, name: str, method: AlignmentMethod, seed: int) -> AlignmentMatrix:
    """Score some queries against their own answers and each other's, so that the diagonal is matched.

    Args:
        selection: Rows of the task.
        name: Of the method, as in results.
        method: The measure.
        seed: Of the choice of queries.

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.
    """
    query, candidate = first_of_each_item(selection)
    total, chosen = len(query), subsample(len(query), SIDE, seed)
    rows, columns = query[chosen], candidate[chosen]
    queries, candidates, present = part_of(selection, rows, columns)
    found = score_matrix(method, queries, candidates, present=present)
    note = f"all {total} items" if total == len(chosen) else f"{len(chosen)} of {total:,} items (seed {seed})"
    asking = tuple(selection.query_ids[k] for k in rows.tolist())
    answering = tuple(selection.candidate_ids[k] for k in columns.tolist())
    better = "higher" if method.higher_is_better else "lower"
    return AlignmentMatrix(found.numpy(), asking, answering, (), (note, better), selection.label(), name)
