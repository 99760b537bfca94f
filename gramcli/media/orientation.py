"""Display matrices: the eight ways a stored picture can be meant to be seen."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# FFmpeg takes an angle for a quarter turn when it is within one degree of it.
_SLANT: Final = math.sin(math.radians(1.0))


@dataclass(frozen=True)
class Orientation:
    """What becomes of a stored picture: exchange its axes first, then mirror it.

    Attributes:
        transposed: Rows become columns.
        mirrored: Left and right are exchanged, after the axes.
        upside_down: Top and bottom are exchanged, after the axes.
    """

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture [h, w, 3] the way it is meant to be seen."""
        turned = picture.swapaxes(0, 1) if self.transposed else picture
        turned = turned[:, ::-1] if self.mirrored else turned
        return np.ascontiguousarray(turned[::-1] if self.upside_down else turned)


UPRIGHT: Final = Orientation()


def orientation_of(matrix: bytes) -> Orientation | None:
    """Read a display matrix as FFmpeg hands it out: nine 32-bit integers, a point's new place being its product.

    Scale, offset and perspective are left aside, as FFmpeg does; a matrix that turns the picture into a line or a
    point says nothing and is `UPRIGHT`.

    Args:
        matrix: 36 bytes.

    Returns:
        One of the eight orientations; None for anything between them, a slanted or sheared picture.

    Example:
        >>> orientation_of(struct.pack("=9i", 0, 1, 0, 1, 0, 0, 0, 0, 1))
        Orientation(transposed=True, mirrored=False, upside_down=False)
    """
    to_x, to_y, _, from_y_to_x, from_y_to_y = struct.unpack("=9i", matrix[:36])[:5]
    across, down = math.hypot(to_x, from_y_to_x), math.hypot(to_y, from_y_to_y)
    if not across or not down:
        return UPRIGHT
    straight = to_x / across, from_y_to_y / down
    crossed = from_y_to_x / across, to_y / down
    if max(map(abs, crossed)) <= _SLANT:
        return Orientation(False, straight[0] < 0, straight[1] < 0)
    if max(map(abs, straight)) <= _SLANT:
        return Orientation(True, crossed[0] < 0, crossed[1] < 0)
    flat = abs(straight[0] * straight[1] - crossed[0] * crossed[1]) <= _SLANT
    return UPRIGHT if flat else None
