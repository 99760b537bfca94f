"""PNG without what only accompanies the pixels: no text, colour profile or damaged remark may cost them."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from gramcli.files.reading import open_regular
from gramcli.media.limits import MAX_IMAGE_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_ANIMATION: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
_SMALL: Final = frozenset({b"tRNS", b"eXIf", b"acTL", b"cICP"})
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# Texts that say which way up the picture is.
_ORIENTING: Final = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0")
_MOST_TEXT: Final = 2**16
# A picture of the largest size, 16 bits in four channels, that does not compress.
_MOST_BYTES: Final = 8 * MAX_IMAGE_PIXELS + 2**24


@dataclass(frozen=True)
class Png:
    """The parts of a PNG that make its picture.

    Attributes:
        file: A PNG of these parts alone.
        frames: How many frames its animation has, 1 for a still picture.
        still_apart: Whether the still picture is no frame of the animation.
        transfer: The transfer function of its colours, by its number in ITU-T H.273; 0 when not stated.
    """

    file: BinaryIO
    frames: int
    still_apart: bool
    transfer: int


def is_png(head: bytes) -> bool:
    """Say whether a file starts as a PNG."""
    return head.startswith(_SIGNATURE)


def slim_png(path: Path, *, animated: bool = False) -> Png:
    """Read the parts of a PNG that make its picture, checking their sums.

    Args:
        path: A PNG file.
        animated: Keep the frames of its animation.

    Returns:
        The parts. Ancillary parts are dropped where damaged; of the text only what turns the picture is kept.

    Raises:
        ValueError: A part that holds pixels is damaged, cut off, or too large.
    """
    kept = io.BytesIO()
    kept.write(_SIGNATURE)
    frames, still_apart, transfer, controlled = 1, False, 0, False
    with open_regular(path) as file:
        for kind, content in _parts(file, animated):
            if kind == b"acTL" and len(content) == 8:
                frames = max(1, int.from_bytes(content[:4], "big"))
            elif kind == b"cICP" and len(content) == 4:
                transfer = content[1]
            controlled = controlled or kind == b"fcTL"
            still_apart = still_apart or (kind == b"IDAT" and not controlled and frames > 1)
            if kind not in {b"cICP", b"IEND"} and (animated or kind not in _ANIMATION):
                _put(kept, kind, content)
            if kept.tell() > _MOST_BYTES:
                raise ValueError("its pixels take more bytes than they can")
    _put(kept, b"IEND", b"")
    kept.seek(0)
    return Png(kept, frames, still_apart, transfer)


def _put(file: BinaryIO, kind: bytes, content: bytes) -> None:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    file.write(len(content).to_bytes(4, "big") + kind + content + checksum.to_bytes(4, "big"))


def _parts(file: BinaryIO, animated: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts wanted; what else there is, is not even read."""
    file.seek(len(_SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        needed = kind in _PIXELS or (animated and kind in _ANIMATION)
        if length > (_MOST_BYTES if needed else _MOST_TEXT):
            if needed:
                raise ValueError(f"its part {kind.decode('latin-1')} is larger than it can be")
            file.seek(length + 4, io.SEEK_CUR)
            continue
        content, stated = file.read(length), file.read(4)
        whole = len(stated) == 4 and zlib.crc32(content, zlib.crc32(kind)) == int.from_bytes(stated, "big")
        if kind in _ANIMATION and not whole:
            return  # the frames before it are whole
        if needed and not whole and kind != b"IEND":
            flaw = "has a wrong checksum" if len(stated) == 4 else "is truncated"
            raise ValueError(f"its part {kind.decode('latin-1')} {flaw}")
        if needed or (whole and (kind in _SMALL | {b"fcTL"} or _is_orienting(kind, content))):
            yield kind, content
        if kind == b"IEND":
            return


def _is_orienting(kind: bytes, content: bytes) -> bool:
    """Say whether a text may turn the picture, and unpacks to little."""
    name = next((name for name in _ORIENTING if content.startswith(name)), None)
    if kind not in _TEXTS or name is None:
        return False
    if kind == b"tEXt":
        return True
    start = content.find(b"\x78", len(name))
    unpacked = zlib.decompressobj()
    try:
        unpacked.decompress(content[start:], _MOST_TEXT)
    except zlib.error:
        return kind == b"iTXt"
    return not unpacked.unconsumed_tail
