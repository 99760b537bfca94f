"""Captions and subtitles from UTF-8 text files; another encoding is named, never guessed."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError
from gramcli.files.reading import open_regular
from gramcli.media.cues import is_timed, said_lines
from gramcli.media.kinds import check_regular_file, shown
from gramcli.media.limits import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

# UTF-32's mark begins with UTF-16's, so it is looked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


def read_text(path: Path) -> list[str]:
    """Read captions, one per non-empty line.

    Args:
        path: Text in UTF-8, with or without a byte order mark.

    Returns:
        The lines without surrounding space; none for an empty file.

    Raises:
        UserError: Missing, not a regular file, over 64 MiB, binary, or not UTF-8; the message says where.
    """
    return [line.strip() for line in _lines(path) if line.strip()]


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file as they stand, empty ones included, without what ends them.

    Raises:
        UserError: As `read_text`.
    """
    return _lines(path)


def read_subtitle(path: Path) -> str:
    """Read what is said in a subtitle file (.srt, .vtt) or a plain transcript.

    Cue numbers, times, headers, comments and markup tags are dropped, entities decoded, and the
    cues joined by one space. Where cues repeat the lines before them, as automatic captions do, each
    line counts once.

    Args:
        path: The file, encoded as for `read_text`.

    Returns:
        One line of text, empty when nothing is said.

    Raises:
        UserError: As `read_text`.
    """
    lines = _lines(path)
    if is_timed(lines):
        lines = _cue_lines(lines)
    return " ".join(" ".join(lines).split())


def decode_text(raw: bytes) -> str | None:
    r"""Decode UTF-8, with or without a byte order mark; None when the bytes are anything else.

    Example:
        >>> decode_text(b"\xef\xbb\xbfn\xc3\xa9")
        'né'
        >>> decode_text(b"n\xe9") is None
        True
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _lines(path: Path) -> list[str]:
    check_regular_file(path, allow_empty=True)
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise UserError("media", f"{shown(path)} cannot be read ({error.strerror}); check its permissions.") from error
    if len(raw) > MAX_TEXT_BYTES:
        raise UserError("media", f"{shown(path)} is over {MAX_TEXT_BYTES // 2**20} MiB; it is not a caption file.")
    text = decode_text(raw)
    if text is None:
        raise UserError("media", _not_utf8(path, raw))
    if "\0" in text:
        raise UserError("media", f"{shown(path)} is not a text file (it holds zero bytes); save it as UTF-8 text.")
    return _LINE_END.split(text)


def _not_utf8(path: Path, raw: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if encoding is None and b"\0" in raw:
        return f"{shown(path)} is not a text file (it holds zero bytes); save it as UTF-8 text."
    try:
        raw.decode("utf-8")
        offset = 0
    except UnicodeDecodeError as error:
        offset = error.start
    line = len(_LINE_END.findall(raw[:offset].decode("utf-8"))) + 1
    marked = f", and it starts with a {encoding} mark" if encoding else ""
    return (
        f"{shown(path)} is not UTF-8 text (byte {offset}, line {line}{marked}); convert it, "
        f"for instance: iconv -f {encoding or 'WINDOWS-1252'} -t UTF-8 OLD > NEW."
    )


def _cue_lines(lines: list[str]) -> list[str]:
    """Keep what is said."""
    return said_lines(lines)
