"""Animated pictures as clips: WebP, PNG, AVIF and TIFF of several pages, which FFmpeg is not asked to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.media.limits import MAX_CLIP_BYTES
from gramcli.media.stills import open_still, rgb, turned

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.media.sampling import FrameRule


@dataclass(frozen=True)
class Animation:
    """Chosen frames of an animated picture.

    Attributes:
        frames: RGB, uint8 [n, h, w, 3], upright; frames of another size are scaled to the first.
        indices: Which frame each one is.
        promised: Frames the file states.
        total: Frames that can be decoded.
        seconds: How long they are shown, 0 when the file does not say.
        notes: What to know of its colours.
    """

    frames: NDArray[np.uint8]
    indices: list[int]
    promised: int
    total: int
    seconds: float
    notes: tuple[str, ...]


def read_animation(path: Path, choose: FrameRule, n: int) -> Animation | None:
    """Read frames of an animated picture.

    Args:
        path: A file that starts as a picture does.
        choose: The rule that picks frames.
        n: Frames wanted.

    Returns:
        The frames; None for a still picture, and for several pictures that are no sequence.

    Raises:
        UserError: As `gramcli.media.image.read_picture`, or the frames take more than `MAX_CLIP_BYTES`.
    """
    with open_still(path, animated=True) as still:
        if still.frames < 2 or still.picture.format == "MPO":  # two lenses, or a picture and its preview
            return None
        if still.picture.width * still.picture.height * 3 * n > MAX_CLIP_BYTES:
            raise UserError("media", f"{shown(path)}: {n} frames take more than {MAX_CLIP_BYTES} bytes; ask for fewer.")
        promised = still.frames
        notes = tuple(["partial: its last pages are damaged"] * still.more + still.hdr)
        indices = choose(promised, n)
        found, total, seconds = _decoded(path, still.picture, promised, set(indices), still.still_apart)
    if total < promised:
        with open_still(path, animated=True) as still:
            if not total:
                still.picture.load()  # raises what is wrong with it
            indices = choose(max(total, 1), n)
            found, total, seconds = _decoded(path, still.picture, total, set(indices), still.still_apart)
    return Animation(np.stack([found[index] for index in indices]), indices, promised, total, seconds, notes)


def is_animation(path: Path) -> bool:
    """Say whether a file is a picture of several frames, which `read_animation` reads as a clip."""
    try:
        with open_still(path) as still:
            return still.frames > 1 and still.picture.format != "MPO"
    except UserError:
        return False


def _decoded(
    path: Path,
    picture: Image.Image,
    count: int,
    wanted: Collection[int],
    still_apart: bool,
) -> tuple[dict[int, NDArray[np.uint8]], int, float]:
    """Decode frames in order up to a damaged one; return those wanted, how many there are, and their seconds."""
    found: dict[int, NDArray[np.uint8]] = {}
    size, seconds = None, 0.0
    for index in range(count):
        try:
            # Pillow counts a still picture that is no frame of the animation as the first.
            picture.seek(index + still_apart)
            picture.load()
        except Exception:  # whatever a broken frame makes Pillow trip over
            return found, index, seconds
        seconds += float(picture.info.get("duration", 0) or 0) / 1000
        if index in wanted:
            frame = Image.fromarray(rgb(path, turned(picture)))
            size = size or frame.size
            found[index] = np.array(frame if frame.size == size else frame.resize(size))
    return found, count, seconds
