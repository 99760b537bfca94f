"""Pictures as 8-bit RGB arrays."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageOps

from gramcli.errors import UserError
from gramcli.media.kinds import check_regular_file, shown, undecodable
from gramcli.media.limits import MAX_IMAGE_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Pillow also reads EPS by running Ghostscript; only formats it decodes itself are let through.
FORMATS: Final[tuple[str, ...]] = ("PNG", "JPEG", "MPO", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as it is meant to be seen: EXIF orientation applied, 16-bit values scaled to 8.

    The content decides the format, not the suffix. An animation gives its first frame; transparency is dropped.

    Args:
        path: A picture file.

    Returns:
        RGB, uint8 [h, w, 3].

    Raises:
        UserError: Not a regular file, not a picture, damaged or cut off, or of more than `MAX_IMAGE_PIXELS` pixels.
    """
    check_regular_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _decode(path)
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(path, "its pixels are") from error
        except Exception as error:  # Pillow's plug-ins raise whatever a broken file makes them trip over
            raise undecodable(path, "image", str(error).replace(repr(str(path.absolute())), "it")) from error


def _decode(path: Path) -> NDArray[np.uint8]:
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(path.absolute(), formats=formats) as picture:
        # Pillow warns at its own limit and fails at twice that; this one is firm, and comes before any pixel.
        if picture.width * picture.height > MAX_IMAGE_PIXELS:
            raise _too_large(path, f"{picture.width} x {picture.height} is")
        if picture.format == "PNG":
            # Pillow decodes past a wrong checksum and returns wrong pixels; verify() compares it, but spends the file.
            with Image.open(path.absolute(), formats=formats) as checked:
                checked.verify()
        picture.load()
        # Values are scaled first: turning a 16-bit picture into RGB clips it at 255.
        upright = ImageOps.exif_transpose(picture)
        return _rgb(path, upright)


def _too_large(path: Path, what: str) -> UserError:
    message = f"{shown(path)} is too large: {what} over the limit of {MAX_IMAGE_PIXELS} pixels; shrink the picture."
    return UserError("media", message)


def _rgb(path: Path, picture: Image.Image) -> NDArray[np.uint8]:
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
