"""What CLAP hears of a sound: ten-second windows at fixed places, as log-mel spectrograms, in plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gramcli.encoders.huggingface.sound import FILE, check_samples, whole
from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.media.audio import Waveform

MOST_WINDOWS: Final = 60
"""Windows that a long sound is heard through at most: ten minutes without a gap."""

_FULL_SCALE: Final = 32767
_FLOOR: Final = 1e-10
_BLOCK: Final = 1024
_PADDINGS: Final = ("repeatpad", "repeat", "pad")


@dataclass(frozen=True)
class ClapSound:
    """One prepared sound.

    Attributes:
        mels: Spectrograms in decibels, float32 [windows, channels, frames, mel bands]; four channels for fusion, which
            has one window, else one.
        longer: Whether fusion has more to see than one window.
    """

    mels: NDArray[np.float32]
    longer: bool


@dataclass(frozen=True)
class ClapPrepare:
    """Turns a decoded sound into what the model takes; without the weights, so it pickles.

    Samples are first rounded towards zero to 16 bits, as the authors' code does in training, evaluation and its
    interface; transformers' extractor leaves that out, which the quietest bands show.

    Args:
        window: Samples that the model hears at once.
        hop: Samples from one frame of the spectrogram to the next.
        fft: Samples of a frame.
        filters: Mel filters, float64 [fft // 2 + 1, mel bands].
        truncation: What becomes of longer sounds. `rand_trunc`: they are cut into windows. `fusion`: the whole one,
            squeezed, beside three windows.
        padding: What becomes of shorter ones: `repeatpad`, `repeat` or `pad`.

    Note:
        The authors cut a longer sound at a random place, so their vectors and figures differ from run to run. Here the
        windows lie evenly from the first sample to the last, as few as cover the sound (see `window_starts`), so
        nothing depends on chance, none is padded and neighbours overlap where they must. With fusion the three windows
        are the middle ones of the thirds the authors choose from.
    """

    window: int
    hop: int
    fft: int
    filters: NDArray[np.float64]
    truncation: Literal["rand_trunc", "fusion"]
    padding: str

    def __call__(self, modality: str, media: Any) -> Any:  # noqa: ANN401 - `Prepare`
        """Prepare a `Waveform`; anything else is returned as it is."""
        return self._sound(media) if modality == "audio" else media

    def _sound(self, sound: Waveform) -> ClapSound:
        samples = _sixteen_bits(sound.samples)
        if len(samples) <= self.window:
            mel = self._mel(self._filled(samples))
            return ClapSound(np.stack([mel] * self._channels)[None], longer=False)
        if self.truncation == "fusion":
            return self._fused(self._mel(samples))
        starts = window_starts(len(samples), self.window)
        return ClapSound(np.stack([self._mel(samples[at : at + self.window])[None] for at in starts]), longer=False)

    @property
    def _channels(self) -> int:
        return 4 if self.truncation == "fusion" else 1

    def _filled(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lengthen a short sound to one window."""
        times = self.window // len(samples)
        if self.padding == "repeat":
            return np.tile(samples, times + 1)[: self.window]
        if self.padding == "repeatpad":
            samples = np.tile(samples, times)
        return np.pad(samples, (0, self.window - len(samples)))

    def _fused(self, mel: NDArray[np.float32]) -> ClapSound:
        """Stack the whole sound, squeezed to one window, and three windows of it."""
        frames = self.window // self.hop + 1
        if len(mel) == frames:
            return ClapSound(np.stack([mel] * 4)[None], longer=False)
        thirds = np.array_split(np.arange(len(mel) - frames + 1), 3)
        starts = [int(third[(len(third) - 1) // 2]) if len(third) else 0 for third in thirds]
        parts = [squeezed(mel, frames), *(mel[at : at + frames] for at in starts)]
        return ClapSound(np.stack(parts)[None], longer=True)

    def _mel(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel spectrogram in decibels, [frames, mel bands]."""
        padded = np.pad(samples.astype(np.float64), self.fft // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.fft)[:: self.hop]
        blocks = range(0, len(frames), _BLOCK)  # so that an hour fits in memory
        return np.concatenate([self._decibels(frames[start : start + _BLOCK]) for start in blocks])

    def _decibels(self, frames: NDArray[np.float64]) -> NDArray[np.float32]:
        spectrum = np.fft.rfft(frames * np.hanning(self.fft + 1)[:-1]).astype(np.complex64)
        energies = np.maximum(np.abs(spectrum, dtype=np.float64) ** 2 @ self.filters, _FLOOR)
        levels: NDArray[np.float32] = (10.0 * np.log10(energies)).astype(np.float32)
        return levels


def window_starts(total: int, window: int) -> list[int]:
    """Where windows begin that cover a sound evenly, the first at its start, the last at its end.

    Args:
        total: Samples of the sound, more than `window`.
        window: Samples of a window.

    Returns:
        First samples, ascending: as few as leave no gap above a twentieth of a window, so that a clip of 10.01 s has
        one, in its middle; `MOST_WINDOWS` at most.

    Example:
        >>> window_starts(25, 10)
        [0, 7, 15]
        >>> window_starts(480_400, 480_000)
        [200]
    """
    rest = total - window
    count = min(MOST_WINDOWS, 1 + max(0, -(-(rest - window // 20) // window)))
    return [rest // 2] if count == 1 else [index * rest // (count - 1) for index in range(count)]


def squeezed(mel: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Resample a spectrogram in time, linearly between the centres of its frames, without smoothing.

    Args:
        mel: Shape [T, mel bands].
        frames: Frames wanted.

    Returns:
        float32 [frames, mel bands].
    """
    step, half = np.float32(len(mel) / frames), np.float32(0.5)  # torch, which both codes call, counts in float32
    places = np.maximum((np.arange(frames, dtype=np.float32) + half) * step - half, 0)
    before = places.astype(np.intp)
    after = np.minimum(before + 1, len(mel) - 1)
    share = (places - before)[:, None]
    between: NDArray[np.float32] = (mel[before] * (1 - share) + mel[after] * share).astype(np.float32, copy=False)
    return between


def _sixteen_bits(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    check_samples(samples)
    rounded: NDArray[np.float32] = np.trunc(np.clip(samples, -1, 1) * np.float32(_FULL_SCALE)) / np.float32(_FULL_SCALE)
    return rounded


def clap_prepare(settings: Mapping[str, Any]) -> ClapPrepare:
    """Read a checkpoint's settings of sound.

    Args:
        settings: Its preprocessor_config.json; what it leaves out is as transformers has it.

    Raises:
        UserError: Numbers that none could use, or a way to cut or to fill that CLAP does not have.
    """
    from transformers.audio_utils import mel_filter_bank  # noqa: PLC0415 - transformers loads where a model does

    rate, fft = whole(settings, "sampling_rate", 48000), whole(settings, "fft_window_size", 1024)
    truncation, padding = settings.get("truncation", "fusion"), settings.get("padding", "repeatpad")
    if truncation not in {"rand_trunc", "fusion"} or padding not in _PADDINGS:
        raise UserError(
            "checkpoint",
            f"CLAP cuts by rand_trunc or fusion and fills by {', '.join(_PADDINGS)}; {FILE} has truncation "
            f"'{str(truncation)[:40]}' and padding '{str(padding)[:40]}'. Give the model's own file.",
        )
    low, high = (settings.get(name, value) for name, value in (("frequency_min", 0), ("frequency_max", 14000)))
    if not all(isinstance(one, int | float) for one in (low, high)) or not 0 <= low < high <= rate / 2:
        raise UserError(
            "checkpoint",
            f"{FILE} has bands from {str(low)[:40]} to {str(high)[:40]} Hz of sound at {rate} samples a second. Give "
            "the model's own file.",
        )
    fused = truncation == "fusion"
    filters = mel_filter_bank(
        num_frequency_bins=fft // 2 + 1,
        num_mel_filters=whole(settings, "feature_size", 64),
        min_frequency=float(low),
        max_frequency=float(high),
        sampling_rate=rate,
        norm=None if fused else "slaney",
        mel_scale="htk" if fused else "slaney",
    )
    window = whole(settings, "max_length_s", 10) * rate
    return ClapPrepare(window, whole(settings, "hop_length", 480), fft, filters, truncation, padding)
