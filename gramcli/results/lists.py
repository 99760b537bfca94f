"""Ranked lists: what each query of a task gets, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gramcli.results.records import LeftOut


@dataclass(frozen=True)
class ListSide:
    """Queries or candidates of ranked lists.

    Attributes:
        ids: Item of each.
        captions: Number of each within its item, from 0, where some item has several captions; else None.
        embedding: The embedding of the store whose rows stand for them.
        rows: Row of it of each, shape [n].
    """

    ids: tuple[str, ...]
    captions: tuple[int, ...] | None
    embedding: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class RankedLists:
    """The best candidates of every query of one task under one method.

    Attributes:
        task: Task name.
        method: Method name.
        queries: Who asks, n of them.
        candidates: Who may answer.
        columns: Candidates of each query, best first, shape [n, k].
        scores: Theirs, higher is better (minus the score where lower is), shape [n, k], float64.
        distances: The same as distances, lower is nearer, shape [n, k], float64.
        indptr: Right answers of query i are `indices[indptr[i] : indptr[i + 1]]`, shape [n + 1].
        indices: Candidates.
        ranks: Of each query's best right answer, its expectation where wrong ones tie; shape [n].
        n_tied: Queries whose right answer ties with wrong ones.
        left_out: Items that the task does not cover.
        notes: What a reader must know, one sentence each.
    """

    task: str
    method: str
    queries: ListSide
    candidates: ListSide
    columns: NDArray[np.int64]
    scores: NDArray[np.float64]
    distances: NDArray[np.float64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    ranks: NDArray[np.float64]
    n_tied: int
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
