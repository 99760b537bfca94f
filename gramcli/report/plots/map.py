"""The modalities of some items in one plane: what belongs together is joined."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gramcli.report.plots.panels import headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, colour, faint_grid, marker, name_of, new_figure, styled
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.pictures import ModalityMap

_LONGEST_TEXT: Final = 120


def modality_map(subject: Subject) -> Picture | None:
    """Draw the map of one task, that of most modalities; points say what they are when the mouse rests on them.

    Args:
        subject: With pictures; its captions are said with the ids.

    Returns:
        None where no map was computed.
    """
    every = () if subject.pictures is None else subject.pictures.maps
    found = [one for one in every if subject.keeps_task(one.task)]
    if not found:
        return None
    shown = max(found, key=lambda one: breadth(one.task))
    with styled("map"):
        figure = new_figure(5.0)
        axes = figure.subplots()
        hover = _draw(axes, shown, subject)
        axes.set_xlabel(f"first component, {100 * shown.explained[0]:.0f} % of the variance")
        axes.set_ylabel(f"second component, {100 * shown.explained[1]:.0f} %")
        axes.set_aspect("equal", adjustable="datalim")
        faint_grid(axes)
        headed(figure, subject.title, *axes.get_legend_handles_labels())
    caption = (
        f"Unit vectors of {', '.join(shown.modalities)} in the plane of their two principal components; lines join "
        f"those of one item: {shown.note}."
    )
    return Picture("map", caption, figure, hover)


def _draw(axes: Axes, shown: ModalityMap, subject: Subject) -> dict[str, tuple[str, ...]]:
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
        group = f"marks{number}"
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
