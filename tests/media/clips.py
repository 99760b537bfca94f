"""Clips of every kind for the torture table, each frame carrying its own index (see tests/media_factory.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.media_factory import frame, tone

N_FRAMES = 20
FPS = 10
COLOUR = (150, 90, 60)
QUARTER_TURN = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
THREE_QUARTERS = struct.pack(">9i", 0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000)
NO_TURN = struct.pack(">9i", 0, 0, 0, 0, 0, 0, 0, 0, 0)
HALF_TURN = struct.pack(">9i", -0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000)


def encode(
    path: Path,
    codec: str = "libx264",
    *,
    n: int = N_FRAMES,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    mux: dict[str, str] | None = None,
    gop: int = 5,
    times: Sequence[int] | None = None,
    audio: str | None = None,
    format: str | None = None,
    fps: int = FPS,
    sound_seconds: float | None = None,
) -> Path:
    """Write `n` frames, the k-th shown at `times[k]` (in frames; k when not given), and a tone, as long by default."""
    with av.open(str(path), "w", format=format, container_options=mux or {}) as container:
        video = container.add_stream(codec, rate=fps)
        video.width, video.height, video.pix_fmt = *size, pix_fmt
        video.codec_context.gop_size = gop
        video.codec_context.time_base = Fraction(1, fps)
        video.bit_rate = 2_000_000
        video.options = options or {}
        sound = (
            container.add_stream(audio, rate=48000 if audio == "libopus" else 16000, layout="mono") if audio else None
        )
        for index in range(n):
            picture = av.VideoFrame.from_ndarray(frame(index, size, COLOUR), format="rgb24")
            picture.pts, picture.time_base = times[index] if times else index, Fraction(1, fps)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if sound is not None:
            _mux_tone(container, sound, sound_seconds or n / fps)
    return path


def _mux_tone(container, stream, seconds: float) -> None:
    rate, layout = stream.codec_context.sample_rate, stream.codec_context.format.name
    resampler = av.AudioResampler(format=layout, layout="mono", rate=rate)
    samples = tone(seconds, 440.0, rate)
    size = stream.codec_context.frame_size or 1024
    for start in range(0, len(samples), size):
        piece = av.AudioFrame.from_ndarray(samples[None, start : start + size], format="fltp", layout="mono")
        piece.sample_rate, piece.pts, piece.time_base = rate, start, Fraction(1, rate)
        for converted in resampler.resample(piece):
            container.mux(stream.encode(converted))
    container.mux(stream.encode(None))


def encode_sound(path: Path, codec: str, *, seconds: float = 2.0, mux: dict[str, str] | None = None) -> Path:
    """Write a tone with FFmpeg's encoders."""
    with av.open(str(path), "w", container_options=mux or {}) as container:
        stream = container.add_stream(codec, rate=48000 if codec in {"libopus", "ac3"} else 16000, layout="mono")
        _mux_tone(container, stream, seconds)
    return path


def remux(source: Path, target: Path, keep: Callable[[int, object], bool] = lambda number, packet: True) -> Path:
    """Copy the packets of the first video track that `keep` lets through, which may alter them."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        track = read.streams.video[0]
        stream = write.add_stream_from_template(track)
        for number, packet in enumerate(packet for packet in read.demux(track) if packet.size):
            if keep(number, packet):
                packet.stream = stream
                write.mux(packet)
    return target


def later(seconds: float) -> Callable[[int, object], bool]:
    """Move packets in time; backwards makes an MP4 hide what comes before 0."""

    def move(_: int, packet) -> bool:
        ticks = int(seconds / packet.time_base)
        packet.pts += ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        return True

    return move


def patched(source: Path, target: Path, change: Callable[[bytearray], object]) -> Path:
    """Copy a file with its bytes changed in place."""
    raw = bytearray(source.read_bytes())
    change(raw)
    target.write_bytes(raw)
    return target


def cut(source: Path, target: Path, share: float) -> Path:
    """Copy the first part of a file."""
    raw = source.read_bytes()
    target.write_bytes(raw[: int(len(raw) * share)])
    return target


def turn(matrix: bytes) -> Callable[[bytearray], None]:
    """Put a display matrix into the first track header."""

    def change(raw: bytearray) -> None:
        start = raw.index(b"tkhd") + 44
        raw[start : start + 36] = matrix

    return change


def zero(low: float, high: float, within: bytes = b"mdat") -> Callable[[bytearray], None]:
    """Zero a share of what follows a box name, up to the end of the file or of the box."""

    def change(raw: bytearray) -> None:
        start = raw.index(within) + 4
        length = int.from_bytes(raw[start - 8 : start - 4], "big") - 8
        span = slice(start + int(low * length), start + int(high * length))
        raw[span] = bytes(len(raw[span]))

    return change


def flip(seed: int, count: int, low: float = 0.2, high: float = 0.9) -> Callable[[bytearray], None]:
    """Flip bits in the middle of a file."""

    def change(raw: bytearray) -> None:
        rng = np.random.default_rng(seed)
        for place in rng.integers(int(low * len(raw)), int(high * len(raw)), count):
            raw[place] ^= 1 << int(rng.integers(8))

    return change
