"""Sounds and clips for tiny models: made of a few numbers, and different enough for random weights to tell apart."""

import numpy as np

from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip

RATE = 48000


def sound(seconds: float, seed: int = 0, *, samples: int | None = None) -> Waveform:
    """Chirps with pauses over a little noise."""
    draw = np.random.default_rng(seed)
    n = samples if samples is not None else round(seconds * RATE)
    t = np.arange(n) / RATE
    pitch, beat = draw.uniform(80, 4000), draw.uniform(0.5, 6)
    tone = np.sin(2 * np.pi * (pitch * t + draw.uniform(0, 200) * t**2)) * (np.sin(2 * np.pi * beat * t) > 0)
    return Waveform((0.4 * tone + 0.01 * draw.normal(size=n)).astype(np.float32), RATE)


def clip(frames: int, seed: int = 0, *, height: int = 36, width: int = 48) -> VideoClip:
    """Coloured squares that move."""
    draw = np.random.default_rng(seed)
    found = np.zeros((frames, height, width, 3), np.uint8) + draw.integers(0, 256, 3, dtype=np.uint8)
    for index in range(frames):
        left = (index * 3 + draw.integers(4)) % (width - 12)
        found[index, 6:24, left : left + 12] = draw.integers(0, 256, 3)
    return VideoClip(found, tuple(range(frames)), 25.0, frames / 25, frames)
