"""A few frames of a clip, the right ones.

Readers that seek by time return other frames than asked, without an error, where times are odd. So the packets are
gone through first (no decoding, one pass over the file). Where they prove that each is one frame and that every
keyframe starts afresh, only what leads to the chosen frames is decoded; else everything is, in order.

A short file's packets are kept and go to FFmpeg's decoder directly, labelled, so each frame is known by the packet it
came from: measured, that takes less time than decord2's random access and than its reading in order. Only a proven
file whose packets are too large to keep goes to decord2, which seeks in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import av
import decord
import numpy as np

from gramcli.errors import UserError
from gramcli.media.animation import read_animation
from gramcli.media.chain import is_followed
from gramcli.media.container import cut_off, ends_early, open_container, packets, strict_decoder
from gramcli.media.cutoff import is_index_cut_off
from gramcli.media.decoding import Damage, decode_groups, decode_packets, orientation, stored
from gramcli.media.kinds import Undecodable, check_binary_media, looks_like_picture, shown, undecodable
from gramcli.media.limits import MAX_CLIP_BYTES, MAX_FRAME_PIXELS
from gramcli.media.orientation import UPRIGHT
from gramcli.media.sampling import FrameRule, frame_rule
from gramcli.media.timeline import Timeline, read_timeline
from gramcli.media.tracks import Choice, Track, choose_track

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

decord.logging.set_level(decord.logging.QUIET)

# Transfer functions of high dynamic range, by the numbers of ITU-T H.273.
_HDR: Final = {16: "PQ", 18: "HLG"}
# Measured bit for bit against FFmpeg's own reading; 10-bit H.264 differs by up to 27 levels.
_DECORD_COLOURS: Final = frozenset({"yuv420p", "yuvj420p"})


class NoVideoTrack(UserError):  # noqa: N818 - as NoAudioTrack: an absence rather than a failure
    """A sound file that can be read but shows nothing: the modality is absent, not broken."""


@dataclass(frozen=True)
class VideoClip:
    """Chosen frames of one video.

    Attributes:
        frames: RGB, uint8 [n, h, w, 3], upright, in the size they are stored in.
        indices: Which frame of the clip each one is, in display order from 0; repeats for short clips.
        fps: Mean frames per second by the file's times, 0 when it holds none.
        duration: Seconds from the first frame to the end of the last, damaged ones counted.
        total_frames: Frames that can be decoded.
        notes: What the reader should know, as short phrases; see `partial`.
    """

    frames: NDArray[np.uint8]
    indices: tuple[int, ...]
    fps: float
    duration: float
    total_frames: int
    notes: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether part of the file could not be decoded, as a note that begins with `partial: ` says."""
        return any(note.startswith("partial: ") for note in self.notes)


@dataclass(frozen=True)
class _Read:
    """Frames as decoded, before they are a clip."""

    frames: NDArray[np.uint8]
    indices: list[int]
    total: int
    damage: Damage


@dataclass(frozen=True)
class _Source:
    """One file on its way to frames; `context` decodes `track` of the open container."""

    path: Path
    track: Any
    context: Any
    timeline: Timeline
    remarks: dict[str, None] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Stored width and height, which the first frame sets when the header does not."""
        return self.context.width, self.context.height


def read_video(path: Path, n_frames: int, rule: str = "middle-of-segment") -> VideoClip:
    """Read `n_frames` frames of a video.

    Args:
        path: A video file of any common container.
        n_frames: Frames wanted; a shorter clip repeats frames as the rule says.
        rule: Name in `gramcli.media.sampling.FRAME_RULES`.

    Returns:
        The frames with their indices. Frames that damage reaches are left out, so the indices count what decodes.

    Raises:
        NoVideoTrack: A sound file.
        UserError: Unknown rule, not a regular file, text, a playlist, a picture, too large, or no frame decodes.

    Note:
        A file whose packets prove it sound is not decoded in full, so a flaw inside a frame nobody picked goes unseen.
    """
    choose = frame_rule(rule)
    check_binary_media(path, "video")
    if looks_like_picture(path) and (animation := _animated(path, choose, n_frames)):
        return animation
    with open_container(path, "video") as container:
        choice = choose_track(path, container, "video")
        if not choice.best:
            raise _no_video(path, choice)
        first = _tried(path, container, choice.best[0], choose, n_frames)
    if isinstance(first, VideoClip):
        return _noted(first, choice, choice.best[0])
    for track in choice.best[1:]:
        with open_container(path, "video") as container:
            clip = _tried(path, container, track, choose, n_frames)
        if isinstance(clip, VideoClip):
            return _noted(clip, choice, track)
    raise first


def _noted(clip: VideoClip, choice: Choice, used: Track) -> VideoClip:
    return replace(clip, notes=(*clip.notes, *choice.passed_over(used)))


def _tried(path: Path, container: Any, track: Track, choose: FrameRule, n: int) -> VideoClip | Undecodable:  # noqa: ANN401
    try:
        return _read_track(path, container, track, choose, n)
    except Undecodable as error:
        return error


def _animated(path: Path, choose: FrameRule, n: int) -> VideoClip | None:
    """Read an animated picture; None for a still one."""
    found = read_animation(path, choose, n)
    if found is None:
        return None
    picked = _Read(found.frames, found.indices, found.total, Damage([]))
    lost = [f"partial: {found.total} of {found.promised} frames decode"] if found.total < found.promised else []
    fps = found.total / found.seconds if found.seconds else 0.0
    notes = (*lost, *_repeats(picked), *found.notes)
    return VideoClip(found.frames, tuple(found.indices), fps, found.seconds, found.total, notes)


def _read_track(path: Path, container: Any, chosen: Track, choose: FrameRule, n: int) -> VideoClip:  # noqa: ANN401
    notes: list[str] = []
    track = container.streams[chosen.index]
    context = strict_decoder(track)
    _check_size(path, context.width, context.height, n)
    timeline = read_timeline(track, packets(container, track, notes))
    if container.format.name == "gif" and len(timeline.facts) == 1:
        raise undecodable(path, "video", "it is a picture")
    notes += cut_off(path, container) or ends_early(path, track, timeline.times)
    if is_followed(path, container.format.name):
        notes.append("partial: another recording follows the first, and is not read")
    source = _Source(path, track, context, timeline)
    picked = (_pick_groups(source, choose, n) or _pick_by_seeking(source, choose, n)) or (
        _pick_in_order(source, choose, n)
    )
    notes = [*_losses(picked, timeline), *notes, *_repeats(picked), *source.remarks]
    return VideoClip(picked.frames, tuple(picked.indices), timeline.fps, timeline.duration, picked.total, tuple(notes))


def _no_video(path: Path, choice: Choice) -> UserError:
    """Say why a file has no picture: cover art is a video stream to FFmpeg, not to us."""
    if choice.codecs:
        return undecodable(path, "video", f"its codec {choice.codecs} cannot be decoded")
    if choice.others:
        return undecodable(path, "video", "no frame can be decoded")
    if is_index_cut_off(path):
        return undecodable(path, "video", "the end of the file is missing, and any video track with it")
    if choice.has_other_kind:
        return NoVideoTrack("media", f"{shown(path)} has no video track; name it as audio or leave the item out.")
    return undecodable(path, "video", "it has no video track")


def _check_size(path: Path, width: int, height: int, n: int) -> None:
    if width * height > MAX_FRAME_PIXELS:
        raise UserError(
            "media",
            f"{shown(path)} has frames of {width} x {height}, over the limit of {MAX_FRAME_PIXELS} pixels; "
            "scale it down.",
        )
    if width * height * 3 * n > MAX_CLIP_BYTES:
        raise UserError(
            "media",
            f"{shown(path)}: {n} frames of {width} x {height} take more than the limit of {MAX_CLIP_BYTES} bytes; "
            "ask for fewer or scale it down.",
        )


def _losses(picked: _Read, timeline: Timeline) -> list[str]:
    lost = timeline.promised - picked.total
    damaged, spoilt = picked.damage.packets, picked.damage.frames
    # Fewer frames than packets alone is no damage: some codecs store frames that are never shown.
    missing = timeline.promised > len(timeline.visible)
    notes = []
    if lost > 0 and (damaged or spoilt or missing or picked.damage.headless):
        notes.append(f"partial: {picked.total} of {timeline.promised} frames decode")
    if damaged:
        notes.append(f"partial: {damaged} damaged packet{'s' * (damaged != 1)} skipped")
    return notes


def _repeats(picked: _Read) -> list[str]:
    total, n = picked.total, len(picked.indices)
    if total >= n:
        return []
    which = "the last" if picked.indices[:total] == list(range(total)) else "some"
    return [f"{total} frame{'s' * (total != 1)}, {which} repeated to make {n}"]


def _pick_groups(source: _Source, choose: FrameRule, n: int) -> _Read | None:
    """Decode the groups of the chosen frames alone; None when that is not proven right or meets damage."""
    timeline = source.timeline
    if not timeline.exact or timeline.held is None:
        return None
    order = sorted(timeline.visible, key=lambda number: timeline.facts[number].pts or 0)
    indices = choose(len(order), n)
    wanted = {order[index] for index in indices}
    damage = Damage(timeline.facts)
    found = {}
    for number, frame in decode_groups(source.context, timeline.held, wanted, damage):
        found[number] = _picture(source, frame, source.size)
    if damage.packets or damage.frames or damage.disordered or set(found) != wanted:
        return None
    return _Read(_stacked(source, [found[order[index]] for index in indices]), indices, len(order), damage)


def _pick_by_seeking(source: _Source, choose: FrameRule, n: int) -> _Read | None:
    """Read through decord2; None when it disagrees about a frame's time or fails, as it does at some small widths."""
    timeline = source.timeline
    if not timeline.exact or timeline.held is not None or not _decord_agrees(source):
        return None
    times = sorted(timeline.times)
    indices = choose(len(times), n)
    unique = sorted(set(indices))
    try:
        reader = decord.VideoReader(str(source.path.absolute()), ctx=decord.cpu(0), num_threads=1)
        if len(reader) != len(times):
            return None
        starts = np.asarray(reader.get_frame_timestamp(unique))[:, 0]
        frames: NDArray[np.uint8] = reader.get_batch(unique).asnumpy()
    except Exception:  # decord raises its own, RuntimeError and encoding errors; FFmpeg has the last word
        return None
    due = np.array([float(times[index] * source.track.time_base) for index in unique])
    half_a_frame = 0.5 / timeline.fps if timeline.fps else 0.0
    upright_frames = frames.shape[1:] == (source.size[1], source.size[0], 3)
    if len(frames) != len(unique) or not upright_frames or np.abs(starts - due).max() > half_a_frame:
        return None
    return _Read(frames[np.searchsorted(unique, indices)], indices, len(times), Damage(timeline.facts))


def _decord_agrees(source: _Source) -> bool:
    """Say whether decord2 reads the same track in the same way: it chooses among several, and rounds some colours.

    The first frame tells what it would do to the others: it knows nothing of mirrored pictures.
    """
    if len(source.track.container.streams.video) > 1 or source.context.pix_fmt not in _DECORD_COLOURS:
        return False
    _, first = next(_all_frames(source, Damage(source.timeline.facts)), (0, None))
    if first is None or orientation(first) != UPRIGHT:
        return False
    _picture(source, first, source.size)
    return True


def _pick_in_order(source: _Source, choose: FrameRule, n: int) -> _Read:
    """Decode every frame in order; once more when the packets promised another number of frames."""
    indices = choose(max(len(source.timeline.visible), 1), n)
    found, total, damage = _decode_picks(source, indices)
    if total == 0:
        raise undecodable(source.path, "video", "no frame can be decoded")
    if not set(indices) <= set(found) or total != len(source.timeline.visible):
        indices = choose(total, n)
        found, again, damage = _decode_picks(source, indices)
        if again != total:
            raise UserError(
                "media", f"{shown(source.path)} decodes to {total} frames once and {again} next; re-encode it."
            )
    return _Read(_stacked(source, [found[index] for index in indices]), indices, total, damage)


def _decode_picks(source: _Source, indices: Sequence[int]) -> tuple[dict[int, NDArray[np.uint8]], int, Damage]:
    wanted, total = set(indices), 0
    found: dict[int, NDArray[np.uint8]] = {}
    size: tuple[int, int] | None = None
    damage = Damage(source.timeline.facts)
    for _, frame in _all_frames(source, damage):
        # A stream may change size on the way; the first frame sets the clip's.
        if size is None:
            size = (frame.width, frame.height)
            _check_size(source.path, *size, len(indices))
        if total in wanted:
            found[total] = _picture(source, frame, size)
        total += 1
    return found, total, damage


def _picture(source: _Source, frame: Any, size: tuple[int, int]) -> NDArray[np.uint8]:  # noqa: ANN401 - PyAV's frame
    """Return a frame as it is meant to be seen, and note what is lost on the way."""
    way = orientation(frame)
    if way is None:
        raise UserError("media", f"{shown(source.path)} is slanted by its display matrix; re-encode it upright.")
    if hdr := _HDR.get(int(frame.color_trc)):
        source.remarks[f"HDR ({hdr}) read as SDR, colours are off"] = None
    try:
        return way.apply(stored(frame, size))
    except (av.FFmpegError, OSError, ValueError) as error:  # colours that no converter knows
        raise undecodable(source.path, "video", error) from error


def _stacked(source: _Source, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    if len({picture.shape for picture in pictures}) > 1:
        raise UserError("media", f"{shown(source.path)} is turned on the way; re-encode it upright.")
    return np.stack(pictures)


def _all_frames(source: _Source, damage: Damage) -> Iterator[tuple[int, Any]]:
    if source.timeline.held is not None:
        yield from decode_packets(source.context, enumerate(source.timeline.held), damage)
        return
    with open_container(source.path, "video") as container:
        track = container.streams[source.track.index]
        full = (packet for packet in packets(container, track, []) if packet.size)
        yield from decode_packets(strict_decoder(track), enumerate(full), damage)
