"""Differences of two contenders of which each was trained with several seeds: new queries, and new seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gramcli.metrics.paired import Difference, Floats, Gains, Integers, gains, quantile, two_sided
from gramcli.metrics.power import LEVEL, detectable_of

SEEDS_TEST: Final = "over queries and seeds (Hillis)"


@dataclass(frozen=True)
class _Variance:
    """What is added to the variance over queries of the summed gains, and the degrees of freedom of the whole."""

    more: float
    degrees: float


def seeds_difference(a: Floats, b: Floats, clusters: Integers) -> Difference:
    """Compare two means of figures in [0, 1] over queries that every seed of both was asked, and over seeds.

    The variance of the difference is that of seeds (of the means of A's and of B's) and that of queries (of the mean
    gains over seeds), less what both count: seeds and queries that vary together. It is the analysis of variance of
    readers and cases, the seeds being readers that are nested in the contenders. Student's t has Satterthwaite's
    degrees of freedom. A single seed on one side is taken to vary as the seeds of the other do. One item is added,
    as in `mean_difference`, so that few queries that differ are no certainty.

    Args:
        a: Figures of A, shape [seeds, n].
        b: Figures of B on the same queries, shape [seeds, n]; several seeds on one side at least.
        clusters: Item of each query, 0 .. c - 1, shape [n].

    Returns:
        The difference of the means over seeds.

    Source: Hillis, Statistics in Medicine 26 (2007) and 33 (2014).

    Example:
        >>> a = np.array([[1.0, 0, 0, 1] * 10, [1.0, 0, 1, 0] * 10, [0.0, 0, 1, 1] * 10])
        >>> found = seeds_difference(a, 1 - a[:, ::-1] * 0, np.arange(40))
        >>> round(found.value, 2), found.p_value < 0.001
        (0.5, True)
    """
    found = gains(a.mean(axis=0), b.mean(axis=0), clusters)
    if found.items < 2:
        return Difference(found.total / found.n, -1.0, 1.0, 1.0, SEEDS_TEST)
    variance = _variance(a, b, clusters, found)
    low, high = found.bounds(quantile(variance.degrees, 0.95), variance.more)
    p_value = two_sided(found.score(variance.more), variance.degrees)
    return Difference(found.total / found.n, low, high, p_value, SEEDS_TEST)


def detectable_seeds(a: Floats, b: Floats, clusters: Integers, level: float = LEVEL) -> float | None:
    """The difference that `seeds_difference` finds with a power of 80 %, as `detectable_share`."""
    found = gains(a.mean(axis=0), b.mean(axis=0), clusters)
    if found.items < 2:
        return None
    variance = _variance(a, b, clusters, found)
    return detectable_of(found, variance.degrees, variance.more, level)


def _variance(a: Floats, b: Floats, clusters: Integers, found: Gains) -> _Variance:
    n = a.shape[1]
    known = [one for one in (a, b) if len(one) > 1]
    between = {id(one): n**2 * float(one.mean(axis=1).var(ddof=1)) for one in known}
    both = {id(one): _together(one, clusters) for one in known}
    parts: dict[int, float] = {}
    twice = 0.0
    for one in (a, b):
        source = one if len(one) > 1 else known[0]
        parts[id(source)] = parts.get(id(source), 0.0) + between[id(source)] / len(one)
        twice += both[id(source)] / len(one)
    centred = found.around_mean()
    removed = min(twice, centred)
    queries = centred - removed + found.added
    squares = queries**2 / (found.items - 1) + sum(parts[id(one)] ** 2 / (len(one) - 1) for one in known)
    return _Variance(sum(parts.values()) - removed, (queries + sum(parts.values())) ** 2 / squares)


def _together(values: Floats, clusters: Integers) -> float:
    """Variance of the sum over queries of one seed's figures that neither seed nor query explains; items at once."""
    seeds, items = len(values), int(clusters.max()) + 1
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    sums = np.stack([np.bincount(clusters, weights=one, minlength=items) for one in rest])
    return items * float(np.square(sums).sum()) / ((seeds - 1) * (items - 1))
