"""Figures with their 95 % intervals, one line per task and method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gramcli.report.answer import is_number
from gramcli.report.plots.panels import headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import (
    INK,
    SMALL,
    WIDTH,
    colour,
    distinct,
    faint_grid,
    marker,
    name_of,
    new_figure,
    numbered,
    styled,
)
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gramcli.report.plots.subject import Subject
    from gramcli.results.records import ResultRow

LINE: Final = 0.2  # inches
SLIM: Final = 3.7  # inches, the width of a phone
MOST_LINES: Final = 60


@dataclass(frozen=True)
class Line:
    """One line of a forest: a name, a figure with its interval, and the same in words.

    Attributes:
        group: What it stands under.
        name: On the left.
        value: Where the mark is.
        low: Lower end of its interval, None where there is none.
        high: Upper end.
        words: On the right.
        look: Number of its colour and mark.
    """

    group: str
    name: str
    value: float
    low: float | None
    high: float | None
    words: str
    look: int


def forest(subject: Subject, metric: str = "R@1") -> Picture | None:
    """Draw one metric of an evaluation.

    Args:
        subject: With an evaluation.
        metric: A fraction in [0, 1], drawn in per cent.

    Returns:
        None where the evaluation has no such figure.
    """
    rows = [] if subject.evaluation is None else list(subject.evaluation.results)
    found = [
        row
        for row in map(stage_named, rows)
        if row.metric == metric and is_number(row.value) and subject.keeps(row.task, row.method)
    ]
    if not found:
        return None
    tasks = sorted(dict.fromkeys(row.task for row in found), key=breadth, reverse=True)
    order = list(dict.fromkeys(row.task for row in found)) if len(found) <= MOST_LINES else tasks
    found.sort(key=lambda row: order.index(row.task))
    looks = numbered([row.method for row in found])
    lines = [_line(row, looks[row.method]) for row in found[:MOST_LINES]]
    name = "forest" if metric == "R@1" else metric
    top = 100.0 if metric == "accuracy" else None
    label, ends = f"{metric} in per cent, 95 % interval", (0.0, top)
    figure, slim = (forest_figure(name, lines, label, ends, subject.title, slim=one)[0] for one in (False, True))
    more = "" if len(found) <= MOST_LINES else f" The first {MOST_LINES} of {len(found)}; --task chooses others."
    what = "R@1 of every task and method" if metric == "R@1" else "Accuracy of every classifier"
    if metric not in ("R@1", "accuracy"):
        what = f"{metric} of every task and method"
    return Picture(name, f"{what}; the bar is the 95 % interval.{more}", figure, slim=slim)


def accuracy(subject: Subject) -> Picture | None:
    """Draw the accuracy of every classifier."""
    return forest(subject, "accuracy")


def stage_named(row: ResultRow) -> ResultRow:
    """The row with its stage in the method's name, as rank vectors of a second stage have it."""
    return replace(row, method=f"{row.method} {row.stage}") if row.stage.startswith("rerank") else row


def forest_figure(
    name: str,
    lines: Sequence[Line],
    label: str,
    ends: tuple[float | None, float | None],
    title: str = "",
    *,
    slim: bool = False,
) -> tuple[Figure, Axes]:
    """Draw lines from the top, each group under its heading.

    Args:
        name: Of the figure; the same name and lines give the same bytes.
        lines: In order, those of a group together.
        label: Of the axis.
        ends: Of the axis; None leaves it to the lines.
        title: Above; may be empty.
        slim: For a phone's width: names and figures stand above each line, not beside it.

    Returns:
        The figure, and its axes, to which more can be added.
    """
    groups = list(dict.fromkeys(line.group for line in lines))
    step = 2.0 if slim else 1.0
    n_rows = step * len(lines) + (1.25 * len(groups) if any(groups) else 0)
    with styled(name):
        figure = new_figure(0.62 + LINE * n_rows + (0.25 if title else 0), SLIM if slim else WIDTH)
        axes = figure.subplots()
        place, ticks, names = 0.0, [], distinct(line.name for line in lines)
        for number, group in enumerate(groups):
            if group:
                place += 0.25 if number else 0.0
                _head(axes, place, group, slim=slim)
                place += 1.0
            for line in (one for one in lines if one.group == group):
                _draw(axes, place + step - 1, line, f"{names[line.name]}: {line.words}" if slim else "")
                ticks.append((place, names[line.name]))
                place += step
        axes.set_yticks([] if slim else [at for at, _ in ticks], [] if slim else [text for _, text in ticks])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(place - 0.4, -0.6)
        left, right = ends
        axes.set_xlim(left, _nice_top(lines) if right is None and left is not None else right)
        axes.set_xlabel(label)
        faint_grid(axes, "x")
        headed(figure, title)
    return figure, axes


def _head(axes: Axes, place: float, group: str, *, slim: bool) -> None:
    axes.annotate(
        name_of(group), (0, place), xycoords=("axes fraction", "data"), xytext=(0 if slim else -6, 0),
        textcoords="offset points", ha="left" if slim else "right", va="center", fontweight="bold",
    )  # fmt: skip


def _line(row: ResultRow, look: int) -> Line:
    value, low, high = (None if one is None else 100 * one for one in (row.value, row.low, row.high))
    words = f"{value:.1f}" if low is None or high is None else f"{value:.1f} [{low:.1f}, {high:.1f}]"
    return Line(row.task, row.method, value or 0.0, low, high, words, look)


def _draw(axes: Axes, place: float, line: Line, above: str) -> None:
    """A mark with its interval; its words to the right, or with its name above it."""
    shade = colour(line.look)
    if line.low is not None and line.high is not None:
        axes.plot([line.low, line.high], [place, place], color=shade, linewidth=2, solid_capstyle="butt")
    axes.plot([line.value], [place], marker(line.look), color=shade, markersize=6, clip_on=False, zorder=3)
    axes.annotate(
        above or line.words, (0 if above else 1, place - (0.9 if above else 0)), xycoords=("axes fraction", "data"),
        xytext=(0 if above else 6, 0), textcoords="offset points", va="center", fontsize=SMALL, color=INK,
    )  # fmt: skip


def _nice_top(lines: Sequence[Line]) -> float:
    """The end of an axis: the next ten above everything, at most 100."""
    value = max(line.high or line.value for line in lines)
    return min(102.0, 10 * math.ceil(max(value, 1) / 10))
