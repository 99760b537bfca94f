"""A store as .npz: `numpy.load` reads it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.exchange.export_layout import Outgoing, Tensor

_MOST_TEXT: Final = 2**26  # bytes of an array of words, which takes its longest word for each


def write(file: IO[bytes], outgoing: Outgoing) -> None:
    """Write all arrays, uncompressed and with no time in them, so that equal stores give equal files.

    Args:
        file: To write to.
        outgoing: The store.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for tensor in (*outgoing.tensors(), *_words(outgoing)):
            member = zipfile.ZipInfo(f"{tensor.name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(member, "w", force_zip64=True) as stream:
                stream.write(_header(tensor))
                for piece in tensor.pieces():
                    stream.write(piece.tobytes())


def _header(tensor: Tensor) -> bytes:
    buffer = io.BytesIO()
    described: dict[str, Any] = {
        "descr": np.lib.format.dtype_to_descr(tensor.dtype),
        "fortran_order": False,
        "shape": tensor.shape,
    }
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _words(outgoing: Outgoing) -> Iterator[Tensor]:
    for name, values in outgoing.words().items():
        width = max(1, *map(len, values)) if len(values) > 1 else max(1, len(values[0]))
        if 4 * width * len(values) <= _MOST_TEXT:
            found: NDArray[Any] = np.array(values, dtype=f"<U{width}")
            yield Tensor(name, found.dtype, found.shape, lambda found=found: iter([found]))  # type: ignore[misc]
