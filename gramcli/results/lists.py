"""Ranked lists: what each query of a task gets, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gramcli.results.records import LeftOut


@dataclass(frozen=True)
class RankedLists:
    """The best candidates of every query of one task under one method.

    Attributes:
        task: Task name.
        method: Method name.
        query_names: One per query: its item's id, and for one of several captions its number.
        candidate_names: One per candidate.
        columns: Candidates of each query, best first, shape [n, k].
        scores: Theirs, higher is better (minus the score where lower is), shape [n, k], float64.
        indptr: Right answers of query i are `indices[indptr[i] : indptr[i + 1]]`, shape [n + 1].
        indices: Candidates.
        ranks: Of each query's best right answer, its expectation where wrong ones tie; shape [n].
        n_tied: Queries whose right answer ties with wrong ones.
        query_embedding: Embedding of the store whose rows ask.
        query_rows: Row of it of each query, shape [n].
        candidate_embedding: Embedding whose rows stand for the candidates.
        rows: Rows of it of `columns`, shape [n, k].
        distances: `scores` as distances, lower is nearer, shape [n, k].
        left_out: Items that the task does not cover.
        notes: What a reader must know, one sentence each.
    """

    task: str
    method: str
    query_names: tuple[str, ...]
    candidate_names: tuple[str, ...]
    columns: NDArray[np.int64]
    scores: NDArray[np.float64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    ranks: NDArray[np.float64]
    n_tied: int
    query_embedding: str
    query_rows: NDArray[np.int64]
    candidate_embedding: str
    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
