"""A store as .h5: HDF5, one dataset for each embedding."""

from __future__ import annotations

from typing import IO

from gramcli.exchange.export_layout import Outgoing


def write(file: IO[bytes], outgoing: Outgoing) -> None:
    """Write all arrays as datasets of the root.

    Args:
        file: To write to, and to read from.
        outgoing: The store.
    """
    import h5py  # noqa: PLC0415 - an extra

    with h5py.File(file, "w") as root:
        for tensor in outgoing.tensors():
            dataset = root.create_dataset(tensor.name, tensor.shape, tensor.dtype)
            start = 0
            for piece in tensor.pieces():
                if len(piece):
                    dataset[start : start + len(piece)] = piece
                start += len(piece)
        for name, values in outgoing.words().items():
            if not any("\0" in value for value in values):  # which HDF5 takes for an end
                root.create_dataset(name, data=values, dtype=h5py.string_dtype())
