"""Whether the times of a track agree with the order its decoder gives frames out in.

A stream with B-frames is stored in another order than it is shown in. Copied from a container without times of
its own (AVI), its packets are often numbered as they are stored; finding frames by such times finds wrong ones.
The decoder's order is the truth, and what a picture is predicted from gives it away without decoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gramcli.media.facts import Facts

# One packet is one shown picture, in the order of showing.
_IN_ORDER: Final = frozenset({"vp8", "vp9", "av1", "prores", "mjpeg"})
# What precedes the header of a picture, how many bytes further its type is, in which bits, and which value is B.
_PICTURE_STARTS: Final = {
    "mpeg4": (b"\0\0\1\xb6", 4, 6, 3, 2),
    "mpeg1video": (b"\0\0\1\0", 5, 3, 7, 3),
    "mpeg2video": (b"\0\0\1\0", 5, 3, 7, 3),
}
_H264_SLICES: Final = (1, 2, 5)


def backward_reader(track: Any) -> Callable[[Any], bool | None]:  # noqa: ANN401 - PyAV's objects
    """Return a check of one packet: whether its picture is shown before one stored earlier (a B-frame).

    Args:
        track: A video stream.

    Returns:
        A function of a packet; it returns None where the packet does not tell.
    """
    context = track.codec_context
    name = context.codec.canonical_name if context is not None else ""
    if name in _IN_ORDER:
        return lambda packet: False
    if name in _PICTURE_STARTS:
        return lambda packet: _picture_is_b(bytes(packet), *_PICTURE_STARTS[name])
    header = bytes(context.extradata or b"") if context is not None else b""
    if name == "h264" and len(header) > 4 and header[0] == 1:
        return lambda packet: _slice_is_b(bytes(packet), (header[4] & 3) + 1)
    return lambda packet: None


def keeps_order(facts: Sequence[Facts], reorders: bool) -> bool:
    """Say whether the times are those of the decoder's order.

    Args:
        facts: The packets, all with a time of their own.
        reorders: Whether the codec's header announces frames stored in another order than shown.

    Returns:
        False when a B-frame is not shown before a frame stored earlier, any other frame is, or times rise from packet
        to packet although the header announces that frames do not and no packet tells what it holds.
    """
    latest: int | None = None
    fell = False
    for packet in facts:
        time = packet.pts or 0
        falls = latest is not None and time < latest
        fell = fell or falls
        if falls if packet.keyframe else packet.backward not in {None, falls}:
            return False
        latest = time if latest is None else max(latest, time)
    untold = any(packet.backward is None and not packet.keyframe for packet in facts)
    return fell or not (reorders and untold)


def _picture_is_b(raw: bytes, start: bytes, place: int, shift: int, mask: int, b: int) -> bool | None:
    at = raw.find(start) + place
    return raw[at] >> shift & mask == b if place <= at < len(raw) else None


def _slice_is_b(raw: bytes, width: int) -> bool | None:
    """Read the type of the first slice, whose header begins with two Exp-Golomb numbers: macroblock 0, then type."""
    offset = 0
    while offset + width + 1 < len(raw):
        if raw[offset + width] & 31 in _H264_SLICES:
            byte = raw[offset + width + 1]
            # 1 (macroblock 0), then 010 (type 1) or 00111 (type 6: every slice of the picture is of type 1).
            return byte & 0xF0 == 0b1010_0000 or byte & 0xFC == 0b1001_1100 if byte & 0x80 else None
        offset += width + int.from_bytes(raw[offset : offset + width], "big")
    return None
