"""The modalities of some items in one plane: what belongs together is joined."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gramcli.report.plots.panels import grid, headed, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, colour, faint_grid, marker, name_of, new_figure, styled
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.pictures import ModalityMap

MOST_PANELS: Final = 4
_LONGEST_TEXT: Final = 120


def modality_map(subject: Subject) -> Picture | None:
    """Draw the map of one task, that of most modalities; points say what they are when the mouse rests on them.

    Args:
        subject: With pictures; its captions are said with the ids. Maps of one task that have names stand side by side.

    Returns:
        None where no map was computed.
    """
    every = () if subject.pictures is None else subject.pictures.maps
    found = [one for one in every if subject.keeps_task(one.task)]
    if not found:
        return None
    widest = max(found, key=lambda one: breadth(one.task)).task
    same = [one for one in found if one.task == widest]
    shown = same[:MOST_PANELS]
    with styled("map"):
        figure = new_figure(5.0) if len(shown) == 1 else None
        panels = [figure.subplots()] if figure else []
        if figure is None:
            figure, panels = grid(len(shown), 2, 3.9)
        hover: dict[str, tuple[str, ...]] = {}
        for number, (axes, one) in enumerate(zip(panels, shown, strict=True)):
            hover |= _draw(axes, one, subject, number)
            axes.set_xlabel(f"first component, {100 * one.explained[0]:.0f} % of the variance")
            axes.set_ylabel(f"second component, {100 * one.explained[1]:.0f} %")
            axes.set_aspect("equal", adjustable="datalim")
            axes.set_title(name_of(one.name), loc="left")
            faint_grid(axes)
        headed(figure, subject.title, *panels[0].get_legend_handles_labels())
    gaps = " ".join(f"{one.name}{': ' if one.name else ''}{_gaps(one)}." for one in shown if one.gaps)
    caption = (
        f"Unit vectors of {', '.join(shown[0].modalities)} in the plane of their two principal components; lines join "
        f"those of one item: {shown[0].note}."
    )
    if gaps:
        caption += f" Modality gap, the distance of the modalities' means (in brackets what chance shows): {gaps}"
    return Picture("map", caption + some_of(len(shown), len(same)), figure, hover)


def _gaps(one: ModalityMap) -> str:
    return ", ".join(
        f"{gap.a} and {gap.b} {gap.distance:.3f}{'' if gap.chance is None else f' ({gap.chance:.3f})'}"
        for gap in one.gaps
    )


def _draw(axes: Axes, shown: ModalityMap, subject: Subject, panel: int) -> dict[str, tuple[str, ...]]:
    lines: tuple[list[float], list[float]] = ([], [])
    for corners in zip(*shown.points, strict=True):
        closed = corners if len(corners) < 3 else (*corners, corners[0])
        for x, y in closed:
            lines[0].append(x)
            lines[1].append(y)
        for coordinates in lines:
            coordinates.append(math.nan)
    axes.plot(*lines, color=INK, linewidth=0.5, alpha=0.2)
    hover = {}
    for number, (name, points) in enumerate(zip(shown.modalities, shown.points, strict=True)):
        group = f"marks{panel}-{number}"
        x, y = zip(*points, strict=True)
        axes.scatter(
            x, y, s=18, marker=marker(number), color=colour(number), linewidths=0,
            label=name_of(name), gid=group, zorder=3,
        )  # fmt: skip
        hover[group] = tuple(f"{one}: {name}{_text(subject, one)}" for one in shown.ids)
    return hover


def _text(subject: Subject, item: str) -> str:
    found = subject.captions.get(item, "")
    cut = f"{found[:_LONGEST_TEXT]}…" if len(found) > _LONGEST_TEXT else found
    return f": {cut}" if cut else ""
