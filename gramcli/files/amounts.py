"""How much a file may hold: counted before objects are made of it, for an object costs more than its bytes."""

from __future__ import annotations

from typing import Final

MOST_ROWS: Final = 2_000_000
"""Rows of a table, or lists and objects of a JSON document: each costs some 400 bytes of memory, however short."""

MOST_VALUES: Final = 10_000_000
"""Cells of a table, or values of a document: each costs some 60 bytes."""

MOST_TEXT: Final = 2**28
"""Characters that texts may come to where a file names one text many times over."""


class TooMuchError(ValueError):
    """A file holds more than can be read; the message is the reason, without the file's name."""


def check_amount(rows: int, values: int, what: str = "rows") -> None:
    """Refuse more than can be held in memory.

    Args:
        rows: Of a table; or lists and objects.
        values: In all of them.
        what: What `rows` counts, for the message.

    Raises:
        TooMuchError: There are more of one; the message names the limit.
    """
    for count, most, name in ((rows, MOST_ROWS, what), (values, MOST_VALUES, "values")):
        if count > most:
            raise TooMuchError(f"it holds {count:,} {name}, more than the {most:,} that are read at once")


def check_json_amount(text: str | bytes) -> None:
    """Count what a JSON document can hold at most, without parsing it.

    Args:
        text: The document. Signs within its texts count too.

    Raises:
        TooMuchError: As `check_amount`.
    """
    opened = _count(text, "{") + _count(text, "[")
    check_amount(opened, opened + _count(text, ","), "lists and objects")


def check_table_amount(text: str) -> None:
    """Count what a table can hold at most, without parsing it.

    Args:
        text: The table. Signs within its cells count too.

    Raises:
        TooMuchError: As `check_amount`.
    """
    check_amount(max(text.count("\n"), text.count("\r")), max(map(text.count, ",\t;|")))


def _count(text: str | bytes, sign: str) -> int:
    return text.count(sign) if isinstance(text, str) else text.count(sign.encode())
