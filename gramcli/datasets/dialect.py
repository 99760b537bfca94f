"""Which format a text is in, whatever its file's suffix says: the one that can be guessed is named, or read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.values import DECODER, told_json_errors
from gramcli.errors import UserError
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_DELIMITERS: Final = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars (|)"}
_SUFFIXES: Final = {",": ".csv", "\t": ".tsv"}
_LOOKED_AT: Final = 2**16
# Excel's way to say what stands between two cells; programs that do not know it quote it, or pad it with empty cells.
_DECLARED: Final = re.compile(r"""\s*"?sep=(\\t|[^\s"]|\t)"?[ ,;\t]*(?=[\r\n]|$)""", re.IGNORECASE)
_OBJECTS: Final = re.compile(r"""\s*(?:\[\s*)?\{\s*["}]""")
_NEXT_OBJECT: Final = re.compile(r"\}\s*[\r\n]\s*\{")
_NO_SPACE: Final = re.compile(r"\S")
_WEB_PAGE: Final = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_NAMES: Final = frozenset(
    {"id", "video", "audio", "image", "depth", "caption", "captions", "subtitle", "label", "split", "video_id", "text"}
)


def declared(text: str) -> tuple[str | None, str]:
    r"""Take a first line such as `sep=;` off a table.

    Args:
        text: The table.

    Returns:
        What stands between two cells, None where no line says so; and the table with that line emptied.

    Example:
        >>> declared("sep=;\nid;video\n")
        (';', '\nid;video\n')
    """
    found = _DECLARED.match(text)
    return (found[1].replace("\\t", "\t"), text[found.end() :]) if found else (None, text)


def check_format(path: Path, text: str, delimiter: str) -> None:
    """Refuse a text that is plainly of another format than its file's suffix says.

    Args:
        path: The file, for the message.
        text: Its content.
        delimiter: What should stand between two cells; empty for JSON.

    Raises:
        UserError: JSON where a table belongs, a table where JSON belongs, another delimiter, or a web page.
    """
    name = shown(path)
    if _WEB_PAGE.match(text):
        raise UserError("input", f"{name} is a web page, as a failed download leaves it; download the file again.")
    lines = (line for line in text[:_LOOKED_AT].splitlines() if line.strip())
    first, second = next(lines, ""), next(lines, "")
    if delimiter and _OBJECTS.match(text):
        suffix = ".jsonl" if holds_lines(text) else ".json"
        raise UserError("input", f"{name} holds JSON, not a table; name it {suffix}.")
    other = _other_delimiter(first, delimiter) if delimiter else _table_delimiter(first, second)
    if other is None:
        return
    instead = f"name it {_SUFFIXES[other]}" if other in _SUFFIXES else ""
    if not delimiter:
        raise UserError(
            "input", f"{name} holds a table, its columns separated by {_DELIMITERS[other]}, not JSON; {instead}."
        )
    ours = _DELIMITERS.get(delimiter, repr(delimiter))
    advice = f"separate its columns by {ours}, not {_DELIMITERS[other]}{', or ' + instead if instead else ''}"
    raise UserError("input", f"{name} has no ids (columns: {shown(Path(first.strip()[:60]))}); {advice}.")


def _other_delimiter(line: str, delimiter: str) -> str | None:
    """What separates a header's cells, where its own delimiter does not, or gives no name that is known."""
    cells = {mark: line.split(mark) for mark in _DELIMITERS if mark != delimiter}
    best = max(cells, key=lambda mark: len(cells[mark]))
    ours = line.split(delimiter)
    if len(cells[best]) < 2 or (len(ours) > 1 and (_known(ours) or _known(cells[best]) < 2)):
        return None
    return best


def _known(cells: list[str]) -> int:
    return sum(cell.strip().strip('"').lower() in _NAMES for cell in cells)


def _table_delimiter(first: str, second: str) -> str | None:
    """What separates the cells of a text that is no JSON, where its first lines have one number of cells."""
    if first.lstrip()[:1] in ("{", "[") or _known(first.split(",")) + _known(first.split("\t")) == 0:
        return None
    counts = {mark: len(first.split(mark)) for mark in _SUFFIXES}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] > 1 and second else None


def holds_lines(text: str) -> bool:
    """Whether a text is JSON objects one after another, as in JSON lines, and no single document."""
    start = _NO_SPACE.search(text)
    if start is None or text[start.start()] != "{" or not _NEXT_OBJECT.search(text):
        return False
    try:
        value, end = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError):
        return False
    following = _NO_SPACE.search(text, end)
    return isinstance(value, dict) and following is not None and following[0] == "{"


def holds_document(text: str) -> bool:
    """Whether a text that should be JSON lines is one document: a list, or an object over several lines."""
    start = _NO_SPACE.search(text)
    if start is None or text[start.start()] not in "[{":
        return False
    first = next(line for line in text.split("\n") if line.strip())
    try:
        if isinstance(json.loads(first), dict):
            return False
    except (ValueError, RecursionError):
        pass
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse_sequence(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Parse JSON values that follow one another, with the line each starts in.

    Raises:
        UserError: Not JSON; the message has the line and column.
    """
    place, line = 0, 1
    while found := _NO_SPACE.search(text, place):
        line += text.count("\n", place, found.start())
        with told_json_errors(path):
            value, end = DECODER.raw_decode(text, found.start())
        yield line, value
        line += text.count("\n", found.start(), end)
        place = end
