"""What does not vary: the one rule for numbers that differ by the rounding of their arithmetic alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

_OF_SUMS: Final = 2.0**-40  # float64 sums of some thousand terms are this exact, and no real figure is this small
_PIECE: Final = 4096
_OF_ROWS: Final = 8.0  # units in the last place of a stored number


def without_noise(sums: Floats, scale: Floats) -> Floats:
    """Sums with 0 in place of those that rounding alone keeps from it.

    Args:
        sums: Any shape.
        scale: Sum of the absolute values of what was added up, for each.

    Returns:
        The same shape.

    Example:
        >>> without_noise(np.array([1 / 3 - 0.1 * (10 / 3), 0.5]), np.array([0.7, 0.5])).tolist()
        [0.0, 0.5]
    """
    return np.where(np.abs(sums) <= _OF_SUMS * scale, 0.0, sums)


def varies(rows: Tensor) -> bool:
    """Whether rows [n, d] differ by more than the rounding they went through; a single row does not vary.

    Example:
        >>> varies(torch.tensor([[0.6, 0.8], [0.6, 0.8]])), varies(torch.eye(2))
        (False, True)
    """
    if len(rows) < 2:
        return False
    return differ(rows.amin(dim=0), rows.amax(dim=0), rounding(rows))


def differ(low: Tensor, high: Tensor, eps: float) -> bool:
    """The rule of `varies` for rows of which only the smallest and largest value of each column are at hand.

    Args:
        low: Shape [d].
        high: Shape [d].
        eps: `rounding` of the rows.

    Example:
        >>> low, high = torch.tensor([0.5]).double(), torch.tensor([0.5001]).double()
        >>> differ(low, high, 1e-7), differ(low, high, 1e-3)
        (True, False)
    """
    low, high = low.double(), high.double()
    largest = float(torch.maximum(low.abs(), high.abs()).max())
    return float((high - low).max()) > _OF_ROWS * eps * largest


def rounding(rows: Tensor) -> float:
    """Relative step of the numbers that rows are made of: of a narrower dtype where all of them fit it exactly.

    A store holds float32; embeddings that a model gave in half precision are on the grid of that all the same.

    Example:
        >>> tenth = torch.tensor([0.1])
        >>> [rounding(x) for x in (tenth, tenth.half().float(), tenth.bfloat16().float())]
        [1.1920928955078125e-07, 0.0009765625, 0.0078125]
    """
    for dtype in (torch.bfloat16, torch.float16):
        pieces = (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))
        if all(bool((piece.to(dtype).to(rows.dtype) == piece).all()) for piece in pieces):
            return torch.finfo(dtype).eps
    return torch.finfo(rows.dtype).eps
