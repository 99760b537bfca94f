"""95 % intervals of means over queries that lie in [0, 1], and of medians; queries of one item are not independent.

One method over the whole range: two items that get everything and two that get nothing are added to the data, and the
spread between items of all of them, with Student's t, makes the interval (for hits of many independent queries that of
Agresti and Coull, whose centre is Wilson's). So it has no edge: where all queries hit it is shorter than where one
misses, and never empty.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
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


def student_quantile(degrees: float, level: float = 0.95) -> float:
    """Within so far of 0 lies a share `level` of Student's t distribution; to 0.2 % from 3 degrees of freedom on.

    Cornish and Fisher's series: importing scipy's takes longer than ranking 1,000 items.

    Example:
        >>> round(student_quantile(10), 3), round(student_quantile(1000), 3)
        (2.228, 1.962)
    """
    z, v = NormalDist().inv_cdf((1 + level) / 2), degrees
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / v**power for power, term in enumerate(terms))


def plus_four(values: Floats, clusters: Integers, variance: Floats | None = None) -> Floats:
    """95 % intervals of means of figures in [0, 1].

    Args:
        values: One column per figure, shape [n, M].
        clusters: Item of each query, 0 .. c - 1, shape [n]; an added item has as many queries as an item has on average
            (the average of a query).
        variance: Of the means [M], where they may vary by more than by their queries; the larger of both counts.

    Returns:
        Lower and upper bounds, shape [M, 2]; they hold the means.

    Source: Agresti and Coull, The American Statistician 52 (1998), with the variance between clusters.

    Example:
        >>> plus_four(np.array([[1.0]] * 50), np.arange(50)).round(3).tolist()
        [[0.914, 1.0]]
    """
    n = len(values)
    sizes = np.bincount(clusters)
    size = float(np.square(sizes).sum()) / n
    total = n + 2 * ADDED * size
    middle = (values.sum(axis=0) + ADDED * size) / total
    sums = np.stack([np.bincount(clusters, weights=column) for column in values.T], axis=1)
    squares: Floats = np.square(sums - sizes[:, None] * middle).sum(axis=0)
    if variance is not None:
        squares = np.maximum(squares, variance * n * n)
    squares += ADDED * size**2 * (np.square(middle) + np.square(1 - middle))
    half = student_quantile(len(sizes) + 2 * ADDED - 1) * np.sqrt(squares) / total
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
    """95 % interval of a median: from the first value that half may be at or below to the last that half may be above.

    Args:
        values: Shape [n].
        clusters: As for `plus_four`.

    Returns:
        Two of the values, or the median; they hold the median.

    Source: Woodruff, Journal of the American Statistical Association 47 (1952).

    Example:
        >>> median_interval(np.arange(1.0, 101.0), np.arange(100))
        (41.0, 60.0)
    """
    ordered = np.sort(values)
    found = ordered[np.diff(ordered, prepend=-np.inf) > 0]
    low = _first(len(found), lambda k: plus_four_of((values <= found[k]).astype(np.float64), clusters)[1] >= 0.5)
    above = _first(len(found), lambda k: plus_four_of((values < found[k]).astype(np.float64), clusters)[0] > 0.5)
    median = median_of(values)
    return min(float(found[min(low, len(found) - 1)]), median), max(float(found[above - 1]), median)


def median_of(values: Floats) -> float:
    """The median of finite values, [n]; `np.median` would load NumPy's masked arrays, to look for one."""
    n = len(values)
    low, high = np.partition(values, ((n - 1) // 2, n // 2))[[(n - 1) // 2, n // 2]].tolist()
    return float(low + high) / 2


def _first(n: int, holds: Callable[[int], bool]) -> int:
    """The first of 0 .. n - 1 for which it holds, n where it never does; once it holds it goes on holding."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
