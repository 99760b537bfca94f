"""From packets to frames, knowing for each frame which packet it came from and whether damage may have reached it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
from av.sidedata.sidedata import Type

from gramcli.media.orientation import UPRIGHT, Orientation, orientation_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gramcli.media.facts import Facts


@dataclass(frozen=True)
class _Label:
    """Number of a packet, an object of its own: PyAV keeps labels by address and drops one with the first user of it.

    Small integers are shared by all of Python, so a clip decoded in another thread would take this one's labels along.
    """

    number: int


class Damage:
    """Which frames a bad packet spoils: itself and what is predicted from it, up to the next keyframe.

    FFmpeg goes on after an error and patches what is missing from the last good picture; such frames look whole.

    Args:
        facts: The packets of the track, in stored order.
    """

    def __init__(self, facts: Sequence[Facts]) -> None:
        self._facts = facts
        self._spans: list[tuple[int, int]] = []
        self._latest: int | None = None
        self.packets = 0
        self.frames = 0
        self.disordered = False
        self.headless = bool(facts) and not facts[0].keyframe and any(packet.keyframe for packet in facts)
        if self.headless:
            self._spans.append((0, self._next_keyframe(0)))

    def __len__(self) -> int:
        return len(self._facts)

    def _next_keyframe(self, number: int) -> int:
        after = range(number + 1, len(self._facts))
        return next((key for key in after if self._facts[key].keyframe), len(self._facts))

    def expect(self, number: int) -> None:
        """Note a packet whose container knows that bytes of it are lost: what is left may decode, to a wrong frame."""
        if self._facts[number].lacking:
            self.add(number)

    def add(self, number: int) -> None:
        """Note that a packet does not decode."""
        self.packets += number != self._latest
        self._latest = number
        if not self._spans or number >= self._spans[-1][1]:
            self._spans.append((number, self._next_keyframe(number)))

    def note_order(self, before: int, number: int) -> None:
        """Note two frames that came out of the decoder one after the other: their times must rise."""
        earlier, time = self._facts[before].pts, self._facts[number].pts
        self.disordered = self.disordered or earlier is None or time is None or earlier >= time

    def reaches(self, number: int) -> bool:
        """Say whether the frame of a packet may be spoilt."""
        return any(start <= number and self._within(number, end) for start, end in self._spans)

    def _within(self, number: int, end: int) -> bool:
        if number < end or end == len(self._facts):
            return number < end
        # Frames stored after the next keyframe but shown before it lean on the group before as well.
        time, keyframe = self._facts[number].pts, self._facts[end].pts
        return number != end and time is not None and keyframe is not None and time < keyframe


def decode_packets(
    context: Any,  # noqa: ANN401 - PyAV's decoder
    packets: Iterable[tuple[int, Any]],
    damage: Damage,
) -> Iterator[tuple[int, Any]]:
    """Decode packets in stored order, then drain the decoder.

    Args:
        context: From `strict_decoder`.
        packets: Of one track, each with its number.
        damage: Learns of packets that do not decode.

    Yields:
        Number of the packet and its frame, in display order; frames that damage may have reached are left out.
    """
    for number, packet in packets:
        packet.opaque = _Label(number)
        damage.expect(number)
        yield from _clean(number, _decoded(context, number, packet, damage), damage)
    yield from _clean(len(damage) - 1, _decoded(context, len(damage), None, damage), damage)
    context.flush_buffers()


def _decoded(context: Any, number: int, packet: Any, damage: Damage) -> list[Any]:  # noqa: ANN401 - PyAV's objects
    try:
        return list(context.decode(packet))
    except (av.FFmpegError, OSError):
        # Past the last packet the decoder is drained: frames held back for reordering are lost with it.
        damage.add(number)
        return []


def _clean(latest: int, frames: Iterable[Any], damage: Damage) -> Iterator[tuple[int, Any]]:
    for frame in frames:
        # A decoder that hands no label on gets the latest packet's: it may cost a good frame after a bad packet.
        number = latest if frame.opaque is None else frame.opaque.number
        if frame.is_corrupt:
            damage.add(number)
        if damage.reaches(number):
            damage.frames += 1
        else:
            yield number, frame


def decode_groups(
    context: Any,  # noqa: ANN401 - PyAV's decoder
    held: Sequence[Any],
    wanted: Collection[int],
    damage: Damage,
) -> Iterator[tuple[int, Any]]:
    """Decode only what leads from a keyframe to a wanted packet.

    Args:
        context: From `strict_decoder`.
        held: All packets of a track each of whose groups decodes by itself.
        wanted: Numbers of the packets whose frames are wanted.
        damage: Learns of packets that do not decode, and of frames that come out in another order than their times.

    Yields:
        Number and frame of the wanted packets.
    """
    starts = [number for number, packet in enumerate(held) if packet.is_keyframe]
    for start, end in zip(starts, [*starts[1:], len(held)], strict=True):
        inside = [number for number in wanted if start <= number < end]
        if inside:
            # Frames are stored after all they are predicted from, so nothing past the last pick is needed.
            needed = _sparing(context, zip(range(start, max(inside) + 1), held[start:], strict=False), wanted)
            latest = None
            for number, frame in decode_packets(context, needed, damage):
                if latest is not None:
                    damage.note_order(latest, number)
                latest = number
                if number in wanted:
                    yield number, frame
    context.skip_frame = "DEFAULT"


def _sparing(
    context: Any,  # noqa: ANN401 - PyAV's decoder
    packets: Iterable[tuple[int, Any]],
    wanted: Collection[int],
) -> Iterator[tuple[int, Any]]:
    """Have the decoder drop frames that nobody wants and no other frame is predicted from."""
    for number, packet in packets:
        context.skip_frame = "DEFAULT" if number in wanted else "NONREF"
        yield number, packet


def orientation(frame: Any) -> Orientation | None:  # noqa: ANN401 - PyAV's frame
    """Return how a frame is meant to be seen, as its display matrix says; None when that is none of the eight ways.

    Args:
        frame: PyAV's frame.
    """
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return UPRIGHT if matrix is None else orientation_of(bytes(matrix))


def stored(frame: Any, size: tuple[int, int]) -> NDArray[np.uint8]:  # noqa: ANN401 - PyAV's frame
    """Return a frame as RGB, as it is stored.

    Args:
        frame: PyAV's frame.
        size: Stored width and height of the clip; a frame of another size is scaled to it.

    Returns:
        uint8 [h, w, 3].
    """
    width, height = size
    picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=width, height=height)
    return picture
