"""Classification figures from scores: a rank of the right class per item, then averages with 95 % intervals.

Items are independent, so accuracy has Wilson's interval. macro_f1 and mean_recall have a percentile bootstrap over
items, drawn as a multinomial over the cells of the confusion matrix: items of one cell are interchangeable, so it is
the same distribution at a fraction of the cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gramcli.errors import UserError
from gramcli.metrics.significance import RESAMPLES, wilson_interval
from gramcli.results.records import ResultRow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Interval = tuple[float, float]
Blocks = Iterable[Floats]
"""Class scores of consecutive items, [b, C] each, higher is better; -inf for a class that cannot be."""

TIED: Final = -1
"""What is predicted where several classes share the top."""

RAW: Final = "raw"
TOP: Final = 5
_FEWEST_RESAMPLES: Final = 200
_AP_BUDGET: Final = 2_000_000_000  # resampled items times classes of one mean average precision
_BLOCK_NUMBERS: Final = 1 << 22


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
    return float(_macro_f1(*_sums(confusion))[0])


def mean_recall(confusion: Integers) -> float:
    """Mean over the classes that occur of the share of their items that are found, in [0, 1].

    The field's mean per-class accuracy; scikit-learn's `balanced_accuracy_score`.

    Args:
        confusion: As from `confusion_matrix`.
    """
    return float(_mean_recall(*_sums(confusion))[0])


def _sums(confusion: Integers) -> tuple[Floats, Floats, Floats]:
    """Right predictions, items and predictions of each class, shape [1, C]."""
    right, items, predicted = np.diag(confusion), confusion.sum(axis=1), confusion[:, :-1].sum(axis=0)
    return right[None].astype(np.float64), items[None].astype(np.float64), predicted[None].astype(np.float64)


def _macro_f1(right: Floats, items: Floats, predicted: Floats) -> Floats:
    return _mean_where(2 * right, items + predicted)


def _mean_recall(right: Floats, items: Floats, _predicted: Floats) -> Floats:
    return _mean_where(right, items)


def _mean_where(above: Floats, below: Floats) -> Floats:
    """Mean of above / below over the columns where below is not 0, per row."""
    there = below > 0
    found: Floats = np.divide(above, below, out=np.zeros_like(above), where=there).sum(axis=1) / there.sum(axis=1)
    return found


def confusion_intervals(confusion: Integers, seed: int = 0) -> tuple[Interval, Interval]:
    """95 % percentile intervals of macro_f1 and mean_recall, 2,000 resamples of the items.

    Args:
        confusion: As from `confusion_matrix`.
        seed: Of the resampling.

    Returns:
        The interval of macro_f1, and that of mean_recall.
    """
    truth, predicted = confusion.nonzero()
    counts, c = confusion[truth, predicted], confusion.shape[0]
    n, cells, answered = int(counts.sum()), np.arange(len(counts)), predicted < c

    def gather(used: Any, classes: Integers) -> Any:  # noqa: ANN401 - a mask, a sparse matrix
        """Sum cells into classes: [C, cells]."""
        ones = np.ones(int(used.sum()))
        return sparse.csr_array((ones, (classes[used], cells[used])), shape=(c, len(counts)))

    parts = [
        gather(truth == predicted, truth),
        gather(np.ones(len(counts), bool), truth),
        gather(answered, predicted),
    ]
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_NUMBERS // max(len(counts), c))
    f1, recall = [], []
    for start in range(0, RESAMPLES, block):
        draws = generator.multinomial(n, counts / n, size=min(block, RESAMPLES - start)).astype(np.float64)
        sums = [(part @ draws.T).T for part in parts]
        f1.append(_macro_f1(*sums))
        recall.append(_mean_recall(*sums))
    return _percentiles(np.concatenate(f1)), _percentiles(np.concatenate(recall))


def _percentiles(values: Floats) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


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
    weights = np.ones((len(scores), 1), dtype=np.float32)
    return np.array([_average_precision(*column, weights)[0] for column in zip(scores.T, truth.T, strict=True)])


def _average_precision(scores: Floats, truth: Booleans, weights: NDArray[np.float32]) -> Floats:
    """Average precision under each column of whole-number weights [n, B]; NaN where no positive was drawn.

    Only groups of equal score that hold a positive are a step of recall: the items between are summed, not listed.
    """
    order = np.argsort(-scores, kind="stable")
    if not truth.any():
        return np.full(weights.shape[1], np.nan)
    last = np.append(scores[order][1:] != scores[order][:-1], True)
    group = np.cumsum(last) - last
    positive = np.flatnonzero(truth[order])
    steps, first = np.unique(group[positive], return_index=True)
    ends = np.flatnonzero(last)[steps] + 1
    seen = _summed(weights[order[: ends[-1]]], np.append(0, ends[:-1])).cumsum(axis=0)
    gained = _summed(weights[order[positive]], first)
    hits = gained.cumsum(axis=0)
    summed = (gained * np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)).sum(axis=0)
    total = hits[-1]
    found: Floats = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return found


def _summed(weights: NDArray[np.float32], starts: Integers) -> Floats:
    """Sums of consecutive rows, [groups, B]; exact, as they are whole numbers below 2^24."""
    return np.add.reduceat(weights, starts, axis=0).astype(np.float64)


def mean_average_precision(scores: Floats, truth: Booleans, seed: int = 0) -> tuple[float, float, float]:
    """Mean average precision (mAP) over the classes that occur, with a 95 % percentile interval over items.

    scikit-learn's `average_precision_score(average="macro")`, but that a class without items counts nowhere, not as 0.

    Args:
        scores: Shape [n, C], higher is better.
        truth: Which items have which class, shape [n, C].
        seed: Of the resampling: 2,000 times, fewer (at least 200) where items times classes are beyond a million.

    Returns:
        Value, lower and upper bound.

    Raises:
        UserError: No item has a class.
    """
    used = truth.any(axis=0)
    if not used.any():
        raise UserError("embedding", "mAP needs an item that has a class; none has.")
    n, c = len(scores), int(used.sum())
    resamples = int(np.clip(_AP_BUDGET // (n * c), _FEWEST_RESAMPLES, RESAMPLES))
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    weights = np.ascontiguousarray(drawn.T, dtype=np.float32)
    total, count = np.zeros(resamples), np.zeros(resamples)
    for column in np.flatnonzero(used):
        found = _average_precision(scores[:, column], truth[:, column], weights)
        total += np.nan_to_num(found)
        count += np.isfinite(found)
    value = float(np.nanmean(average_precisions(scores[:, used], truth[:, used])))
    return value, *_percentiles(total / count)


def single_label_rows(task: str, method: str, found: Outcomes, seed: int = 0) -> list[ResultRow]:
    """Give accuracy, top5 (of more than five classes), macro_f1 and mean_recall, each with its 95 % interval.

    Args:
        task: What is classified by what.
        method: By which classifier.
        found: Its outcomes.
        seed: Of the resampling.
    """
    n, confusion = len(found.truth), confusion_matrix(found)
    hits = int(np.diag(confusion).sum())
    f1, recall = confusion_intervals(confusion, seed)
    if hits in (0, n):  # resampling shows no spread at all
        f1 = recall = wilson_interval(hits, n)
    cutoffs = {"accuracy": 1, f"top{TOP}": TOP} if found.n_classes > TOP else {"accuracy": 1}
    values = {
        metric: (top_accuracy(found, k), *wilson_interval(int((found.ranks <= k).sum()), n))
        for metric, k in cutoffs.items()
    }
    values |= {"macro_f1": (macro_f1(confusion), *f1), "mean_recall": (mean_recall(confusion), *recall)}
    return [ResultRow(task, method, RAW, metric, *figures, n) for metric, figures in values.items()]


def multi_label_rows(task: str, method: str, scores: Floats, truth: Booleans, seed: int = 0) -> list[ResultRow]:
    """Give the mAP with its 95 % interval.

    Args:
        task: What is classified by what.
        method: By which classifier.
        scores: Shape [n, C], higher is better.
        truth: Which items have which class, shape [n, C].
        seed: Of the resampling.
    """
    return [ResultRow(task, method, RAW, "mAP", *mean_average_precision(scores, truth, seed), len(scores))]
