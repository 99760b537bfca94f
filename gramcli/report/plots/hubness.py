"""How often candidates are among the best of a query: hubs are far to the right of what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.report.plots.panels import grid, headed, principal, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, SMALL, colour, faint_grid, name_of, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gramcli.report.plots.subject import Subject
    from gramcli.results.pictures import Occurrences

MOST_PANELS: Final = 8
_BARS: Final = 30
_LONG: Final = 60  # times beyond which few candidates make the tail: counts in powers of ten


def hubness(subject: Subject) -> Picture | None:
    """Draw k-occurrences, a panel per task and method, with those of a random ranking as a line.

    Args:
        subject: With pictures.

    Returns:
        None where none were computed.
    """
    every = () if subject.pictures is None else subject.pictures.hubs
    found = [one for one in every if subject.keeps(one.task, one.method)]
    shown = principal(found, MOST_PANELS)
    if not shown:
        return None
    several = len({one.task for one in shown}) > 1
    with styled("hubness"):
        figure, panels = grid(len(shown), 3, 1.8)
        for panel, one in zip(panels, shown, strict=True):
            _panel(panel, one, f"{one.task} {one.method}" if several else one.method)
        for panel in panels[::3]:
            panel.set_ylabel("candidates")
        handles, labels = panels[0].get_legend_handles_labels()
        headed(figure, subject.title, handles, labels)
    one = shown[0]
    words = "; ".join(f"{each.task} {each.method} {each.skewness:.2f}{_by_chance(each)}" for each in shown)
    some = f" {one.note}." if one.note else ""
    caption = (
        f"How many candidates are among the {one.k} best of how many queries; skewness (by chance): {words}. "
        f"Found most often: {', '.join(f'{name} ({n})' for name, n in one.hubs[:3])}.{some}"
    )
    return Picture("hubness", caption + some_of(len(shown), len(found)), figure)


def _by_chance(one: Occurrences) -> str:
    return "" if one.skewness_chance is None else f" ({one.skewness_chance:.2f})"


def _panel(panel: Axes, one: Occurrences, name: str) -> None:
    longest = max(len(one.candidates), len(one.chance))
    width = max(1, -(-longest // _BARS))
    bars, chance = _binned(one.candidates, width, longest), _binned(one.chance, width, longest)
    edges = np.arange(len(bars) + 1) * width - 0.5
    panel.stairs(bars, edges, fill=True, color=colour(0), label="measured", alpha=0.6)
    panel.stairs(chance, edges, color=INK, linewidth=1.2, linestyle=(0, (2, 1.5)), label="a ranking at random")
    panel.set_xlabel(f"times among the {one.k} best", fontsize=SMALL - 0.5, labelpad=1)
    panel.locator_params(axis="x", nbins=4, integer=True)
    if longest > _LONG:
        panel.set_yscale("symlog", linthresh=1)
        ticks = [0, *(10**k for k in range(9) if 10**k <= 2 * max(bars))]
        panel.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        panel.set_yticks([], minor=True)
    panel.set_ylim(bottom=0)
    panel.set_title(f"{name_of(name, 22)}\nskewness {one.skewness:.2f}", loc="left", fontsize=SMALL)
    faint_grid(panel, "y")


def _binned(counts: Sequence[float], width: int, longest: int) -> NDArray[np.float64]:
    """Sums of so many neighbours, padded to equal length."""
    n = -(-longest // width) * width
    padded = np.zeros(n)
    padded[: len(counts)] = counts
    found: NDArray[np.float64] = padded.reshape(-1, width).sum(axis=1)
    return found
