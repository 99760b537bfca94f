"""Pictures as 8-bit RGB arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gramcli.media.stills import FORMATS, open_still, rgb, turned

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from gramcli.media.stills import Still

__all__ = ["FORMATS", "Picture", "read_image", "read_picture"]


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        pixels: RGB, uint8 [h, w, 3], upright.
        notes: What the reader should know, as short phrases.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read the pixels of a picture; see `read_picture`.

    Args:
        path: A picture file.

    Returns:
        RGB, uint8 [h, w, 3].

    Raises:
        UserError: As `read_picture`.
    """
    return read_picture(path).pixels


def read_picture(path: Path) -> Picture:
    """Read a picture as it is meant to be seen: EXIF orientation applied, 16-bit values scaled to 8.

    The content decides the format, not the suffix. Transparency is dropped. Of several frames or pages the first is
    read, which a note says.

    Args:
        path: A picture file.

    Returns:
        The picture and what to know of it.

    Raises:
        UserError: Not a regular file, not a picture, of a format that is not read, damaged or cut off, or of more
            than `MAX_IMAGE_PIXELS` pixels.
    """
    with open_still(path) as still:
        still.picture.load()
        return Picture(rgb(path, turned(still.picture)), (*_of_several(still), *still.hdr))


def _of_several(still: Still) -> list[str]:
    unit = "page" if still.picture.format == "TIFF" else "frame"
    if still.still_apart:
        return [f"the still picture beside an animation of {still.frames} frames"]
    if still.more:
        return [f"first of {still.frames} or more {unit}s, the last of them damaged"]
    return [f"first of {still.frames} {unit}s"] if still.frames > 1 else []
