"""A few frames of a clip, the right ones.

decord seeks fast but returns other frames than asked, without an error, where seeking by time is not
exact. So the packets are counted first (no decoding, one pass over the file); files whose index leaves
room for doubt are read from their start with FFmpeg instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import decord
import numpy as np

from gramcli.errors import UserError
from gramcli.media.container import decode, open_container, packets
from gramcli.media.kinds import check_binary_media, shown, undecodable
from gramcli.media.sampling import FrameRule, frame_rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

decord.logging.set_level(decord.logging.QUIET)

# Containers in which seeking was found exact when the packets show nothing odd (see `_Timeline.exact`).
_SEEKABLE: Final = ("mov,mp4", "matroska")
_ATTACHED_PICTURE: Final = 0x400


@dataclass(frozen=True)
class VideoClip:
    """Chosen frames of one video.

    Attributes:
        frames: RGB, uint8 [n, h, w, 3], upright.
        indices: Which frame of the clip each one is, in display order from 0; repeats for short clips.
        fps: Mean frames per second by the file's times, 0 when it holds none.
        duration: Seconds from the first frame to the end of the last, damaged ones counted.
        total_frames: Frames that can be decoded.
    """

    frames: NDArray[np.uint8]
    indices: tuple[int, ...]
    fps: float
    duration: float
    total_frames: int


@dataclass(frozen=True)
class _Timeline:
    """What the packets say before any is decoded (but for the first frame)."""

    packets: int
    duration: float
    fps: float
    exact: bool


def read_video(path: Path, n_frames: int, rule: str = "middle-of-segment") -> VideoClip:
    """Read `n_frames` frames of a video.

    Args:
        path: A video file of any container FFmpeg knows.
        n_frames: Frames wanted; a shorter clip repeats frames as the rule says.
        rule: Name in `gramcli.media.sampling.FRAME_RULES`.

    Returns:
        The frames with their indices. Damaged packets are skipped, so the indices count what decodes.

    Raises:
        UserError: Unknown rule, not a regular file, text, a playlist, a picture, no video track, or no frame decodes.
    """
    choose = frame_rule(rule)
    check_binary_media(path, "video")
    timeline = _timeline(path)
    fast = _read_by_seeking(path, timeline, choose, n_frames) if timeline.exact else None
    frames, indices, total = fast or _read_from_start(path, timeline.packets, choose, n_frames)
    return VideoClip(frames, tuple(indices), timeline.fps, timeline.duration, total)


def _video_track(path: Path, container: Any) -> Any:  # noqa: ANN401 - PyAV's objects
    """Return the first moving-picture track: cover art is a video stream to FFmpeg, not to us."""
    for stream in container.streams.video:
        if not int(stream.disposition) & _ATTACHED_PICTURE:
            return stream
    raise undecodable(path, "video", "it has no video track")


def _timeline(path: Path) -> _Timeline:
    with open_container(path, "video") as container:
        track = _video_track(path, container)
        seen, first = [], None
        for packet in packets(container, track):
            if first is None:
                first = next(iter(decode(packet)), None)
            if packet.size:
                seen.append(packet)
        if first is None:
            raise undecodable(path, "video", "no frame can be decoded")
        sole = len(container.streams.video) == 1
        seekable = sole and container.format.name.startswith(_SEEKABLE) and not first.rotation
        # Packets hidden by an edit list are decoded but never shown.
        shown_packets = [packet for packet in seen if not packet.is_discard]
        duration, fps = _duration(shown_packets, track)
        return _Timeline(len(shown_packets), duration, fps, seekable and _is_exact(seen, track))


def _is_exact(seen: Sequence[Any], track: Any) -> bool:  # noqa: ANN401 - PyAV's objects
    """Say whether every frame can be found by its time: nothing hidden, shared, missing or leading."""
    times = [packet.pts for packet in seen]
    if None in times or len(set(times)) < len(times) or not seen[0].is_keyframe:
        return False
    if any(packet.is_discard or packet.is_corrupt for packet in seen) or track.frames not in {0, len(seen)}:
        return False
    # Only Matroska was found exact when the first frame does not start at 0.
    if track.start_time and track.container.format.name.startswith("mov,mp4"):
        return False
    return not _has_leading_frames(seen)


def _has_leading_frames(seen: Sequence[Any]) -> bool:
    """Say whether a frame is stored after a keyframe but shown before it (an open group of pictures)."""
    keyframe = seen[0].pts
    for packet in seen:
        if packet.is_keyframe:
            keyframe = packet.pts
        elif packet.pts < keyframe:
            return True
    return False


def _duration(seen: Sequence[Any], track: Any) -> tuple[float, float]:  # noqa: ANN401 - PyAV's objects
    """Return seconds from the first frame to the end of the last, and frames per second."""
    rate = float(track.average_rate or 0)
    timed = sorted((packet.pts, packet.duration or 0) for packet in seen if packet.pts is not None)
    untimed = track.container.format.name == "avi"
    if untimed or len(timed) < 2 or len({time for time, _ in timed}) < len(timed):
        # Times that repeat (a recording joined from two, a damaged table) or are guessed measure nothing.
        return (len(seen) / rate if rate else 0.0), rate
    span = timed[-1][0] - timed[0][0]
    last = timed[-1][1] or span / (len(timed) - 1)
    seconds = float((span + last) * track.time_base)
    return seconds, len(timed) / seconds


_Read = tuple["NDArray[np.uint8]", "list[int]", int]


def _read_by_seeking(path: Path, timeline: _Timeline, choose: FrameRule, n: int) -> _Read | None:
    """Read through decord; None when it disagrees about the clip or fails, as it does at some small widths."""
    try:
        reader = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0))
        if len(reader) != timeline.packets:
            return None
        indices = choose(timeline.packets, n)
        unique = sorted(set(indices))
        frames: NDArray[np.uint8] = reader.get_batch(unique).asnumpy()
    except UserError:
        raise
    except Exception:  # decord raises its own, RuntimeError and encoding errors; FFmpeg has the last word
        return None
    if frames.shape[0] != len(unique) or frames.shape[-1] != 3:
        return None
    return frames[np.searchsorted(unique, indices)], indices, timeline.packets


def _read_from_start(path: Path, packet_count: int, choose: FrameRule, n: int) -> _Read:
    """Decode every frame in order; once more when the packets promised another number of frames."""
    indices = choose(max(packet_count, 1), n)
    found, total = _decode_picks(path, indices)
    if total == 0:
        raise undecodable(path, "video", "no frame can be decoded")
    if total != packet_count:
        indices = choose(total, n)
        found, again = _decode_picks(path, indices)
        if again != total:
            raise UserError("media", f"{shown(path)} decodes to {total} frames once and {again} next; re-encode it.")
    return np.stack([found[index] for index in indices]), indices, total


def _decode_picks(path: Path, indices: Sequence[int]) -> tuple[dict[int, NDArray[np.uint8]], int]:
    wanted, found, total = set(indices), {}, 0
    size: tuple[int, int] | None = None
    with open_container(path, "video") as container:
        track = _video_track(path, container)
        for packet in packets(container, track):
            for frame in decode(packet):
                # A stream may change size on the way; the first frame sets the clip's.
                size = size or (frame.width, frame.height)
                if total in wanted:
                    found[total] = _upright(frame, size)
                total += 1
    return found, total


def _upright(frame: Any, size: tuple[int, int]) -> NDArray[np.uint8]:  # noqa: ANN401 - PyAV's frame
    width, height = size
    picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
