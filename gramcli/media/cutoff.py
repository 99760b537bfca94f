"""Whether a file ends before its own structure does, from sizes in its headers alone.

Decoders stop at the end of a file without a word. Where no frame count was promised (transport streams,
fragments, recordings), the only sign of a lost tail is a box, page, tag or packet that the end cuts in two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from gramcli.files.reading import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TS_PACKETS: Final = (188, 192, 204)
# A size that stands for "not known when the header was written".
_UNKNOWN_RIFF: Final = 0x7FFF_0000
_UNKNOWN_LONG: Final = 2**62
# Writers that count a header into the length of the sound are forgiven: a cut this small cannot be heard.
_SLACK: Final = 44
_SEGMENT: Final = 0x18538067
_MOST_PARTS: Final = 200_000
_LAST_TAGS: Final = 64
_OGG_PAGE: Final = 2**16 + 512
_HEAD: Final = 2**16
_ASF_FILE_PROPERTIES: Final = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_PACK: Final = b"\x00\x00\x01\xba"
_PS_END: Final = 0xB9


def is_cut_off(path: Path, format_name: str) -> bool:
    """Say whether the end of a file cuts a part of it in two.

    Args:
        path: A file that FFmpeg or libsndfile opened.
        format_name: FFmpeg's name of its container.

    Returns:
        True when something is missing for certain; False also for formats that cannot tell.
    """
    check = next((check for name, check in _CHECKS.items() if name in format_name.split(",")), None)
    if check is None:
        return False
    size = path.stat().st_size
    with open_regular(path) as file:
        return check(file, size)


def is_part_cut_off(file: BinaryIO, size: int, format_name: str) -> bool:
    """Say the same of a part of a file, read as a file of its own.

    Args:
        file: The part.
        size: Its bytes.
        format_name: As for `is_cut_off`.
    """
    check = _CHECKS.get(format_name)
    return check is not None and check(file, size)


def joined_boxes(file: BinaryIO) -> bool:
    """Say whether an MP4 has a second index, of which FFmpeg reads the first alone."""
    return sum(kind == b"moov" for kind, _, _ in _boxes(file)) > 1


def is_index_cut_off(path: Path) -> bool:
    """Say whether the end of an MP4 cuts its index in two, so that whole tracks may be missing from it."""
    with open_regular(path) as file:
        return _cut_box(file, path.stat().st_size) == b"moov"


def _mp4(file: BinaryIO, size: int) -> bool:
    """Say whether the index or a fragment is incomplete; without fragments the index counts what should be there."""
    if _cut_box(file, size) in {b"moov", b"moof"}:
        return True
    return any(
        kind == b"sidx" and offset + length + _indexed_bytes(_at(file, offset, min(length, _HEAD))) > size
        for kind, offset, length in _boxes(file)
    )


def _cut_box(file: BinaryIO, size: int) -> bytes:
    """Return the type of the box that the end cuts in two: `moof` for the data of a fragment, empty for none."""
    fragmented = False
    for kind, offset, length in _boxes(file):
        fragmented = fragmented or kind == b"moof"
        if offset + length > size:
            return b"moof" if fragmented and kind == b"mdat" else kind
    return b""


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, place and length of the outermost boxes, the last of them maybe cut in two."""
    offset = 0
    for _ in range(_MOST_PARTS):
        head = _at(file, offset, 16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: the last box, up to the end whatever that is
            break
        yield head[4:8], offset, length
        offset += length


def _indexed_bytes(box: bytes) -> int:
    """Return how many bytes of fragments follow a segment index, as it says itself."""
    wide = 8 if box[8:9] > b"\0" else 4
    gap, table = 20 + wide, 24 + 2 * wide
    count = int.from_bytes(box[table - 2 : table], "big")
    if len(box) < table + 12 * count:  # cut in two, or too long to be one
        return 0
    sizes = (int.from_bytes(box[at : at + 4], "big") & 0x7FFF_FFFF for at in range(table, table + 12 * count, 12))
    return int.from_bytes(box[gap : gap + wide], "big") + sum(sizes)


def _mpegts(file: BinaryIO, size: int) -> bool:
    head = _at(file, 0, 5 * max(_TS_PACKETS))
    for packet in _TS_PACKETS:
        start = head.find(b"\x47")
        if 0 <= start < packet and all(head[at] == 0x47 for at in range(start, len(head), packet)):
            # What precedes the first marker belongs to no packet, but for the 4-byte times of 192-byte packets.
            lead = start - 4 if packet == 192 else start
            return (size - max(lead, 0)) % packet != 0
    return False


def _matroska(file: BinaryIO, size: int) -> bool:
    offset = 0
    for _ in range(_MOST_PARTS):
        head = _at(file, offset, 12)
        if len(head) < 2:
            break
        number, width = _vint(head, keep_marker=True)
        length, length_width = _vint(head[width:], keep_marker=False)
        if not width or not length_width:
            break
        unknown = length == 2 ** (7 * length_width) - 1
        offset += width + length_width
        if number == _SEGMENT:
            if not unknown and offset + length > size:
                return True
        elif unknown:
            break
        else:
            offset += length
        if offset > size:
            return True
    return False


def _vint(raw: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return an EBML number and its width in bytes; width 0 when there is none."""
    width = 9 - raw[0].bit_length() if raw else 0
    if not 1 <= width <= min(8, len(raw)):
        return 0, 0
    value = int.from_bytes(raw[:width], "big")
    return (value if keep_marker else value & (2 ** (7 * width) - 1)), width


def _riff(file: BinaryIO, size: int) -> bool:
    head = _at(file, 0, 8)
    length = int.from_bytes(head[4:8], "big" if head[:4] in {b"FORM", b"RIFX"} else "little")
    # A last chunk of odd length may lack its padding.
    return head[:4] in {b"RIFF", b"RIFX", b"FORM"} and length < _UNKNOWN_RIFF and length + 8 > size + 1


def _wave(file: BinaryIO, size: int) -> bool:
    """Hold the length of the sound's own chunk against the file: a recorder may leave that of the file open."""
    kind = _at(file, 0, 4)
    order: Literal["big", "little"] = "big" if kind in {b"FORM", b"RIFX"} else "little"
    offset, long_length = 12, 0
    for _ in range(_MOST_PARTS):
        chunk = _at(file, offset, 24)
        if len(chunk) < 8:
            break
        length = int.from_bytes(chunk[4:8], order)
        if chunk[:4] == b"ds64":
            long_length = int.from_bytes(chunk[16:24], order)
        if chunk[:4] in {b"data", b"SSND"}:
            length = long_length if length >= _UNKNOWN_RIFF else length
            return offset + 8 + length > size + _SLACK or _riff(file, size)
        offset += 8 + length + length % 2
    return _riff(file, size)


def _w64(file: BinaryIO, size: int) -> bool:
    """Chunks begin with 16 bytes of name and their length, this head counted; they start at multiples of 8."""
    offset = 40
    for _ in range(_MOST_PARTS):
        chunk = _at(file, offset, 24)
        length = int.from_bytes(chunk[16:24], "little")
        if length < 24 or length >= _UNKNOWN_LONG:
            break
        if chunk[:4] == b"data":
            return offset + length > size + _SLACK
        offset += -(-length // 8) * 8
    return False


def _au(file: BinaryIO, size: int) -> bool:
    head = _at(file, 0, 12)
    start, length = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    return length < _UNKNOWN_RIFF and start + length > size + _SLACK


def _caf(file: BinaryIO, size: int) -> bool:
    offset = 8
    for _ in range(_MOST_PARTS):
        chunk = _at(file, offset, 12)
        length = int.from_bytes(chunk[4:12], "big")
        if len(chunk) < 12 or length >= _UNKNOWN_LONG:
            break
        offset += 12 + length
        if chunk[:4] == b"data":
            return offset > size + _SLACK
    return False


def _flv(file: BinaryIO, size: int) -> bool:
    """Each tag is followed by its length, so the last four bytes lead back to the last tag."""
    length = int.from_bytes(_at(file, max(size - 4, 0), 4), "big")
    if not 11 <= length <= size - 17:
        return True
    tag = _at(file, size - 4 - length, 4)
    return int.from_bytes(tag[1:4], "big") + 11 != length


def last_flv_time(path: Path) -> float:
    """Return the latest time of the last tags of an FLV, in seconds; each tag is followed by its length.

    More than one is looked at: what marks the end of a track has the time of that track's end.
    """
    latest, end = 0, path.stat().st_size
    with open_regular(path) as file:
        for _ in range(_LAST_TAGS):
            length = int.from_bytes(_at(file, max(end - 4, 0), 4), "big")
            start = end - 4 - length
            if length < 11 or start < 13:
                break
            tag = _at(file, start, 8)
            latest = max(latest, int.from_bytes(tag[7:8] + tag[4:7], "big"))
            end = start
    return latest / 1000


def _ogg(file: BinaryIO, size: int) -> bool:
    start = max(0, size - _OGG_PAGE)
    tail = _at(file, start, _OGG_PAGE)
    last = tail.rfind(b"OggS")
    segments = tail[last + 27 : last + 27 + tail[last + 26]] if 0 <= last < len(tail) - 27 else b""
    return last < 0 or last + 27 + len(segments) + sum(segments) > len(tail) or not segments


def _asf(file: BinaryIO, size: int) -> bool:
    """The file properties state the size of the whole file, or 0 for a broadcast."""
    head = _at(file, 0, _HEAD)
    found = head.find(_ASF_FILE_PROPERTIES)
    return found >= 0 and int.from_bytes(head[found + 40 : found + 48], "little") > size


def _mpeg_ps(file: BinaryIO, size: int) -> bool:
    """Walk the packets from one of the last pack headers: each but the pack header states its length."""
    start = max(0, size - _HEAD)
    tail = _at(file, start, _HEAD)
    at = tail.find(_PACK)
    while 0 <= at <= len(tail) - 6 and tail[at : at + 3] == _PACK[:3]:
        if tail[at : at + 4] != _PACK:
            at += 4 if tail[at + 3] == _PS_END else 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
        elif tail[at + 4] >> 6 == 1:  # MPEG-2, with stuffing
            at += 14 + (tail[at + 13] & 7 if at + 13 < len(tail) else 0)
        else:
            at += 12
    return at > len(tail)


def _gif(file: BinaryIO, size: int) -> bool:
    # Some writers pad what follows the trailer.
    return not _at(file, max(0, size - 64), 64).rstrip(b"\0").endswith(b";")


def _at(file: BinaryIO, offset: int, n: int) -> bytes:
    file.seek(offset)
    return file.read(n)


_CHECKS: Final[dict[str, Callable[[BinaryIO, int], bool]]] = {
    "mov": _mp4,
    "mpegts": _mpegts,
    "matroska": _matroska,
    "avi": _riff,
    "wav": _wave,
    "aiff": _wave,
    "w64": _w64,
    "au": _au,
    "caf": _caf,
    "flv": _flv,
    "ogg": _ogg,
    "gif": _gif,
    "asf": _asf,
    "mpeg": _mpeg_ps,
}


def promised_mp3_frames(path: Path) -> int:
    """Return how many frames the Xing or Info header of an MP3 promises; 0 when it has none."""
    with open_regular(path) as file:
        head = _at(file, 0, 10)
        offset = 0
        if head[:3] == b"ID3" and len(head) == 10:
            offset = 10 + sum((byte & 0x7F) << (7 * (3 - place)) for place, byte in enumerate(head[6:10]))
        start = _at(file, offset, 2048)
    found: Any = max(start.find(b"Xing"), start.find(b"Info"))
    if found < 0 or len(start) < found + 12 or not start[found + 7] & 1:
        return 0
    return int.from_bytes(start[found + 8 : found + 12], "big")
