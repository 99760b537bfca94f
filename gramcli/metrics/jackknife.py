"""Intervals from leaving out one item at a time: for smooth figures that resampling with replacement biases.

Duplicates in a bootstrap sample help a figure that compares items with one another; the jackknife draws none.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

_COVERAGE: Final = 0.95


def jackknife_interval(
    value: float,
    left_out: Floats,
    bounds: Interval = (-math.inf, math.inf),
    *,
    correct_bias: bool = True,
    of_pairs: float = 0.0,
) -> Interval:
    """95 % interval around the bias-corrected figure, Student's t with n - 1 degrees of freedom.

    Where the correction is larger than the interval, its end is the figure itself: it never excludes its own estimate.

    Args:
        value: The figure of all items.
        left_out: The figure without each item, shape [n], n >= 2.
        bounds: Smallest and largest possible value.
        correct_bias: Around n value - (n - 1) mean(left_out) instead of the value.
        of_pairs: Variance that comes from pairs of items, which leaving out one counts twice: it is taken off once.
            Where all of it came from pairs half would remain, so no less than half does.

    Returns:
        Lower and upper bound.

    Source: Quenouille (1956); Tukey (1958); Efron and Stein, Annals of Statistics 9 (1981): its variance is rather too
    large than too small.

    Example:
        >>> x = np.array([1.0, 2.0, 3.0, 4.0])
        >>> [round(end, 4) for end in jackknife_interval(x.mean(), (x.sum() - x) / 3)]
        [0.4457, 4.5543]
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - only figures that print an interval pay for it

    n = len(left_out)
    value, mean = float(value), float(left_out.mean())
    variance = (n - 1) / n * float(np.square(left_out - mean).sum())
    error = math.sqrt(max(variance - of_pairs, variance / 2))
    middle = n * value - (n - 1) * mean if correct_bias else value
    half = float(stdtrit(n - 1, (1 + _COVERAGE) / 2)) * error
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in (middle - half, middle + half))
    return min(low, value), max(high, value)
