"""A small dataset of real files, drawn and synthesised: the data of `gram demo` and of the end-to-end tests.

Each item is one mp4 with a sound track. Its caption names everything that was drawn: size, colour, shape
and motion can only be seen, tone and rhythm only be heard, so video and audio together tell more than
either does alone. Size, position, hue, pitch, tempo, loudness and background are jittered and noise is added.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt

from gramcli.errors import UserError
from gramcli.files.writing import make_folder, make_own_folder, replacing, write_atomic

SIDE: Final = 96
FPS: Final = 12
SECONDS: Final = 2.0
SAMPLE_RATE: Final = 16000
MANIFEST: Final = "manifest.csv"
COLUMNS: Final = ("id", "video", "caption", "label", "split")

Floats = npt.NDArray[np.floating[Any]]


def _star(x: Floats, y: Floats) -> Floats:
    folded = np.abs((np.arctan2(x, -y) * 5 / (2 * np.pi) + 0.5) % 1 - 0.5) * 2
    return np.asarray(1.1 - 0.65 * folded - np.hypot(x, y))


# Every shape is a function of x and y (y points down) that is positive inside, in units of the shape's radius.
SHAPES: Final[dict[str, Callable[[Floats, Floats], Floats]]] = {
    "circle": lambda x, y: 0.95 - np.hypot(x, y),
    "square": lambda x, y: 0.85 - np.maximum(np.abs(x), np.abs(y)),
    "diamond": lambda x, y: (1.15 - np.abs(x) - np.abs(y)) / 1.414,
    "triangle": lambda x, y: np.minimum(0.7 - y, 0.55 - 0.87 * np.abs(x) + 0.5 * y),
    "ring": lambda x, y: 0.2 - np.abs(np.hypot(x, y) - 0.85),
    "cross": lambda x, y: np.maximum(
        np.minimum(1.05 - np.abs(x), 0.28 - np.abs(y)), np.minimum(1.05 - np.abs(y), 0.28 - np.abs(x))
    ),
    "bar": lambda x, y: np.minimum(1.25 - np.abs(x), 0.35 - np.abs(y)),
    "star": _star,
}
COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (225, 35, 35),
    "orange": (240, 140, 20),
    "yellow": (235, 225, 40),
    "green": (40, 190, 60),
    "cyan": (40, 205, 215),
    "blue": (45, 75, 230),
    "purple": (160, 50, 205),
    "white": (235, 235, 235),
}
SIZES: Final = {"small": 11.0, "large": 18.0}
# Direction (horizontal, vertical, circling) and length of the path in pixels; circling ones in turns.
MOTIONS: Final[dict[str, tuple[float, float, float]]] = {
    "creeping left": (-24, 0, 0),
    "racing left": (-60, 0, 0),
    "creeping right": (24, 0, 0),
    "racing right": (60, 0, 0),
    "creeping up": (0, -24, 0),
    "racing up": (0, -60, 0),
    "creeping down": (0, 24, 0),
    "racing down": (0, 60, 0),
    "wheeling around": (0, 0, 1.5),
    "standing still": (0, 0, 0),
}
TONES: Final = {"deep": 110.0, "low": 220.0, "middle": 440.0, "high": 880.0, "shrill": 1760.0, "piercing": 3520.0}
# Beats per second; 0 is one unbroken tone.
RHYTHMS: Final = {
    "holds on without a break": 0.0,
    "beats slowly": 1.5,
    "beats steadily": 3.0,
    "beats quickly": 5.5,
    "flutters": 9.0,
}
TEMPLATES: Final = (
    "a {size} {colour} {shape} {motion} while a {tone} tone {rhythm}",
    "a {tone} tone {rhythm} and a {size} {colour} {shape} is {motion}",
    "we see a {size} {colour} {shape} {motion} and hear a {tone} tone that {rhythm}",
    "a {shape}, {size} and {colour}, is {motion}; a {tone} tone {rhythm} in the background",
    "a clip of a {size} {colour} {shape} {motion}, where a {tone} tone {rhythm}",
    "as a {tone} tone {rhythm}, there is a {size} {shape} {motion}, {colour} in colour",
)
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "size": tuple(SIZES),
    "colour": tuple(COLOURS),
    "shape": tuple(SHAPES),
    "motion": tuple(MOTIONS),
    "tone": tuple(TONES),
    "rhythm": tuple(RHYTHMS),
}
N_COMBINATIONS: Final = int(np.prod([len(values) for values in _CHOICES.values()]))


@dataclass(frozen=True)
class Scene:
    """What one generated item shows and sounds like; the words are keys of this module's tables."""

    id: str
    size: str
    colour: str
    shape: str
    motion: str
    tone: str
    rhythm: str
    template: str
    split: str

    @property
    def caption(self) -> str:
        """The sentence that names everything in the item."""
        return self.template.format(**{name: getattr(self, name) for name in _CHOICES})

    @property
    def row(self) -> tuple[str, ...]:
        """The item's line of the manifest, in the order of `COLUMNS`."""
        return (self.id, f"videos/{self.id}.mp4", self.caption, self.shape, self.split)


def scenes(n_items: int, seed: int) -> list[Scene]:
    """Choose `n_items` different combinations and deal them to the splits 60 : 7 : 33.

    Args:
        n_items: Number of items, 1 to `N_COMBINATIONS`.
        seed: Seed of every choice.

    Returns:
        The items in order, no combination twice: the splits share values, never whole combinations.

    Raises:
        UserError: `n_items` or `seed` is out of range.
    """
    if not 1 <= n_items <= N_COMBINATIONS:
        raise UserError("usage", f"The number of generated items must be 1 to {N_COMBINATIONS}; got {n_items}.")
    if seed < 0:
        raise UserError("usage", f"The seed of the generated dataset must be 0 or more; got {seed}.")
    rng = np.random.default_rng(seed)
    combinations = rng.choice(N_COMBINATIONS, size=n_items, replace=False)
    picks = np.unravel_index(combinations, [len(values) for values in _CHOICES.values()])
    templates = rng.integers(len(TEMPLATES), size=n_items)
    last_train, last_val = round(n_items * 0.6), round(n_items * 2 / 3)
    found = []
    for index in range(n_items):
        words = {name: _CHOICES[name][pick[index]] for name, pick in zip(_CHOICES, picks, strict=True)}
        split = "train" if index < last_train else "val" if index < last_val else "test"
        found.append(Scene(id=f"{index:05d}", template=TEMPLATES[templates[index]], split=split, **words))
    return found


def _path(motion: str, rng: np.random.Generator, n_frames: int) -> list[tuple[float, float]]:
    dx, dy, turns = MOTIONS[motion]
    time = np.linspace(-0.5, 0.5, n_frames)
    stretch = rng.uniform(0.88, 1.12)
    angle = 2 * np.pi * (turns * stretch * time + rng.uniform())
    radius = 16.0 if turns else 0.0
    x0, y0 = SIDE / 2 + rng.uniform(-6, 6, size=2)
    x = x0 + dx * stretch * time + radius * np.cos(angle)
    y = y0 + dy * stretch * time + radius * np.sin(angle)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def draw_frames(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw the frames of one item.

    Args:
        scene: What to draw.
        rng: Source of the jitter and the noise.

    Returns:
        RGB frames, shape [n, SIDE, SIDE, 3].
    """
    n_frames = round(FPS * SECONDS)
    radius = SIZES[scene.size] * float(rng.uniform(0.9, 1.1))
    colour = np.clip(np.array(COLOURS[scene.colour]) + rng.normal(0, 10, size=3), 0, 255).astype(np.float32)
    tilt = float(rng.normal(0, 0.06))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    down, across = rng.normal(0, 0.12, size=2).tolist()
    background = float(rng.uniform(25, 75)) + down * (rows - SIDE / 2) + across * (columns - SIDE / 2)
    noise = rng.standard_normal((n_frames, SIDE, SIDE, 1), dtype=np.float32) * 4
    frames = np.empty((n_frames, SIDE, SIDE, 3), dtype=np.uint8)
    for index, (cx, cy) in enumerate(_path(scene.motion, rng, n_frames)):
        x, y = (columns - cx) / radius, (rows - cy) / radius
        turned = x * math.cos(tilt) + y * math.sin(tilt), y * math.cos(tilt) - x * math.sin(tilt)
        cover = np.clip(SHAPES[scene.shape](*turned) * radius + 0.5, 0, 1)[..., None]
        picture = background[..., None] * (1 - cover) + colour * cover + noise[index]
        frames[index] = np.clip(picture, 0, 255)
    return frames


def synthesise(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Synthesise the sound track of one item.

    Args:
        scene: What to play.
        rng: Source of the jitter and the noise.

    Returns:
        Mono samples in [-1, 1] at `SAMPLE_RATE`, shape [samples].
    """
    time = np.arange(round(SAMPLE_RATE * SECONDS)) / SAMPLE_RATE
    pitch = TONES[scene.tone] * 2 ** rng.uniform(-1 / 6, 1 / 6)
    tone = sum(
        rng.uniform(0.7, 1) / 2**k * np.sin(2 * np.pi * (k + 1) * pitch * time + rng.uniform(0, 6)) for k in (0, 1)
    )
    beats = RHYTHMS[scene.rhythm] * rng.uniform(0.92, 1.08)
    phase = (beats * time + rng.uniform()) % 1
    gate = np.clip(np.minimum(phase, 0.5 - phase) * 25, 0, 1) if beats else np.ones_like(time)
    loudness = rng.uniform(0.25, 0.5)
    noise = rng.normal(0, 10 ** rng.uniform(-3, -2), size=len(time))
    return np.clip(loudness * tone * gate + noise, -1, 1).astype(np.float32)


def _codec() -> tuple[str, dict[str, str]]:
    if "libx264" in av.codecs_available:
        return "libx264", {"preset": "superfast", "crf": "23"}
    return "mpeg4", {"qscale": "3"}


def _packets(
    frames: npt.NDArray[np.uint8],
    samples: npt.NDArray[np.float32],
    video: Any,  # noqa: ANN401 - PyAV's streams have no public types
    audio: Any,  # noqa: ANN401
) -> Iterator[Any]:
    for index, pixels in enumerate(frames):
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        picture.pts = index
        yield from video.encode(picture)
    yield from video.encode()
    sound = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    yield from audio.encode(sound)
    yield from audio.encode()


def write_clip(scene: Scene, path: Path, seed: int) -> None:
    """Write one item as an mp4: H.264 (MPEG-4 where libx264 is missing) with an AAC track.

    Args:
        scene: What it shows and sounds like.
        path: The file to write.
        seed: The dataset's seed; jitter and noise come from it and the item's number.
    """
    rng = np.random.default_rng((seed, int(scene.id)))
    name, options = _codec()
    with replacing(path, own_folder=True) as file, av.open(file, "w", format="mp4") as container:
        video: Any = container.add_stream(name, rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        video.codec_context.thread_count = 1  # more threads would make the bytes depend on the machine
        audio: Any = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
        for packet in _packets(draw_frames(scene, rng), synthesise(scene, rng), video, audio):
            container.mux(packet)


def _write_manifest(found: list[Scene], path: Path) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(scene.row for scene in found)
    write_atomic(path, stream.getvalue().encode())


def generate_dataset(
    folder: Path, n_items: int = 300, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write a small dataset of real files: `videos/00000.mp4` and on, and `manifest.csv` once all are there.

    The same seed gives the same bytes, as long as the versions of NumPy and PyAV stay the same.

    Args:
        folder: Where to write; made if missing, files of the same names are replaced.
        n_items: Number of items; 300 are split 180 : 20 : 100 into train, val and test.
        seed: Seed of every choice, jitter and noise.
        progress: Called with (items done, items in all) after each item.

    Returns:
        The path of `manifest.csv`, with columns id, video, caption, label (the shape) and split.

    Raises:
        UserError: `n_items` or `seed` is out of range, or the folder cannot be written.
    """
    found = scenes(n_items, seed)
    videos = folder / "videos"
    try:
        make_folder(folder)
        make_own_folder(videos)
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            jobs = pool.map(lambda scene: write_clip(scene, videos / f"{scene.id}.mp4", seed), found)
            for done, _ in enumerate(jobs, start=1):
                if progress:
                    progress(done, n_items)
        _write_manifest(found, folder / MANIFEST)
    except OSError as error:
        raise UserError("failed", f"{folder}: the generated dataset cannot be written: {error}.") from error
    return folder / MANIFEST
