"""`hf-dataset`: what `datasets.Dataset.save_to_disk` writes: Arrow files beside state.json, a folder for each split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gramcli.exchange.arrays import refuse_beyond
from gramcli.exchange.arrow_messages import refuse_packed
from gramcli.exchange.base import Operand, Recognised, wrong
from gramcli.exchange.by_split import by_split
from gramcli.exchange.parquet import Parts, table_of
from gramcli.exchange.parquet_files import arrow_errors
from gramcli.files.reading import check_regular, read_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

_STATE, _DICT = "state.json", "dataset_dict.json"


def read_hf_dataset(operands: Sequence[Operand]) -> Recognised | None:
    """Read one folder that `save_to_disk` wrote, of a Dataset or of a DatasetDict."""
    if len(operands) != 1 or not operands[0].is_folder:
        return None
    root = operands[0].path
    title = root.resolve().name
    if (root / _DICT).is_file():
        splits = _json(root / _DICT).get("splits")
        if (
            not isinstance(splits, list)
            or not splits
            or not all(isinstance(one, str) and _is_name(one) for one in splits)
        ):
            raise wrong(shown(root / _DICT), "does not list its splits", "Save the dataset again")
        return by_split({split: _dataset(root / split, title) for split in splits}, shown(root))
    return _dataset(root, title) if (root / _STATE).is_file() else None


def _is_name(name: str) -> bool:
    return bool(name) and "/" not in name and name not in (".", "..")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, 2**24))
    except (OSError, ValueError, RecursionError) as error:
        raise wrong(shown(path), f"cannot be read ({error})", "Save the dataset again") from error
    if not isinstance(found, dict):
        raise wrong(shown(path), "is no object", "Save the dataset again")
    return found


def _dataset(folder: Path, title: str) -> Recognised:
    """One dataset: the Arrow files that state.json names, in its folder."""
    files = _json(folder / _STATE).get("_data_files")
    names = [one.get("filename") for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    if not names or not all(isinstance(name, str) and _is_name(name) for name in names):
        raise wrong(shown(folder / _STATE), "does not name its data files, in its own folder", "Save the dataset again")
    if _json(folder / _STATE).get("_indices_files"):
        raise wrong(shown(folder), "has rows chosen by indices", "Save dataset.flatten_indices()")
    return table_of(Parts([_ArrowFile(folder / str(name)) for name in names], title), "hf-dataset")


class _ArrowFile:
    """One Arrow file in stream form, mapped; batches are looked at when asked for.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with arrow_errors(path):
            import pyarrow as pa  # noqa: PLC0415 - only this format needs it

            check_regular(path)
            refuse_packed(path, shown(path))
            reader = pa.ipc.open_stream(pa.memory_map(str(path), "r"))
            self.schema = reader.schema
            self._batches = list(reader)
        self.sizes = [batch.num_rows for batch in self._batches]
        refuse_beyond(sum(self.sizes), shown(path))

    def piece(self, name: str, k: int) -> Any:  # noqa: ANN401 - the library's
        """Return a column of batch k, its offsets checked: a damaged one would be read outside of the file."""
        with arrow_errors(self.path):
            column = self._batches[k].column(name)
            column.validate(full=True)
            return column

    def batches(self, name: str, k: int) -> list[Any]:
        """Return a column of batch k, as the only part of it."""
        return [self.piece(name, k)]

    def texts(self, name: str, k: int) -> list[Any]:
        """Return a column of batch k, as the only part of it."""
        return [self.piece(name, k)]
