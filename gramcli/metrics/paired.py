"""Differences of two methods on the same queries: a 95 % interval, and the test whose inversion it is.

So the two can only agree: the interval excludes 0 just where p is below 0.05. Queries of one item (its captions) are
not independent; their differences count together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.metrics.intervals import Z
from gramcli.metrics.noise import without_noise

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SCORE_TEST: Final = "paired score (Tango)"
PLUS_TEST: Final = "paired, one item added"
_ITEMS_ADDED: Final = 0.25  # that differ, to how alike the queries of an item differ: without any, they all may
_HALVINGS: Final = 60


@dataclass(frozen=True)
class Difference:
    """B minus A.

    Attributes:
        value: Mean difference over the queries.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Two-sided.
        test: Which test, and so which interval.
    """

    value: float
    low: float
    high: float
    p_value: float
    test: str


def share_difference(a: Floats, b: Floats, clusters: Integers, z: float = Z) -> Difference:
    """Compare two hit rates by the score test of a paired difference; of independent queries McNemar's.

    Where items have several queries, the counts are divided by the design effect: how much more the wins less losses of
    items vary than those of independent queries would.

    Args:
        a: Hits of A, 0 to 1, shape [n].
        b: Hits of B on the same queries.
        clusters: Item of each query, 0 .. c - 1, shape [n].
        z: How many standard errors the interval reaches; 95 % of differences lie within the default.

    Source: Tango, Statistics in Medicine 17 (1998); for items, the variance of Durkalski et al., ibid. 22 (2003).

    Example:
        >>> a, b = np.array([0.0] * 50), np.array([1.0] * 4 + [0.0] * 46)
        >>> found = share_difference(a, b, np.arange(50))
        >>> round(found.low, 3), round(found.high, 3), round(found.p_value, 4)
        (0.003, 0.188, 0.0455)
    """
    n, gained = len(a), b - a
    sizes = np.bincount(clusters)
    size = float(np.square(sizes).sum()) / n
    wins, losses = float(gained.clip(min=0).sum()), float((-gained).clip(min=0).sum())
    sums = np.bincount(clusters, weights=gained)
    squares = float(np.square(sums).sum()) + _ITEMS_ADDED * size**2
    effect = max(1.0, squares / (wins + losses + _ITEMS_ADDED * size))
    wins, losses, n_effective = wins / effect, losses / effect, n / effect
    score = (wins - losses) / math.sqrt(wins + losses) if wins + losses else 0.0
    low, high = (_tango_bound(wins, losses, n_effective, end) for end in (z, -z))
    return Difference(float(gained.mean()), low, high, two_sided(score), SCORE_TEST)


def _tango_bound(wins: float, losses: float, n: float, target: float) -> float:
    """The difference whose score is `target`; the score falls as the difference grows."""
    estimate = (wins - losses) / n
    low, high = (-1.0, estimate) if target > 0 else (estimate, 1.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _tango_score(wins, losses, n, middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tango_score(wins: float, losses: float, n: float, difference: float) -> float:
    """Tango's score statistic of a hypothetical difference, with the likeliest share of losses under it."""
    linear = (2 * n - wins + losses) * difference - wins - losses
    constant = -losses * difference * (1 - difference)
    share = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    excess = wins - losses - n * difference
    if variance <= 0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)


def mean_difference(a: Floats, b: Floats, clusters: Integers) -> Difference:
    """Compare two means of figures in [0, 1]: one item is added that half gains and half loses everything.

    Sign flips of so few differences as good methods have give intervals that cover 0.3 to 0.9; this one holds.

    Args:
        a: Figures of A, shape [n].
        b: Figures of B on the same queries.
        clusters: As for `share_difference`.

    Source: Agresti and Min, Statistics in Medicine 24 (2005), with half of their items, of any figure in [0, 1].

    Example:
        >>> same = np.full(50, 0.5)
        >>> found = mean_difference(same, same, np.arange(50))
        >>> round(found.low, 3), round(found.high, 3), found.p_value
        (-0.038, 0.038, 1.0)
    """
    gained = b - a
    sizes = np.bincount(clusters)
    size = float(np.square(sizes).sum()) / len(a)
    sums: Floats = np.bincount(clusters, weights=gained).astype(np.float64)
    sums = without_noise(sums, np.bincount(clusters, weights=np.abs(a) + np.abs(b)).astype(np.float64))
    total = len(a) + size
    middle = float(sums.sum()) / total
    squares = float(np.square(sums - sizes * middle).sum()) + size**2 * (1 + middle**2)
    half = Z * math.sqrt(squares) / total
    z = middle * total / math.sqrt(squares)
    return Difference(float(sums.sum()) / len(a), middle - half, middle + half, two_sided(z), PLUS_TEST)


def two_sided(z: float) -> float:
    """Two-sided p-value of a standard normal statistic.

    Example:
        >>> round(two_sided(1.959964), 4)
        0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))
