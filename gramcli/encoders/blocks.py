"""How `signal` puts blocks of statistics together into one unit vector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SIZE: Final = 256
CONSTANT: Final = 0.1

Floats = npt.NDArray[np.float64]


def balanced(block: npt.NDArray[Any], noise: float) -> Floats:
    """Flatten a block and bring it close to unit length, so that no block outshouts the others.

    Args:
        block: Statistics of one kind, any shape.
        noise: Length below which the block is noise: it is divided by sqrt(length^2 + noise^2),
            so a block of zeros stays zero.

    Returns:
        The block, shape [values], of length below 1.
    """
    flat = np.asarray(block, dtype=np.float64).ravel()
    return np.asarray(flat / np.sqrt((flat * flat).sum() + noise * noise))


def rooted(block: Floats) -> Floats:
    """Signed square root: keeps the sign and tames the large values of histograms and energies."""
    return np.asarray(np.sign(block) * np.sqrt(np.abs(block)), dtype=np.float64)


def unit_vector(blocks: Iterable[Floats]) -> Floats:
    """Join a constant and the blocks, fill up with zeros, and scale to unit length.

    The constant keeps the vector of an input without information finite: it is the first axis.

    Args:
        blocks: Arrays [values], at most `SIZE - 1` values in all, all finite.

    Returns:
        A unit vector, shape [SIZE].
    """
    joined = np.concatenate([[CONSTANT], *blocks])
    vector = np.zeros(SIZE)
    vector[: len(joined)] = joined
    return np.asarray(vector / np.sqrt((vector * vector).sum()), dtype=np.float64)
