"""Opening a picture with Pillow, whatever accompanies its pixels, and turning it the way it is meant to be seen."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from gramcli.errors import UserError
from gramcli.media.foreign import container_brand, foreign_picture, not_read, raw_tiff
from gramcli.media.kinds import check_regular_file, first_bytes, shown, undecodable
from gramcli.media.limits import MAX_IMAGE_PIXELS
from gramcli.media.png import is_png, slim_png

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# Pillow also reads EPS by running Ghostscript; only formats it decodes itself are let through.
FORMATS: Final[tuple[str, ...]] = ("PNG", "JPEG", "MPO", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")

_ORIENTATION: Final = 0x0112
# Bits of a TIFF's kind of subfile: a smaller copy of a page, a mask for one.
_SUBFILE, _NO_PAGE = 254, 0b101
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HDR: Final = {16: "PQ", 18: "HLG"}
# Where AVIF states its colours: primaries, then the transfer function.
_COLOURS: Final = re.compile(rb"colrnclx..(..)", re.DOTALL)


@dataclass(frozen=True)
class Still:
    """An opened picture.

    Attributes:
        picture: Pillow's picture.
        frames: How many frames or pages the file holds.
        more: Whether there may be more of them, past damage.
        still_apart: Whether the picture is none of the frames.
        transfer: The transfer function of its colours, by its number in ITU-T H.273; 0 when not stated.
    """

    picture: Image.Image
    frames: int
    more: bool
    still_apart: bool
    transfer: int

    @property
    def hdr(self) -> list[str]:
        """The remark on colours of high dynamic range, or none."""
        return [f"HDR ({_HDR[self.transfer]}) read as SDR, colours are off"] if self.transfer in _HDR else []


@contextmanager
def open_still(path: Path, *, animated: bool = False) -> Iterator[Still]:
    """Open a picture, by its content; what goes wrong while it is open is one sentence too.

    Args:
        path: A picture file.
        animated: Whether more than the first frame will be read.

    Yields:
        The picture, of which no pixel was decoded yet.

    Raises:
        UserError: Not a regular file, not a picture, of a format that is not read, damaged, or too large.
    """
    check_regular_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _opened(path, animated) as still:
                yield still
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(path, "its pixels are") from error
        except Exception as error:  # Pillow's plug-ins raise whatever a broken file makes them trip over
            raise undecodable(path, "image", str(error).replace(repr(str(path.absolute())), "it")) from error


@contextmanager
def _opened(path: Path, animated: bool) -> Iterator[Still]:
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    head = first_bytes(path, 64)
    if foreign := foreign_picture(path, avif_is_read="AVIF" in formats):
        raise not_read(path, foreign)
    png = None
    if is_png(head):
        _check_size(path, int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
        png = slim_png(path, animated=animated)
    try:
        opened = Image.open(path.absolute() if png is None else png.file, formats=formats)
    except UnidentifiedImageError as error:
        brand = container_brand(head)
        why = f"it is a damaged {brand} picture" if brand else f"it is none of {', '.join(formats)}"
        raise undecodable(path, "image", why) from error
    with opened as picture:
        _check_size(path, picture.width, picture.height)
        if raw := raw_tiff(getattr(picture, "tag_v2", {})):
            raise not_read(path, raw)
        if png is not None:
            yield Still(picture, png.frames, False, png.still_apart, png.transfer)
        else:
            yield Still(picture, *_frames(picture), False, _transfer(path, picture))


def _frames(picture: Any) -> tuple[int, bool]:  # noqa: ANN401 - Pillow's picture
    """Count the frames; also whether there may be more, past damage."""
    if picture.format != "TIFF":
        try:
            return int(getattr(picture, "n_frames", 1)), False
        except Exception:  # a later frame is damaged: the first may be whole
            return 1, True
    # Smaller copies of a page, and masks, are no pages.
    n, place, damaged = 1, 1, False
    while place:
        try:
            picture.seek(place)
            n += not picture.tag_v2.get(_SUBFILE, 0) & _NO_PAGE
            place += 1
        except Exception as error:
            damaged, place = not isinstance(error, EOFError), 0
    picture.seek(0)
    return n, damaged


def _transfer(path: Path, picture: Image.Image) -> int:
    stated = _COLOURS.search(first_bytes(path, 2**16)) if picture.format == "AVIF" else None
    return int.from_bytes(stated[1], "big") if stated else 0


def _check_size(path: Path, width: int, height: int) -> None:
    """Hold a picture to a firm limit before any pixel: Pillow warns at its own and fails at twice that."""
    if width * height > MAX_IMAGE_PIXELS:
        raise _too_large(path, f"{width} x {height} is")


def _too_large(path: Path, what: str) -> UserError:
    message = f"{shown(path)} is too large: {what} over the limit of {MAX_IMAGE_PIXELS} pixels; shrink the picture."
    return UserError("media", message)


def turned(picture: Image.Image) -> Image.Image:
    """Return a picture the way its EXIF orientation says; one that says nothing readable is upright."""
    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except Exception:  # notes beside the pixels, which broken ones must not cost
        orientation = None
    way = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return picture if way is None else picture.transpose(way)


def rgb(path: Path, picture: Image.Image) -> NDArray[np.uint8]:
    """Return a loaded picture as RGB, uint8 [h, w, 3]: 16-bit values are scaled to 8, transparency is dropped.

    Args:
        path: The file, for the message.
        picture: Pillow's picture.

    Raises:
        UserError: Values beyond what is known to be white.
    """
    # Values are scaled first: turning a 16-bit picture into RGB clips it at 255.
    if picture.mode.startswith("I"):
        return _grey(path, np.asarray(picture).astype(np.float64), 65535.0)
    if picture.mode == "F":
        return _grey(path, np.asarray(picture).astype(np.float64), 1.0)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _grey(path: Path, values: NDArray[Any], white: float) -> NDArray[np.uint8]:
    # `not all(inside)` also catches NaN.
    if not bool(np.all((values >= 0) & (values <= white))):
        low, high = float(values.min()), float(values.max())
        raise UserError(
            "media", f"{shown(path)} has values {low:g} to {high:g} where 0 to {white:g} is known; save it as 8-bit."
        )
    scaled = np.round(values * (255.0 / white)).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)
