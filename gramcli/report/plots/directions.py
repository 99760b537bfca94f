"""From which modalities to which: R@1 of every direction as one matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.report.answer import is_number
from gramcli.report.plots.heat import heat, numbers
from gramcli.report.plots.panels import grid, headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import SMALL, name_of, styled
from gramcli.report.plots.subject import LEAST_DIRECTIONS, ends_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.records import ResultRow

MOST_PANELS: Final = 4
METRIC: Final = "R@1"


def directions(subject: Subject) -> Picture | None:
    """Draw R@1 from every set of modalities (down) to every other (across), a panel per method.

    Args:
        subject: With an evaluation.

    Returns:
        None where fewer than two directions were evaluated.
    """
    every = [] if subject.evaluation is None else subject.evaluation.results
    rows = [
        row
        for row in every
        if row.metric == METRIC and is_number(row.value) and row.stage == "raw" and subject.keeps(row.task, row.method)
        and ends_of(row.task)
    ]  # fmt: skip
    methods = [
        m for m in dict.fromkeys(row.method for row in rows) if sum(row.method == m for row in rows) >= LEAST_DIRECTIONS
    ]
    methods.sort(key=lambda m: -sum(row.method == m for row in rows))  # those of every direction first
    shown = methods[:MOST_PANELS]
    if not shown:
        return None
    sides = _sides(rows)
    with styled("directions"):
        figure, panels = grid(len(shown), 2, 0.9 + 0.32 * len(sides))
        top = 100 * max(row.value or 0 for row in rows)
        for panel, method in zip(panels, shown, strict=True):
            _panel(panel, [row for row in rows if row.method == method], sides, top)
            panel.set_title(name_of(method), loc="left")
        headed(figure, subject.title)
    best = max((row for row in rows if row.method == shown[0]), key=lambda row: row.value or 0)
    caption = (
        f"R@1 in per cent from what asks (down) to what answers (across); empty: not evaluated. {shown[0]}: best "
        f"{best.task} with {100 * (best.value or 0):.1f}."
    )
    more = f" Shown: {len(shown)} of {len(methods)} methods." if len(methods) > len(shown) else ""
    return Picture("directions", caption + more, figure)


def _sides(rows: Iterable[ResultRow]) -> list[str]:
    """Every set of modalities that asks or answers, single ones first."""
    found = dict.fromkeys(side for row in rows for side in ends_of(row.task) or ())
    return sorted(found, key=len)


def _panel(panel: Axes, rows: list[ResultRow], sides: list[str], top: float) -> None:
    values = np.full((len(sides), len(sides)), np.nan)
    for row in rows:
        query, candidates = ends_of(row.task) or ("", "")
        values[sides.index(query), sides.index(candidates)] = 100 * (row.value or 0)
    heat(panel, values, 0.0, max(top, 1e-9))
    numbers(panel, values, "{:.1f}" if len(sides) <= 8 else "{:.0f}")
    names = [name_of(side, 12) for side in sides]
    panel.set_xticks(range(len(sides)), names, fontsize=SMALL)
    panel.set_yticks(range(len(sides)), names, fontsize=SMALL)
    panel.set_xlabel("answers")
    panel.set_ylabel("asks")
