"""On which rank right answers stand: how many queries have theirs first, second or third, far down."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.report.plots.panels import grid, headed, principal, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import SMALL, colour, distinct, faint_grid, numbered, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.records import RankVector

MOST_PANELS: Final = 8
_LEAST: Final = 0.5  # per cent of a bar that has its number
_STARTS: Final = (1, 2, 3, 6, 11, 21, 51, 101, 201, 501, 1001, 2001, 5001, 10_001, 100_001, 1_000_001)


def rank_histograms(subject: Subject) -> Picture | None:
    """Draw histograms of ranks, a panel per task and method, in bins that widen.

    Args:
        subject: With an evaluation.

    Returns:
        None where it has no ranks.
    """
    ranks = () if subject.evaluation is None else subject.evaluation.ranks
    found = [one for one in ranks if one.ranks and subject.keeps(one.task, one.method)]
    shown = principal(found, MOST_PANELS)
    if not shown:
        return None
    looks = numbered([vector.method for vector in found])
    several = len({vector.task for vector in shown}) > 1
    names = distinct((f"{one.task} {one.method}" if several else one.method for one in shown), 19)
    with styled("ranks"):
        figure, panels = grid(len(shown), 4, 1.95, sharey=True)
        for panel, vector in zip(panels, shown, strict=True):
            _panel(panel, vector, colour(looks[vector.method]))
            name = f"{vector.task} {vector.method}" if several else vector.method
            panel.set_title(names[name], loc="left", fontsize=SMALL)
        panels[0].set_ylim(0, min(108.0, max(1.0, 1.15 * max(map(_highest, shown)))))
        for panel in panels[:: min(4, len(shown))]:
            panel.set_ylabel("queries, per cent")
        headed(figure, subject.title or ("" if several else shown[0].task))
    tasks = ", ".join(dict.fromkeys(vector.task for vector in shown))
    caption = f"Ranks of the right answers of {tasks}: per cent of queries by rank, in bins that widen."
    return Picture("ranks", caption + some_of(len(shown), len(found)), figure)


def rank_bins(vector: RankVector) -> tuple[list[str], list[int]]:
    """Names of the bins, such as `6-10`, and how many queries have their answer there; a tie counts where it stands.

    Example:
        >>> from gramcli.results.records import RankVector
        >>> rank_bins(RankVector("t2v", "gram", ("a", "b", "c"), (1.0, 1.5, 4.0), 5))
        (['1', '2', '3-5'], [2, 0, 1])
    """
    starts = [start for start in _STARTS if start <= vector.n_candidates]
    ends = [*(start - 1 for start in starts[1:]), vector.n_candidates]
    names = [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    ranks = [rank for rank in vector.ranks if math.isfinite(rank)]
    counts, _ = np.histogram(ranks, bins=[*starts, vector.n_candidates + 1])
    return names, counts.tolist()


def _panel(panel: Axes, vector: RankVector, shade: str) -> None:
    names, counts = rank_bins(vector)
    total = max(1, sum(counts))
    shares = [100 * count / total for count in counts]
    panel.bar(range(len(names)), shares, color=shade, width=0.85)
    for place, (share, count) in enumerate(zip(shares, counts, strict=True)):
        if count and share >= _LEAST:
            panel.annotate(f"{share:.0f}", (place, share), (0, 1), textcoords="offset points",
                           ha="center", va="bottom", fontsize=SMALL - 2)  # fmt: skip
    panel.set_xticks(range(len(names)), [_short(name) for name in names], rotation=60, ha="right",
                     rotation_mode="anchor", fontsize=SMALL - 1.5)  # fmt: skip
    panel.tick_params(axis="x", length=0, pad=2)
    faint_grid(panel, "y")


def _highest(vector: RankVector) -> float:
    counts = rank_bins(vector)[1]
    return 100 * max(counts) / max(1, sum(counts))


def _short(name: str) -> str:
    """Thousands as k, so that bins of large galleries have room."""
    return "-".join(f"{int(part) // 1000}k" if int(part) >= 10_000 else part for part in name.split("-"))
