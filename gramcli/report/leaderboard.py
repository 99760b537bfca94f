"""A leaderboard as an answer: one table for each group of comparable rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from gramcli.report.answer import Answer, Table, metric_text, with_interval
from gramcli.results.leaderboards import Leaderboard, LeaderRow
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYS: Final = (
    "group",
    "letters",
    "run",
    "task",
    "method",
    "stage",
    "dataset",
    "protocol",
    "n",
    "candidates",
    "gallery",
)
_WORDS: Final = frozenset({"like", "run", "task", "method", "stage", "protocol"})


def leaderboard_answer(found: Leaderboard) -> Answer:
    """Return a leaderboard ready for every format.

    Args:
        found: What `gram leaderboard` found.

    Returns:
        A table for each group, best first; CSV rows with each metric and its interval in columns.
    """
    numbers = dict.fromkeys(row.group for row in found.rows)
    return Answer(
        tables=tuple(_table(found, number) for number in numbers),
        columns=(*_KEYS, *(name for metric in found.metrics for name in _columns_of(metric))),
        rows=tuple(_wide(row, found.metrics) for row in found.rows),
        document={
            "schema": SCHEMA,
            "provenance": found.provenance,
            "metrics": list(found.metrics),
            "groups": [{"group": number, "what": found.groups[number - 1]} for number in numbers],
            "results": [asdict(row) for row in found.rows],
            "tests": [asdict(one) for one in found.tests],
            "notes": list(found.notes),
        },
        notes=found.notes,
    )


def _table(found: Leaderboard, number: int) -> Table:
    rows = [row for row in found.rows if row.group == number]
    first = found.metric_of(number)
    metrics = [name for name in found.metrics if any(name in row.figures for row in rows)]
    intervals = any(row.figures[first].low is not None for row in rows if first in row.figures)
    title = f"Group {number}: {found.groups[number - 1]}; by {first}"
    title += ", in brackets its 95 % interval" if intervals else ""
    columns = ("like", "run", "task", "method", *metrics, "n", "gallery", "stage", "protocol")
    return Table(columns, tuple(_cells(row, metrics) for row in rows), _WORDS, title)


def _cells(row: LeaderRow, metrics: Sequence[str]) -> tuple[str, ...]:
    figures = [row.figures.get(metric) for metric in metrics]
    cells = [metric_text(name, one.value if one else None) for name, one in zip(metrics, figures, strict=True)]
    if figures[0]:
        bounds = (metric_text(metrics[0], bound) for bound in (figures[0].low, figures[0].high))
        cells[0] = with_interval(cells[0], *bounds)
    where = (str(row.n), "-" if row.candidates is None else str(row.candidates), row.stage, row.protocol or "-")
    return (row.letters or "-", row.run, row.task, row.method, *cells, *where)


def _columns_of(metric: str) -> tuple[str, str, str]:
    return metric, f"{metric}_low", f"{metric}_high"


def _wide(row: LeaderRow, metrics: Sequence[str]) -> dict[str, Any]:
    wide = {name: getattr(row, name) for name in _KEYS}
    for metric in metrics:
        figure = row.figures.get(metric)
        bounds = (figure.value, figure.low, figure.high) if figure else (None, None, None)
        wide |= dict(zip(_columns_of(metric), bounds, strict=True))
    return wide
