"""What a store can be written as: a catalog of plain rows, one for each format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gramcli.catalog import Catalog
from gramcli.errors import UserError


@dataclass(frozen=True)
class OutFormat:
    """One format of `gram export STORE`.

    Attributes:
        name: As `--to` takes it.
        suffix: By which it is known.
        target: Function that writes an `Outgoing` to a file.
        summary: What opens it.
        needs: Package of the extra `gramcli[io]` that it needs; empty for none.
        table: Whether it has a row for each vector, and so room for more columns.
    """

    name: str
    suffix: str
    target: str
    summary: str
    needs: str = ""
    table: bool = False


FORMATS: Final = Catalog(
    "format",
    (
        OutFormat("npz", ".npz", "gramcli.exchange.export_npz:write", "NumPy"),
        OutFormat("safetensors", ".safetensors", "gramcli.exchange.export_safetensors:write", "PyTorch, JAX"),
        OutFormat("h5", ".h5", "gramcli.exchange.export_h5:write", "HDF5", needs="h5py"),
        OutFormat(
            "parquet",
            ".parquet",
            "gramcli.exchange.export_parquet:write",
            "Embedding Atlas, FiftyOne, W&B, pandas, polars",
            needs="pyarrow",
            table=True,
        ),
        OutFormat("csv", ".csv", "gramcli.exchange.export_csv:write", "anything", table=True),
    ),
    "gramcli.exports",
)
_OTHER_SUFFIXES: Final = {".hdf5": "h5", ".pq": "parquet"}


def format_for(path: Path, named: str | None = None) -> OutFormat:
    """The format that a file is to be written in.

    Args:
        path: The file.
        named: A format by name, which then decides.

    Raises:
        UserError: No format has that name or suffix.
    """
    if named is not None:
        return FORMATS.row(named)
    suffix = path.suffix.lower()
    for row in FORMATS:
        if suffix == row.suffix or _OTHER_SUFFIXES.get(suffix) == row.name:
            return row
    known = ", ".join(row.suffix for row in FORMATS)
    raise UserError("usage", f"-o {path}: a store is exported by its suffix: {known}. Or name the format with --to.")
