"""Accuracy of each class with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.metrics.intervals import plus_four_of
from gramcli.report.plots.classified import best_run
from gramcli.report.plots.forest import Line, forest_figure
from gramcli.report.plots.picture import Picture

if TYPE_CHECKING:
    from gramcli.report.plots.classified import Confusion
    from gramcli.report.plots.subject import Subject

MOST: Final = 40


def class_accuracy(subject: Subject) -> Picture | None:
    """Draw the share of each class's items that were found, of the run of highest accuracy, the worst last.

    Args:
        subject: With an evaluation.

    Returns:
        None where it classified nothing.
    """
    found = best_run(subject)
    if found is None or not found.counts.sum():
        return None
    lines = sorted(_lines(found), key=lambda line: (-line.value, line.name))
    shown = lines[-MOST:]
    label = f"accuracy in per cent, 95 % interval ({found.task}, {found.method})"
    figure, _ = forest_figure("classes", shown, label, (0.0, 102.0), subject.title)
    some = f" The {MOST} worst of {len(lines)} classes." if len(lines) > len(shown) else ""
    best = f" Best of {found.runs} runs; --task and --method choose others." if found.runs > 1 else ""
    caption = f"Share of each class's items that {found.method} by {found.task} found, with 95 % intervals.{best}{some}"
    return Picture("classes", caption, figure)


def _lines(found: Confusion) -> list[Line]:
    lines = []
    for k, name in enumerate(found.classes):
        total, right = int(found.counts[k].sum()), int(found.counts[k, k])
        if total:
            hits = np.zeros(total)
            hits[:right] = 1
            low, high = plus_four_of(hits, np.arange(total))
            lines.append(Line("", name, 100 * right / total, 100 * low, 100 * high, f"{right} of {total}", 0))
    return lines
