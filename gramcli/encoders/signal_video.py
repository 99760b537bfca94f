"""Picture statistics of `signal`: colour, gradient orientations, spatial frequencies, and motion for videos."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import fft

from gramcli.encoders.blocks import Floats, balanced, rooted, unit_vector
from gramcli.encoders.signal_prepare import SIDE, shrunk

HUES: Final = 16
ORIENTATIONS: Final = 16
RINGS: Final = 6
SPOKES: Final = 8
GRID: Final = 3
TIMES: Final = 8
LOOKS: Final = 4
HALF_ROOT_3: Final = np.float32(np.sqrt(3) / 2)


# Pixels are float32 for speed; everything summed over them is float64.
Pixels = npt.NDArray[np.float32]


def _grid_mean(maps: npt.NDArray[Any]) -> Floats:
    """Mean of [..., side, side] maps in each cell of a GRID x GRID raster: [..., GRID, GRID]."""
    side = maps.shape[-1] // GRID
    cells = maps[..., : side * GRID, : side * GRID].reshape(*maps.shape[:-2], GRID, side, GRID, side)
    return np.asarray(cells.mean(axis=(-3, -1)))


def _histogram(place: Pixels, weight: Pixels, bins: int, cells: npt.NDArray[np.int64] | None = None) -> Floats:
    """Circular histograms: each weight is shared by the two bins nearest to `place` in [0, 1), in each cell."""
    position = place * bins
    lower = position.astype(np.int64)
    upper = weight * (position - lower)
    first = 0 if cells is None else cells * bins
    size = bins if cells is None else bins * GRID**2
    total = np.bincount((first + lower % bins).ravel(), (weight - upper).ravel(), size)
    total += np.bincount((first + (lower + 1) % bins).ravel(), upper.ravel(), size)
    return np.asarray(total / place.size)


def _levels(values: Pixels, bins: int) -> Floats:
    """Histogram of values in [0, 1], as shares."""
    level = np.minimum((values * bins).astype(np.int64), bins - 1)
    return np.asarray(np.bincount(level.ravel(), minlength=bins) / values.size)


@cache
def _cells() -> npt.NDArray[np.int64]:
    """Number of the raster cell each pixel lies in, shape [side, side]."""
    third = np.arange(SIDE) * GRID // SIDE
    return np.asarray(third[:, None] * GRID + third)


def _colour(frames: Pixels) -> list[Floats]:
    """Hue, brightness and colourfulness histograms, and opponent colours over the raster; [n, side, side, 3]."""
    red, green, blue = np.moveaxis(frames, -1, 0)
    light = (red + green + blue) / 3
    # Opponent axes: hue is their angle, and their length is 0 for every grey.
    alpha, beta = red - (green + blue) / 2, (green - blue) * HALF_ROOT_3
    chroma = np.hypot(alpha, beta)
    hue = np.arctan2(beta, alpha) / np.float32(2 * np.pi) % 1
    raster = _grid_mean(np.stack([light, alpha, beta]).mean(axis=1))
    return [
        balanced(rooted(_histogram(hue, chroma, HUES)), 0.02),
        0.5 * balanced(rooted(_levels(light, 8)), 0.02),
        0.5 * balanced(rooted(_levels(chroma, 8)), 0.02),
        0.5 * balanced(raster, 0.05),
    ]


def _orientations(light: Pixels) -> list[Floats]:
    """Gradient-orientation histograms, overall with and without the sign, and unsigned over the raster."""
    dy, dx = np.gradient(light, axis=(1, 2))
    strength = np.hypot(dx, dy)
    strength = strength**2 / (strength + 0.05)  # noise is weak everywhere, edges are strong: let edges count
    angle = np.arctan2(dy, dx) / np.float32(2 * np.pi) % 1
    raster = _histogram(2 * angle % 1, strength, 6, np.broadcast_to(_cells(), angle.shape))
    return [
        balanced(rooted(_histogram(angle, strength, ORIENTATIONS)), 0.01),
        0.5 * balanced(rooted(raster), 0.02),
    ]


@cache
def _spectral_bins() -> npt.NDArray[np.int64]:
    """Bin of every coefficient of rfft2: ring (octave-like) times spoke (orientation); -1 for the mean."""
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE) * SIDE, np.fft.rfftfreq(SIDE) * SIDE, indexing="ij")
    radius = np.hypot(fx, fy)
    edges = np.geomspace(1.5, SIDE / 3, RINGS)
    ring = np.minimum(np.searchsorted(edges, radius), RINGS - 1)
    spoke = np.round(np.arctan2(fy, fx) / np.pi * SPOKES).astype(np.int64) % SPOKES
    return np.where(radius > 0, ring * SPOKES + spoke, -1)


def _frequencies(light: Pixels) -> Floats:
    """Amplitude of spatial frequencies per ring and spoke; moving a thing within the frame leaves it alone."""
    spectrum = np.abs(fft.rfft2(light - light.mean(axis=(1, 2), keepdims=True))).mean(axis=0) / SIDE
    bins = _spectral_bins()
    inside = bins >= 0
    counts = np.bincount(bins[inside], minlength=RINGS * SPOKES)
    return np.asarray(np.bincount(bins[inside], spectrum[inside], RINGS * SPOKES) / np.maximum(counts, 1))


def _resampled(series: Floats) -> Floats:
    """Bring [steps, values] to TIMES steps by linear interpolation."""
    steps = np.linspace(0, len(series) - 1, TIMES)
    return np.stack([np.interp(steps, np.arange(len(series)), column) for column in series.T], axis=1)


def _flow(light: Pixels, change: Pixels) -> Floats:
    """Global displacement between neighbouring frames by least squares on the gradients: [n - 1, 2]."""
    dy, dx = np.gradient((light[1:] + light[:-1]) / 2, axis=(1, 2))
    energy = (dx * dx + dy * dy).sum(axis=(1, 2)) + 1.0
    shift = np.stack([(dx * change).sum(axis=(1, 2)), (dy * change).sum(axis=(1, 2))], axis=1)
    return np.asarray(-shift / energy[:, None], dtype=np.float64)


def _motion(light: Pixels) -> list[Floats]:
    """Where and how much the frames [n, side, side] change, which way, along what path, and how fast."""
    if len(light) < 2:
        return []
    change = light[1:] - light[:-1]
    power = change**2
    total = power.sum(axis=(1, 2)) + 1e-3 * SIDE
    place = np.linspace(-1, 1, SIDE)
    path = np.stack([(power.sum(axis=1) * place).sum(axis=1), (power.sum(axis=2) * place).sum(axis=1)], axis=1)
    path = _resampled(path / total[:, None])
    flow = _resampled(_flow(light, change))
    speed = np.log1p(_resampled(power.mean(axis=(1, 2))[:, None]) * 1000) / 5
    ripple = np.abs(fft.rfft(path - path.mean(axis=0), axis=0))[1:]
    return [
        balanced(path - path.mean(axis=0), 0.3),
        balanced(flow, 0.3),
        0.5 * balanced(speed, 0.3),
        0.5 * balanced(rooted(_grid_mean(power.mean(axis=0))), 0.02),
        0.5 * balanced(ripple, 0.3),
    ]


def _features(frames: Pixels) -> list[Floats]:
    """Statistics of how a few of the frames look."""
    few = frames[:: max(1, len(frames) // LOOKS)]
    light = few.mean(axis=-1)
    return [*_colour(few[:, ::2, ::2]), *_orientations(light), balanced(rooted(_frequencies(light)), 0.05)]


def video_features(frames: npt.NDArray[Any]) -> Floats:
    """Describe a video by what its frames look like on average and how they change.

    Args:
        frames: RGB frames, uint8, shape [n, h, w, 3]; each is brought to 96 x 96 first.

    Returns:
        A unit vector, shape [256].
    """
    small = np.stack([shrunk(frame) for frame in frames]).astype(np.float32) / np.float32(255)
    if not small.any():
        return unit_vector([])
    return unit_vector([*_features(small), *_motion(small.mean(axis=-1))])


def image_features(picture: npt.NDArray[Any]) -> Floats:
    """Describe a picture as a video of one frame, whose motion values are zero.

    Args:
        picture: RGB, uint8, shape [h, w, 3].

    Returns:
        A unit vector, shape [256].
    """
    return video_features(picture[None])
