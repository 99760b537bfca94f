"""CSV, TSV, JSON and JSON lines as rows: names to values, and where in the file each row stands."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.values import parse_json
from gramcli.errors import UserError
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_LISTS: Final = ("annotations", "items", "data")
_CELL_LIMIT: Final = 2**24


@dataclass(frozen=True)
class Row:
    """One row of a manifest.

    Attributes:
        where: File and line or entry, for messages.
        values: Column name to JSON value or cell text.
        is_table: The values are cells of a table, where a list is written as JSON.
    """

    where: str
    values: dict[str, Any]
    is_table: bool


def read_rows(path: Path, text: str) -> list[Row]:
    """Split a manifest into its rows by its suffix.

    Args:
        path: The manifest, for its suffix and for messages.
        text: Its content.

    Returns:
        Rows in file order; blank lines are no rows.

    Raises:
        UserError: Not the format its suffix says; the message has the line.
    """
    return PARSERS[path.suffix.lower()](path, text)


def _comma_rows(path: Path, text: str) -> list[Row]:
    return table_rows(path, text, ",")


def _tab_rows(path: Path, text: str) -> list[Row]:
    return table_rows(path, text, "\t")


def table_rows(path: Path, text: str, delimiter: str, names: Sequence[str] = ()) -> list[Row]:
    """Split a table into its rows.

    Args:
        path: The file, for messages.
        text: Its content.
        delimiter: What stands between two cells.
        names: Column names, where the first line is a row and not a header.

    Returns:
        Rows in file order; blank lines are no rows.

    Raises:
        UserError: A row has more cells than there are columns, or its quotes are wrong; the message has the line.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_LIMIT))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = list(names) or None
    rows = []
    start = 1
    try:
        for cells in reader:
            where = f"{shown(path)} line {start}"
            start = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells, where)
            elif any(cell.strip() for cell in cells[len(header) :]):
                message = f"{where} has {len(cells)} cells, the header {len(header)}; quote cells that hold a"
                raise UserError("input", f"{message} {'comma' if delimiter == ',' else 'tab'}.")
            else:
                rows.append(Row(where, dict(zip(header, cells, strict=False)), is_table=True))
    except csv.Error as error:
        message = f"{shown(path)} line {start} is not a valid table row ({error}); check its quotes."
        raise UserError("input", message) from error
    return rows


def _header(cells: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise UserError("input", f"{where} names the column '{twice[0]}' twice; rename one of them.")
    return names


def _json_rows(path: Path, text: str) -> list[Row]:
    return json_rows(path, parse_json(text, path))


def json_rows(path: Path, value: Any) -> list[Row]:  # noqa: ANN401 - JSON is anything
    """Return the rows of a JSON document: a list of objects, or an object with one such list under a usual name.

    Raises:
        UserError: Anything else.
    """
    lists = [name for name in _LISTS if isinstance(value, dict) and isinstance(value.get(name), list)]
    if len(lists) == 1:
        value = value[lists[0]]
    if not isinstance(value, list):
        raise UserError("input", f'{shown(path)} must be a list of objects, one per item; write [{{"id": ...}}, ...].')
    return _object_rows((f"{shown(path)} entry {number}", entry) for number, entry in enumerate(value, 1))


def _json_lines_rows(path: Path, text: str) -> list[Row]:
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _object_rows((f"{shown(path)} line {number}", parse_json(line, path, number)) for number, line in lines)


def _object_rows(entries: Iterable[tuple[str, Any]]) -> list[Row]:
    rows = []
    for where, entry in entries:
        if not isinstance(entry, dict):
            raise UserError("input", f'{where} is not an object; write {{"id": ..., "video": ..., "caption": ...}}.')
        rows.append(Row(where, {name.strip(): value for name, value in entry.items()}, is_table=False))
    return rows


PARSERS: Final[dict[str, Callable[[Path, str], list[Row]]]] = {
    ".csv": _comma_rows,
    ".tsv": _tab_rows,
    ".json": _json_rows,
    ".jsonl": _json_lines_rows,
}
