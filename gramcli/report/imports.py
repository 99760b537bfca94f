"""The answer of `gram import`: what was recognised, modality by modality."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gramcli.report.answer import Answer, Table, listing
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from gramcli.results.imports import Imported, ImportedModality

_COLUMNS = ("modality", "shape", "numbers", "time", "dim", "ok", "absent")


def import_answer(found: Imported) -> Answer:
    """Return what an import recognised, ready for every format.

    Args:
        found: Its result.

    Returns:
        A table of facts and one of modalities; CSV with a row per modality; all in the JSON.
    """
    rows = tuple(_row(one) for one in found.modalities)
    left = frozenset({"modality", "shape", "numbers", "time", "absent"})
    document: dict[str, Any] = asdict(found)
    document["path"] = None if found.path is None else str(found.path)
    notes = [f"{one.name}: from {one.source}." for one in found.modalities] + list(found.notes)
    return Answer(
        tables=(listing(("fact", "value"), _facts(found)), Table(_COLUMNS, rows, left, "Modalities")),
        columns=_COLUMNS,
        rows=tuple(dict(zip(_COLUMNS, row, strict=True)) for row in rows),
        document={"schema": SCHEMA, **document},
        notes=tuple(notes),
    )


def formats_answer() -> Answer:
    """Return the catalog of formats that an import reads, in the order in which they are tried."""
    from gramcli.exchange.catalog import FORMATS, FormatRow  # noqa: PLC0415 - entry points are read only here

    rows = tuple(asdict(row) for row in FORMATS)
    about = [(row.name, row.summary, row.source, row.needs or "-") for row in FORMATS]
    layouts = [(row.name, row.layout, row.recognised) for row in FORMATS]
    return Answer(
        tables=(
            listing(("format", "what is in the files", "who writes it", "needs"), about),
            listing(("format", "layout", "told by"), layouts),
        ),
        columns=tuple(field.name for field in fields(FormatRow)),
        rows=rows,
        document={"schema": SCHEMA, "results": rows},
        notes=("n items, N captions, T time steps, d dimensions. Tried in this order; --from NAME names one.",),
    )


def _facts(found: Imported) -> list[tuple[str, str]]:
    splits = ", ".join(f"{name} {n:,}" for name, n in found.splits.items())
    shared = {True: "yes", False: "no", None: "not said"}[found.shared_space]
    labelled = f"{found.labelled:,} items, {found.labels:,} classes" if found.labelled else "none"
    return [
        ("format", ", ".join(found.formats)),
        ("items", f"{found.items:,}"),
        ("ids", found.ids_from),
        ("text rows", f"{found.captions:,}"),
        ("texts known", f"{found.texts:,}"),
        ("splits", splits or "none"),
        ("labels", labelled),
        ("one space for all modalities", shared),
        ("store", "nothing was written" if found.path is None else str(found.path)),
    ]


def _row(one: ImportedModality) -> tuple[str, ...]:
    shape = " x ".join("T" if size is None else f"{size:,}" for size in one.shape)
    time = "-" if one.time_axis is None else f"axis {one.time_axis} of an item, {one.pool}"
    absent = ", ".join(f"{n:,} {reason}" for reason, n in one.absent.items()) or "-"
    return one.name, shape, one.dtype, time, str(one.dim), f"{one.ok:,}", absent
