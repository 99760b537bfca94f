"""Audio statistics of `signal`: means and deviations of log-mel bands, their modulation spectrum, and loudness."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse

from gramcli.encoders.blocks import Floats, balanced, rooted, unit_vector

BANDS: Final = 60
LOWEST_HZ: Final = 50.0
HIGHEST_HZ: Final = 8000.0
STEPS_PER_SECOND: Final = 100
FLOOR: Final = 1e-7
GROUPS: Final = 8
# Modulation frequencies, and the window of steps (4 s) whose spectrum is taken.
MODULATION_HZ: Final = np.geomspace(0.5, 32.0, 16)
MODULATION_STEPS: Final = 400
_CHUNK: Final = 4096


def mel(frequency: npt.ArrayLike) -> Floats:
    """Convert Hz to mel: 2595 log10(1 + f / 700)."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(frequency, dtype=np.float64) / 700.0))


@cache
def mel_filterbank(sample_rate: int, n_fft: int) -> sparse.csr_array:
    """Triangular filters, evenly spaced in mel from 50 to 8000 Hz, each summing to 1.

    Args:
        sample_rate: Samples per second.
        n_fft: Length of the transform.

    Returns:
        Weights, shape [bands, n_fft // 2 + 1]; bands above half the sample rate are zero.
    """
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)
    bins = mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rise, fall))
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return sparse.csr_array(shares.astype(np.float32))


def log_mel(samples: npt.NDArray[np.float32], sample_rate: int) -> Floats:
    """Log-mel spectrogram, 40 ms windows every 10 ms, from 0 (silence) to about 1 (full scale).

    Args:
        samples: Mono samples in [-1, 1], shape [n]; shorter than a window is padded with silence.
        sample_rate: Samples per second.

    Returns:
        Shape [steps, bands].
    """
    width = max(2, round(0.04 * sample_rate))
    hop = max(1, round(sample_rate / STEPS_PER_SECOND))
    padded = np.pad(samples.astype(np.float32), (0, max(0, width - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    taper = np.hanning(width).astype(np.float32)
    bank = mel_filterbank(sample_rate, width)
    found = []
    for start in range(0, len(windows), _CHUNK):
        spectrum = fft.rfft(windows[start : start + _CHUNK] * taper, axis=1, overwrite_x=True)
        power = (spectrum.real**2 + spectrum.imag**2) / taper.sum() ** 2 * 4
        found.append((bank @ power.T).T)  # sparse, not BLAS: the bits must not depend on the number of threads
    loudness = np.concatenate(found, dtype=np.float64)
    return np.asarray(1 - np.log10(loudness + FLOOR) / np.log10(FLOOR))


def modulation_spectrum(bands: Floats) -> Floats:
    """How strongly groups of neighbouring bands rise and fall at each modulation frequency.

    Args:
        bands: Log-mel bands, shape [steps, bands].

    Returns:
        Amplitudes averaged over windows of 4 s, shape [groups, frequencies].
    """
    groups = np.stack([part.mean(axis=1) for part in np.array_split(bands, GROUPS, axis=1)])
    starts = range(0, max(1, groups.shape[1] - MODULATION_STEPS // 2), MODULATION_STEPS // 2)
    frequencies = np.arange(MODULATION_STEPS // 2 + 1) * STEPS_PER_SECOND / MODULATION_STEPS
    total = np.zeros((GROUPS, len(MODULATION_HZ)))
    for start in starts:
        part = groups[:, start : start + MODULATION_STEPS]
        part = (part - part.mean(axis=1, keepdims=True)) * np.hanning(part.shape[1])
        amplitude = np.abs(fft.rfft(part, MODULATION_STEPS, axis=1)) / part.shape[1]
        total += [np.interp(MODULATION_HZ, frequencies, row) for row in amplitude]
    return total / len(starts)


def _scalars(samples: Floats, bands: Floats) -> Floats:
    """Loudness, peak, length, sign changes, and centre, spread and flatness of the mean spectrum."""
    spectrum = bands.mean(axis=0)
    share = spectrum / max(float(spectrum.sum()), 1e-9)
    place = np.linspace(-1, 1, BANDS)
    centre = float((share * place).sum())
    spread = float(np.sqrt((share * (place - centre) ** 2).sum()))
    changes = float(np.mean(np.signbit(samples[1:]) != np.signbit(samples[:-1]))) if len(samples) > 1 else 0.0
    loudness = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    peak = float(np.max(np.abs(samples), initial=0.0))
    length = np.log1p(len(bands) / STEPS_PER_SECOND) / 5
    return np.array([loudness, peak, length, changes, centre, spread, float(spectrum.std())])


def audio_features(samples: npt.NDArray[np.float32], sample_rate: int) -> Floats:
    """Describe a sound by its spectrum, how much and how fast it changes, and its loudness.

    Args:
        samples: Mono samples in [-1, 1], shape [n].
        sample_rate: Samples per second.

    Returns:
        A unit vector, shape [256]; silence gives a fixed direction.
    """
    bands = log_mel(samples, sample_rate)
    mean = bands.mean(axis=0)
    if not np.any(samples):
        return unit_vector([])
    return unit_vector(
        [
            balanced(mean - mean.mean(), 0.1),
            0.7 * balanced(bands.std(axis=0), 0.1),
            balanced(rooted(modulation_spectrum(bands)), 0.05),
            0.5 * balanced(_scalars(samples.astype(np.float64), bands), 0.1),
        ]
    )
