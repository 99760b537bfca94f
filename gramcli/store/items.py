"""items.csv: one line per item, for people, spreadsheets and `open_store`."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from itertools import islice
from sys import intern
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError
from gramcli.store.schema import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PIECE: Final = 10_000
_DIGITS: Final = 18  # more than any number of rows has
_MARKS: Final = re.compile(r'["\r\n]')


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What the store knows about one item.

    Attributes:
        id: The item's id.
        split: For instance `train`; None where the dataset has none.
        label: Class name, or None.
        captions: How many rows of the `text` embedding are the item's.
        status: Modality -> `ok`, `absent`, both perhaps with `: remark`, or `failed: reason`.
    """

    id: str
    split: str | None
    label: str | None
    captions: int
    status: Mapping[str, str]


def format_items(rows: Iterable[ItemRow], modalities: Sequence[str]) -> str:
    r"""Return items.csv: UTF-8 text, one header, `\n` line ends, fields quoted where they need it.

    Args:
        rows: The items in store order; caption rows are counted through.
        modalities: The status columns, in this order.

    Returns:
        The text of the file. None and the empty string both become an empty field.

    Example:
        >>> print(format_items([ItemRow("a,b", None, "dog", 2, {"text": "ok"})], ["text"]), end="")
        id,split,label,text_start,text_end,text
        "a,b",,dog,0,2,ok
    """
    found, lines = io.StringIO(), _lines(rows, modalities)
    while piece := "".join(islice(lines, _PIECE)):  # a million lines at once would be five times the file
        found.write(piece)
    return found.getvalue()


def _lines(rows: Iterable[ItemRow], modalities: Sequence[str]) -> Iterator[str]:
    yield ",".join([*COLUMNS, *modalities]) + "\n"
    start = 0
    known: dict[int, tuple[Mapping[str, str], str]] = {}  # rows share their states: each is joined once
    for row in rows:
        end = start + row.captions
        found = known.get(id(row.status))
        if found is None:
            found = (row.status, ",".join(_quoted(row.status[one]) for one in modalities))
            known[id(row.status)] = found  # held on to, so that no other takes its place in memory
        states = found[1]
        named = (row.id, row.split or "", row.label or "")
        line = ",".join(named)
        if line.count(",") != 2 or _MARKS.search(line):
            line = ",".join(map(_quoted, named))
        yield f"{line},{start},{end},{states}\n" if modalities else f"{line},{start},{end}\n"
        start = end


def parse_items(text: str, where: str) -> tuple[ItemRow, ...]:
    """Read what `format_items` wrote.

    Args:
        text: The file's text, line ends untouched.
        where: The file, for messages.

    Returns:
        The rows; an empty split or label is None.

    Raises:
        UserError: Not such a table; the message names the file and the line.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if tuple(header[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"its header is not {','.join(COLUMNS)},...")
        return tuple(_rows(reader, header))
    except (csv.Error, ValueError) as error:
        advice = "Run the command that wrote the store again: it is rebuilt from the shards."
        raise UserError("store", f"{where} is damaged near line {reader.line_num}: {error}. {advice}") from error


def _rows(lines: Iterable[list[str]], header: list[str]) -> Iterator[ItemRow]:
    """The rows below a header; their caption rows follow one another.

    Raises:
        ValueError: A line does not fit the header, or its numbers are none.
    """
    end = 0
    shared: dict[tuple[str, ...], Mapping[str, str]] = {}  # most items are alike: a million need no mapping each
    for line in lines:
        if len(line) != len(header):
            raise ValueError(f"{len(line)} fields where the header has {len(header)}")
        identifier, split, label, *numbers = line[: len(COLUMNS)]
        start, end = end, _end(identifier, numbers, end)
        states = tuple(line[len(COLUMNS) :])
        status = shared.get(states)
        if status is None:
            status = shared[states] = dict(zip(header[len(COLUMNS) :], states, strict=True))
        yield ItemRow(identifier, intern(split) or None, intern(label) or None, end - start, status)


def _end(identifier: str, numbers: list[str], due: int) -> int:
    """Where the caption rows of an item end that begin where those before it ended.

    Raises:
        ValueError: The numbers are none, or say otherwise.
    """
    if bad := next((one for one in numbers if not _is_number(one)), None):
        raise ValueError(f"{bad[:20]!r} is no number of rows")
    start, end = map(int, numbers)
    if start != due or end < due:
        raise ValueError(f"the text of item {identifier!r} cannot be rows {start} to {end}, as it begins at {due}")
    return end


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _quoted(field: str) -> str:
    # csv.writer of Python 3.11 leaves a lone carriage return unquoted when lines end in "\n".
    return '"' + field.replace('"', '""') + '"' if any(mark in field for mark in ',"\r\n') else field
