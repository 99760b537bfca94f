"""95 % intervals of means over queries that lie in [0, 1], and of medians; queries of one item are not independent.

One method over the whole range: two items that get everything and two that get nothing are added to the data, and the
spread between items of all of them makes the interval (for hits of independent queries that of Agresti and Coull, whose
centre is Wilson's). So it has no edge: where all queries hit it is shorter than where one misses, and never empty.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Interval = tuple[float, float]

Z: Final = 1.959963984540054
"""97.5 % of the standard normal distribution lie below."""

ADDED: Final = Z * Z / 2
"""Items that are added at either end, about 2."""


def plus_four(values: Floats, clusters: Integers, variance: Floats | None = None) -> Floats:
    """95 % intervals of means of figures in [0, 1].

    Args:
        values: One column per figure, shape [n, M].
        clusters: Item of each query, 0 .. c - 1, shape [n]; an added item has as many queries as an item has on average
            (the average of a query).
        variance: Of the means [M], where they vary by more than by their queries; None takes it from the values.

    Returns:
        Lower and upper bounds, shape [M, 2]; they hold the means.

    Source: Agresti and Coull, The American Statistician 52 (1998), with the variance between clusters.

    Example:
        >>> plus_four(np.array([[1.0]] * 50), np.arange(50)).round(3).tolist()
        [[0.915, 1.0]]
    """
    n = len(values)
    sizes = np.bincount(clusters)
    size = float(np.square(sizes).sum()) / n
    total = n + 2 * ADDED * size
    middle = (values.sum(axis=0) + ADDED * size) / total
    if variance is None:
        sums = np.stack([np.bincount(clusters, weights=column) for column in values.T], axis=1)
        squares = np.square(sums - sizes[:, None] * middle).sum(axis=0)
    else:
        squares = variance * n * n
    squares += ADDED * size**2 * (np.square(middle) + np.square(1 - middle))
    half = Z * np.sqrt(squares) / total
    bounds: Floats = np.stack([np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)], axis=1)
    return bounds


def plus_four_of(values: Floats, clusters: Integers) -> Interval:
    """95 % interval of one mean in [0, 1]; `plus_four` of a single column.

    Args:
        values: Shape [n].
        clusters: As there.
    """
    low, high = plus_four(values[:, None], clusters)[0]
    return float(low), float(high)


def median_interval(values: Floats, clusters: Integers) -> Interval:
    """95 % interval of a median: the values between which the share below it may be a half.

    Args:
        values: Shape [n].
        clusters: As for `plus_four`.

    Returns:
        Two of the values; they hold the median.

    Source: Woodruff, Journal of the American Statistical Association 47 (1952).

    Example:
        >>> median_interval(np.arange(1.0, 101.0), np.arange(100))
        (41.0, 60.0)
    """
    n, order = len(values), np.sort(values)
    median = float(np.median(values))
    share = np.where(values < median, 1.0, np.where(values > median, 0.0, 0.5))
    low, high = plus_four_of(share + (0.5 - share.mean()), clusters)
    below, above = max(math.ceil(n * low), 1), min(math.floor(n * high) + 1, n)
    return min(float(order[below - 1]), median), max(float(order[above - 1]), median)
