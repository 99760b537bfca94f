"""The catalog of metrics, or one of them, ready for every format."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.metrics.catalog import METRICS, Metric
from gramcli.metrics.geometry.catalog import QUANTILES
from gramcli.report.answer import Answer, Table, is_per_cent, listing
from gramcli.results.records import SCHEMA

_COLUMNS: Final = ("name", "kind", "range", "direction", "formula", "source")
_NOTE: Final = (
    "r_q: rank of query q's best right answer, from 1. x_i, y_i: unit rows; n rows, d dimensions, m modalities; "
    "sigma: singular values."
)
_COLUMN_NAMES: Final = {"gain": "aggregation_gain", "gain_any": "aggregation_gain_any"}  # what tables call them
_FIRST, _LAST = (f"_q{quantile:02d}" for quantile in (QUANTILES[0], QUANTILES[-1]))


def metrics_answer(name: str | None = None) -> Answer:
    """Return the catalog of metrics.

    Args:
        name: One of them alone; None for all.

    Raises:
        UserError: There is no such metric; names a near one.
    """
    known = {row.name: row for row in METRICS}
    name = _COLUMN_NAMES.get(name or "", name)
    if name and name not in known:
        raise UserError("usage", f"Unknown metric '{name}'.{did_you_mean(name, list(known))} `gram metrics` lists all.")
    rows = [_row(row) for row in ([known[name]] if name else METRICS)]
    return Answer(
        tables=_one(rows[0]) if name else _all(rows),
        columns=_COLUMNS,
        rows=tuple(rows),
        document={"schema": SCHEMA, "results": rows},
        notes=() if name else (_NOTE, "`gram metrics NAME` explains one; CSV and JSON list the quantiles one by one."),
    )


def _row(row: Metric) -> dict[str, str]:
    found = {**asdict(row), "range": row.range}
    return {column: str(found[column]) for column in _COLUMNS}


def _one(row: dict[str, str]) -> tuple[Table, ...]:
    shown = "per cent in tables, a fraction in CSV and JSON" if is_per_cent(row["name"]) else "as it is"
    return (listing(("fact", "value"), [*row.items(), ("shown", shown)]),)


def _all(rows: list[dict[str, str]]) -> tuple[Table, ...]:
    kinds = dict.fromkeys(row["kind"] for row in rows)
    columns = tuple(column for column in _COLUMNS if column != "kind")
    return tuple(
        listing(
            columns,
            [[_folded(row[column]) for column in columns] for row in rows if row["kind"] == kind and _listed(row)],
            f"gram eval --metrics {kind}",
        )
        for kind in kinds
    )


def _listed(row: dict[str, str]) -> bool:
    """Of the quantiles only the last one has a line, which stands for all."""
    return "_q" not in row["name"] or row["name"].endswith(_LAST)


def _folded(cell: str) -> str:
    """Write all quantiles where the last one stands.

    Example:
        >>> _folded("volume_positive_q95"), _folded("95 % quantile of sqrt(det G)")
        ('volume_positive_q05 to _q95', '5 to 95 % quantile of sqrt(det G)')
    """
    if cell.endswith(_LAST):
        return cell.replace(_LAST, f"{_FIRST} to {_LAST}")
    return cell.replace(f"{QUANTILES[-1]} % quantile", f"{QUANTILES[0]} to {QUANTILES[-1]} % quantile")
