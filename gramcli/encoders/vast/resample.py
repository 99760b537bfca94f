"""Resampling of sound by a windowed sinc, the filter VAST-family models heard their training data through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# The filter: its cut-off as a share of the lower Nyquist frequency, and its half width in zero crossings.
_ROLLOFF: Final = 0.99
_ZERO_CROSSINGS: Final = 6
_BLOCK: Final = 2**16


@dataclass(frozen=True)
class SincResampler:
    """Resampling from one rate to another; any stretch of the output can be computed by itself.

    Output sample j is the sum over i of x[i] h(i / a - j / b), where a and b are the rates in lowest terms and h is a
    low-pass sinc under a Hann window, 6 zero crossings to either side. All in float64.

    Attributes:
        rate: Samples per second that come in.
        wanted: Samples per second that go out.

    Example:
        >>> SincResampler(2, 1).length(5)
        3
    """

    rate: int
    wanted: int

    def length(self, samples: int) -> int:
        """Count the samples that `samples` samples become."""
        a, b = self._lowest_terms()
        return -(-samples * b // a)

    def resample(self, samples: NDArray[np.float32], start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Compute output samples start..stop-1; silence surrounds the input.

        Args:
            samples: The whole sound, float32 [k].
            start: First output sample wanted.
            stop: One past the last; None means to the end.

        Returns:
            float32 [stop - start].
        """
        stop = self.length(len(samples)) if stop is None else min(stop, self.length(len(samples)))
        if self.rate == self.wanted:
            return samples[start:stop]
        a, b = self._lowest_terms()
        taps = self._taps()
        blocks = [np.arange(first, min(first + _BLOCK, stop)) for first in range(start, stop, _BLOCK)]
        pieces = [np.einsum("jk,jk->j", _around(samples, j * a // b, taps.shape[1]), taps[j % b]) for j in blocks]
        return np.concatenate([np.zeros(0), *pieces]).astype(np.float32)

    def _lowest_terms(self) -> tuple[int, int]:
        common = math.gcd(self.rate, self.wanted)
        return self.rate // common, self.wanted // common

    def _taps(self) -> NDArray[np.float64]:
        """Compute the filter around an output of each of the b phases, one row each, centred on its input sample."""
        a, b = self._lowest_terms()
        cutoff = min(a, b) * _ROLLOFF
        half = math.ceil(_ZERO_CROSSINGS * a / cutoff)
        phase = np.arange(b)[:, None]
        distance = (np.arange(-half, half + 1) + phase * a // b) / a - phase / b
        t = np.clip(distance * cutoff, -_ZERO_CROSSINGS, _ZERO_CROSSINGS)
        taps: NDArray[np.float64] = np.sinc(t) * np.cos(t * np.pi / (2 * _ZERO_CROSSINGS)) ** 2 * (cutoff / a)
        return taps


def _around(samples: NDArray[np.float32], centres: NDArray[np.int_], count: int) -> NDArray[np.float64]:
    """Take `count` samples around each centre, shape [j, count], with zeros outside the sound."""
    start, stop = int(centres[0]) - count // 2, int(centres[-1]) + count // 2 + 1
    inside = samples[max(0, start) : max(0, stop)].astype(np.float64)
    left = min(max(0, -start), stop - start)
    padded = np.pad(inside, (left, stop - start - left - len(inside)))
    around: NDArray[np.float64] = sliding_window_view(padded, count)[centres - centres[0]]
    return around
