"""All directions as one matrix for each method, and how the answers from a shared pool divide among modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.metrics.geometry.catalog import CHANCE
from gramcli.modalities import Task
from gramcli.report.answer import Table, metric_text, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gramcli.results.records import ResultRow

SHARE: Final = "share@"
_WORDS: Final = frozenset({"query", "method", "stage", "task"})


def direction_tables(results: Sequence[ResultRow], provenance: Mapping[str, Any]) -> list[Table]:
    """Return R@1 of all directions: query sides down, candidate sides across; none unless all were asked for.

    Args:
        results: All figures.
        provenance: Which directions there are.
    """
    sides = {one["task"]: (tuple(one["query"]), tuple(one["candidates"])) for one in provenance.get("directions", ())}
    order = sorted(dict.fromkeys(side for pair in sides.values() for side in pair), key=len)
    found = [row for row in results if row.metric == "R@1" and row.task in sides]
    keys = list(dict.fromkeys((row.method, row.stage) for row in found))
    return [_matrix(key, [row for row in found if (row.method, row.stage) == key], sides, order) for key in keys]


Side = tuple[str, ...]


def _matrix(
    key: tuple[str, str], rows: Sequence[ResultRow], sides: Mapping[str, tuple[Side, Side]], order: Sequence[Side]
) -> Table:
    cells = {sides[row.task]: metric_text("R@1", row.value) for row in rows}
    lines = tuple((_label(query), *(cells.get((query, other), "") for other in order)) for query in order)
    stage = "" if key[1] == "raw" else f", {key[1]}"
    counts = sorted({row.n for row in rows})
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    title = f"R@1 of all directions in per cent, {key[0]}{stage}: query side down, candidate side across; {n}"
    return Table(("query", *map(_label, order)), lines, _WORDS, title)


def _label(side: Side) -> str:
    """`va`, or full names where one has no letter."""
    return Task(side, ()).name.removesuffix("2")


def pool_tables(results: Sequence[ResultRow]) -> list[Table]:
    """Return which modalities the answers from a shared pool have; none where there is no pool.

    Args:
        results: All figures.
    """
    found: dict[tuple[str, str], dict[str, ResultRow]] = {}
    for row in results:
        if row.metric.startswith(SHARE):
            found.setdefault((row.task, row.method), {})[row.metric] = row
    metrics = list(dict.fromkeys(name for rows in found.values() for name in rows if not name.endswith(CHANCE)))
    cutoffs = list(dict.fromkeys(metric.partition(":")[0] for metric in metrics))
    return [_shares(cutoff, [one for one in metrics if one.startswith(f"{cutoff}:")], found) for cutoff in cutoffs]


def _shares(cutoff: str, metrics: Sequence[str], found: Mapping[tuple[str, str], Mapping[str, ResultRow]]) -> Table:
    """One table for each cut-off: both side by side would not fit a window."""
    lines = tuple((*key, *(_share(rows, metric) for metric in metrics)) for key, rows in found.items())
    k = cutoff.removeprefix(SHARE)
    where = "First answers" if k == "1" else f"The first {k} answers"
    title = f"{where} by modality, in per cent (in brackets what chance gives) with 95 % intervals"
    return Table(("task", "method", *(metric.partition(":")[2] for metric in metrics)), lines, _WORDS, title)


def _share(rows: Mapping[str, ResultRow], metric: str) -> str:
    row, chance = rows.get(metric), rows.get(metric + CHANCE)
    if row is None:
        return "-"
    text = metric_text(metric, row.value)
    text += f" ({metric_text(metric, chance.value)})" if chance else ""
    return with_interval(text, metric_text(metric, row.low), metric_text(metric, row.high))
