"""One question of a compiled walk: its numbers as the loops take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.scoring.asked import Asked
from gramcli.scoring.counting import Counter
from gramcli.scoring.nearest import Lists
from gramcli.scoring.screening import Embeddings

_REFERENCE: Final = 2.0**-40  # what reference keys differ by from exact ones, at most, of candidates counted here


def one_side(asked: Asked, which: int) -> Embeddings:
    """The queries (0) or the candidates (1)."""
    return (asked.queries, asked.candidates)[which]


@dataclass
class Run:
    """One question of a walk, its numbers as the compiled loops take them.

    Attributes:
        asked: The question.
        single: Which side runs down the rows: 0 the queries, 1 the candidates.
        formula: Family, and A, r and constants in float32.
        use: Planes of its vectors.
        elsewhere: Columns that are counted in another way, int64.
        dtype: Products it is tried with first.
        rows: Counts of those down the rows, or None.
        columns: Counts of those across, or None.
        lists: The best of rows and of columns, each None where not asked for.
    """

    asked: Asked
    single: int
    formula: tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]
    use: NDArray[np.int64]
    elsewhere: Tensor
    dtype: torch.dtype
    rows: Counter | None
    columns: Counter | None
    lists: tuple[Lists | None, Lists | None]
    levels: tuple[NDArray[np.float32], NDArray[np.float32]] = field(init=False)
    failed: int = 0

    def __post_init__(self) -> None:
        n, N = one_side(self.asked, self.single).n, one_side(self.asked, 1 - self.single).n
        self.levels = bracketed(self.rows, n), bracketed(self.columns, N)


def bracketed(counter: Counter | None, n: int) -> NDArray[np.float32]:
    """Thresholds rounded down and up by more than reference keys are off, shape [2, L, n]; +inf stays."""
    if counter is None:
        return np.empty((2, 0, n), dtype=np.float32)
    exact = counter.thresholds.numpy()
    ends = [(exact + shift).astype(np.float32) for shift in (-_REFERENCE, _REFERENCE)]
    ends = [np.nextafter(end, np.float32(way)) for end, way in zip(ends, (-np.inf, np.inf), strict=True)]
    return np.stack([np.where(np.isfinite(exact), end, np.float32(np.inf)) for end in ends])
