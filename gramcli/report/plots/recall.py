"""Recall curves with bands: told apart by colour, dashes, staggered marks and a name at the end of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from gramcli.metrics.figures import Intervals, cluster_index, hits, interval_of, is_certain
from gramcli.report.plots.panels import apart, grid, headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import (
    INK,
    SMALL,
    colour,
    dashes,
    distinct,
    faint_grid,
    marker,
    name_of,
    numbered,
    styled,
)
from gramcli.report.plots.subject import breadth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gramcli.report.plots.subject import Subject
    from gramcli.results.records import Evaluation, RankVector

MOST_PANELS: Final = 6
MAX_CUTOFF: Final = 100
_CUTOFFS: Final = (*range(1, 11), 12, 14, 16, 20, 25, 30, 40, 50, 60, 70, 85, 100)
_LABEL: Final = 14  # letters of a name at the end of a line
_STEP: Final = 8.0  # per cent between two of them


def recall(subject: Subject) -> Picture | None:
    """Draw R@k against k, a panel per task and a line per method, with bands of 95 % intervals.

    Args:
        subject: With an evaluation.

    Returns:
        None where it has no ranks.
    """
    if subject.evaluation is None:
        return None
    vectors = [one for one in subject.evaluation.ranks if one.ranks and subject.keeps(one.task, one.method)]
    every = list(dict.fromkeys(vector.task for vector in vectors))
    if not every:
        return None
    tasks = every if len(every) <= MOST_PANELS else sorted(every, key=breadth, reverse=True)[:MOST_PANELS]
    how, note = intervals_of(subject.evaluation)
    looks = numbered([vector.method for vector in vectors])
    with styled("recall"):
        figure, panels = grid(len(tasks), 2, 2.5, sharey=True)
        for panel, task in zip(panels, tasks, strict=True):
            _panel(panel, [vector for vector in vectors if vector.task == task], looks, how)
            panel.set_title(name_of(task), loc="left")
        for panel in panels[:: min(2, len(tasks))]:
            panel.set_ylabel("R@k in per cent")
        headed(figure, subject.title)
    some = "" if len(tasks) == len(every) else f" The first {len(tasks)} of {len(every)} tasks."
    bands = f"bands: 95 % intervals{note}; dotted: chance"
    caption = f"Share of queries with a match among the first k (log scale); {bands}.{some}"
    return Picture("recall", caption, figure)


def intervals_of(evaluation: Evaluation) -> tuple[Intervals, str]:
    """How the evaluation's intervals are made, and what to say where those of a curve are made otherwise."""
    recorded = evaluation.provenance.get("intervals")
    found = recorded if isinstance(recorded, dict) else {}
    method = found.get("method", "plus-four")
    how: Intervals = method if method in get_args(Intervals) else "plus-four"
    items = found.get("population") == "items"
    return how, " over new queries of this gallery, unlike those of the table" if items else ""


def curve(vector: RankVector, how: Intervals) -> tuple[NDArray[np.float64], ...]:
    """Cut-offs, R@k and both ends of its interval, in per cent; a query that nobody answers is not counted.

    Args:
        vector: Ranks of one task and method.
        how: How intervals are made.
    """
    top = max(1, min(MAX_CUTOFF, vector.n_candidates))
    cutoffs = sorted({*(k for k in _CUTOFFS if k <= top), top})
    asked = np.isfinite(np.array(vector.ranks, dtype=np.float64))
    used = {f"R@{k}": hits(vector, k)[asked] for k in cutoffs}
    share = np.array([values.mean() if len(values) else math.nan for values in used.values()])
    low, high = share.copy(), share.copy()
    uncertain = {name: values for name, values in used.items() if not is_certain(name, vector.n_candidates)}
    if asked.any() and uncertain:
        names = [name for name, one in zip(vector.query_ids, asked, strict=True) if one]
        found = interval_of(uncertain, cluster_index(names), vector.n_candidates, how)
        bounds = [found.get(name, (value, value)) for name, value in zip(used, share, strict=True)]
        low, high = (np.array(ends) for ends in zip(*bounds, strict=True))
    return np.array(cutoffs, dtype=np.float64), 100 * share, 100 * low, 100 * high


def _panel(panel: Axes, vectors: Sequence[RankVector], looks: dict[str, int], how: Intervals) -> None:
    top = max(1, min(MAX_CUTOFF, max(vector.n_candidates for vector in vectors)))
    cutoffs = np.array([k for k in _CUTOFFS if k <= top] or [1])
    chance = 100 * cutoffs / max(vector.n_candidates for vector in vectors)
    panel.plot(cutoffs, chance.clip(max=100), color=INK, linewidth=1, linestyle=":", alpha=0.7)
    ends = []
    for place, vector in enumerate(vectors):
        x, share, low, high = curve(vector, how)
        if not np.isfinite(share).all():
            continue
        look = looks[vector.method]
        every = max(1, len(vectors))
        panel.fill_between(x, low, high, color=colour(look), alpha=0.3 / max(2, len(vectors)), linewidth=0)
        panel.plot(
            x, share, linestyle=dashes(look), marker=marker(look), markevery=(place % every, every), markersize=5,
            color=colour(look), linewidth=1.8,
        )  # fmt: skip
        ends.append((x[-1], float(share[-1]), vector.method, look))
    _axes(panel, top)
    _names(panel, ends)


def _axes(panel: Axes, top: int) -> None:
    panel.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100) if k <= top]
    panel.set_xticks(ticks, [str(k) for k in ticks])
    panel.set_xticks([], minor=True)
    panel.set_xlabel("k", labelpad=1)
    panel.set_xlim(0.94, top * 1.06)
    panel.set_ylim(-2, 103)
    faint_grid(panel)


def _names(panel: Axes, ends: Sequence[tuple[float, float, str, int]]) -> None:
    """Write the name of every line beside its end, with its mark, apart from the others."""
    step = min(_STEP, 104.0 / max(1, len(ends)))
    order = sorted(range(len(ends)), key=lambda k: (ends[k][1], -ends[k][3]))
    names = distinct((method for _, _, method, _ in ends), _LABEL)
    places = apart([ends[k][1] for k in order], step, 0.0, 100.0)
    for place, (x, y, method, look) in zip(places, (ends[k] for k in order), strict=True):
        at = panel.get_xlim()
        across = (math.log(x) - math.log(at[0])) / (math.log(at[1]) - math.log(at[0]))
        panel.plot(
            [across, 1.055], [y, place], color=colour(look), linewidth=0.8, clip_on=False,
            transform=panel.get_yaxis_transform(),
        )  # fmt: skip
        panel.plot(
            [1.07], [place], marker(look), color=colour(look), markersize=5, clip_on=False,
            transform=panel.get_yaxis_transform(),
        )  # fmt: skip
        panel.annotate(
            names[method], (1.09, place), xycoords=("axes fraction", "data"), va="center", fontsize=SMALL,
            annotation_clip=False,
        )  # fmt: skip
