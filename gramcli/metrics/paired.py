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


def share_difference(a: Floats, b: Floats, clusters: Integers, level: float = 0.95) -> Difference:
    """Compare two hit rates by the score test of a paired difference; of independent queries McNemar's.

    Where items have several queries, the counts are divided by the design effect: how much more the wins less losses of
    items vary than those of independent queries would. The score is Student's, of as many degrees of freedom as there
    are items but one: the normal distribution would reject too often where nearly all of a few queries differ.

    Args:
        a: Hits of A, 0 to 1, shape [n].
        b: Hits of B on the same queries.
        clusters: Item of each query, 0 .. c - 1, shape [n].
        level: Of the interval.

    Returns:
        The difference; of a single item [-1, 1], which nothing is known of.

    Source: Tango, Statistics in Medicine 17 (1998); for items, the variance of Durkalski et al., ibid. 22 (2003).

    Example:
        >>> a, b = np.array([0.0] * 50), np.array([1.0] * 8 + [0.0] * 42)
        >>> found = share_difference(a, b, np.arange(50))
        >>> round(found.low, 3), round(found.high, 3), round(found.p_value, 4)
        (0.073, 0.289, 0.0068)
    """
    degrees = int(clusters.max())
    low, high = share_interval(a, b, clusters, quantile(degrees, level))
    wins, losses, _ = effective_counts(a, b, clusters)
    score = (wins - losses) / math.sqrt(wins + losses) if wins + losses else 0.0
    return Difference(mean_gain(a, b), low, high, two_sided(score, degrees), SCORE_TEST)


def share_interval(a: Floats, b: Floats, clusters: Integers, reach: float) -> tuple[float, float]:
    """The interval of `share_difference`, where the test is not asked for.

    Args:
        a: As there.
        b: As there.
        clusters: As there.
        reach: How many standard errors it reaches.
    """
    counts = effective_counts(a, b, clusters)
    return _tango_bound(*counts, reach), _tango_bound(*counts, -reach)


def query_gains(a: Floats, b: Floats) -> Floats:
    """What B gains on A on each query; 0 where rounding alone tells them apart.

    Args:
        a: Figures of A, 0 or more, shape [n].
        b: Figures of B on the same queries.
    """
    return without_noise(b - a, a + b)


def mean_gain(a: Floats, b: Floats) -> float:
    """What B gains on A on average over the queries; 0 where rounding alone tells the averages apart.

    Args:
        a: As for `query_gains`.
        b: As there.
    """
    return _total(query_gains(a, b)) / len(a)


def _total(values: Floats) -> float:
    return float(without_noise(values.sum(), np.abs(values).sum()))


def effective_counts(a: Floats, b: Floats, clusters: Integers) -> tuple[float, float, float]:
    """Wins, losses and queries of as many independent ones as vary as much."""
    n, gained = len(a), query_gains(a, b)
    size = float(np.square(np.bincount(clusters)).sum()) / n
    wins, losses = float(gained.clip(min=0).sum()), float((-gained).clip(min=0).sum())
    sums = np.bincount(clusters, weights=gained)
    squares = float(np.square(sums).sum()) + _ITEMS_ADDED * size**2
    effect = max(1.0, squares / (wins + losses + _ITEMS_ADDED * size))
    return wins / effect, losses / effect, n / effect


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
    """Compare two means of figures in [0, 1] by the score of their difference, with one item added.

    The added item half gains and half loses as much as any query did; at least 1 / (1 + k) where k items differ, so
    that few differences, or none, are no certainty. The score of a hypothetical difference is its distance over the
    spread of items around it, Student's t of as many degrees of freedom as there are items but one. Sign flips test as
    well, but intervals by their inversion cover too little where few queries differ (benchmarks/coverage_retrieval.py).

    Args:
        a: Figures of A, shape [n].
        b: Figures of B on the same queries.
        clusters: As for `share_difference`.

    Returns:
        The difference; of a single item [-1, 1], which nothing is known of.

    Source: the added item: Agresti and Min, Statistics in Medicine 24 (2005), with half of theirs.

    Example:
        >>> same = np.full(50, 0.5)
        >>> found = mean_difference(same, same, np.arange(50))
        >>> round(found.low, 3), round(found.high, 3), found.p_value
        (-0.041, 0.041, 1.0)
    """
    found = gains(a, b, clusters)
    degrees = found.items - 1
    low, high = found.bounds(quantile(degrees, 0.95))
    return Difference(found.total / found.n, low, high, two_sided(found.score(), degrees), PLUS_TEST)


@dataclass(frozen=True)
class Gains:
    """Sums over items of what B gains on A, and their squares, with one item added.

    The score of a difference x is (total - x reach) / sqrt(squares - 2 x products + x^2 weights), where `reach` counts
    the queries and those of the added item.

    Attributes:
        total: Sum of the gains.
        n: Queries.
        items: Items.
        reach: Queries, those of the added item too.
        squares: Sum of squares of the items' sums, the added item's too.
        products: Sum of the items' sums times their queries.
        weights: Sum of squares of the items' queries, the added item's too.
        added: The share of the added item in `squares`.
    """

    total: float
    n: int
    items: int
    reach: float
    squares: float
    products: float
    weights: float
    added: float

    def score(self, more: float = 0.0) -> float:
        """How many standard errors the difference is from 0; `more` is added to the variance of the total."""
        spread = self.squares + more
        return self.total / math.sqrt(spread) if spread > 0 else 0.0

    def bounds(self, errors: float, more: float = 0.0) -> tuple[float, float]:
        """The differences whose score is `errors`, within [-1, 1]; `more` is added to the variance of the total."""
        square = errors**2
        bend = self.reach**2 - square * self.weights
        if not bend > 0:
            return -1.0, 1.0
        middle = (self.reach * self.total - square * self.products) / bend
        half = math.sqrt(max(middle**2 - (self.total**2 - square * (self.squares + more)) / bend, 0.0))
        return max(middle - half, -1.0), min(middle + half, 1.0)

    def around_mean(self) -> float:
        """Sum of squares of the items' sums around the mean difference, without the added item."""
        mean = self.total / self.n
        weights = self.weights - (self.reach - self.n) ** 2
        return max(self.squares - self.added - 2 * mean * self.products + mean**2 * weights, 0.0)


def gains(a: Floats, b: Floats, clusters: Integers) -> Gains:
    """What B gains on A, summed by item, as `mean_difference` needs it.

    Args:
        a: As there.
        b: As there.
        clusters: As there.
    """
    gained = query_gains(a, b)
    sizes = np.bincount(clusters)
    size = float(np.square(sizes).sum()) / len(a)
    sums: Floats = np.bincount(clusters, weights=gained).astype(np.float64)
    sums = without_noise(sums, np.bincount(clusters, weights=np.abs(a) + np.abs(b)).astype(np.float64))
    most = max(float(np.abs(gained).max()), 1 / (1 + np.count_nonzero(sums)))
    return Gains(
        total=_total(sums),
        n=len(a),
        items=len(sizes),
        reach=len(a) + size,
        squares=float(np.square(sums).sum()) + size**2 * most**2,
        products=float((sums * sizes).sum()),
        weights=float(np.square(sizes).sum()) + size**2,
        added=size**2 * most**2,
    )


def quantile(degrees: float, level: float) -> float:
    """Student's t within which a share `level` lies; infinite without degrees of freedom."""
    from scipy.special import stdtrit  # noqa: PLC0415 - only comparisons need it

    return float(stdtrit(degrees, (1 + level) / 2)) if degrees else math.inf


def two_sided(score: float, degrees: float) -> float:
    """Two-sided p-value of Student's t."""
    from scipy.special import stdtr  # noqa: PLC0415 - only comparisons need it

    return min(1.0, 2 * float(stdtr(degrees, -abs(score)))) if degrees else 1.0
