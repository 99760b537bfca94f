"""Differences to the baseline with their intervals, and what the test says of each: by colour, shape and word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.metrics.catalog import METRICS
from gramcli.report.answer import is_per_cent, signed_text
from gramcli.report.plots.forest import Line, forest_figure
from gramcli.report.plots.panels import headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, name_of, styled
from gramcli.results.wording import p_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gramcli.report.plots.subject import Subject
    from gramcli.results.records import Comparison, ComparisonRow

LEVEL: Final = 0.05
MOST_LINES: Final = 60
BETTER: Final = "better"
WORSE: Final = "worse"
NOTHING: Final = "no difference shown"
_LOOKS: Final = {BETTER: ("#0072b2", "^"), WORSE: ("#d55e00", "v"), NOTHING: (INK, "o")}


def differences(subject: Subject) -> Picture | None:
    """Draw the differences of a comparison in its primary metric.

    Args:
        subject: With a comparison.

    Returns:
        None where there is none, or nothing of it was asked for.
    """
    if subject.comparison is None:
        return None
    metric = primary_metric(subject.comparison)
    rows = [row for row in subject.comparison.rows if row.metric == metric and subject.keeps_task(row.task)]
    if not rows:
        return None
    return _picture(rows[:MOST_LINES], metric, len(rows), subject.title)


def primary_metric(comparison: Comparison) -> str:
    """The metric of the primary figures, else R@1, else the first."""
    named = [row.metric for row in comparison.rows if row.family == "primary"]
    every = [row.metric for row in comparison.rows]
    return named[0] if named else "R@1" if "R@1" in every or not every else every[0]


def verdict(row: ComparisonRow) -> str:
    """What the test says of B: `better`, `worse` or `no difference shown` (p Holm below 0.05, else p)."""
    p = row.p_value if row.p_holm is None else row.p_holm
    if p is None or p >= LEVEL or not row.delta:
        return NOTHING
    return BETTER if (row.delta > 0) == higher_is_better(row.metric) else WORSE


def higher_is_better(metric: str) -> bool:
    """Whether a larger figure is the better one; ranks are better small."""
    found = next((one for one in METRICS if one.name == metric), None)
    return found is None or not found.direction.startswith("lower")


def _picture(rows: list[ComparisonRow], metric: str, total: int, title: str) -> Picture:
    baseline = rows[0].a
    others = list(dict.fromkeys(row.b for row in rows))
    alone = len(others) == 1
    lines = [_line(row, "" if alone else row.task, row.task if alone else row.b) for row in rows]
    scale = "in points" if is_per_cent(metric) else ""
    label = f"difference of {metric} {scale}".rstrip() + ", 95 % interval"
    heading = title or (f"{name_of(others[0], 38)} minus {name_of(baseline, 38)}" if alone else f"minus {baseline}")
    figure, slim = (_drawn(rows, lines, label, "" if one else heading, slim=one) for one in (False, True))
    found = [verdict(row) for row in rows]
    counted = ", ".join(f"{found.count(one)} {one}" for one in _LOOKS if one in found)
    what = f"{others[0]} minus {baseline}" if alone else f"each minus {baseline}"
    more = f" The first {len(rows)} of {total}." if total > len(rows) else ""
    caption = f"Differences of {metric}, {what}, with 95 % intervals; verdict by p Holm below 0.05: {counted}.{more}"
    return Picture("differences", caption, figure, slim=slim)


def _drawn(rows: list[ComparisonRow], lines: list[Line], label: str, heading: str, *, slim: bool) -> Figure:
    """The forest of differences, each mark in the look of its verdict."""
    figure, axes = forest_figure("differences", lines, label, (None, None), slim=slim)
    with styled("differences"):
        marks = [line for line in axes.get_lines() if line.get_linestyle() == "None"]
        bars = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
        seen: dict[str, Any] = {}
        found = [verdict(row) for row in rows]
        drawn = [row for row in rows if row.low is not None and row.high is not None]
        for bar, row in zip(bars, drawn, strict=True):
            bar.set_color(_LOOKS[verdict(row)][0])
        for mark, said in zip(marks, found, strict=True):
            shade, shape = _LOOKS[said]
            mark.set(color=shade, marker=shape, markersize=7, markerfacecolor="none" if said == NOTHING else shade)
            seen.setdefault(said, mark)
        axes.axvline(0, color=INK, linewidth=1)
        end = 1.06 * max(abs(end) for line in lines for end in (line.low, line.high, line.value) if end is not None)
        axes.set_xlim(-max(end, 1e-9), max(end, 1e-9))
        headed(figure, heading, list(seen.values()), list(seen))
        figure.set_figheight(figure.get_figheight() + 0.5)
    return figure


def _line(row: ComparisonRow, group: str, name: str) -> Line:
    factor = 100 if is_per_cent(row.metric) else 1
    ends = [None if one is None else factor * one for one in (row.low, row.high)]
    bounds = "" if None in ends else " [{}, {}]".format(*(signed_text(row.metric, one) for one in (row.low, row.high)))
    p = row.p_value if row.p_holm is None else row.p_holm
    said = f", p {'' if p_text(p).startswith('<') else '= '}{p_text(p)}" if p is not None else ""
    words = f"{signed_text(row.metric, row.delta)}{bounds}{said}"
    return Line(group, name, factor * row.delta, ends[0], ends[1], words, 0)
