"""Mean average precision of classes that items may have several of, with a 95 % interval.

Average precision of few positives is too high: every positive helps its own precision. Leaving out one item at a time
shows by how much (its precision then counts the others alone), and how far one item moves the figure. Resampling with
replacement doubles the error: copies of a positive help each other.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.metrics.class_intervals import Interval, effective_wilson, holding, lacking

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_ENOUGH: Final = 2  # without one of them there is another
_WITH_ENOUGH: Final = (19, 20)  # share of the classes that must have as many items
_FEWEST_DEGREES: Final = 4.0


def average_precisions(scores: Floats, truth: Booleans) -> Floats:
    """Average precision of every class over the items: the sum over recall steps of their precision.

    Items of equal score enter together (scikit-learn's `average_precision_score`), so their order plays no part.

    Args:
        scores: Shape [n, C], higher is better.
        truth: Which items have which class, shape [n, C].

    Returns:
        Shape [C], in [0, 1]; NaN for a class that no item has.

    Example:
        >>> average_precisions(np.array([[0.9], [0.8], [0.1]]), np.array([[True], [False], [True]])).round(4).tolist()
        [0.8333]
    """
    return np.array([_Steps(*column).precision() for column in zip(scores.T, truth.T, strict=True)])


def left_out_precisions(scores: Floats, truth: Booleans) -> tuple[float, Floats]:
    """Average precision of one class, and what it is without each item, by sums over the ranking.

    Args:
        scores: Shape [n], higher is better.
        truth: Which items have the class, shape [n]; at least one has.

    Returns:
        The figure, and shape [n]; without its only item a class keeps its figure, as it has none.

    Example:
        >>> figure, without = left_out_precisions(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
        >>> round(figure, 4), without.round(4).tolist()
        (0.8333, [0.5, 1.0, 1.0])
    """
    steps = _Steps(scores, truth)
    return steps.precision(), steps.left_out()


class _Steps:
    """The ranking of one class: groups of equal score, best first."""

    def __init__(self, scores: Floats, truth: Booleans) -> None:
        order = np.argsort(-scores, kind="stable")
        last = np.append(scores[order][1:] != scores[order][:-1], True)
        self._group = np.empty(len(order), dtype=np.int64)
        self._group[order] = np.cumsum(last) - last
        self._truth = truth
        self._seen = np.flatnonzero(last) + 1.0
        self._gained = np.bincount(self._group[truth], minlength=len(self._seen)).astype(np.float64)
        self._hits = np.cumsum(self._gained)
        self._total = self._hits[-1]

    def precision(self) -> float:
        """NaN where no item has the class."""
        return self._summed() / float(self._total) if self._total else float("nan")

    def _summed(self) -> float:
        return float((self._gained * self._hits / self._seen).sum())

    def left_out(self) -> Floats:
        """Without each item: every group from its own on has an item less, and without a positive a hit less."""
        fewer = np.maximum(self._seen - 1, 1.0)
        now = self._hits / self._seen
        without_wrong = _from_here(self._gained * (self._hits / fewer - now))
        less = (self._hits - 1) / fewer
        without_right = _from_here(self._gained * (less - now)) - less
        found: Floats = (self._summed() + without_wrong[self._group]) / self._total
        if self._total == 1:
            found[self._truth] = self.precision()
        else:
            right = self._group[self._truth]
            found[self._truth] = (self._summed() + without_right[right]) / (self._total - 1)
        return found

    def unproved(self) -> float:
        """What the jackknife leaves too much in the figure: the first item's precision, 1 where it is a positive.

        Precision at a positive, corrected, is the share of positives above it. Above the first is nothing to count:
        taken instead is the larger of the others' mean and the next one's.
        """
        if self._hits[0] != 1 or self._seen[0] != 1 or self._total == 1:
            return 0.0
        steps = np.flatnonzero(self._gained)[1:]
        above = (self._hits[steps] - 1) / (self._seen[steps] - 1)
        others = float((self._gained[steps] * above).sum() / (self._total - 1))
        return (1 - max(others, float(above[0]))) / float(self._total)


def _from_here(values: Floats) -> Floats:
    """Sums of each value and all after it."""
    found: Floats = values[::-1].cumsum()[::-1]
    return found


def mean_average_precision(scores: Floats, truth: Booleans) -> tuple[float, Interval | None]:
    """Mean average precision (mAP) over the classes that occur, with its 95 % interval over items.

    scikit-learn's `average_precision_score(average="macro")`, but that a class without items counts nowhere, not as 0.

    Args:
        scores: Shape [n, C], higher is better.
        truth: Which items have which class, shape [n, C].

    Returns:
        The value, and its interval; None where more than one in twenty classes have fewer than two items.

    Raises:
        UserError: No item has a class.
    """
    used = np.flatnonzero(truth.any(axis=0))
    if not len(used):
        raise UserError("embedding", "mAP needs an item that has a class; none has.")
    if lacking_positives(truth):
        return float(average_precisions(scores[:, used], truth[:, used]).mean()), None
    value, unproved, without = 0.0, 0.0, np.zeros(len(scores))
    for column in used:
        steps = _Steps(scores[:, column], truth[:, column])
        value += steps.precision() / len(used)
        unproved += steps.unproved() / len(used)
        without += steps.left_out() / len(used)
    middle = len(scores) * value - (len(scores) - 1) * float(without.mean()) - unproved
    return value, holding(value, _interval(middle, without, truth))


def lacking_positives(truth: Booleans) -> str:
    """Say why mAP has no interval; empty where it has.

    Example:
        >>> lacking_positives(np.eye(3, dtype=bool))
        'of 3 classes 0 have two items or more, and an interval takes 3'
    """
    enough = int((truth.sum(axis=0) >= _ENOUGH).sum())
    return lacking(truth.shape[1], enough, "two items or more", _WITH_ENOUGH)


def _interval(middle: float, without: Floats, truth: Booleans) -> Interval:
    """Wilson's interval around the corrected figure, of as many independent items as have the jackknife's variance.

    A missed positive that did not occur is added to what did, so that a perfect ranking, which shows no variance, is
    worth as many independent items as have a class. The quantile is Student's, of the items that carry the variance. No
    ranking has a higher lower bound than a perfect one.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - only figures that print an interval pay for it

    n, positives, items = len(without), int(truth.sum()), int(truth.any(axis=1).sum())
    squares = np.square(without - without.mean())
    virtual = 1 / (positives * items)
    carrying = (float(squares.sum()) + virtual) ** 2 / (float(np.square(squares).sum()) + virtual**2)
    quantile = float(stdtrit(max(carrying - 1, _FEWEST_DEGREES), 0.975))
    middle = min(max(middle, 0.0), 1.0)
    size = (middle * (1 - middle) + 1 / positives) / ((n - 1) / n * float(squares.sum()) + virtual)
    low, high = effective_wilson(middle, size, quantile)
    return min(low, effective_wilson(1.0, items, float(stdtrit(_FEWEST_DEGREES, 0.975)))[0]), high
