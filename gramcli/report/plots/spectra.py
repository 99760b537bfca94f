"""Singular values of the vectors of an item, and the share of the first: PMRL's alignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gramcli.report.plots.panels import headed, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, SMALL, WIDTH, colour, faint_grid, name_of, new_figure, styled
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.pictures import Histogram, Spectrum, Spread

MOST_LINES: Final = 3


def spectra(subject: Subject) -> Picture | None:
    """Draw spectra on the left and shares of sigma_1 on the right, a line of panels per task.

    Args:
        subject: With pictures.

    Returns:
        None where none were computed.
    """
    every = () if subject.pictures is None else subject.pictures.spectra
    found = sorted(
        (one for one in every if subject.keeps_task(one.task)), key=lambda one: breadth(one.task), reverse=True
    )
    shown = found[:MOST_LINES]
    if not shown:
        return None
    with styled("spectra"):
        figure = new_figure(2.3 * len(shown) + 0.3, WIDTH)
        panels = figure.subplots(len(shown), 2, squeeze=False, width_ratios=(1, 1.4))
        for (left, right), one in zip(panels, shown, strict=True):
            _values(left, one)
            _shares(right, one)
        handles, labels = panels[0][1].get_legend_handles_labels()
        headed(figure, subject.title, handles[::-1], labels[::-1])
    caption = "Singular values of the vectors of each item, mean and range of 90 %, and the share of sigma_1 squared: "
    words = "; ".join(_words(one) for one in shown)
    return Picture("spectra", f"{caption}{words}.{some_of(len(shown), len(found), 'tasks')}", figure)


def _words(one: Spectrum) -> str:
    other = "" if one.mean_share_shuffled is None else f", shuffled {one.mean_share_shuffled:.3f}"
    m = len(one.modalities)
    return f"{_titled(one)} {one.mean_share:.3f}{other} (orthogonal {1 / m:.3f}, alike 1); {one.note}"


def _titled(one: Spectrum) -> str:
    return f"{one.task} {one.name}".strip()


def _values(panel: Axes, one: Spectrum) -> None:
    for look, (spreads, shift) in enumerate(((one.matched, -0.07), (one.shuffled, 0.07))):
        _spreads(panel, spreads, shift, look)
    m = len(one.modalities)
    panel.axhline(1, color=INK, linewidth=1, linestyle=":", alpha=0.7)
    panel.set_xticks(range(1, m + 1), [f"σ{k}" for k in range(1, m + 1)])
    panel.set_xlim(0.5, m + 0.5)
    panel.set_ylim(0, 1.06 * m**0.5)
    panel.set_ylabel("singular value")
    panel.set_title(name_of(_titled(one)), loc="left")
    faint_grid(panel, "y")


def _spreads(panel: Axes, spreads: Sequence[Spread], shift: float, look: int) -> None:
    for k, one in enumerate(spreads, 1):
        panel.plot([k + shift] * 2, [one.low, one.high], color=colour(look), linewidth=2)
    places = [k + shift for k in range(1, len(spreads) + 1)]
    mark, line = ("o", "-") if look == 0 else ("s", (0, (3, 1.5)))
    panel.plot(places, [one.mean for one in spreads], color=colour(look), marker=mark, linestyle=line, linewidth=1)


def _shares(panel: Axes, one: Spectrum) -> None:
    if one.share_shuffled is not None:
        _area(panel, one.share_shuffled, 1, "side of another item", one.mean_share_shuffled)
    _area(panel, one.share, 0, "matched", one.mean_share)
    m = len(one.modalities)
    panel.set_xlim(1 / m - 0.01, 1.01)
    panel.set_xlabel("share of σ1²: 1/m orthogonal, 1 alike", fontsize=SMALL)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    panel.set_ylim(bottom=0)


def _area(panel: Axes, found: Histogram, look: int, label: str, mean: float | None) -> None:
    shares = [count / max(1, sum(found.counts)) for count in found.counts]
    line = "-" if look == 0 else (0, (3, 1.5))
    panel.stairs(shares, found.edges, fill=True, color=colour(look), alpha=0.28, linewidth=0)
    panel.stairs(shares, found.edges, color=colour(look), label=label, linewidth=1.6, linestyle=line)
    if mean is not None:
        mark = "ov"[look]
        panel.plot([mean], [0.02], mark, color=colour(look), markeredgecolor=INK, markersize=7, clip_on=False,
                   transform=panel.get_xaxis_transform())  # fmt: skip
