"""CSV, TSV, JSON and JSON lines as rows: names to values, and where in the file each row stands."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.dialect import check_format, declared, holds_document, holds_lines, parse_sequence
from gramcli.datasets.values import parse_json
from gramcli.errors import UserError
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_LISTS: Final = ("annotations", "items", "data")
_CELL_LIMIT: Final = 2**24
LINE_END: Final = re.compile(r"\r\n|\r|\n")
_QUOTED_NAME: Final = re.compile(r'"[^"\t]+"')

_Cells = tuple[int, int, list[str]]


@dataclass(frozen=True, slots=True)
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


def read_rows(path: Path, text: str, notes: list[str]) -> list[Row]:
    """Split a manifest into its rows by its suffix.

    Args:
        path: The manifest, for its suffix and for messages.
        text: Its content.
        notes: Told what was read otherwise than the suffix says, and what looks like a mistake.

    Returns:
        Rows in file order; blank lines are no rows.

    Raises:
        UserError: Not the format its suffix says; the message has the line.
    """
    return PARSERS[path.suffix.lower()](path, text, notes)


def _comma_rows(path: Path, text: str, notes: list[str]) -> list[Row]:
    return table_rows(path, text, ",", notes)


def _tab_rows(path: Path, text: str, notes: list[str]) -> list[Row]:
    return table_rows(path, text, "\t", notes)


def table_rows(path: Path, text: str, delimiter: str, notes: list[str], names: Sequence[str] = ()) -> list[Row]:
    """Split a table into its rows.

    Cells between commas may be quoted, as CSV has it. A tab-separated file has no quoting: every line is a row, and a
    quote is a character, unless its header is quoted.

    Args:
        path: The file, for messages.
        text: Its content.
        delimiter: What stands between two cells; a first line such as `sep=;` has the last word.
        notes: Told what looks like a mistake.
        names: Column names, where the first line is a row and not a header.

    Returns:
        Rows in file order; blank lines are no rows.

    Raises:
        UserError: Another delimiter, a row that does not fit the columns, or wrong quotes; the message has the line.
    """
    spoken, text = declared(text)
    table = _Table(path, spoken or delimiter, list(names))
    quoting = table.delimiter != "\t" or spoken is not None
    check_format(path, text, table.delimiter)
    if not quoting:
        header = next((line for line in LINE_END.split(text) if line.strip()), "")
        quoting = all(_QUOTED_NAME.fullmatch(name.strip()) for name in header.split("\t"))
    for start, end, cells in _quoted_lines(table, text) if quoting else _plain_lines(text):
        table.add(start, end, cells, strict=not quoting)
    notes += table.notes()
    return table.rows


@dataclass
class _Table:
    """A table as it is read.

    Attributes:
        path: The file.
        delimiter: What stands between two cells.
        header: Names of the columns; empty until they are known.
        rows: What was read.
        short: Lines with fewer cells than the header.
        swallowed: First and last lines of rows whose quoted cells hold what looks like rows.
    """

    path: Path
    delimiter: str
    header: list[str]
    rows: list[Row] = field(default_factory=list)
    short: list[int] = field(default_factory=list)
    swallowed: list[tuple[int, int]] = field(default_factory=list)

    def add(self, start: int, end: int, cells: list[str], *, strict: bool) -> None:
        """Take the cells of a row as the header or as a row.

        Raises:
            UserError: They do not fit the header.
        """
        where = f"{shown(self.path)} line {start}"
        if not any(cell.strip() for cell in cells):
            return
        if not self.header:
            self.header = _header(cells, where)
            return
        n = len(self.header)
        if any(cell.strip() for cell in cells[n:]) or (strict and len(cells) < n):
            raise UserError("input", f"{where} has {len(cells)} cells, the header {n}; {self._advice(strict=strict)}.")
        if len(cells) < n:
            self.short.append(start)
        if end > start and not strict:
            self.swallowed.append((start, end))
        self.rows.append(Row(where, dict(zip(self.header, cells, strict=False)), is_table=True))

    def _advice(self, *, strict: bool) -> str:
        if strict:
            return "a tab-separated file has no quoting, so no cell holds a tab or a line end: correct it, or write CSV"
        return f"quote cells that hold a {'comma' if self.delimiter == ',' else f'{self.delimiter!r}'}"

    def notes(self) -> list[str]:
        """What a reader of the table must know, one sentence a kind."""
        said, name = [], shown(self.path)
        if self.short:
            more = f", and {len(self.short) - 1:,} more rows have" if self.short[1:] else " has"
            said.append(f"{name} line {self.short[0]}{more} fewer cells than the header: the last columns are empty.")
        if self.swallowed:
            (start, end), *others = self.swallowed
            more = f", and {len(others):,} more rows do" if others else ""
            said.append(
                f"{name} line {start}: a quoted cell goes on to line {end}, over what looks like rows of its own{more}"
                "; check its quotes."
            )
        return said


def _plain_lines(text: str) -> Iterator[_Cells]:
    """Lines without quoting; a cell that a writer of CSV quoted all the same is what it wrote."""
    for number, line in enumerate(LINE_END.split(text), 1):
        yield number, number, [_unquoted(cell) for cell in line.split("\t")]


def _unquoted(cell: str) -> str:
    """Undo the quotes around a cell whose own quotes are all doubled: only writers with rules of quoting do that."""
    inner = cell[1:-1].replace('""', "\0") if '""' in cell and cell[0] == cell[-1] == '"' else ""
    return inner.replace("\0", '"') if "\0" in inner and '"' not in inner else cell


def _quoted_lines(table: _Table, text: str) -> Iterator[_Cells]:
    """Rows of CSV; the second number is greater than the first where lines within a row look like rows themselves."""
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_LIMIT))
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=table.delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            end = reader.line_num
            within = lines[start:end]
            gaps = len(table.header) - 1
            alike = gaps > 0 and bool(within) and all(line.count(table.delimiter) == gaps for line in within)
            yield start, end if alike else start, cells
            start = end + 1
    except csv.Error as error:
        message = f"{shown(table.path)} line {start} is not a valid table row ({error}); check its quotes."
        raise UserError("input", message) from error


def _header(cells: list[str], where: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = [name for name, times in Counter(names).items() if name and times > 1]
    if twice:
        raise UserError("input", f"{where} names the column '{twice[0]}' twice; rename one of them.")
    return names


def _json_rows(path: Path, text: str, notes: list[str]) -> list[Row]:
    return json_rows(path, read_json(path, text, notes))


def read_json(path: Path, text: str, notes: list[str]) -> Any:  # noqa: ANN401 - JSON is anything
    """Parse JSON; objects that follow one another, as in JSON lines, are a list of them.

    Args:
        path: The file, for messages.
        text: Its content.
        notes: Told that it was JSON lines.

    Returns:
        The value.

    Raises:
        UserError: Neither; the message has the line.
    """
    if not holds_lines(text):
        check_format(path, text, "")
        return parse_json(text, path)
    found = [value for _, value in parse_sequence(text, path)]
    notes.append(f"{shown(path)} holds JSON lines, not a list, and was read so; name it .jsonl.")
    return found


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
    name = shown(path)
    return _object_rows((f"{name} entry {number}", entry) for number, entry in enumerate(value, 1))


def _json_lines_rows(path: Path, text: str, notes: list[str]) -> list[Row]:
    if holds_document(text):
        notes.append(f"{shown(path)} holds one JSON document, not lines, and was read so; name it .json.")
        return json_rows(path, parse_json(text, path))
    check_format(path, text, "")
    name = shown(path)
    if holds_lines(text) and not _is_json(next(line for line in text.split("\n") if line.strip())):
        return _object_rows((f"{name} line {number}", value) for number, value in parse_sequence(text, path))
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _object_rows((f"{name} line {number}", parse_json(line, path, number)) for number, line in lines)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _object_rows(entries: Iterable[tuple[str, Any]]) -> list[Row]:
    rows = []
    for where, entry in entries:
        if not isinstance(entry, dict) or not entry:
            what = "is not an object" if not isinstance(entry, dict) else "is an empty object"
            raise UserError("input", f'{where} {what}; write {{"id": ..., "video": ..., "caption": ...}}.')
        rows.append(Row(where, {name.strip(): value for name, value in entry.items()}, is_table=False))
    return rows


PARSERS: Final[dict[str, Callable[[Path, str, list[str]], list[Row]]]] = {
    ".csv": _comma_rows,
    ".tsv": _tab_rows,
    ".json": _json_rows,
    ".jsonl": _json_lines_rows,
}
