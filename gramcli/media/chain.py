"""Files that are several files one after another: decoders read the first and do not say so."""

from __future__ import annotations

import io
import mmap
import re
from typing import TYPE_CHECKING, BinaryIO, Final

from gramcli.files.reading import open_regular
from gramcli.media.cutoff import joined_boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MOST_PARTS: Final = 200_000
# Page header of Ogg: a version, flags of which 2 opens a stream, then 20 bytes and the number of segments.
_PAGE_HEAD: Final = 27
_OPENS: Final = 2
# Headers that are long enough to be no accident; each begins a file of its own.
_HEADERS: Final = {
    "flac": re.compile(rb"fLaC[\0\x80]\0\0\x22"),
    "flv": re.compile(rb"FLV\x01[\0-\x05]\0\0\0\x09"),
    "asf": re.compile(re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"))),
    "tta": re.compile(rb"TTA1[\x01\x03]\0"),
    "matroska,webm": re.compile(rb"\x1a\x45\xdf\xa3.{1,64}?\x42\x82[\x84\x88](?:webm|matroska)", re.DOTALL),
}
_READ: Final = {"matroska,webm": 2}  # files in one that FFmpeg reads, where it is more than one


class Section(io.RawIOBase):
    """A part of a file, read as a file of its own.

    Args:
        file: The whole file.
        start: First byte of the part.
        end: The byte after it.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._size, self._at = file, start, end - start, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved in."""
        return True

    def tell(self) -> int:
        """Return the place in the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move in the part."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read at most to the end of the part."""
        self._file.seek(self._start + self._at)
        raw = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(raw)] = raw
        self._at += len(raw)
        return len(raw)


def sound_parts(path: Path, name: str) -> list[tuple[int, int]]:
    """Return where the files begin and end that a sound file is made of.

    Args:
        path: A file libsndfile may read.
        name: FFmpeg's name of its format.

    Returns:
        Start and end of each; one for an ordinary file.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        starts = [0, *_STARTS[name](file, size)] if name in _STARTS else [0]
    return list(zip(starts, [*starts[1:], size], strict=True))


def is_followed(path: Path, format_name: str) -> bool:
    """Say whether another recording follows the one that FFmpeg reads of a file.

    Args:
        path: The file.
        format_name: FFmpeg's name of its container.
    """
    with open_regular(path) as file:
        if format_name.startswith("mov,"):
            return joined_boxes(file)
        if format_name not in _HEADERS:
            return False
        return len(list(_found(file, _HEADERS[format_name]))) >= _READ.get(format_name, 1)


def _found(file: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[int]:
    """Yield where a header stands, but for the first."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield from [match.start() for match in pattern.finditer(mapped)][1:]


def _ogg(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield where streams begin after others: those of one recording begin together."""
    at, opened = 0, True
    while at + _PAGE_HEAD <= size:
        file.seek(at)
        head = file.read(_PAGE_HEAD + 255)
        if head[:4] != b"OggS":
            at = _next_page(file, at + 1)
            continue
        opens = bool(head[5] & _OPENS)
        if opens and not opened:
            yield at
        opened = opens
        segments = head[_PAGE_HEAD : _PAGE_HEAD + head[26]]
        at += _PAGE_HEAD + len(segments) + sum(segments)


def _next_page(file: BinaryIO, at: int) -> int:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        found = mapped.find(b"OggS", at)
        return found if found >= 0 else len(mapped)


def _stated(length: Callable[[bytes], int], starts: re.Pattern[bytes]) -> Callable[[BinaryIO, int], Iterator[int]]:
    """Return a walk over files that state their own length; a few bytes may pad each."""

    def walk(file: BinaryIO, size: int) -> Iterator[int]:
        """Yield where each part begins."""
        at = 0
        for _ in range(_MOST_PARTS):
            file.seek(at)
            stated = length(file.read(64))
            if stated <= 0:
                return
            at += stated
            file.seek(at)
            following = starts.search(file.read(32))
            if at >= size or following is None:
                return
            at += following.start()
            yield at

    return walk


def _riff(head: bytes) -> int:
    return int.from_bytes(head[4:8], "big" if head[:4] in {b"FORM", b"RIFX"} else "little") + 8


def _au(head: bytes) -> int:
    return int.from_bytes(head[4:8], "big") + int.from_bytes(head[8:12], "big")


def _caf(file: BinaryIO, size: int) -> Iterator[int]:
    at = 8
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(12)
        if len(head) < 12:
            return
        if head[:6] == b"caff\0\x01":
            yield at
            at += 8
        else:
            at += 12 + int.from_bytes(head[4:12], "big")
        if at >= size:
            return


_STARTS: Final[dict[str, Callable[[BinaryIO, int], Iterator[int]]]] = {
    "ogg": _ogg,
    "flac": lambda file, _: _found(file, _HEADERS["flac"]),
    "wav": _stated(_riff, re.compile(rb"(?:RIFF|RIFX).{4}WAVE", re.DOTALL)),
    "aiff": _stated(_riff, re.compile(rb"FORM.{4}AIF[FC]", re.DOTALL)),
    "au": _stated(_au, re.compile(rb"\.snd\0\0")),
    "w64": _stated(lambda head: int.from_bytes(head[16:24], "little"), re.compile(rb"riff\x2e\x91\xcf\x11")),
    "caf": _caf,
}
