"""Figures as SVG text that takes the page's own font and ink, so one figure suits light and dark."""

# ruff: noqa: E402 - something is set before matplotlib is imported
from __future__ import annotations

import io
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a missing home while it is imported
from matplotlib import style
from matplotlib.figure import Figure

from gramcli.metrics.figures import hits
from gramcli.report.answer import is_number
from gramcli.report.escaping import terminal
from gramcli.results.records import RankVector, ResultRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from gramcli.results.runs import Epoch

NamedT = TypeVar("NamedT", ResultRow, RankVector)

# Okabe and Ito's palette less black and yellow: told apart by colour-blind readers, on white and on near-black.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS: Final = "osD^vP"
INK: Final = "#010203"  # stands for the page's text colour; no figure uses it otherwise
MAX_PANELS: Final = 6
MAX_CUTOFF: Final = 100
_RC: Final[Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def forest_plot(rows: Sequence[ResultRow], metric: str = "R@1") -> str:
    """Draw one metric with its 95 % interval, one line per task and method.

    Args:
        rows: Figures of an evaluation; other metrics among them are passed over.
        metric: A fraction in [0, 1], drawn in per cent.

    Returns:
        An `<svg>` element; the empty string when no row has the metric.
    """
    found = [_drawn(stage_named(row)) for row in rows if row.metric == metric and is_number(row.value)]
    if not found:
        return ""
    tasks = list(dict.fromkeys(row.task for row in found))
    found.sort(key=lambda row: tasks.index(row.task))
    with style.context(["default", _RC, {"svg.hashsalt": f"forest {metric}"}]):
        figure = Figure(figsize=(7.6, 0.9 + 0.3 * len(found)), layout="constrained")
        axes = figure.subplots()
        colours = _colour_of(found)
        places, ticks = _places([row.task for row in found])
        for place, row in zip(places, found, strict=True):
            _interval(axes, place, row, colours[row.method])
        axes.set_yticks([place for place, _ in ticks], [label for _, label in ticks])
        axes.set_ylim(max(places) + 0.7, -0.7)
        axes.set_xlim(0, _nice_top(100 * max(row.high or row.value or 0 for row in found)))
        axes.set_xlabel(f"{metric} in per cent, 95 % interval")
        _legend(axes)
        return _svg(figure)


def stage_named(row: ResultRow) -> ResultRow:
    """The row with its stage in the method's name, as rank vectors of a second stage have it."""
    return replace(row, method=f"{row.method} {row.stage}") if row.stage.startswith("rerank") else row


def _drawn(row: NamedT) -> NamedT:
    """The row under names that can be drawn and that an SVG may hold."""
    return replace(row, task=terminal(row.task), method=terminal(row.method))


def _colour_of(rows: Sequence[ResultRow] | Sequence[RankVector]) -> dict[str, int]:
    return {method: number for number, method in enumerate(dict.fromkeys(row.method for row in rows))}


def _places(tasks: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Place lines from the top, a gap between tasks; each task's label stands at its middle."""
    places: list[float] = []
    for number, task in enumerate(tasks):
        gap = 0.0 if not number else 1.6 if task != tasks[number - 1] else 1.0
        places.append((places[-1] if places else 0.0) + gap)
    ticks, start = [], 0
    for number in range(1, len(tasks) + 1):
        if number == len(tasks) or tasks[number] != tasks[start]:
            ticks.append(((places[start] + places[number - 1]) / 2, tasks[start]))
            start = number
    return places, ticks


def _interval(axes: Axes, place: float, row: ResultRow, number: int) -> None:
    value = 100 * (row.value or 0)
    colour = COLOURS[number % len(COLOURS)]
    known = {line.get_label() for line in axes.get_lines()}
    label = f"_{row.method}" if row.method in known else row.method
    if row.low is not None and row.high is not None:
        axes.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=2, label="_")
    axes.plot([value], [place], MARKERS[number % len(MARKERS)], color=colour, markersize=6, label=label)


def _nice_top(value: float) -> float:
    """Return the end of an axis: the next ten above `value`, at most 100."""
    return min(102.0, 10 * math.ceil(max(value, 1) / 10))


def recall_curves(ranks: Sequence[RankVector]) -> str:
    """Draw R@k against k for each method, one panel per task (the first six tasks).

    Args:
        ranks: Rank vectors of an evaluation.

    Returns:
        An `<svg>` element; the empty string when there are no ranks.
    """
    ranks = [_drawn(vector) for vector in ranks]
    tasks = list(dict.fromkeys(vector.task for vector in ranks if vector.ranks))[:MAX_PANELS]
    if not tasks:
        return ""
    columns = min(3, len(tasks))
    lines = math.ceil(len(tasks) / columns)
    with style.context(["default", _RC, {"svg.hashsalt": "recall"}]):
        figure = Figure(figsize=(7.6 if columns > 1 else 5.2, 2.7 * lines + 0.5), layout="constrained")
        panels = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
        colours = _colour_of(ranks)
        for panel, task in zip(panels, tasks, strict=False):
            _recall_panel(panel, task, [vector for vector in ranks if vector.task == task], colours)
        for panel in panels[len(tasks) :]:
            panel.set_axis_off()
        for panel in panels[::columns]:
            panel.set_ylabel("R@k in per cent")
        named: dict[str, Any] = {}
        for panel in panels:
            handles, labels = panel.get_legend_handles_labels()
            named = dict(zip(labels, handles, strict=True)) | named
        figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=6, frameon=False)
        return _svg(figure)


def learning_curves(history: Sequence[Epoch], best: int, metric: str) -> str:
    """Draw loss and validation figure against the epoch, the best epoch marked.

    Args:
        history: Every epoch.
        best: Number of the epoch that was kept.
        metric: The validation figure that chose it.

    Returns:
        An SVG document.
    """
    epochs = [one.epoch for one in history]
    with style.context(["default", _RC, {"svg.hashsalt": "learning"}]):
        figure = Figure(figsize=(7.6, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(epochs, [one.loss for one in history], "o-" if len(epochs) == 1 else "-", color=COLOURS[0])
        left.set_ylabel("training loss")
        for number, name in enumerate(dict.fromkeys(("R@1", metric))):
            values = [100 * one.measures[name] for one in history]
            right.plot(epochs, values, color=COLOURS[number + 1], label=name)
            right.plot([best], [values[best - 1]], MARKERS[number], color=COLOURS[number + 1], label="_")
        right.set_ylabel("validation, per cent")
        right.set_ylim(bottom=0)
        _legend(right)
        for axes in (left, right):
            axes.set_xlabel("epoch")
        return _svg(figure).replace("<svg", '<svg style="background: white"', 1)


def _recall_panel(panel: Axes, task: str, vectors: Sequence[RankVector], colours: dict[str, int]) -> None:
    top = max(2, min(MAX_CUTOFF, max(vector.n_candidates for vector in vectors)))
    cutoffs = np.arange(1, top + 1)
    for vector in vectors:
        found = [hits(vector, int(k)).sum() for k in cutoffs]
        answered = max(1, int(np.isfinite(np.array(vector.ranks)).sum()))
        round_, number = divmod(colours[vector.method], len(COLOURS))
        line = ("-", "--", ":")[min(round_, 2)]
        share = 100 * np.array(found) / answered
        panel.plot(cutoffs, share, line, color=COLOURS[number], label=vector.method, linewidth=2)
    # Chance: a hit by drawing k of N candidates.
    chance = 100 * cutoffs / max(vector.n_candidates for vector in vectors)
    panel.plot(cutoffs, chance.clip(max=100), color=INK, linewidth=1, linestyle=":", alpha=0.6, label="chance")
    panel.set_title(task, fontsize=11)
    panel.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100) if k <= top]
    panel.set_xticks(ticks, [str(k) for k in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("k")
    panel.set_ylim(0, 102)
    panel.grid(alpha=0.15, color=INK)


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=6, frameon=False, borderaxespad=0, handletextpad=0.2)


def _svg(figure: Figure) -> str:
    for axes in figure.axes:
        axes.set_facecolor("none")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
