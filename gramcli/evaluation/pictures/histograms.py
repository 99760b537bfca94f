"""Values in bins of equal width."""

from __future__ import annotations

from typing import Final

import numpy as np
from torch import Tensor

from gramcli.results.pictures import Histogram

BINS: Final = 40


def histogram(values: Tensor, low: float, high: float, bins: int = BINS) -> Histogram:
    """Count values in bins of equal width.

    Args:
        values: Shape [n], all from `low` to `high`.
        low: First edge.
        high: Last edge; where it is not above `low`, one bin around both.
        bins: How many.

    Example:
        >>> import torch
        >>> histogram(torch.tensor([0.0, 0.1, 1.0]), 0.0, 1.0, bins=2).counts
        (2, 1)
    """
    if not high > low:
        low, high = low - 0.5, low + 0.5
    counts, edges = np.histogram(values.double().numpy(), bins=bins, range=(low, high))
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
