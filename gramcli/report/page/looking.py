"""What a worker sees in one item's files: a strip of frames and a spectrogram, small enough for a page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError

FRAMES: Final = 3
CELL: Final = (120, 90)
"""Width and height of one frame of the strip, pixels."""
SPECTROGRAM: Final = (240, 72)
_RATE: Final = 16_000
_WINDOW: Final = 1024
_QUALITY: Final = 42
_DYNAMIC: Final = 70.0  # decibels from the loudest to black
_LONGEST_REASON: Final = 160
# Black, violet, red, orange, pale yellow: brighter is louder, on light pages and dark ones, and in grey.
_COLOURS: Final = np.array([(8, 6, 25), (68, 20, 106), (160, 44, 96), (229, 92, 48), (251, 180, 60), (252, 252, 191)])


@dataclass(frozen=True)
class Seen:
    """An item's pictures.

    Attributes:
        frames: `shown` cells side by side, a file of a picture; empty where there are none.
        shown: How many.
        length: Seconds of the video, None of a picture.
        sound: A spectrogram, a file of a picture; empty where there is none.
        seconds: Of the sound.
        reasons: Why something of it is not shown, short sentences.
    """

    frames: bytes = b""
    shown: int = 0
    length: float | None = None
    sound: bytes = b""
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()


def look(files: Mapping[str, str]) -> Seen:
    """Look at an item's files; runs in a worker, for decoders may hang or crash on hostile ones.

    Args:
        files: Modality -> path.

    Returns:
        What could be seen; nothing is raised for a file that cannot be used.
    """
    strip: tuple[bytes, int, float | None] = (b"", 0, None)
    sound, seconds = b"", 0.0
    reasons = []
    shows = next((name for name in ("video", "image", "depth") if name in files), None)
    if shows:
        try:
            strip = _strip(shows, Path(files[shows]))
        except Exception as error:  # whatever a decoder does, it costs one picture of a page
            reasons.append(_reason(Path(files[shows]), error))
    if "audio" in files:
        try:
            sound, seconds = _sound(Path(files["audio"]))
        except Exception as error:
            reasons.append(_reason(Path(files["audio"]), error))
    return Seen(*strip, sound, seconds, tuple(reasons))


def _strip(modality: str, path: Path) -> tuple[bytes, int, float | None]:
    from gramcli.media.image import read_image  # noqa: PLC0415 - decoders load in the workers
    from gramcli.media.kinds import kind_of  # noqa: PLC0415
    from gramcli.media.video import read_video  # noqa: PLC0415

    if modality == "video" or kind_of(path) == "video":
        clip = read_video(path, FRAMES)
        distinct = list(dict.fromkeys(clip.indices))
        cells = [_cell(clip.frames[clip.indices.index(one)]) for one in distinct]
        return _file(np.concatenate(cells, axis=1)), len(cells), clip.duration
    return _file(_cell(read_image(path))), 1, None


def _cell(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture cut to the shape of a cell around its middle, in its size."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as above

    return np.asarray(ImageOps.fit(Image.fromarray(pixels), CELL))


def _sound(path: Path) -> tuple[bytes, float]:
    from PIL import Image  # noqa: PLC0415 - as above

    from gramcli.media.audio import read_audio  # noqa: PLC0415

    wave = read_audio(path, _RATE)
    picture = Image.fromarray(_coloured(_spectrogram(wave.samples))).resize(SPECTROGRAM, Image.Resampling.BILINEAR)
    return _file(np.asarray(picture)), wave.duration


def _spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Level of each mel band over time in [0, 1], the lowest band last; shape [bands, columns]."""
    columns, bands = SPECTROGRAM
    padded = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
    starts = np.linspace(0, len(padded) - _WINDOW, min(columns, max(1, len(padded) // 64))).astype(np.int64)
    windows = padded[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    hertz = np.linspace(0, _RATE / 2, power.shape[1])
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + _RATE / 1400), bands + 2) / 2595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    level = 10 * np.log10(power @ np.clip(np.minimum(rising, falling), 0, None) + 1e-10)
    found: NDArray[np.float64] = np.clip(1 + (level - max(level.max(), -60.0)) / _DYNAMIC, 0, 1).T[::-1]
    return found


def _coloured(level: NDArray[np.float64]) -> NDArray[np.uint8]:
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(level, places, _COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _file(pixels: NDArray[np.uint8]) -> bytes:
    """A WebP, or a JPEG where Pillow was built without it."""
    from PIL import Image, features  # noqa: PLC0415 - as above

    buffer = io.BytesIO()
    webp: Any = features.check("webp")
    Image.fromarray(pixels).save(
        buffer, "WEBP" if webp else "JPEG", quality=_QUALITY, **({"method": 4} if webp else {})
    )
    return buffer.getvalue()


def _reason(path: Path, error: Exception) -> str:
    """Why, without the folders of this machine."""
    text = str(error) if isinstance(error, UserError) else f"{path.name}: {type(error).__name__}"
    return text.replace(f"{path.parent}/", "")[:_LONGEST_REASON]
