"""The alignment matrix of some items as a heat map: matched pairs are its diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.report.plots.heat import heat, scale
from gramcli.report.plots.panels import grid, headed, principal, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import SMALL, name_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.matrices import AlignmentMatrix

MOST_PANELS: Final = 4
NAMED: Final = 12
"""Items up to which rows and columns have names."""


def alignment_heat_map(subject: Subject) -> Picture | None:
    """Draw scores of some queries against each other's answers, a panel per task and method.

    Args:
        subject: With pictures.

    Returns:
        None where no matrix was computed.
    """
    every = () if subject.pictures is None else subject.pictures.matrices
    found = [one for one in every if subject.keeps(one.task, one.method)]
    shown = principal(found, MOST_PANELS)
    if not shown:
        return None
    with styled("matrix"):
        figure, panels = grid(len(shown), 2, 3.0)
        for panel, one in zip(panels, shown, strict=True):
            _panel(panel, one)
        headed(figure, subject.title)
    names = ", ".join(f"{one.task} {one.method}" for one in shown)
    caption = (
        f"Scores of queries (down) against each other's answers (across), {names}: {shown[0].notes[0]}; "
        "the diagonal is matched. The stronger the colour, the better the score."
    )
    return Picture("matrix", caption + some_of(len(shown), len(found)), figure)


def _panel(panel: Axes, one: AlignmentMatrix) -> None:
    better = one.notes[1]
    low, high = float(one.scores.min()), float(one.scores.max())
    ends = (low, high) if better == "higher" else (high, low)
    heat(panel, one.scores, *ends)
    panel.set_aspect("equal")
    if max(one.scores.shape) <= NAMED:
        panel.set_xticks(range(len(one.candidate_ids)), [name_of(i, 10) for i in one.candidate_ids], rotation=60,
                         ha="right", rotation_mode="anchor", fontsize=SMALL - 1)  # fmt: skip
        panel.set_yticks(range(len(one.query_ids)), [name_of(i, 10) for i in one.query_ids], fontsize=SMALL - 1)
    else:
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_xlabel("answers")
        panel.set_ylabel("queries")
    panel.set_title(name_of(f"{one.task} {one.method}"), loc="left")
    scale(panel, *ends, f"score, {better} is better")
