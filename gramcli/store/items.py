"""items.csv: one line per item, for people, spreadsheets and `open_store`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from sys import intern
from typing import Final, overload

from gramcli.errors import UserError
from gramcli.store.schema import COLUMNS

_PIECE: Final = 10_000
_DIGITS: Final = 18  # more than any number of rows has
_MARKS: Final = re.compile(r'[,"\r\n]')


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


@dataclass(frozen=True, slots=True)
class ItemColumns(Sequence[ItemRow]):
    """The rows of some items, column by column: of a million, no object for each.

    Attributes:
        ids: As in `ItemRow`, one entry per item in this column and in the others.
        splits: The same.
        labels: The same.
        captions: The same.
        status: The same; items of the same states share one mapping.
    """

    ids: Sequence[str]
    splits: Sequence[str | None]
    labels: Sequence[str | None]
    captions: Sequence[int]
    status: Sequence[Mapping[str, str]]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[ItemRow]:
        return map(ItemRow, self.ids, self.splits, self.labels, self.captions, self.status)

    @overload
    def __getitem__(self, place: int) -> ItemRow: ...

    @overload
    def __getitem__(self, place: slice) -> ItemColumns: ...

    def __getitem__(self, place: int | slice) -> ItemRow | ItemColumns:
        """Return a row, or some of them."""
        if not isinstance(place, slice):
            row = self.ids[place], self.splits[place], self.labels[place], self.captions[place], self.status[place]
            return ItemRow(*row)
        some = self.ids[place], self.splits[place], self.labels[place], self.captions[place], self.status[place]
        return ItemColumns(*some)


def in_columns(rows: Iterable[ItemRow]) -> Iterator[ItemColumns]:
    """Yield rows as columns, some thousands at a time."""
    pending = iter(rows)
    while some := list(islice(pending, _PIECE)):
        yield ItemColumns(
            [row.id for row in some],
            [row.split for row in some],
            [row.label for row in some],
            [row.captions for row in some],
            [row.status for row in some],
        )


def format_items(parts: Iterable[ItemColumns], modalities: Sequence[str]) -> str:
    r"""Return items.csv: UTF-8 text, one header, `\n` line ends, fields quoted where they need it.

    Args:
        parts: The items in store order; caption rows are counted through.
        modalities: The status columns, in this order.

    Returns:
        The text of the file. None and the empty string both become an empty field.

    Example:
        >>> rows = in_columns([ItemRow("a,b", None, "dog", 2, {"text": "ok"})])
        >>> print(format_items(rows, ["text"]), end="")
        id,split,label,text_start,text_end,text
        "a,b",,dog,0,2,ok
    """
    found, start = io.StringIO(), 0
    found.write(",".join([*COLUMNS, *modalities]) + "\n")
    for part in parts:
        found.write(_lines(part, modalities, start))
        start += sum(part.captions)
    return found.getvalue()


def _lines(part: ItemColumns, modalities: Sequence[str], start: int) -> str:
    """The lines of some items, whose first caption row is `start`."""
    ids, splits, labels = map(_column, (part.ids, part.splits, part.labels))
    distinct = dict(zip(map(id, part.status), part.status, strict=True))  # rows share their states: each is joined once
    tails = {key: "".join(f",{_quoted(one[name])}" for name in modalities) + "\n" for key, one in distinct.items()}
    if len(tails) == 1 and not any(part.captions) and not any(splits) and not any(labels):
        tail = f",,,{start},{start}{next(iter(tails.values()))}"  # they differ in nothing but their ids
        return tail.join(ids) + tail
    edges = list(accumulate(part.captions, initial=start))
    rows = zip(ids, splits, labels, edges[:-1], edges[1:], map(id, part.status), strict=True)
    return "".join([f"{a},{b},{c},{first},{end}{tails[states]}" for a, b, c, first, end, states in rows])


def _column(texts: Sequence[str | None]) -> Sequence[str]:
    """A column as fields, quoted where they need it."""
    fields = [text or "" for text in texts]
    return list(map(_quoted, fields)) if _MARKS.search("".join(fields)) else fields


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
