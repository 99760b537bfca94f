"""Files that hold the features of one item: .npy, .pkl of an array, .pt of a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.arrays import NPY, array_from, read_npy_header
from gramcli.exchange.base import MOST_ITEM_BYTES, wrong
from gramcli.files.reading import open_regular, read_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES: Final = (".npy", ".pkl", ".pickle", ".pt", ".pth")
"""In the order in which a folder is looked through; those of one suffix are read."""

_MOST: Final = MOST_ITEM_BYTES + 2**20


def shape_of(path: Path) -> tuple[tuple[int, ...], str]:
    """Return shape and number type of the features of one item; of .npy from the header alone.

    Raises:
        UserError: It cannot be read, is too large, or holds no array.
    """
    if path.suffix != ".npy":
        array = loaded(path)
        return array.shape, str(array.dtype)
    try:
        with open_regular(path) as file:
            if not file.peek(1).startswith(NPY[:1]):
                raise wrong(shown(path), "is no .npy file")
            layout = read_npy_header(file, shown(path))
    except OSError as error:
        raise wrong(shown(path), f"cannot be read ({error.strerror})") from error
    if layout.nbytes > MOST_ITEM_BYTES:
        raise wrong(shown(path), f"declares {layout.nbytes:,} bytes for one item; at most {MOST_ITEM_BYTES:,} are read")
    return layout.shape, layout.name


def loaded(path: Path) -> NDArray[Any]:
    """Return the features of one item.

    Raises:
        UserError: As `shape_of`.
    """
    if path.suffix in (".pkl", ".pickle"):
        return _unpickled(path)
    try:
        data = read_regular(path, _MOST)
    except OSError as error:
        raise wrong(shown(path), f"cannot be read ({error.strerror})") from error
    if path.suffix == ".npy":
        return array_from(data, shown(path))
    from gramcli.exchange.torch_files import tensor_of  # noqa: PLC0415 - torch loads where a .pt file is read

    return tensor_of(data, shown(path))


def _unpickled(path: Path) -> NDArray[Any]:
    from gramcli.exchange.unpickling import unpickled  # noqa: PLC0415 - few folders are of pickles

    if path.is_file() and (size := path.stat().st_size) > _MOST:
        raise wrong(shown(path), f"has {size:,} bytes for one item; at most {_MOST:,} are read")
    found = unpickled(path)
    if isinstance(found, np.ndarray):
        return found
    remedy = f"If it holds all items, name the file itself: gram import {shown(path)}"
    raise wrong(shown(path), f"holds a {type(found).__name__}, not the array of one item", remedy)
