"""Sound as one float32 channel at the rate an encoder wants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
import soxr

from gramcli.errors import UserError
from gramcli.media.animation import is_animation
from gramcli.media.chain import is_followed
from gramcli.media.container import cut_off, open_container, packets
from gramcli.media.cutoff import is_index_cut_off, promised_mp3_frames
from gramcli.media.kinds import check_binary_media, looks_like_picture, shown, undecodable
from gramcli.media.limits import HIGHEST_RATE, LOWEST_RATE, MAX_AUDIO_SAMPLES
from gramcli.media.mixing import Mixer, Run, too_loud
from gramcli.media.soundfiles import of_seconds, read_soundfile
from gramcli.media.tracks import choose_track

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.media.mixing import Channels
    from gramcli.media.tracks import Choice, Track

# Formats whose header states the length in samples, so that it can be held against what decodes.
_STATE_LENGTH: Final = frozenset({"wav", "w64", "aiff", "flac", "au", "caf"})
# FFmpeg's sample formats; a `p` at the end marks one plane for each channel.
_SAMPLES: Final = {
    name: np.dtype(kind)
    for name, kind in (("u8", "u1"), ("s16", "i2"), ("s32", "i4"), ("s64", "i8"), ("flt", "f4"), ("dbl", "f8"))
}
_TOLERATED: Final = 0.05
# Tags stand between MP3s that were joined; FFmpeg takes them for packets.
_TAGS: Final = frozenset({b"ID3", b"TAG"})


class NoAudioTrack(UserError):  # noqa: N818 - the contract's name; it is an absence rather than a failure
    """A video that can be read but has no sound: the modality is absent, not broken."""


@dataclass(frozen=True)
class Waveform:
    """One channel of sound.

    Attributes:
        samples: Mean of the file's channels or the first of them, float32 [n], full scale at 1, all finite, n >= 1.
        sample_rate: Samples per second.
        notes: What the reader should know, as short phrases; see `partial`.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    notes: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def partial(self) -> bool:
        """Whether part of the file could not be decoded, as a note that begins with `partial: ` says."""
        return any(note.startswith("partial: ") for note in self.notes)


def read_audio(path: Path, sample_rate: int | None = 16000, channels: Channels = "mean") -> Waveform:
    """Read the sound of an audio file, or of the sound track that FFmpeg would choose of any container.

    libsndfile reads WAV, AIFF, FLAC and Ogg; FFmpeg reads the rest, by content, so AAC in a file named .mp3 works.
    Damaged packets are skipped and noted; a file of several, one after another, is read to its end.

    Args:
        path: An audio or video file.
        sample_rate: Rate wanted, samples per second; None keeps the rate the sound begins with.
        channels: Which channels to hear: the `mean` of all, or the `first` alone.

    Returns:
        One channel, resampled by soxr at high quality.

    Raises:
        NoAudioTrack: A video without an audio track.
        UserError: Not a regular file, not decodable, no samples, too many, or samples that are not finite.

    Note:
        FFmpeg's own downmix to float mono is (L + R) / sqrt(2), which can exceed full scale; the mean never does.
        AAC keeps the padding of its last frame: up to 2,047 samples more than were recorded.
    """
    check_binary_media(path, "audio")
    mixer = Mixer(channels, MAX_AUDIO_SAMPLES)
    found = read_soundfile(path, mixer, partial(_decoded, path))
    if found is None:
        # libsndfile believes a header that says 0 samples; FFmpeg reads the samples that follow it.
        mixer = Mixer(channels, MAX_AUDIO_SAMPLES)
        found = _read_container(path, mixer)
    runs, notes = _merged(found[0]), found[1]
    if sum(len(run.samples) for run in runs) == 0:
        raise UserError("media", f"{shown(path)} holds no audio samples; record it again or leave the item out.")
    sample_rate = sample_rate or runs[0].rate
    mixer.check_count(path, int(sum(run.seconds for run in runs) * sample_rate))
    pieces = [_resampled(path, run, sample_rate) for run in runs]
    samples = np.concatenate(pieces)
    if not len(samples):
        raise UserError("media", f"{shown(path)} lasts less than one sample at {sample_rate} Hz; leave the item out.")
    if not np.isfinite(samples).all():
        raise too_loud(path)
    return Waveform(samples, sample_rate, (*notes, *mixer.notes()))


def has_audio_track(path: Path) -> bool:
    """Say whether a media file declares a sound track, without decoding it.

    Raises:
        UserError: Not a regular file, or not a media file.
    """
    with open_container(path, "audio") as container:
        return len(container.streams.audio) > 0


class _Losses:
    """Packets of one track, counted while they are decoded."""

    def __init__(self) -> None:
        self.seen = 0
        self.damaged = 0

    def decode(self, packet: Any) -> list[Any]:  # noqa: ANN401 - PyAV's packet
        """Return the frames a packet completes: none when it is damaged."""
        context = packet.stream.codec_context
        if context is None:  # a codec FFmpeg has no decoder for
            return []
        if bytes(packet)[:3] in _TAGS:
            return []
        self.seen += packet.size > 0
        try:
            return list(packet.decode())
        except (av.FFmpegError, OSError):
            self.damaged += packet.size > 0
            return []


def _read_container(path: Path, mixer: Mixer) -> tuple[list[Run], list[str]]:
    if looks_like_picture(path) and is_animation(path):
        raise _absent(path)
    with open_container(path, "audio") as container:
        choice = choose_track(path, container, "audio")
        if not choice.best:
            raise _no_sound(path, choice)
        used = choice.best[0]
        found = _read_track(path, container, used, mixer)
    for track in choice.best[1:]:
        if any(len(run.samples) for run in found[0]):
            break
        used = track
        with open_container(path, "audio") as container:
            found = _read_track(path, container, track, mixer)
    return found[0], [*found[1], *choice.passed_over(used)]


def _no_sound(path: Path, choice: Choice) -> UserError:
    if choice.codecs:
        return undecodable(path, "audio", f"its codec {choice.codecs} cannot be decoded")
    if choice.others:
        return UserError("media", f"{shown(path)} holds no audio samples; record it again or leave the item out.")
    if is_index_cut_off(path):
        return undecodable(path, "audio", "the end of the file is missing, and any audio track with it")
    if choice.has_other_kind:
        return _absent(path)
    return undecodable(path, "audio", "it has no audio track")


def _absent(path: Path) -> NoAudioTrack:
    return NoAudioTrack("media", f"{shown(path)} has no audio track; name a sound file for the item.")


def _read_track(path: Path, container: Any, chosen: Track, mixer: Mixer) -> tuple[list[Run], list[str]]:  # noqa: ANN401
    notes: list[str] = []
    losses = _Losses()
    track = container.streams[chosen.index]
    frames = (frame for packet in packets(container, track, notes) for frame in losses.decode(packet))
    runs = _runs(path, frames, mixer)
    mixer.check(path)
    notes = [*_lost_sound(path, track, losses, sum(run.seconds for run in runs)), *notes, *cut_off(path, container)]
    if is_followed(path, container.format.name):
        notes.append("partial: another recording follows the first, and is not read")
    return runs, notes


def _decoded(path: Path, container: Any, mixer: Mixer) -> list[Run]:  # noqa: ANN401 - PyAV's container
    """Decode what can be of the first sound track of a part of a file."""
    track = next((stream for stream in container.streams.audio if stream.codec_context is not None), None)
    if track is None:
        return []
    losses = _Losses()
    return _runs(path, (frame for packet in packets(container, track, []) for frame in losses.decode(packet)), mixer)


def _merged(runs: list[Run]) -> list[Run]:
    """Join neighbours of one rate, so that resampling sees no seam."""
    groups = [(rate, list(group)) for rate, group in groupby(runs, lambda run: run.rate)]
    return [Run(rate, np.concatenate([run.samples for run in group])) for rate, group in groups]


def _runs(path: Path, frames: Iterable[Any], mixer: Mixer) -> list[Run]:
    return [
        Run(rate, mixer.joined(path, (_mono(path, frame, mixer) for frame in run)))
        for rate, run in groupby(frames, lambda frame: int(frame.sample_rate))
    ]


def _lost_sound(path: Path, track: Any, losses: _Losses, seconds: float) -> list[str]:  # noqa: ANN401 - PyAV's stream
    """Hold what decoded against what the file promised; a length that FFmpeg guesses from a bit rate is no promise."""
    name = track.container.format.name
    good, lost = losses.seen - losses.damaged, losses.damaged
    if name.startswith("mov,"):
        lost += max(0, len(track.index_entries) - losses.seen)
    elif name == "mp3":
        lost += max(0, promised_mp3_frames(path) - losses.seen)
    notes = []
    stated = float(track.duration * track.time_base) if track.duration else 0.0
    if seconds and (lost or (name in _STATE_LENGTH and stated - seconds > _TOLERATED)):
        notes.append(of_seconds(seconds, max(stated, seconds * (good + lost) / max(good, 1))))
    if losses.damaged:
        notes.append(f"partial: {losses.damaged} damaged packet{'s' * (losses.damaged != 1)} skipped")
    return notes


def _mono(path: Path, frame: Any, mixer: Mixer) -> NDArray[np.float32]:  # noqa: ANN401 - PyAV's frame
    """One channel of a frame."""
    n, planar = frame.layout.nb_channels, frame.format.is_planar
    mixer.check_count(path, 0, n)
    dtype = _SAMPLES.get(frame.format.name.removesuffix("p"))
    if dtype is None:
        raise undecodable(path, "audio", f"its samples are '{frame.format.name}'")
    # Not to_ndarray(): with 8 planes PyAV counts a ninth past their end, and reading it ends the process.
    rows = [
        np.frombuffer(plane, dtype=dtype, count=frame.samples * (1 if planar else n))
        for plane in frame.planes[: n if planar else 1]
    ]
    # Packed formats hold the channels of one instant side by side, in a single row.
    return mixer.mono(np.stack(rows) if planar else rows[0].reshape(-1, n).T, axis=0)


def _resampled(path: Path, run: Run, wanted: int) -> NDArray[np.float32]:
    if not LOWEST_RATE <= run.rate <= HIGHEST_RATE:
        raise UserError(
            "media",
            f"{shown(path)} states a sample rate of {run.rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE}; "
            "its header is damaged, export it again.",
        )
    if run.rate == wanted or not len(run.samples):
        return run.samples
    return np.asarray(soxr.resample(run.samples, run.rate, wanted, quality="HQ"), dtype=np.float32)
