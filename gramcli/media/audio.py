"""Sound as one float32 channel at the rate an encoder wants."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Literal

import av
import numpy as np
import soundfile
import soxr

from gramcli.errors import UserError
from gramcli.media.container import cut_off, open_container, packets
from gramcli.media.cutoff import is_cut_off, is_index_cut_off, promised_mp3_frames
from gramcli.media.kinds import check_binary_media, first_bytes, shown, undecodable
from gramcli.media.limits import HIGHEST_RATE, LOWEST_RATE, MAX_AUDIO_CHANNELS, MAX_AUDIO_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Channels = Literal["mean", "first"]
# What libsndfile is asked to read, with FFmpeg's name of the format. Its MP3 reader writes to stderr and fills a file
# that is cut off with zeros, so MP3 goes to FFmpeg.
_SOUNDFILE_STARTS: Final = {
    b"RIFF": "wav", b"RIFX": "wav", b"RF64": "wav", b"riff": "w64", b"FORM": "aiff", b"fLaC": "flac", b"OggS": "ogg",
    b".snd": "au", b"caff": "caf",
}  # fmt: skip
# Formats whose header states the length in samples, so that it can be held against what decodes.
_STATE_LENGTH: Final = frozenset({"wav", "w64", "aiff", "flac", "au", "caf"})
# FFmpeg's sample formats; a `p` at the end marks one plane for each channel.
_SAMPLES: Final = {
    name: np.dtype(kind)
    for name, kind in (("u8", "u1"), ("s16", "i2"), ("s32", "i4"), ("s64", "i8"), ("flt", "f4"), ("dbl", "f8"))
}
_BLOCK: Final = 2**16
_TOLERATED: Final = 0.05


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


@dataclass(frozen=True)
class _Run:
    """Samples at one rate; a few streams change rate on the way."""

    rate: int
    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / self.rate if self.rate else 0.0


def read_audio(path: Path, sample_rate: int | None = 16000, channels: Channels = "mean") -> Waveform:
    """Read the sound of an audio file, or of the first audio track of any container.

    libsndfile reads WAV, AIFF, FLAC and Ogg; FFmpeg reads the rest, by content, so AAC in a file named .mp3 works.
    Damaged packets are skipped and noted.

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
    # libsndfile believes a header that says 0 samples; FFmpeg reads the samples that follow it.
    runs, notes = _read_soundfile(path, channels) or _read_container(path, channels)
    if sum(len(run.samples) for run in runs) == 0:
        raise UserError("media", f"{shown(path)} holds no audio samples; record it again or leave the item out.")
    sample_rate = sample_rate or runs[0].rate
    _check_count(path, int(sum(run.seconds for run in runs) * sample_rate))
    pieces = [_resampled(path, run, sample_rate) for run in runs]
    samples = np.concatenate(pieces)
    if not len(samples):
        raise UserError("media", f"{shown(path)} lasts less than one sample at {sample_rate} Hz; leave the item out.")
    if not np.isfinite(samples).all():
        raise _too_loud(path)
    return Waveform(samples, sample_rate, tuple(notes))


def has_audio_track(path: Path) -> bool:
    """Say whether a media file declares a sound track, without decoding it.

    Raises:
        UserError: Not a regular file, or not a media file.
    """
    with open_container(path, "audio") as container:
        return len(container.streams.audio) > 0


def _check_count(path: Path, count: int, channels: int = 1) -> None:
    if count > MAX_AUDIO_SAMPLES:
        raise UserError(
            "media", f"{shown(path)} holds more sound than the limit of {MAX_AUDIO_SAMPLES} samples; cut it shorter."
        )
    if channels > MAX_AUDIO_CHANNELS:
        raise UserError(
            "media", f"{shown(path)} has {channels} channels, over the limit of {MAX_AUDIO_CHANNELS}; mix it down."
        )


def _read_soundfile(path: Path, channels: Channels) -> tuple[list[_Run], list[str]] | None:
    """Read with libsndfile; nothing when the format is not its own or it finds no sample."""
    name = _SOUNDFILE_STARTS.get(first_bytes(path, 4))
    if name is None:
        return None
    mixer = _Mixer(channels)
    try:
        with soundfile.SoundFile(str(path.absolute())) as file:
            rate, promised = int(file.samplerate), int(file.frames)
            samples = _joined(path, _blocks(path, file, mixer))
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        # ValueError covers file names that are not UTF-8, which libsndfile's binding cannot pass on.
        return None
    if not len(samples):
        return None
    mixer.check(path)
    notes = ["partial: the end of the file is missing"] if is_cut_off(path, name) else []
    if name == "flac" and len(samples) < promised:
        notes.append(_of_seconds(len(samples) / rate, promised / rate))
    return [_Run(rate, samples)], notes


def _blocks(path: Path, file: Any, mixer: _Mixer) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401 - its reader
    _check_count(path, 0, int(file.channels))
    # As float32 a large finite double would be infinite.
    dtype = "float64" if file.subtype == "DOUBLE" else "float32"
    for block in file.blocks(_BLOCK, dtype=dtype, always_2d=True):
        yield mixer.mono(block, axis=1)


def _joined(path: Path, pieces: Iterator[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join pieces, refusing to go on past the limit."""
    kept, count = [np.zeros(0, np.float32)], 0
    for piece in pieces:
        count += len(piece)
        _check_count(path, count)
        kept.append(piece)
    return np.concatenate(kept)


class _Mixer:
    """Makes one channel of several, counting the samples that are no numbers before they hide in a mean."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self.broken = 0
        self.overflows = False

    def mono(self, raw: NDArray[Any], axis: int) -> NDArray[np.float32]:
        """Return the mean over the axis of channels, or the first; integers scaled to [-1, 1)."""
        if self._channels == "first":
            raw = raw.take([0], axis=axis)
        if raw.dtype.kind != "f":
            half = 2.0 ** (8 * raw.dtype.itemsize - 1)
            scaled: NDArray[np.float64] = raw.mean(axis=axis, dtype=np.float64) / half
            return (scaled - (1.0 if raw.dtype.kind == "u" else 0.0)).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            mean: NDArray[np.float32] = raw.mean(axis=axis, dtype=np.float64).astype(np.float32)
        if not np.isfinite(mean).all():
            broken = int(np.count_nonzero(~np.isfinite(raw)))
            self.broken += broken
            self.overflows = self.overflows or not broken
        return mean

    def check(self, path: Path) -> None:
        """Refuse a file of which a sample is no number, or too large for one."""
        if self.broken:
            what = "1 audio sample that is" if self.broken == 1 else f"{self.broken} audio samples that are"
            raise UserError("media", f"{shown(path)} holds {what} NaN or infinite; export it again.")
        if self.overflows:
            raise _too_loud(path)


def _too_loud(path: Path) -> UserError:
    return UserError(
        "media", f"{shown(path)} holds samples far beyond full scale (1), of 1e38 or more; export it again."
    )


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
        self.seen += packet.size > 0
        try:
            return list(packet.decode())
        except (av.FFmpegError, OSError):
            self.damaged += packet.size > 0
            return []


def _read_container(path: Path, channels: Channels) -> tuple[list[_Run], list[str]]:
    notes: list[str] = []
    losses, mixer = _Losses(), _Mixer(channels)
    with open_container(path, "audio") as container:
        if not container.streams.audio:
            if is_index_cut_off(path):
                raise undecodable(path, "audio", "the end of the file is missing, and any audio track with it")
            # A video cut off before its index has a video track too, but one of no size.
            if any(track.codec_context and track.codec_context.width for track in container.streams.video):
                raise NoAudioTrack("media", f"{shown(path)} has no audio track; name a sound file for the item.")
            raise undecodable(path, "audio", "it has no audio track")
        track = container.streams.audio[0]
        frames = (frame for packet in packets(container, track, notes) for frame in losses.decode(packet))
        runs = [
            _Run(rate, _joined(path, (_mono(path, frame, mixer) for frame in run)))
            for rate, run in groupby(frames, lambda frame: int(frame.sample_rate))
        ]
        mixer.check(path)
        notes = [*_lost_sound(path, track, losses, sum(run.seconds for run in runs)), *notes, *cut_off(path, container)]
    return runs, notes


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
        notes.append(_of_seconds(seconds, max(stated, seconds * (good + lost) / max(good, 1))))
    if losses.damaged:
        notes.append(f"partial: {losses.damaged} damaged packet{'s' * (losses.damaged != 1)} skipped")
    return notes


def _of_seconds(seconds: float, promised: float) -> str:
    return f"partial: {seconds:.1f} of {promised:.1f} s of sound"


def _mono(path: Path, frame: Any, mixer: _Mixer) -> NDArray[np.float32]:  # noqa: ANN401 - PyAV's frame
    """One channel of a frame."""
    n, planar = frame.layout.nb_channels, frame.format.is_planar
    _check_count(path, 0, n)
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


def _resampled(path: Path, run: _Run, wanted: int) -> NDArray[np.float32]:
    if not LOWEST_RATE <= run.rate <= HIGHEST_RATE:
        raise UserError(
            "media",
            f"{shown(path)} states a sample rate of {run.rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE}; "
            "its header is damaged, export it again.",
        )
    if run.rate == wanted or not len(run.samples):
        return run.samples
    return np.asarray(soxr.resample(run.samples, run.rate, wanted, quality="HQ"), dtype=np.float32)
