"""Pictures of formats that are not read, told by their content: what they are, and what to do with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.media.kinds import Undecodable, first_bytes, shown

if TYPE_CHECKING:
    from pathlib import Path

_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIF: Final = frozenset({b"mif1", b"msf1", b"mif2", b"miaf"})
_STARTS: Final = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (rb"II\xbc", "a JPEG XR picture"),
        (rb"(?:II\*\0|MM\0\*).{4}CR", "a camera raw picture (CR2)"),
        (rb"II\x1a\0\0\0HEAPCCDR", "a camera raw picture (CRW)"),
        (rb"II(?:RO|RS|U\0)|MMOR", "a camera raw picture"),
        (rb"FUJIFILMCCD-RAW", "a camera raw picture (RAF)"),
        (rb"FOVb|\0MRM", "a camera raw picture"),
        (rb"8BPS", "a Photoshop file"),
        (rb"%PDF", "a PDF document"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
        (rb"v/1\x01", "an OpenEXR picture"),
        (rb"#\?R(?:ADIANCE|GBE)", "a Radiance HDR picture"),
        (rb"qoif", "a QOI picture"),
        (rb"gimp xcf", "a GIMP file"),
        (rb"DDS ", "a DDS texture"),
        (rb"\0\0\x01\0[\x01-\xff]\0", "an icon file"),
        (rb"BPG\xfb", "a BPG picture"),
        (rb"SIMPLE  =", "a FITS file"),
        (rb".{128}DICM", "a DICOM file"),
        (
            rb"\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg",
            "an SVG drawing",
        ),
    )
)
# Tags of TIFF: kind of subfile, colour of the pixels, offsets of further pictures, version of DNG.
_SUBFILE, _PHOTOMETRIC, _SUB_IFDS, _DNG = 254, 262, 330, 50706
_SENSOR: Final = frozenset({32803, 34892})


def container_brand(head: bytes) -> str:
    """Return `HEIC`, `HEIF`, `AVIF` or `CR3` for pictures in MP4's boxes, by all the brands stated; else nothing.

    Example:
        >>> container_brand(bytes([0, 0, 0, 20]) + b"ftypmif1" + bytes(4) + b"heic")
        'HEIC'
    """
    if head[4:8] != b"ftyp":
        return ""
    end = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = {head[at : at + 4] for at in (8, *range(16, end, 4))}
    if b"crx " in brands:
        return "CR3"
    # A video names what pictures it holds as well; a file of pictures leads with a brand of them.
    if head[8:12] not in _HEIC | _AVIF | _HEIF:
        return ""
    return "AVIF" if brands & _AVIF else "HEIC" if brands & _HEIC else "HEIF"


def foreign_picture(path: Path, *, avif_is_read: bool) -> str | None:
    """Say what a file is when it is a picture of a format that is not read.

    Args:
        path: A regular file.
        avif_is_read: Whether this machine's Pillow decodes AVIF.

    Returns:
        For instance `a HEIC picture`; None for anything else.
    """
    head = first_bytes(path, 512)
    brand = container_brand(head)
    if brand == "CR3":
        return "a camera raw picture (CR3)"
    if brand and not (brand == "AVIF" and avif_is_read):
        return f"{'an' if brand == 'AVIF' else 'a'} {brand} picture"
    return next((name for pattern, name in _STARTS if pattern.match(head)), None)


def raw_tiff(tags: Any) -> str | None:  # noqa: ANN401 - Pillow's tags
    """Say what a TIFF is when its pixels are those of a camera's sensor, of which Pillow reads the thumbnail."""
    if _DNG in tags:
        return "a camera raw picture (DNG)"
    thumbnail = _SUB_IFDS in tags and bool(tags.get(_SUBFILE, 0) & 1)
    return "a camera raw picture" if thumbnail or tags.get(_PHOTOMETRIC) in _SENSOR else None


def not_read(path: Path, what: str) -> UserError:
    """Build the error for a picture of a format that is not read.

    Args:
        path: The file.
        what: From `foreign_picture` or `raw_tiff`.
    """
    return Undecodable("media", f"{shown(path)} is {what}, which is not read; convert it to JPEG or PNG.")
