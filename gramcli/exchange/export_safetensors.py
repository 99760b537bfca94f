"""A store as .safetensors: what deep-learning libraries load."""

from __future__ import annotations

import json
from math import prod
from typing import IO, Any, Final

from gramcli.exchange.export_layout import Outgoing

_NAMES: Final = {"<f4": "F32", "<i8": "I64", "|u1": "U8"}
_ALIGNED: Final = 8


def write(file: IO[bytes], outgoing: Outgoing) -> None:
    """Write all arrays, the widest numbers first, so that each starts at a multiple of its numbers' size.

    Args:
        file: To write to.
        outgoing: The store.
    """
    tensors = sorted(outgoing.tensors(), key=lambda tensor: -tensor.dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.dtype.itemsize * prod(tensor.shape)
        header[tensor.name] = {
            "dtype": _NAMES[tensor.dtype.str],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % _ALIGNED)
    file.write(len(text).to_bytes(_ALIGNED, "little") + text)
    for tensor in tensors:
        for piece in tensor.pieces():
            file.write(piece.tobytes())
