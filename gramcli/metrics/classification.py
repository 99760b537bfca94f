"""Classification figures from scores: a rank of the right class per item, then averages with 95 % intervals.

Items are independent, and accuracy and top5 have the interval of every share (`intervals`). Those of averages over
classes are in `class_intervals` and `average_precision`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.metrics.average_precision import mean_average_precision
from gramcli.metrics.class_intervals import Interval, confusion_intervals, holding
from gramcli.metrics.intervals import plus_four_of
from gramcli.results.records import ResultRow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Blocks = Iterable[Floats]
"""Class scores of consecutive items, [b, C] each, higher is better; -inf for a class that cannot be."""

TIED: Final = -1
"""What is predicted where several classes share the top."""

RAW: Final = "raw"
TOP: Final = 5


@dataclass(frozen=True)
class Outcomes:
    """What a classifier made of n items that have one class each.

    Attributes:
        truth: Right class of each item, shape [n], 0 .. C - 1.
        predicted: Class of the highest score, `TIED` where several share it, shape [n].
        ranks: Rank of the right class among all, counted from 1, ties in the middle, shape [n].
        n_classes: C.
    """

    truth: Integers
    predicted: Integers
    ranks: Floats
    n_classes: int


def outcomes(blocks: Blocks, truth: Integers) -> Outcomes:
    """Rank the right class of every item among all classes.

    A tie takes the mean of its range: the right class is hit at 1 only when it is alone at the top, and which class
    comes first in a list plays no part. (`argmax` would give a classifier that says nothing the accuracy of class 0.)

    Args:
        blocks: See `Blocks`.
        truth: Right class of each item, shape [n].

    Returns:
        Predictions and ranks; no more than one block of scores is held.

    Raises:
        UserError: There is no item, a score is NaN, or the blocks do not cover the items.

    Example:
        >>> outcomes([np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1]])], np.array([2, 1])).ranks.tolist()
        [2.0, 1.5]
    """
    predicted, ranks, done, n_classes = [], [], 0, 0
    for scores in blocks:
        if np.isnan(scores).any():
            raise UserError("embedding", "A class score is NaN: the embeddings or the classifier are broken.")
        rows = np.arange(len(scores))
        right = scores[rows, truth[done : done + len(scores)]][:, None]
        ranks.append(1 + (scores > right).sum(axis=1) + ((scores == right).sum(axis=1) - 1) / 2)
        best = scores.argmax(axis=1)
        alone = (scores == scores[rows, best][:, None]).sum(axis=1) == 1
        predicted.append(np.where(alone, best, TIED))
        done, n_classes = done + len(scores), scores.shape[1]
    if done != len(truth) or done == 0:
        raise UserError("embedding", f"Classification needs a score for every item; got {done} for {len(truth)} items.")
    return Outcomes(truth, np.concatenate(predicted), np.concatenate(ranks), n_classes)


def stacked(blocks: Blocks) -> Floats:
    """All blocks as one array [n, C], which ranking items for each class needs.

    Raises:
        UserError: There is no item, or a score is NaN.
    """
    parts = list(blocks)
    if not parts or any(np.isnan(part).any() for part in parts):
        raise UserError(
            "embedding", "Classification needs items and scores that are numbers; an item or a score lacks."
        )
    return np.concatenate(parts)


def confusion_matrix(found: Outcomes) -> Integers:
    """Count items by right and predicted class.

    Returns:
        Shape [C, C + 1], rows the right class; the last column counts ties at the top.

    Example:
        >>> confusion_matrix(Outcomes(np.array([0, 1]), np.array([0, TIED]), np.array([1.0, 1.5]), 2)).tolist()
        [[1, 0, 0], [0, 0, 1]]
    """
    width = found.n_classes + 1
    counts = np.bincount(found.truth * width + found.predicted % width, minlength=found.n_classes * width)
    return counts.reshape(found.n_classes, width).astype(np.int64)


def top_accuracy(found: Outcomes, k: int = 1) -> float:
    """Share of items whose right class is in the top k, in [0, 1]; a tie across the border counts by its middle."""
    return float((found.ranks <= k).mean())


def macro_f1(confusion: Integers) -> float:
    """Mean of F1 = 2 TP / (2 TP + FP + FN) over the classes that are right or predicted at least once, in [0, 1].

    These are scikit-learn's classes (`f1_score(average="macro")`); a tie at the top is a miss and no prediction.

    Args:
        confusion: As from `confusion_matrix`.
    """
    right, items, predicted = np.diag(confusion), confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)
    return _mean_where(2 * right, items + predicted)


def mean_recall(confusion: Integers) -> float:
    """Mean over the classes that occur of the share of their items that are found, in [0, 1].

    The field's mean per-class accuracy; scikit-learn's `balanced_accuracy_score`.

    Args:
        confusion: As from `confusion_matrix`.
    """
    return _mean_where(np.diag(confusion), confusion.sum(axis=1))


def _mean_where(above: Integers, below: Integers) -> float:
    """Mean of above / below over the classes where below is not 0."""
    there = below > 0
    return float((above[there] / below[there]).mean())


def single_label_rows(task: str, method: str, found: Outcomes) -> list[ResultRow]:
    """Give accuracy, top5 (of more than five classes), macro_f1 and mean_recall, each with its 95 % interval.

    Args:
        task: What is classified by what.
        method: By which classifier.
        found: Its outcomes.
    """
    n, confusion = len(found.truth), confusion_matrix(found)
    f1, recall = confusion_intervals(confusion)
    cutoffs = {"accuracy": 1, f"top{TOP}": TOP} if found.n_classes > TOP else {"accuracy": 1}
    values: dict[str, tuple[float, Interval | None]] = {
        metric: (top_accuracy(found, k), plus_four_of((found.ranks <= k).astype(np.float64), np.arange(n)))
        for metric, k in cutoffs.items()
    }
    values |= {"macro_f1": (macro_f1(confusion), f1), "mean_recall": (mean_recall(confusion), recall)}
    return [_row(task, method, metric, *figure, n) for metric, figure in values.items()]


def multi_label_rows(task: str, method: str, scores: Floats, truth: Booleans) -> list[ResultRow]:
    """Give the mAP with its 95 % interval.

    Args:
        task: What is classified by what.
        method: By which classifier.
        scores: Shape [n, C], higher is better.
        truth: Which items have which class, shape [n, C].
    """
    return [_row(task, method, "mAP", *mean_average_precision(scores, truth), len(scores))]


def _row(task: str, method: str, metric: str, value: float, interval: Interval | None, n: int) -> ResultRow:
    low, high = holding(value, interval) if interval else (None, None)  # the value may be rounded otherwise there
    return ResultRow(task, method, RAW, metric, value, low, high, n)
