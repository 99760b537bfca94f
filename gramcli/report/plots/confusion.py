"""Which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.report.plots.classified import best_run
from gramcli.report.plots.heat import heat, numbers
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import SMALL, distinct, name_of, new_figure, styled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.report.plots.classified import Confusion
    from gramcli.report.plots.subject import Subject

MOST: Final = 24
NUMBERED: Final = 14
"""Classes up to which cells have numbers."""


def confusion(subject: Subject) -> Picture | None:
    """Draw the confusion matrix of the run of highest accuracy, rows in per cent of the true class.

    Args:
        subject: With an evaluation.

    Returns:
        None where it classified nothing.
    """
    found = best_run(subject)
    if found is None or not found.counts.sum():
        return None
    shown = _most_confused(found)
    values, columns = _shares(found, shown)
    names = distinct((found.classes[k] for k in shown), 18)
    side = 0.26 * len(shown)
    with styled("confusion"):
        figure = new_figure(1.5 + max(1.2, side))
        axes = figure.subplots()
        heat(axes, values, 0.0, 100.0)
        if len(shown) <= NUMBERED:
            numbers(axes, np.where(values > 0, values, np.nan))
        axes.set_xticks(range(len(columns)), [names.get(one, one) for one in columns], rotation=45, ha="right",
                        rotation_mode="anchor", fontsize=SMALL)  # fmt: skip
        axes.set_yticks(range(len(shown)), [names[found.classes[k]] for k in shown], fontsize=SMALL)
        axes.set_xlabel("taken for")
        axes.set_ylabel("is")
        title = subject.title or f"{found.task} {found.method}, per cent of each class"
        axes.set_title(name_of(title, 90), loc="left")
    some = (
        f" The {len(shown)} of {len(found.classes)} classes that are confused most."
        if len(shown) < len(found.classes)
        else ""
    )
    best = f" Best of {found.runs} runs; --task and --method choose others." if found.runs > 1 else ""
    caption = (
        f"Confusion matrix of {found.method} by {found.task}: of each class (down) per cent taken for each (across). "
        f"Accuracy {100 * found.accuracy:.1f} %.{best}{some}{_worst(found)}"
    )
    return Picture("confusion", caption, figure)


def _most_confused(found: Confusion) -> list[int]:
    """The classes that there are items of, at most so many, those with most mistakes; in their own order."""
    n = len(found.classes)
    there = [k for k in range(n) if found.counts[k].sum() or found.counts[:, k].sum()]
    mistakes = found.counts.sum(axis=1) + found.counts[:, :n].sum(axis=0) - 2 * np.diagonal(found.counts)
    return sorted(sorted(there, key=lambda k: -int(mistakes[k]))[:MOST])


def _shares(found: Confusion, shown: list[int]) -> tuple[NDArray[np.float64], list[str]]:
    """Per cent of each class by what it was taken for; further columns where others are needed."""
    n = len(found.classes)
    totals = np.maximum(found.counts.sum(axis=1), 1)[shown, None]
    values = 100 * found.counts[np.ix_(shown, shown)] / totals
    names = [found.classes[k] for k in shown]
    rest = [k for k in range(n) if k not in shown]
    for label, columns in (("another class", rest), ("a tie of several", [n])):
        more = 100 * found.counts[np.ix_(shown, columns)].sum(axis=1, keepdims=True) / totals
        if more.any():
            values, names = np.hstack([values, more]), [*names, label]
    return values, names


def _worst(found: Confusion) -> str:
    n = len(found.classes)
    others = found.counts[:, :n].copy()
    np.fill_diagonal(others, 0)
    if not others.any():
        return ""
    truth, predicted = np.unravel_index(int(others.argmax()), others.shape)
    count = int(others[truth, predicted])
    return f" Most often: {found.classes[truth]} taken for {found.classes[predicted]}, {count} times."
