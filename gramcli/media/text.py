"""Captions and subtitles from text files, whatever encoding the file came in."""

from __future__ import annotations

import codecs
import html
import itertools
import re
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError
from gramcli.media.kinds import check_regular_file, shown

if TYPE_CHECKING:
    from pathlib import Path

MAX_TEXT_BYTES: Final = 64 * 2**20

# UTF-32's mark begins with UTF-16's, so it is looked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TIMING: Final = re.compile(r"^\s*(?:\d+:)?\d+:\d+[.,]\d+\s*-->")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
_HEADING: Final = re.compile(r"^(WEBVTT|NOTE|STYLE|REGION)\b")


def read_text(path: Path) -> list[str]:
    """Read captions, one per non-empty line.

    Args:
        path: Text in UTF-8, UTF-16 or UTF-32 with a byte order mark, else Windows-1252 or Latin-1.

    Returns:
        The lines without surrounding space; none for an empty file.

    Raises:
        UserError: Missing, not a regular file, over 64 MiB, or binary.
    """
    return [line.strip() for line in _lines(path) if line.strip()]


def read_subtitle(path: Path) -> str:
    """Read what is said in a subtitle file (.srt, .vtt) or a plain transcript.

    Cue numbers, times, headers, comments and markup tags are dropped, entities decoded, and the
    cues joined by one space.

    Args:
        path: The file, encoded as for `read_text`.

    Returns:
        One line of text, empty when nothing is said.

    Raises:
        UserError: As `read_text`.
    """
    lines = _lines(path)
    if any(_TIMING.match(line) for line in lines):
        lines = _cue_lines(lines)
    return " ".join(" ".join(lines).split())


def decode_text(raw: bytes) -> str | None:
    r"""Decode bytes by their mark, else as UTF-8; None when they are neither.

    Example:
        >>> decode_text("né".encode("utf-16"))
        'né'
        >>> decode_text(b"n\xe9") is None
        True
    """
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _lines(path: Path) -> list[str]:
    check_regular_file(path, allow_empty=True)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise UserError("media", f"{shown(path)} cannot be read ({error.strerror}); check its permissions.") from error
    if len(raw) > MAX_TEXT_BYTES:
        raise UserError("media", f"{shown(path)} is over {MAX_TEXT_BYTES // 2**20} MiB; it is not a caption file.")
    text = decode_text(raw)
    text = _legacy(raw) if text is None else text
    if "\0" in text:
        raise UserError("media", f"{shown(path)} is not a text file (it holds zero bytes); save it as UTF-8 text.")
    return _LINE_END.split(text)


def _legacy(raw: bytes) -> str:
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _cue_lines(lines: list[str]) -> list[str]:
    """Keep what is said: the lines of each block after its timing line."""
    said: list[str] = []
    in_cue = False
    for block in _blocks(lines):
        timed = any(_TIMING.match(line) for line in block)
        # A block without times goes on with the cue before it, which held a blank line.
        in_cue = timed or (in_cue and not _HEADING.match(block[0]))
        if in_cue:
            said += _cue_text(block) if timed else block
    return [html.unescape(_TAG.sub("", line)) for line in said]


def _blocks(lines: list[str]) -> list[list[str]]:
    return [list(group) for blank, group in itertools.groupby(lines, lambda line: not line.strip()) if not blank]


def _cue_text(block: list[str]) -> list[str]:
    """Drop the times, all before the first of them, and a bare number before any later one."""
    times = [number for number, line in enumerate(block) if _TIMING.match(line)]
    numbers = {number - 1 for number in times if block[number - 1].strip().isdigit()}
    return [line for number, line in enumerate(block) if number > times[0] and number not in {*times, *numbers}]
