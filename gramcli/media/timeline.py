"""What the packets of a video say before any is decoded: how many frames, when, and how far to trust that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gramcli.media.facts import Facts
from gramcli.media.limits import MAX_HELD_BYTES
from gramcli.media.order import backward_reader, keeps_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Containers that store each frame's time and whether it is a keyframe, rather than leave FFmpeg to guess.
_INDEXED: Final = ("mov,mp4", "matroska")
# Codecs whose keyframes end every dependence on what came before, when `_has_clean_start` finds nothing odd.
_CLOSED: Final = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg1video", "mpeg2video", "prores", "mjpeg"}
)
_H264_IDR: Final = 5
# MPEG program streams are cut into blocks of many frames, and mark all of them where the end cuts a block in two.
_FLAGS_BLOCKS: Final = "mpeg"


@dataclass(frozen=True)
class Timeline:
    """The packets of a track, in stored order.

    Attributes:
        facts: One per packet.
        held: The packets themselves, or None when they are too large to keep.
        promised: How many frames the file says it has.
        duration: Seconds from the first frame to the end of the last.
        fps: Mean frames per second, 0 when unknown.
        exact: Whether each packet is one frame, found by its time, that needs nothing before its keyframe.
    """

    facts: tuple[Facts, ...]
    held: tuple[Any, ...] | None
    promised: int
    duration: float
    fps: float
    exact: bool

    @property
    def visible(self) -> tuple[int, ...]:
        """Numbers of the packets whose frames are shown, in stored order."""
        return tuple(number for number, packet in enumerate(self.facts) if not packet.hidden)

    @property
    def times(self) -> tuple[int, ...]:
        """When each frame is shown, of those that say, in stored order."""
        return tuple(packet.pts for packet in self.facts if packet.pts is not None)


def read_timeline(track: Any, packets: Iterable[Any]) -> Timeline:  # noqa: ANN401 - PyAV's objects
    """Go through the packets of a track once, decoding none.

    Args:
        track: The stream.
        packets: All its packets in stored order.

    Returns:
        What they say.
    """
    facts: list[Facts] = []
    held: list[Any] | None = []
    size, sound = 0, True
    is_sound, is_backward = _soundness(track), backward_reader(track)
    name = track.container.format.name
    for packet in packets:
        if not packet.size:
            continue
        keyframe, hidden = packet.is_keyframe, packet.is_discard
        lacking = packet.is_corrupt and name != _FLAGS_BLOCKS
        facts.append(Facts(packet.pts, packet.duration or 0, keyframe, hidden, is_backward(packet), lacking))
        sound = sound and not packet.is_corrupt and is_sound(packet)
        size += packet.size
        if held is not None:
            held.append(packet)
            held = held if size <= MAX_HELD_BYTES else None
    if name == "mpegts":
        _settle_losses(facts)
    shown = [packet for packet in facts if not packet.hidden]
    duration, fps = _duration(shown, track)
    promised = max(_stated(track), len(facts)) - (len(facts) - len(shown))
    if len(shown) < len(facts) and _repeats(shown):
        # No edit list hides frames among others of the same time: that table is damaged.
        promised = len(facts)
    exact = sound and promised == len(facts) and _is_exact(facts, track)
    return Timeline(tuple(facts), None if held is None else tuple(held), promised, duration, fps, exact)


def _settle_losses(facts: list[Facts]) -> None:
    """Say which packets of a transport stream lack bytes: a gap is known only when the next packet has begun.

    FFmpeg's parsers are one packet late, so the mark stands on the last whole one and means the one after it too.
    Where a keyframe begins again at an earlier time, two recordings were joined and nothing is lost.
    """
    for number in [number for number, packet in enumerate(facts) if packet.lacking]:
        following = range(number + 1, min(number + 3, len(facts)))
        joined = any(facts[next_].keyframe and _falls(facts[next_ - 1], facts[next_]) for next_ in following)
        for place in range(number, min(number + 2, len(facts))):
            facts[place] = replace(facts[place], lacking=not joined)


def _falls(before: Facts, after: Facts) -> bool:
    return before.pts is not None and after.pts is not None and after.pts < before.pts


def _stated(track: Any) -> int:  # noqa: ANN401 - PyAV's objects
    """How many packets the index states: an edit list hides some from reading, an AVI's empty ones repeat a frame."""
    if track.container.format.name.startswith("mov,mp4"):
        return len(track.index_entries)
    if track.container.format.name == "avi":
        return sum(entry.size > 0 for entry in track.index_entries)
    return int(track.frames)


def _repeats(facts: Sequence[Facts]) -> bool:
    times = [packet.pts for packet in facts]
    return len(set(times)) < len(times)


def _is_exact(facts: Sequence[Facts], track: Any) -> bool:  # noqa: ANN401 - PyAV's objects
    """Say whether every frame can be found by its time: nothing hidden, shared, missing, leading or out of order."""
    if not facts or not facts[0].keyframe or not track.container.format.name.startswith(_INDEXED):
        return False
    if any(packet.pts is None or packet.hidden for packet in facts) or _repeats(facts):
        return False
    return not _has_leading_frames(facts) and keeps_order(facts, bool(track.codec_context.has_b_frames))


def _has_leading_frames(facts: Sequence[Facts]) -> bool:
    """Say whether a frame is stored after a keyframe but shown before it (an open group of pictures)."""
    keyframe = facts[0].pts or 0
    for packet in facts:
        time = packet.pts or 0
        if packet.keyframe:
            keyframe = time
        elif time < keyframe:
            return True
    return False


def _soundness(track: Any) -> Any:  # noqa: ANN401 - PyAV's objects
    """Return a check of one packet: its framing is whole and, where cheap to see, it is one frame that starts clean."""
    context = track.codec_context
    name = context.codec.canonical_name if context is not None else ""
    if name not in _CLOSED:
        return lambda packet: False
    header = bytes(context.extradata or b"")
    if name in {"h264", "hevc"}:
        place = 4 if name == "h264" else 21
        if len(header) <= place or header[0] != 1:
            return lambda packet: False
        width = (header[place] & 3) + 1
        return lambda packet: _whole_units(bytes(packet), width, name == "h264" and packet.is_keyframe)
    if name == "vp8":
        return lambda packet: bool(bytes(packet)[0] & 0x10)
    if name == "vp9":
        return lambda packet: _shows_vp9(bytes(packet))
    # An MPEG-4 packet of a few bytes stands for a frame that is not there.
    return lambda packet: packet.size >= 8 and any(bytes(packet)[:16])


def _whole_units(raw: bytes, width: int, starts_clean: bool) -> bool:
    """Say whether units of stated length fill a packet; of a clean start also that its first slice is of an IDR."""
    offset, slices = 0, []
    while offset + width < len(raw):
        length = int.from_bytes(raw[offset : offset + width], "big")
        if length == 0:
            return False
        slices.append(raw[offset + width] & 31)
        offset += width + length
    first_slice = next((kind for kind in slices if 1 <= kind <= _H264_IDR), 0)
    return offset == len(raw) and (not starts_clean or first_slice == _H264_IDR)


def _shows_vp9(raw: bytes) -> bool:
    shows_existing_or_new = bool(raw[0] & 0b1010) if raw[0] & 0x30 != 0x30 else False
    return raw[0] >> 6 == 2 and (shows_existing_or_new or raw[-1] >> 5 == 6)


def _duration(seen: Sequence[Facts], track: Any) -> tuple[float, float]:  # noqa: ANN401 - PyAV's objects
    """Return seconds from the first frame to the end of the last, and frames per second."""
    rate = float(track.average_rate or 0)
    timed = sorted((packet.pts, packet.duration) for packet in seen if packet.pts is not None)
    untimed = track.container.format.name == "avi"
    if untimed or len(timed) < 2 or len({time for time, _ in timed}) < len(timed):
        # Times that repeat (a recording joined from two, a damaged table) or are guessed measure nothing.
        return (len(seen) / rate if rate else 0.0), rate
    span = timed[-1][0] - timed[0][0]
    last = timed[-1][1] or span / (len(timed) - 1)
    seconds = float((span + last) * track.time_base)
    return seconds, len(timed) / seconds
