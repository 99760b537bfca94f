"""95 % intervals of averages over classes: macro_f1 and mean_recall.

Both are means over classes of a curve of a share of trials. Recall is the share itself, of the items of a class. F1 is
2 s / (1 + s) of the share s = TP / (TP + FP + FN) of the items that a class is involved in; given their number, that
share has no bias, and F1 has one, as the curve is bent. Most classes have a handful of items, some one, some none. So
classes with about as many items lend each other what one of them alone cannot tell, the spread of a trial, and unseen
classes are taken for classes with half an item. The interval is Wilson's, around the figure less its bias, of as many
independent items as have the same variance: one rule whether all is right, or nothing, or some.

Resampling items with replacement leaves out classes and adds the bias once more: its percentiles covered the truth in 0
to 90 % of data sets. `benchmarks/coverage_classes.py` measures what these intervals cover.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.metrics.intervals import Z

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Interval = tuple[float, float]

_SEEN: Final = (9, 10)  # share of the classes that must have an item
_BANDWIDTH: Final = 0.7  # of the kernel over the classes' numbers of items, in doublings
_UNSEEN_ITEMS: Final = 0.5
_PRIOR_TRIALS: Final = 2.0  # with which a neighbourhood of classes starts at the mean of all
_FEWEST_BORROWED: Final = 2.0  # trials that a class borrows from its neighbours at least


@dataclass(frozen=True)
class _Curve:
    """A class figure g(s) of a share s, its slope g'(s) and half its second derivative."""

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    bend: Callable[[Floats], Floats]


_RECALL: Final = _Curve(lambda s: s, np.ones_like, np.zeros_like)
_F1: Final = _Curve(lambda s: 2 * s / (1 + s), lambda s: 2 / (1 + s) ** 2, lambda s: -2 / (1 + s) ** 3)


@dataclass(frozen=True)
class _Shares:
    """What is known of the share of hits in each class.

    Attributes:
        trials: Of each class that has some, shape [c], at least 1.
        raw: Hits over trials, shape [c].
        shrunk: The share after borrowing, shape [c]; never quite 0 or 1.
        spread: Variance of one trial of the class, after borrowing, shape [c].
        unseen: Share expected of a class without trials.
        between: Variance of such shares from class to class.
        doubt: Variance of the estimate `unseen`.
    """

    trials: Floats
    raw: Floats
    shrunk: Floats
    spread: Floats
    unseen: float
    between: float
    doubt: float


def confusion_intervals(confusion: Integers) -> tuple[Interval, Interval] | tuple[None, None]:
    """95 % intervals of macro_f1 and mean_recall over items; None where too few classes have an item.

    Coverage is 0.93 to 1.00 for 2 to 309 classes with 3 items each and more, at accuracies from 0.1 to 0.98. Nothing is
    known to hold where fewer than nine in ten classes are seen: the others may be unlike them.

    Args:
        confusion: As from `confusion_matrix`, shape [C, C + 1], rows the right class, the last column no prediction.

    Returns:
        The interval of macro_f1, and that of mean_recall, in [0, 1]; each holds its figure.

    Source: Wilson, JASA 22 (1927); shares of several groups by moments: Kleinman, JASA 68 (1973). Their combination and
    the bias of F1 over few items are derived here.

    Example:
        >>> f1, recall = confusion_intervals(np.array([[18, 2, 0], [4, 16, 0]]))
        >>> [round(end, 3) for end in (*f1, *recall)]
        [0.71, 0.932, 0.709, 0.929]
    """
    if lacking_items(confusion):
        return None, None
    right, items, predicted = np.diag(confusion), confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)
    involved = items + predicted - right
    there, found = _shares(right, involved), _shares(right, items)
    return (
        _curve_interval(_F1, there, len(right), _shared_mistakes(confusion, there, involved > 0)),
        _curve_interval(_RECALL, found, len(right), 0.0),
    )


def lacking_items(confusion: Integers) -> str:
    """Say why macro_f1 and mean_recall have no interval; empty where they have.

    Example:
        >>> lacking_items(np.array([[3, 0, 0], [0, 0, 0]]))
        'of 2 classes 1 has an item, and an interval takes 2'
    """
    classes, seen = len(confusion), int((confusion.sum(axis=1) > 0).sum())
    return lacking(classes, seen, "an item", _SEEN)


def lacking(classes: int, enough: int, what: str, needed: tuple[int, int]) -> str:
    """Say that too few classes have `what`: fewer than the fraction `needed` of them; empty where enough have."""
    least = -(-needed[0] * classes // needed[1])
    has = "has" if enough == 1 else "have"
    return f"of {classes} classes {enough} {has} {what}, and an interval takes {least}" if enough < least else ""


def _shares(hits: Integers, trials: Integers) -> _Shares:
    """Let classes with about as many trials lend each other their spread, by the moments of the groups."""
    used = trials > 0
    size, raw = trials[used].astype(np.float64), hits[used] / trials[used]
    inside = size * raw * (1 - raw)  # squares within the class
    mean = float(raw.mean())
    weight = len(size) ** 2 / float((1 / size).sum())
    safe = (mean * weight + 1) / (weight + 2)
    near = _Neighbours(size)
    total, count = near.sums(raw), near.sums(np.ones_like(raw))
    plain = (total + _PRIOR_TRIALS * mean) / (count + _PRIOR_TRIALS)
    level = (total + _PRIOR_TRIALS * safe) / (count + _PRIOR_TRIALS)
    started = _PRIOR_TRIALS / near.sizes
    within = (near.sums(inside / size) + started) / (near.sums(1 - 1 / size) * plain * (1 - plain) + started)
    within = np.minimum(within, 1.0)  # share of the variance of a trial that is within its class
    variance = level * (1 - level)
    lent = np.maximum(within / np.maximum(1 - within, 1e-9), _FEWEST_BORROWED)[near.own]
    spread = (inside + lent * (within * variance)[near.own]) / (size - 1 + lent)
    shrunk = (size * raw + lent * level[near.own]) / (size + lent)
    doubt = float(variance[-1] / (count[-1] + 1))
    return _Shares(size, raw, shrunk, spread, float(level[-1]), float((1 - within[-1]) * variance[-1]), doubt)


class _Neighbours:
    """Kernel sums over classes by the logarithm of their trials, for every number there is, and last for the unseen."""

    def __init__(self, trials: Floats) -> None:
        sizes, self.own = np.unique(trials, return_inverse=True)
        self.sizes: Floats = np.append(sizes, 1.0)
        at = np.log2(np.append(sizes, _UNSEEN_ITEMS))
        self._kernel = np.exp(-0.5 * ((at[:, None] - at[:-1]) / _BANDWIDTH) ** 2)

    def sums(self, values: Floats) -> Floats:
        """Of one value per class [c]: shape [sizes + 1]."""
        found: Floats = self._kernel @ np.bincount(self.own, values)
        return found


def _shared_mistakes(confusion: Integers, shares: _Shares, used: NDArray[np.bool_]) -> float:
    """How much a mistake costs two classes at once, 0 (it is no prediction) to 1 (both alike).

    Twice the product of the two costs over the sum of their squares, over all mistakes; one more of equal costs stands
    in for those that were not made.
    """
    cost = np.zeros(len(confusion) + 1)  # the last: no prediction
    cost[:-1][used] = _F1.slope(shares.shrunk) * shares.shrunk / _effective(_F1, shares)
    truth, predicted = confusion.nonzero()
    wrong = truth != predicted
    count, a, b = confusion[truth, predicted][wrong], cost[truth[wrong]], cost[predicted[wrong]]
    one = float(np.square(cost[:-1][used]).mean())
    return float((2 * (count * a * b).sum() + one) / ((count * (a**2 + b**2)).sum() + one))


def _effective(curve: _Curve, shares: _Shares) -> Floats:
    """Trials that count: where the curve flattens, one of few costs more than its slope says."""
    return np.minimum(shares.trials, shares.trials - 1 + curve.slope(shares.shrunk))


def _curve_interval(curve: _Curve, shares: _Shares, classes: int, shared: float) -> Interval:
    """Interval of the mean of a curve over all classes.

    The bias of g(hits / D), bend v / (D - 1 + slope), is exact for one trial, and for any number near s = 0 and s = 1.
    """
    value = float(curve.value(shares.raw).mean())
    slope, seen = curve.slope(shares.shrunk), len(shares.trials)
    bias = curve.bend(shares.shrunk) * shares.spread / (shares.trials - 1 + slope)
    each = slope**2 * shares.spread * (1 + shared * shares.shrunk) * shares.trials / _effective(curve, shares) ** 2
    middle, variance = value - float(bias.mean()), float(each.sum()) / seen**2
    if unseen := 1 - seen / classes:
        at = np.array(shares.unseen)
        other = float(curve.value(at) + curve.bend(at) * shares.between)
        variance += float(curve.slope(at)) ** 2 * unseen * (unseen * shares.doubt + shares.between / classes)
        middle += unseen * (other - middle)
    level = float(curve.value(shares.shrunk).mean())
    return holding(value, effective_wilson(middle, level * (1 - level) / variance))


def effective_wilson(share: float, size: float, quantile: float = Z) -> Interval:
    """Wilson's interval of a share, taken as in [0, 1], of `size` independent items, which need not be whole."""
    share = min(max(share, 0.0), 1.0)
    square = quantile**2
    middle = (share + square / (2 * size)) / (1 + square / size)
    half = quantile / (1 + square / size) * math.sqrt(share * (1 - share) / size + square / (4 * size**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def holding(value: float, interval: Interval) -> Interval:
    """Widen an interval to its own estimate: a correction larger than the interval ends there."""
    return min(interval[0], value), max(interval[1], value)
