"""What the user says of items in a file of their own: ids by row, and a table of splits, labels and captions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.catalog import did_you_mean
from gramcli.datasets.entries import entries_of
from gramcli.datasets.names import composed
from gramcli.datasets.records import ANNOTATIONS, read_records
from gramcli.datasets.values import scalar
from gramcli.errors import UserError
from gramcli.exchange.base import Facts
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.datasets.tables import Row


@dataclass
class Told:
    """What the user's files say.

    Attributes:
        ids: Of the items, in the order of their rows; None where no file says.
        text_ids: The item of each text row, in order; None where no file has captions.
        facts: Splits, labels and captions by id.
        sha256: Of the table, for the manifest.
        source: Its name, for messages.
        notes: What was odd about it.
        by_ids: Whether `ids` are those of `--ids`, which are of the features and of nothing else.
        ids_source: Where `ids` come from, for messages.
    """

    ids: list[str] | None = None
    text_ids: list[str] | None = None
    facts: Facts = field(default_factory=Facts)
    sha256: str | None = None
    source: str = ""
    notes: list[str] = field(default_factory=list)
    by_ids: bool = False
    ids_source: str = ""


def read_told(ids: str | None, table: Path | str | None) -> Told:
    """Read `--ids FILE[:COLUMN]` and `--table FILE`.

    Raises:
        UserError: A file cannot be read, has no such column, or names an item twice where each should come once.
    """
    told = _read_table(Path(table)) if table is not None else Told()
    if ids is not None:
        told.ids, told.by_ids = _read_ids(ids), True
        told.ids_source = str(ids)
        told.source = told.source or told.ids_source
    return told


def _read_ids(named: str) -> list[str]:
    path, column = _split_column(named)
    _check_suffix(path, "--ids")
    rows = read_records(path).rows
    if not rows:
        raise UserError("input", f"--ids {shown(path)} holds no ids. Write one per row of the features.")
    if column is None:
        found = [entries_of([row], shown(path))[0].id for row in rows]
    else:
        found = [_cell(row, column) for row in rows]
    if twice := next((one for one, times in Counter(found).items() if times > 1), None):
        raise UserError(
            "input",
            f"--ids {shown(path)} names the item '{twice}' twice, in rows {found.index(twice) + 1} and "
            f"{found.index(twice, found.index(twice) + 1) + 1}. Name each item once; captions belong in --table.",
        )
    return found


def _split_column(named: str) -> tuple[Path, str | None]:
    path, colon, column = named.rpartition(":")
    return (Path(path), column) if colon and path and not Path(named).exists() else (Path(named), None)


def _check_suffix(path: Path, option: str) -> None:
    if path.suffix.lower() not in ANNOTATIONS:
        known = ", ".join(sorted(ANNOTATIONS))
        raise UserError("usage", f"{option} {shown(path)} has the suffix '{path.suffix}'; known: {known}.")


def _cell(row: Row, column: str) -> str:
    if column not in row.values:
        known = [name for name in row.values if name]
        hint = did_you_mean(column, known)
        raise UserError("usage", f"{row.where} has no column '{column}'.{hint} Columns: {', '.join(known)}.")
    text = scalar(row.values[column], column, row.where)
    if text is None:
        raise UserError("input", f"{row.where} has an empty id; give every item one.")
    return composed(text)


def _read_table(path: Path) -> Told:
    _check_suffix(path, "--table")
    records = read_records(path)
    name = shown(path)
    entries = entries_of(records.rows, name)
    rows = [entries_of([row], name)[0] for row in records.rows] if len(entries) < len(records.rows) else list(entries)
    facts = Facts(
        splits={one.id: one.split for one in entries if one.split},
        labels={one.id: one.label for one in entries if one.label},
        captions={one.id: one.captions for one in entries if one.captions},
    )
    text_ids = [row.id for row in rows for _ in row.captions] if facts.captions else None
    captions = _in_row_order(rows) if facts.captions else {}
    facts.captions = captions or facts.captions
    return Told(
        [one.id for one in entries], text_ids, facts, records.sha256, name, list(records.notes), ids_source=name
    )


def _in_row_order(rows: Sequence[object]) -> dict[str, tuple[str, ...]]:
    gathered: dict[str, list[str]] = {}
    for row in rows:
        gathered.setdefault(row.id, []).extend(row.captions)  # type: ignore[attr-defined]
    return {one: tuple(texts) for one, texts in gathered.items()}
