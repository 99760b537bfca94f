"""Small real media files for tests: what a user's folder holds, written in milliseconds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

BITS = 8


def frame(index: int, size: tuple[int, int], colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """One frame, uint8 [h, w, 3]: `colour` with a moving square, and its own index along the top edge."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = colour
    side = max(2, height // 4)
    left, top = (index * 3 + seed * 7) % max(1, width - side), height // 2
    picture[top : top + side, left : left + side] = 255 - np.asarray(colour, np.uint8)
    block = width // BITS
    for bit in range(BITS):
        value = 255 if index >> (BITS - 1 - bit) & 1 else 0
        picture[: max(4, height // 6), bit * block : (bit + 1) * block] = value
    return picture


def index_of(picture: np.ndarray) -> int:
    """Read back the index that `frame` and the torture corpus draw: 8 blocks on top, white is 1, highest bit first."""
    block = picture.shape[1] // BITS
    row = picture[2]
    bits = [row[bit * block + block // 2].mean() > 127 for bit in range(BITS)]
    return sum(int(on) << (BITS - 1 - bit) for bit, on in enumerate(bits))


def tone(seconds: float, hz: float, sample_rate: int) -> np.ndarray:
    """A sine of half full scale, float32 [samples]."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def write_video(
    path: Path | str,
    n_frames: int = 16,
    size: tuple[int, int] = (64, 48),
    fps: int = 8,
    tone_hz: float | None = 440.0,
    colour: tuple[int, int, int] = (200, 60, 40),
    seed: int = 0,
) -> Path:
    """Write a video whose frames carry their index (see `index_of`); `tone_hz=None` leaves the audio track out.

    The suffix picks the container (`.mp4`, `.mkv`, ...); MPEG-4 video and AAC audio everywhere.
    """
    path = Path(path)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=fps, bit_rate=400_000)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.codec_context.gop_size = 4
        audio = container.add_stream("aac", rate=16000, layout="mono") if tone_hz is not None else None
        for index in range(n_frames):
            picture = av.VideoFrame.from_ndarray(frame(index, size, colour, seed), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and tone_hz is not None:
            _mux_tone(container, audio, tone(n_frames / fps, tone_hz, 16000))
    return path


def _mux_tone(container: av.container.OutputContainer, stream: av.AudioStream, samples: np.ndarray) -> None:
    for start in range(0, len(samples), 1024):
        piece = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def write_wav(path: Path | str, seconds: float = 1.0, hz: float = 440.0, sample_rate: int = 16000) -> Path:
    """Write a mono 16-bit sine (WAV, or FLAC by suffix)."""
    import soundfile

    soundfile.write(str(path), tone(seconds, hz, sample_rate), sample_rate, subtype="PCM_16")
    return Path(path)


def write_image(
    path: Path | str, colour: tuple[int, int, int] = (200, 60, 40), size: tuple[int, int] = (64, 48)
) -> Path:
    """Write one flat-coloured picture, format by suffix, with its lower half in the inverse colour."""
    width, height = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = colour
    picture[height // 2 :] = 255 - np.asarray(colour, np.uint8)
    Image.fromarray(picture).save(str(path))
    return Path(path)


def write_subtitle(path: Path | str, lines: tuple[str, ...] = ("hello there", "good bye")) -> Path:
    """Write a SubRip file with one second per line."""
    cues = [
        f"{number}\n00:00:{number:02d},000 --> 00:00:{number + 1:02d},000\n<i>{line}</i>\n"
        for number, line in enumerate(lines, 1)
    ]
    Path(path).write_text("\n".join(cues), encoding="utf-8")
    return Path(path)
