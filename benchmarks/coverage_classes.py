"""What the 95 % intervals of classification cover: accuracy, macro_f1, mean_recall and mAP of several labels.

Run: python benchmarks/coverage_classes.py [--trials 400] [--seed 0]

Items are drawn from populations whose figures are known. One class per item: classes equally frequent or with a long
tail (shares Dirichlet(1)), each with an accuracy of its own (Beta of the given mean, of 4 trials) and wrong answers of
its own taste; the figures of the population are computed from its table. Several labels: each class with a frequency of
1 to 30 % and a normal score, shifted for its items by a strength of its own, that shares a third of its variance with
the other classes; average precision is integrated. A population serves a fortieth of the trials. Coverage is the share,
among the data sets whose interval is printed, of intervals that hold the population's figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from tabulate import tabulate

from gramcli.metrics.average_precision import mean_average_precision
from gramcli.metrics.class_intervals import confusion_intervals
from gramcli.metrics.intervals import plus_four_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Interval = tuple[float, float] | None
Trial = dict[str, tuple[float, Interval]]
"""Of one data set: figure to its truth and interval."""

SIZES = ((10, 40), (10, 200), (50, 100), (50, 500), (100, 200), (100, 1000), (309, 1000), (309, 5000))
ACCURACIES = (0.1, 0.5, 0.9, 0.98)
LABEL_SIZES = tuple((c, n) for c in (5, 20, 100) for n in (50, 100, 200, 1000))
STRENGTHS = {"weak": (0.0, 1.0), "mixed": (0.5, 3.0), "strong": (3.0, 5.5)}
_POPULATIONS = 40
_TRIALS_OF_AN_ACCURACY = 4.0
_SHARED_VARIANCE = 1 / 3
_RAREST, _MOST_FREQUENT = 0.01, 0.3


def cells(seed: int = 0, trials: int = 400) -> list[dict[str, Any]]:
    """Return coverage, mean length and share of data sets with an interval, per figure and setting."""
    generator = np.random.default_rng(seed)
    found = []
    for tail in (False, True):
        for classes, n in SIZES:
            for accuracy in ACCURACIES:
                setting = f"{classes} classes{', long tail' if tail else ''}, accuracy {accuracy:g}"
                found += single_cell(generator, setting, (classes, n), (accuracy, tail), trials)
    for name, strengths in STRENGTHS.items():
        for classes, n in LABEL_SIZES:
            found += several_cell(generator, f"{classes} classes, {name} scores", (classes, n), strengths, trials)
    return found


def single_cell(
    generator: np.random.Generator, setting: str, size: tuple[int, int], kind: tuple[float, bool], trials: int
) -> list[dict[str, Any]]:
    """One class per item; `size` is classes and items, `kind` mean accuracy and whether there is a long tail."""

    def populations() -> Iterator[Callable[[], Trial]]:
        while True:
            table = population(generator, size[0], *kind)
            yield lambda table=table: single_trial(generator, table, size[1])

    return _measured(setting, size[1], populations(), trials)


def several_cell(
    generator: np.random.Generator, setting: str, size: tuple[int, int], strengths: tuple[float, float], trials: int
) -> list[dict[str, Any]]:
    """Several labels per item; `size` is classes and items, `strengths` the range of the shift of the scores."""

    def populations() -> Iterator[Callable[[], Trial]]:
        while True:
            frequency = np.exp(generator.uniform(np.log(_RAREST), np.log(_MOST_FREQUENT), size[0]))
            shift = generator.uniform(*strengths, size[0])
            truth = float(np.mean([precision(*one) for one in zip(frequency, shift, strict=True)]))
            yield lambda frequency=frequency, shift=shift, truth=truth: {
                "mAP": (truth, several_interval(generator, frequency, shift, size[1]))
            }

    return _measured(setting, size[1], populations(), trials)


def population(generator: np.random.Generator, classes: int, accuracy: float, tail: bool) -> Floats:
    """Probability of every right class and answer, [C, C]."""
    share = generator.dirichlet(np.ones(classes)) if tail else np.full(classes, 1 / classes)
    right = generator.beta(accuracy * _TRIALS_OF_AN_ACCURACY, (1 - accuracy) * _TRIALS_OF_AN_ACCURACY, classes)
    wrong = 0.7 * generator.dirichlet(np.full(classes, 0.3), classes) + 0.3 / classes
    np.fill_diagonal(wrong, 0)
    table = (1 - right)[:, None] * wrong / wrong.sum(axis=1, keepdims=True)
    np.fill_diagonal(table, right)
    return share[:, None] * table


def single_trial(generator: np.random.Generator, table: Floats, n: int) -> Trial:
    """Draw n items and give each figure's truth and interval."""
    items, answers, right = table.sum(axis=1), table.sum(axis=0), np.diag(table)
    drawn = drawn_confusion(generator, table, n)
    f1, recall = confusion_intervals(drawn)
    return {
        "accuracy": (float(right.sum()), plus_four_of(np.arange(n) < np.diag(drawn).sum(), np.arange(n))),
        "macro_f1": (float((2 * right / (items + answers)).mean()), f1),
        "mean_recall": (float((right / items).mean()), recall),
    }


def drawn_confusion(generator: np.random.Generator, table: Floats, n: int) -> Integers:
    """Confusion matrix of n items, [C, C + 1]."""
    sums = table.ravel().cumsum()
    at = np.searchsorted(sums, generator.random(n) * sums[-1])
    counts = np.bincount(at, minlength=table.size).reshape(table.shape)
    return np.pad(counts, ((0, 0), (0, 1)))


def precision(frequency: float, shift: float) -> float:
    """Average precision of a class over all items there are."""
    at = np.linspace(-9.0, 15.0, 4801)
    found, other = frequency * ndtr(shift - at), (1 - frequency) * ndtr(-at)
    density = np.exp(-0.5 * (at - shift) ** 2) / np.sqrt(2 * np.pi)
    return float(np.trapezoid(density * found / np.maximum(found + other, 1e-300), at))


def several_interval(generator: np.random.Generator, frequency: Floats, shift: Floats, n: int) -> Interval:
    """Draw n items and give the interval of their mAP; none where no item has a class."""
    truth = generator.random((n, len(frequency))) < frequency
    own = np.sqrt(1 - _SHARED_VARIANCE) * generator.normal(size=truth.shape)
    scores = own + np.sqrt(_SHARED_VARIANCE) * generator.normal(size=(n, 1)) + shift * truth
    return mean_average_precision(scores, truth)[1] if truth.any() else None


def _measured(setting: str, n: int, populations: Iterator[Callable[[], Trial]], trials: int) -> list[dict[str, Any]]:
    each = -(-trials // _POPULATIONS)
    found: dict[str, list[tuple[float, Interval]]] = {}
    for start in range(0, trials, each):
        drawn = next(populations)
        for _ in range(min(each, trials - start)):
            for figure, outcome in drawn().items():
                found.setdefault(figure, []).append(outcome)
    return [_cell(figure, setting, n, outcomes) for figure, outcomes in found.items()]


def _cell(figure: str, setting: str, n: int, outcomes: list[tuple[float, Interval]]) -> dict[str, Any]:
    printed = [(truth, *interval) for truth, interval in outcomes if interval]
    return {
        "figure": figure,
        "setting": setting,
        "n": n,
        "coverage": float(np.mean([low <= truth <= high for truth, low, high in printed])) if printed else None,
        "mean_length": float(np.mean([high - low for _, low, high in printed])) if printed else None,
        "printed_share": len(printed) / len(outcomes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400, help="data sets per setting")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = cells(options.seed, options.trials)
    print(tabulate(found, headers="keys", tablefmt="github", floatfmt=".3f", missingval="-"))


if __name__ == "__main__":
    main()
