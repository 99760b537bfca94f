"""What encoders are tried on: texts, clips, sounds and pictures that are made here, the same every time.

Of each modality there are two sets. In `even` all inputs are of one length and size, so that nothing needs padding;
in `mixed` none are. Both hold N different items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.datasets.generated import SAMPLE_RATE, SIDE, Scene, draw_frames, synthesise

if TYPE_CHECKING:
    from gramcli.encoders.base import Preprocessing
    from gramcli.media.audio import Waveform
    from gramcli.media.video import VideoClip

# Words that nearly every vocabulary holds whole, so that the texts have as many tokens as each other.
_EVEN_TEXTS: Final = (
    "a red dog and a big car",
    "a blue cat and a small tree",
    "a green bird and a long road",
    "a white horse and a new house",
    "a black fish and a cold river",
    "a young man and a loud train",
)
_SCENES: Final = (
    ("large", "red", "circle", "racing left", "low", "beats slowly"),
    ("small", "cyan", "star", "racing right", "high", "flutters"),
    ("large", "yellow", "cross", "racing up", "deep", "beats steadily"),
    ("small", "green", "ring", "racing down", "shrill", "holds on without a break"),
    ("large", "blue", "square", "creeping left", "middle", "beats quickly"),
    ("small", "white", "triangle", "wheeling around", "piercing", "beats slowly"),
)
N: Final = len(_SCENES)
"""Items of each set."""
_TEMPLATE: Final = "a {size} {colour} {shape} {motion} while a {tone} tone {rhythm}"
# Of the mixed set: words, seconds (one above the 10 s that some models hear), and the height and width of a picture.
_WORDS: Final = (1, 4, 12, 24, 36, 60)
_SECONDS: Final = (0.5, 1.0, 2.0, 4.5, 9.0, 13.0)
_SIZES: Final = ((96, 96), (64, 96), (96, 54), (48, 48), (72, 96), (90, 60))
_LONG_WORDS: Final = 4000
_LONG_SECONDS: Final = 180.0
_LONG_FRAMES: Final = 7200
_FPS: Final = 12.0


@dataclass(frozen=True)
class Probes:
    """Decoded inputs of one modality.

    Attributes:
        even: N inputs of one length and size.
        mixed: N inputs of different lengths or sizes.
        odd: Inputs that media really hold: nothing at all, or very much; by what they are.
    """

    even: Sequence[Any]
    mixed: Sequence[Any]
    odd: Mapping[str, Any]


def probes_of(modality: str, how: Preprocessing) -> Probes | None:
    """Make the inputs of a modality, as the decoders would hand them to an encoder.

    Args:
        modality: text, subtitle, video, audio, image or depth.
        how: Frames and rate that the encoder asks for.

    Returns:
        The probes; None of a modality that nothing is known of.
    """
    make = _MAKERS.get(modality)
    return None if make is None else make(how)


def backwards(clip: VideoClip) -> VideoClip:
    """The same frames, the last one first, at the times of the others."""
    return replace(clip, frames=np.ascontiguousarray(clip.frames[::-1]))


def _texts(how: Preprocessing) -> Probes:
    words = " ".join(_scene(index).caption for index in range(N)).split()
    mixed = [" ".join(words[index : index + count]) for index, count in enumerate(_WORDS)]
    long = " ".join((words * _LONG_WORDS)[:_LONG_WORDS])
    return Probes(_EVEN_TEXTS, mixed, {"empty text": "", "very long text": long})


def _videos(how: Preprocessing) -> Probes:
    even = [_clip(_frames(index), how) for index in range(N)]
    mixed = [_clip(_cut(_frames(index), size), how) for index, size in enumerate(_SIZES)]
    black = _clip(np.zeros_like(_frames(0)), how)
    long = _clip(np.concatenate([_frames(index) for index in range(N)]), how)
    long = replace(long, total_frames=_LONG_FRAMES, duration=_LONG_FRAMES / _FPS)
    return Probes(even, mixed, {"black frames": black, "very long video": long})


def _sounds(how: Preprocessing) -> Probes:
    rate = how.sample_rate or SAMPLE_RATE
    even = [_waveform(_sound(index), rate) for index in range(N)]
    mixed = [_waveform(_lasting(seconds, index), rate) for index, seconds in enumerate(_SECONDS)]
    silence = _waveform(np.zeros_like(_sound(0)), rate)
    return Probes(
        even, mixed, {"silent sound": silence, "very long sound": _waveform(_lasting(_LONG_SECONDS, 0), rate)}
    )


def _pictures(how: Preprocessing, name: str) -> Probes:
    even = [_frames(index)[0] for index in range(N)]
    mixed = [_cut(_frames(index), size)[0] for index, size in enumerate(_SIZES)]
    return Probes(even, mixed, {f"black {name}": np.zeros_like(even[0])})


_MAKERS: Final[dict[str, Callable[[Preprocessing], Probes]]] = {
    "text": _texts,
    "subtitle": _texts,
    "video": _videos,
    "audio": _sounds,
    "image": partial(_pictures, name="picture"),
    "depth": partial(_pictures, name="depth map"),
}


def _scene(index: int) -> Scene:
    return Scene(str(index), *_SCENES[index], template=_TEMPLATE, split="test")


@cache
def _frames(index: int) -> NDArray[np.uint8]:
    """Frames [24, 96, 96, 3] of a scene."""
    return draw_frames(_scene(index), np.random.default_rng((17, index)))


@cache
def _sound(index: int) -> NDArray[np.float32]:
    """Two seconds of a scene's sound."""
    return synthesise(_scene(index), np.random.default_rng((71, index)))


def _cut(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The middle [n, height, width, 3] of frames."""
    top, left = ((SIDE - length) // 2 for length in size)
    return np.ascontiguousarray(frames[:, top : top + size[0], left : left + size[1]])


def _clip(frames: NDArray[np.uint8], how: Preprocessing) -> VideoClip:
    from gramcli.media.sampling import frame_rule  # noqa: PLC0415 - media load where they are made
    from gramcli.media.video import VideoClip  # noqa: PLC0415

    chosen = frame_rule(how.frame_rule)(len(frames), how.frames)
    return VideoClip(frames[chosen], tuple(chosen), _FPS, len(frames) / _FPS, len(frames))


def _lasting(seconds: float, first: int) -> NDArray[np.float32]:
    """Sounds one after the other, from one of them on, for some seconds."""
    wanted = round(seconds * SAMPLE_RATE)
    rounds = np.concatenate([_sound((first + k) % N) for k in range(N)])
    return np.resize(rounds, wanted)


def _waveform(samples: NDArray[np.float32], rate: int) -> Waveform:
    import soxr  # noqa: PLC0415 - as above

    from gramcli.media.audio import Waveform  # noqa: PLC0415

    heard = samples if rate == SAMPLE_RATE else soxr.resample(samples, SAMPLE_RATE, rate, quality="HQ")
    return Waveform(np.asarray(heard, dtype=np.float32), rate)
