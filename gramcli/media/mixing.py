"""Making one channel of several, within limits, and noticing what is lost by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.media.limits import MAX_AUDIO_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

Channels = Literal["mean", "first"]
# Power of one channel against the mean power of all: below, what is heard is all but silence (20 dB).
_CANCELLED: Final = 0.01
# Power of a sound that nobody hears, full scale being 1.
_INAUDIBLE: Final = 1e-8


@dataclass(frozen=True)
class Run:
    """Samples at one rate; a few streams change rate on the way.

    Attributes:
        rate: Samples per second.
        samples: One channel, float32.
    """

    rate: int
    samples: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate if self.rate else 0.0


class Mixer:
    """Makes one channel of several, counting the samples that are no numbers before they hide in a mean.

    Args:
        channels: Which channels to hear.
        limit: The most samples of one channel.
    """

    def __init__(self, channels: Channels, limit: int) -> None:
        self._channels = channels
        self._limit = limit
        self._heard = 0.0
        self._there = 0.0
        self._count = 0
        self.broken = 0
        self.overflows = False

    def mono(self, raw: NDArray[Any], axis: int) -> NDArray[np.float32]:
        """Return the mean over the axis of channels, or the first; integers scaled to [-1, 1)."""
        heard = raw.take([0], axis=axis) if self._channels == "first" else raw
        with np.errstate(over="ignore", invalid="ignore"):
            mean = _mean(heard, axis)
            if raw.shape[axis] > 1 and len(mean):
                self._weigh(raw, mean)
        if raw.dtype.kind == "f" and not np.isfinite(mean).all():
            broken = int(np.count_nonzero(~np.isfinite(heard)))
            self.broken += broken
            self.overflows = self.overflows or not broken
        return mean

    def _weigh(self, raw: NDArray[Any], mean: NDArray[np.float32]) -> None:
        every = raw.reshape(-1)
        if raw.dtype.kind != "f":
            half = np.float32(2.0 ** (8 * raw.dtype.itemsize - 1))
            every = every.astype(np.float32) / half - np.float32(raw.dtype.kind == "u")
        self._there += float(np.vdot(every, every)) * len(mean) / len(every)
        self._heard += float(np.vdot(mean, mean))
        self._count += len(mean)

    def notes(self) -> list[str]:
        """Return the remark on sound that is there and not heard, or none."""
        if not self._count or self._there / self._count < _INAUDIBLE or self._heard > _CANCELLED * self._there:
            return []
        if self._channels == "first":
            return ["the first channel is silent, others are not"]
        return ["the channels cancel each other: their mean is silence"]

    def check(self, path: Path) -> None:
        """Refuse a file of which a sample is no number, or too large for one."""
        if self.broken:
            what = "1 audio sample that is" if self.broken == 1 else f"{self.broken} audio samples that are"
            raise UserError("media", f"{shown(path)} holds {what} NaN or infinite; export it again.")
        if self.overflows:
            raise too_loud(path)

    def check_count(self, path: Path, count: int, channels: int = 1) -> None:
        """Refuse more samples or channels than the limits."""
        if count > self._limit:
            raise UserError(
                "media", f"{shown(path)} holds more sound than the limit of {self._limit} samples; cut it shorter."
            )
        if channels > MAX_AUDIO_CHANNELS:
            raise UserError(
                "media", f"{shown(path)} has {channels} channels, over the limit of {MAX_AUDIO_CHANNELS}; mix it down."
            )

    def joined(self, path: Path, pieces: Iterable[NDArray[np.float32]], before: int = 0) -> NDArray[np.float32]:
        """Join pieces of a file, of which so many samples were read before; refuse to go on past the limit."""
        kept, count = [np.zeros(0, np.float32)], before
        for piece in pieces:
            count += len(piece)
            self.check_count(path, count)
            kept.append(piece)
        return np.concatenate(kept)


def _mean(raw: NDArray[Any], axis: int) -> NDArray[np.float32]:
    if raw.dtype.kind == "f":
        mean: NDArray[np.float32] = raw.mean(axis=axis, dtype=np.float64).astype(np.float32)
        return mean
    half = 2.0 ** (8 * raw.dtype.itemsize - 1)
    scaled: NDArray[np.float64] = raw.mean(axis=axis, dtype=np.float64) / half
    return (scaled - (1.0 if raw.dtype.kind == "u" else 0.0)).astype(np.float32)


def too_loud(path: Path) -> UserError:
    """Build the error for samples that are no sound."""
    return UserError(
        "media", f"{shown(path)} holds samples far beyond full scale (1), of 1e38 or more; export it again."
    )
