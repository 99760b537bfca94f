"""What does not vary: the one rule for numbers that differ by the rounding of their arithmetic alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

_OF_SUMS: Final = 2.0**-40  # float64 sums of some thousand terms are this exact, and no real figure is this small
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
    """Whether rows [n, d] differ by more than the rounding of their dtype; a single row does not vary.

    Example:
        >>> varies(torch.tensor([[0.6, 0.8], [0.6, 0.8]])), varies(torch.eye(2))
        (False, True)
    """
    if len(rows) < 2:
        return False
    return differ(rows.amin(dim=0), rows.amax(dim=0), rows.dtype)


def differ(low: Tensor, high: Tensor, stored: torch.dtype) -> bool:
    """The rule of `varies` for rows of which only the smallest and largest value of each column are at hand.

    Args:
        low: Shape [d].
        high: Shape [d].
        stored: The dtype whose rounding the rows went through, which need not be that of their columns here.

    Example:
        >>> low, high = torch.tensor([0.5]).double(), torch.tensor([0.5001]).double()
        >>> differ(low, high, torch.float32), differ(low, high, torch.float16)
        (True, False)
    """
    low, high = low.double(), high.double()
    largest = float(torch.maximum(low.abs(), high.abs()).max())
    return float((high - low).max()) > _OF_ROWS * torch.finfo(stored).eps * largest
