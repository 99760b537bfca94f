"""Intervals as other tools make them, for `--intervals bootstrap` and `wilson`; and Holm's p-values.

Queries that belong to one item (its several captions) are not independent: they are resampled together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramcli.metrics.intervals import Z

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], Floats]
"""Values [n] and weights [B, n] -> [B]."""

RESAMPLES = 2000
_BLOCK_NUMBERS = 1 << 22
_LARGEST_BYTE = 255
_KEPT_NUMBERS = 1 << 26  # draws that are kept from one figure to the next, 64 MB


def wilson_interval(hits: float, n: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score method, for independent queries.

    Args:
        hits: Number of successes; a fraction where ties are counted by their chance.
        n: Number of trials, at least 1.

    Returns:
        Lower and upper bound in [0, 1].

    Note:
        The figures are those of scipy's `binomtest`, to the last bit; importing scipy.stats takes longer than ranking
        1,000 items.

    Example:
        >>> [round(x, 4) for x in wilson_interval(550, 1000)]
        [0.519, 0.5806]
    """
    share, square = hits / n, Z**2
    below = 2 * (n + square)
    middle = (2 * n * share + square) / below
    half = Z / below * math.sqrt(4 * n * share * (1 - share) + square)
    return 0.0 if hits == 0 else middle - half, 1.0 if hits == n else middle + half


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Mean of values [n] under each row of weights [B, n]; shape [B]."""
    means: Floats = weights @ values / weights.sum(axis=1)
    return means


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Median of values [n] repeated by whole-number weights [B, n], mean of the two middle ones; shape [B]."""
    order = np.argsort(values, kind="stable")
    whole = weights.T.astype(np.int32)[order]  # [n, B]: sums run down the rows, and are exact
    cumulative = np.cumsum(whole, axis=0, dtype=np.int32)
    total = cumulative[-1]
    low = np.count_nonzero(cumulative <= (total - 1) // 2, axis=0)
    high = np.count_nonzero(cumulative <= total // 2, axis=0)
    middle: Floats = (values[order][low] + values[order][high]) / 2
    return middle


def bootstrap_interval(
    values: Floats, clusters: NDArray[np.int64], statistic: Statistic = weighted_mean, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a statistic, resampling whole clusters.

    Args:
        values: One per query, shape [n].
        clusters: Cluster of each query, 0 .. c - 1, shape [n].
        statistic: `weighted_mean` or `weighted_median`.
        seed: Of the resampling.

    Returns:
        Lower and upper bound.
    """
    found = [statistic(values, weights) for weights in _resampled(clusters, seed)]
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return float(low), float(high)


def bootstrap_means(values: Floats, clusters: NDArray[np.int64], seed: int = 0) -> Floats:
    """95 % percentile intervals of the means of several figures, from the same resamples.

    Args:
        values: One column per figure, shape [n, M].
        clusters: Cluster of each query, 0 .. c - 1, shape [n].
        seed: Of the resampling.

    Returns:
        Lower and upper bounds, shape [M, 2]: what `bootstrap_interval` gives for each column.
    """
    found = [weights @ values / weights.sum(axis=1, keepdims=True) for weights in _resampled(clusters, seed)]
    bounds: Floats = np.percentile(np.concatenate(found), [2.5, 97.5], axis=0).T
    return bounds


def _resampled(clusters: NDArray[np.int64], seed: int) -> Iterable[Floats]:
    """How often each query is drawn, in blocks [b, n] of resamples; few queries' are kept for the next figure."""
    if RESAMPLES * max(int(clusters.max()) + 1, len(clusters)) <= _BLOCK_NUMBERS:
        return _kept_weights(clusters.tobytes(), seed)
    return _weights(clusters, seed)


@lru_cache(maxsize=1)
def _kept_weights(clusters: bytes, seed: int) -> tuple[Floats, ...]:
    return tuple(_weights(np.frombuffer(clusters, dtype=np.int64), seed))


def _weights(clusters: NDArray[np.int64], seed: int) -> Iterator[Floats]:
    count = int(clusters.max()) + 1
    block = max(1, _BLOCK_NUMBERS // max(count, len(clusters)))
    draws = _kept_draws(count, seed) if RESAMPLES * count <= _KEPT_NUMBERS else _draws(count, seed)
    for rows in draws:
        for start in range(0, len(rows), block):
            yield rows[start : start + block][:, clusters].astype(np.float64)


@lru_cache(maxsize=2)
def _kept_draws(count: int, seed: int) -> tuple[NDArray[np.integer[Any]], ...]:
    return tuple(_draws(count, seed))


def _draws(count: int, seed: int) -> Iterator[NDArray[np.integer[Any]]]:
    """How often each of `count` clusters is drawn, in blocks of resamples."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_NUMBERS // count)
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = generator.multinomial(count, np.full(count, 1.0 / count), size=size)
        yield drawn.astype(np.uint8 if drawn.max() <= _LARGEST_BYTE else np.int32)


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted by Holm's step-down method for the whole family, in the order given.

    Example:
        >>> holm([0.01, 0.04])
        [0.02, 0.04]
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for step, k in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - step) * p_values[k]))
        adjusted[k] = running
    return adjusted
