"""Several panels in one figure: which tasks and methods they show, where names and legends stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np

from gramcli.report.plots.style import TITLE, WIDTH, name_of, new_figure
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_TITLE: Final = 84  # letters of a title


class OfTask(Protocol):
    """What has a task and a method."""

    @property
    def task(self) -> str:
        """As in results."""

    @property
    def method(self) -> str:
        """As in results."""


OfTaskT = TypeVar("OfTaskT", bound=OfTask)


def principal(rows: Sequence[OfTaskT], most: int) -> list[OfTaskT]:
    """As many rows as there are panels: whole tasks, those of most modalities first, at least a part of one."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    kept: list[OfTaskT] = []
    for task in sorted(tasks, key=breadth, reverse=True):
        those = [row for row in rows if row.task == task]
        if kept and len(kept) + len(those) > most:
            break
        kept += those[: most - len(kept)]
    return kept


def some_of(shown: int, total: int, noun: str = "tasks and methods") -> str:
    """Say that there are more than are drawn."""
    return "" if shown >= total else f" Shown: {shown} of {total} {noun}; --task and --method choose others."


def grid(n: int, columns: int, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:  # noqa: ANN401 - see subplots
    """A figure of n panels, at most so many side by side, each so many inches high.

    Args:
        n: Panels.
        columns: Most of them in a line.
        height: Of a line.
        **shared: What panels share, as `Figure.subplots` takes it.
    """
    columns = min(columns, n)
    lines = math.ceil(n / columns)
    width = WIDTH if columns > 1 else 0.7 * WIDTH
    figure = new_figure(height * lines + 0.3, width)
    panels: list[Axes] = list(np.ravel(figure.subplots(lines, columns, squeeze=False, **shared)))
    for panel in panels[n:]:
        panel.set_axis_off()
    return figure, panels[:n]


def headed(figure: Figure, title: str, handles: Sequence[Any] = (), labels: Sequence[str] = ()) -> None:
    """Put a title and a legend above everything; either may be empty.

    Args:
        figure: With its panels.
        title: As it was given.
        handles: Of the legend.
        labels: Their names.
    """
    shown = name_of(title, _TITLE)
    if handles:
        figure.legend(
            handles, labels, loc="outside upper left", ncols=6, title=shown or None, alignment="left",
            title_fontsize=TITLE, borderpad=0.1, handletextpad=0.5,
        )  # fmt: skip
    elif shown:
        figure.suptitle(shown, x=0.01, ha="left")


def apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Move places apart until neighbours are `least` apart, within bounds, in their order.

    Example:
        >>> apart([5.0, 5.0, 9.0], 2.0, 0.0, 10.0)
        [4.0, 6.0, 9.0]
        >>> apart([10.0, 10.0], 2.0, 0.0, 10.0)
        [8.0, 10.0]
    """
    order = sorted(range(len(places)), key=lambda k: places[k])
    groups = [([k], places[k]) for k in order]
    moved = True
    while moved:
        moved = False
        groups = [(members, _within(centre, len(members), least, low, high)) for members, centre in groups]
        for number in range(len(groups) - 1):
            (first, a), (second, b) = groups[number], groups[number + 1]
            if b - a < least * (len(first) + len(second)) / 2 - 1e-9:
                centre = (a * len(first) + b * len(second)) / (len(first) + len(second))
                groups[number : number + 2] = [(first + second, centre)]
                moved = True
                break
    found = [0.0] * len(places)
    for members, centre in groups:
        for number, k in enumerate(members):
            found[k] = centre + least * (number - (len(members) - 1) / 2)
    return found


def _within(centre: float, n: int, least: float, low: float, high: float) -> float:
    half = least * (n - 1) / 2
    return max(low + half, min(high - half, centre)) if high - low >= 2 * half else (low + high) / 2
