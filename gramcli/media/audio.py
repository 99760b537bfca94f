"""Sound as one float32 channel at the rate an encoder wants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile
from scipy.signal import resample_poly

from gramcli.errors import UserError
from gramcli.media.container import decode, open_container, packets
from gramcli.media.kinds import check_binary_media, first_bytes, shown, undecodable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LOWEST_RATE: Final = 1000
HIGHEST_RATE: Final = 768_000
# What libsndfile is asked to read: WAV and its kin, AIFF, FLAC, Ogg, AU, CAF. Its MP3 reader writes to stderr and
# fills a file that is cut off with zeros, so MP3 goes to FFmpeg.
_SOUNDFILE_STARTS: Final = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b".snd", b"caff")
_BLOCK: Final = 2**20

# A run of samples at one rate; a few streams change rate on the way.
_Run = tuple[int, "NDArray[np.float32]"]


class NoAudioTrack(UserError):  # noqa: N818 - the contract's name; it is an absence rather than a failure
    """A video that can be read but has no sound: the modality is absent, not broken."""


@dataclass(frozen=True)
class Waveform:
    """One channel of sound.

    Attributes:
        samples: Mean of the file's channels, float32 [n], full scale at 1, all finite, n >= 1.
        sample_rate: Samples per second.
    """

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def read_audio(path: Path, sample_rate: int = 16000) -> Waveform:
    """Read the sound of an audio file, or of the first audio track of any container.

    libsndfile reads WAV, AIFF, FLAC and Ogg; FFmpeg reads the rest, by content, so AAC in a file named .mp3 works.
    Damaged packets are skipped.

    Args:
        path: An audio or video file.
        sample_rate: Rate wanted, samples per second.

    Returns:
        The mean of the channels, resampled with a polyphase filter.

    Raises:
        NoAudioTrack: A video without an audio track.
        UserError: Not a regular file, not decodable, no samples, or samples that are not finite.

    Note:
        FFmpeg's own downmix to float mono is (L + R) / sqrt(2), which can exceed full scale; the mean never does.
        AAC keeps the padding of its last frame: up to 2,047 samples more than were recorded.
    """
    check_binary_media(path, "audio")
    # libsndfile believes a header that says 0 samples; FFmpeg reads the samples that follow it.
    runs = _read_soundfile(path) or _read_container(path)
    if sum(len(samples) for _, samples in runs) == 0:
        raise UserError("media", f"{shown(path)} holds no audio samples; record it again or leave the item out.")
    if not all(np.isfinite(samples).all() for _, samples in runs):
        raise UserError("media", f"{shown(path)} holds audio samples that are NaN or infinite; export it again.")
    pieces = [_resampled(path, samples, rate, sample_rate) for rate, samples in runs]
    return Waveform(np.concatenate(pieces), sample_rate)


def has_audio_track(path: Path) -> bool:
    """Say whether a media file declares a sound track, without decoding it.

    Raises:
        UserError: Not a regular file, or not a media file.
    """
    with open_container(path, "audio") as container:
        return len(container.streams.audio) > 0


def _read_soundfile(path: Path) -> list[_Run]:
    """Read with libsndfile; nothing when the format is not its own or it finds no sample."""
    if not first_bytes(path).startswith(_SOUNDFILE_STARTS):
        return []
    try:
        with soundfile.SoundFile(str(path.absolute())) as file:
            blocks = [block.mean(axis=1) for block in file.blocks(_BLOCK, dtype="float32", always_2d=True)]
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        # ValueError covers file names that are not UTF-8, which libsndfile's binding cannot pass on.
        return []
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return [(rate, samples)] if len(samples) else []


def _read_container(path: Path) -> list[_Run]:
    with open_container(path, "audio") as container:
        if not container.streams.audio:
            # A video cut off before its index has a video track too, but one of no size.
            if any(track.codec_context and track.codec_context.width for track in container.streams.video):
                raise NoAudioTrack("media", f"{shown(path)} has no audio track; name a sound file for the item.")
            raise undecodable(path, "audio", "it has no audio track")
        track = container.streams.audio[0]
        frames = (frame for packet in packets(container, track) for frame in decode(packet))
        return [
            (rate, np.concatenate([_mono(frame) for frame in run]))
            for rate, run in groupby(frames, lambda frame: int(frame.sample_rate))
        ]


def _mono(frame: Any) -> NDArray[np.float32]:  # noqa: ANN401 - PyAV's frame
    """Average the channels of one frame and scale integers to [-1, 1)."""
    values = frame.to_ndarray()
    # Packed formats hold the channels of one instant side by side, in a single row.
    channels = values if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels).T
    mean: NDArray[np.float64] = channels.mean(axis=0, dtype=np.float64)
    if values.dtype.kind in "iu":
        half = 2.0 ** (8 * values.dtype.itemsize - 1)
        mean = mean / half - (1.0 if values.dtype.kind == "u" else 0.0)
    return mean.astype(np.float32)


def _resampled(path: Path, samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(
            "media",
            f"{shown(path)} states a sample rate of {rate} Hz, outside {LOWEST_RATE} to {HIGHEST_RATE}; "
            "its header is damaged, export it again.",
        )
    if rate == wanted or not len(samples):
        return samples
    common = math.gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common), dtype=np.float32)
