"""Turning one annotation value into captions, an id, a label or a path: shared by folders and manifests."""

from __future__ import annotations

import errno
import json
import math
import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.files.amounts import TooMuchError, check_json_amount, check_table_amount
from gramcli.files.reading import read_regular
from gramcli.media.kinds import check_regular_file, shown
from gramcli.media.text import decode_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ANNOTATION_BYTES: Final = 2**30
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_NO_TEXT: Final = {
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook, not text; unpack it, or export it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook, not text; export it as CSV in UTF-8",
    b"\x1f\x8b": "is compressed by gzip; unpack it first",
    b"PAR1": "is a Parquet file, not text; export it as CSV in UTF-8",
    b"\xff\xfe": "is not UTF-8 text (it starts with a UTF-16 mark); save it as UTF-8",
    b"\xfe\xff": "is not UTF-8 text (it starts with a UTF-16 mark); save it as UTF-8",
}
_QUOTED_LIST: Final = re.compile(r"""\[\s*["']""")


def read_annotation(path: Path) -> tuple[bytes, str]:
    """Read an annotation file whole.

    Args:
        path: The file, in UTF-8, with or without a byte order mark.

    Returns:
        Its bytes and its text.

    Raises:
        UserError: It cannot be read or decoded.
    """
    try:
        check_regular_file(path, allow_empty=True)
        raw = read_regular(path, MAX_ANNOTATION_BYTES)
    except UserError as error:
        raise UserError("input", error.message) from error
    except OSError as error:
        remedy = "split it" if error.errno == errno.EFBIG else "check its permissions"
        message = f"{shown(path)} cannot be read ({error.strerror}); {remedy}."
        raise UserError("input", message) from error
    text = decode_text(raw)
    if text is None or "\0" in text:
        raise UserError("input", f"{shown(path)} {_not_text(raw)}.")
    try:
        (check_json_amount if path.suffix.lower() == ".json" else check_table_amount)(text)
        if path.suffix.lower() == ".jsonl":
            check_json_amount(text)
    except TooMuchError as error:
        raise UserError("input", f"{shown(path)} is too large ({error}); split it.") from error
    return raw, text


def parse_json(text: str, path: Path, first_line: int = 1) -> Any:  # noqa: ANN401 - JSON is anything
    """Parse JSON.

    Args:
        text: The document.
        path: Where it came from, for the message.
        first_line: Line of the file the document starts at.

    Returns:
        The value.

    Raises:
        UserError: Not JSON; the message has the line and column.
    """
    with told_json_errors(path, first_line):
        return json.loads(text, object_pairs_hook=_object)


@contextmanager
def told_json_errors(path: Path, first_line: int = 1) -> Iterator[None]:
    """Turn what a JSON decoder raises into a sentence with the file and the place.

    Args:
        path: The file.
        first_line: Line of the file the document starts at.

    Raises:
        UserError: The decoder raised.
    """
    try:
        yield
    except json.JSONDecodeError as error:
        where = f"line {error.lineno + first_line - 1} column {error.colno}"
        raise UserError("input", f"{shown(path)} is not valid JSON at {where}: {error.msg}; correct it.") from error
    except _NamedTwiceError as error:
        message = f"{shown(path)} has an object that names '{error}' twice; rename or remove one of the two."
        raise UserError("input", message) from error
    except (RecursionError, ValueError) as error:  # nested without end; a number of thousands of digits
        message = f"{shown(path)} line {first_line} is JSON that cannot be read ({error}); correct it."
        raise UserError("input", message) from error


class _NamedTwiceError(ValueError):
    """An object has a name twice: decoders keep the last value without a word."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _NamedTwiceError(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return found


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)


def scalar(value: object, field: str, where: str) -> str | None:
    """Return an id, label, split or path as text; None when it is empty or NaN.

    Args:
        value: A JSON value or a cell.
        field: Its column, for the message.
        where: Its file and row, for the message.

    Returns:
        The text without surrounding space.

    Raises:
        UserError: A list, an object, or true/false where one value is wanted.

    Example:
        >>> scalar(4, "label", "a.json entry 1")
        '4'
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(
            "input", f"{where}: {field} must be one text or number; found {_told(value)}. Correct the entry."
        )
    text = str(value).strip()
    if _HALF_CHARACTER.search(text):
        raise UserError("input", f"{where}: {field} holds half of a surrogate pair; write the whole character.")
    return text or None


def _told(value: object) -> str:
    """A value as a sentence shows it: JSON's as JSON, others, as Parquet and pickles hold them, by their type."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes, {bytes(value[:16])!r}"
    if not isinstance(value, str | int | float | list | tuple | dict | None):
        return f"{type(value).__name__} {value!s:.40}"
    try:
        return json.dumps(value, default=str)[:40]
    except (TypeError, ValueError, RecursionError):  # keys of other types; a number of thousands of digits
        return f"a {type(value).__name__}"


def captions(value: object, where: str) -> tuple[str, ...]:
    """Return the captions a JSON value holds: one text, or a list of them; empty ones are dropped.

    Raises:
        UserError: Anything else.

    Example:
        >>> captions(["a dog", " "], "a.json entry 1")
        ('a dog',)
    """
    values = value if isinstance(value, list) else [value]
    texts = (scalar(each, "caption", where) for each in values)
    return tuple(text for text in texts if text is not None)


def cell_captions(cell: str, where: str) -> tuple[str, ...]:
    """Return the captions of a table cell: a JSON list of texts, or the cell itself.

    Raises:
        UserError: The cell begins like a list of quoted texts but is not JSON.

    Example:
        >>> cell_captions('["a dog", "a cat"]', "a.csv line 2")
        ('a dog', 'a cat')
        >>> cell_captions("[music] a dog", "a.csv line 2")
        ('[music] a dog',)
    """
    text = cell.strip()
    if not text.startswith("["):
        return captions(text, where)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return captions(value, where)
    if _QUOTED_LIST.match(text):
        raise UserError(
            "input",
            f"{where}: the caption {text[:40]!r} begins like a list but is not a JSON list of texts; "
            'write ["first", "second"].',
        )
    return captions(text, where)


def _not_text(raw: bytes) -> str:
    for start, what in _NO_TEXT.items():
        if raw.startswith(start):
            return what
    return f"is not UTF-8 text{_first_bad_line(raw)}; save it as UTF-8"


def _first_bad_line(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return f" (byte 0x{raw[error.start]:02x} in line {line})"
    return " (it holds zero bytes)"
