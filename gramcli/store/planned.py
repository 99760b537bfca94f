"""The items of a plan, column by column: a million of them need not be a million objects to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.store.layout import PlannedItem

_PIECE: Final = 10_000
_LONGEST_FIELD: Final = 65_536  # csv readers refuse fields above 131072 characters


@dataclass(frozen=True, slots=True)
class Columns:
    """Some items in order; one entry for each in every column.

    Attributes:
        ids: Of the items.
        splits: None or empty where there is none.
        labels: The same.
    """

    ids: Sequence[str]
    splits: Sequence[str | None]
    labels: Sequence[str | None]


@runtime_checkable
class InColumns(Protocol):
    """Items that are held as columns."""

    def columns(self, positions: range) -> Columns:
        """Return those at some positions, one after the other."""


def columns_of(items: Sequence[PlannedItem], positions: range) -> Columns:
    """Return some items of a plan, one after the other, as columns."""
    if isinstance(items, InColumns):
        return items.columns(positions)
    some = items[positions.start : positions.stop]
    return Columns([one.id for one in some], [one.split for one in some], [one.label for one in some])


def pieces_of(items: Sequence[PlannedItem]) -> Iterator[Columns]:
    """Yield all items of a plan, some thousands at a time."""
    for start in range(0, len(items), _PIECE):
        yield columns_of(items, range(start, min(start + _PIECE, len(items))))


def check_items(items: Sequence[PlannedItem]) -> None:
    """Refuse items that items.csv cannot hold or tell apart.

    Raises:
        UserError: There is none; an id is empty or comes twice; an id, split or label is too long or no valid Unicode.
    """
    if not items:
        raise UserError("input", "There is no item to store; check the data, its split and the limit.")
    seen: set[str] = set()
    for piece in pieces_of(items):
        own = set(piece.ids)
        told_apart = len(own) == len(piece.ids) and seen.isdisjoint(own) and "" not in own
        if told_apart and all(map(_is_plain, (piece.ids, piece.splits, piece.labels))):
            seen |= own
        else:
            _check_each(piece, seen)


def _is_plain(texts: Sequence[str | None]) -> bool:
    """Whether no text needs a closer look."""
    joined = "".join(filter(None, texts))
    return joined.isascii() and (len(joined) <= _LONGEST_FIELD or max(map(len, filter(None, texts))) <= _LONGEST_FIELD)


def _check_each(piece: Columns, seen: set[str]) -> None:
    """Check a piece item by item; its ids join those that were seen."""
    for identity, split, label in zip(piece.ids, piece.splits, piece.labels, strict=True):
        if not identity:
            raise UserError("input", f"Item number {len(seen) + 1} has an empty id; give every item an id.")
        if identity in seen:
            raise UserError("input", f"Two items have the id {identity!r}; ids must be unique.")
        seen.add(identity)
        for what, text in (("id", identity), ("split", split), ("label", label)):
            if text and (len(text) > _LONGEST_FIELD or not text.isascii()):
                _check_text(what, text)


def _check_text(what: str, text: str) -> None:
    if len(text) > _LONGEST_FIELD:
        raise UserError("input", f"The {what} {text[:40]!r}... has {len(text)} characters; at most {_LONGEST_FIELD}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError("input", f"The {what} {text!r} is not valid Unicode; rename the file or item.") from error
