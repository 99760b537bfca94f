"""Weight files of a model's folder: which there are, and what their headers say, before anything is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import open_regular

WHOLE: Final = "model.safetensors"
ADAPTER: Final = "adapter_config.json"
INDEX: Final = "model.safetensors.index.json"
PICKLED: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_SHARD: Final = re.compile(r"[\w.-]+\.safetensors")
_LARGEST_HEADER: Final = 10**8  # as the format has it
_REMEDY: Final = "Download the model again."
_BITS: Final = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8}


@dataclass(frozen=True)
class Weights:
    """The weights of a model.

    Attributes:
        files: The weight file, or all its shards.
        pickled: Whether they are pickles, of which nothing is known before they are loaded.
        numbers: Parameters by number type, from the headers; empty of pickles.
    """

    files: tuple[Path, ...]
    pickled: bool
    numbers: Mapping[str, int]

    @property
    def parameters(self) -> int:
        """How many floating-point numbers they hold."""
        return sum(self.numbers.values())


def find_weights(folder: Path, *, allow_pickle: bool = False) -> Weights:
    """Find the weights of a model and read their headers.

    Args:
        folder: Of the model.
        allow_pickle: Whether pickled weights may be used, which can run code.

    Returns:
        The weights; safetensors where there are both.

    Raises:
        UserError: There are none, only pickled ones, or they are damaged.
    """
    if (folder / ADAPTER).is_file():  # which transformers would apply unasked where peft is installed
        raise UserError(
            "checkpoint",
            f"{folder} holds {ADAPTER}, an adapter of a model. Merge the two with peft (merge_and_unload), save the "
            "whole, and give that folder; or take the file away to use the model without it.",
        )
    if (folder / WHOLE).is_file():  # the order in which transformers looks
        files: tuple[Path, ...] = (folder / WHOLE,)
    elif (folder / INDEX).is_file():
        files = _shards(folder)
    else:
        return _pickled(folder, allow_pickle=allow_pickle)
    numbers: dict[str, int] = {}
    for path in files:
        for kind, count in _header_numbers(path).items():
            numbers[kind] = numbers.get(kind, 0) + count
    return Weights(files, False, numbers)


def _shards(folder: Path) -> tuple[Path, ...]:
    from gramcli.encoders.huggingface.source import read_object  # noqa: PLC0415 - it reads weights through us

    named = read_object(folder / INDEX).get("weight_map")
    names = sorted(set(map(str, named.values()))) if isinstance(named, dict) else []
    if not names or not all(_SHARD.fullmatch(name) for name in names):
        raise UserError("checkpoint", f"{folder / INDEX} does not say which files hold the weights. {_REMEDY}")
    files = tuple(folder / name for name in names)
    if lost := [path.name for path in files if not path.is_file()]:
        raise UserError("checkpoint", f"{folder} lacks {lost[0]}, one of {len(names)} weight files. {_REMEDY}")
    return files


def _pickled(folder: Path, *, allow_pickle: bool) -> Weights:
    found = tuple(folder / name for name in PICKLED if (folder / name).is_file())
    if found and allow_pickle:
        return Weights(found[:1], True, {})
    if found:
        raise UserError(
            "checkpoint",
            f"{folder} has its weights only as {found[0].name}, a pickle, which can run code. Give a revision with "
            f"{WHOLE}, or use --allow-pickle if you trust it.",
        )
    others = sorted(path.name for path in folder.glob("*.safetensors"))[:1]
    beside = f"; {others[0]} is not the file of transformers" if others else ""
    raise UserError("checkpoint", f"{folder} has no weights: no {WHOLE}{beside}. {_REMEDY}")


def _header_numbers(path: Path) -> dict[str, int]:
    """Count the floating-point numbers of a safetensors file by type, and hold its length against its header."""
    try:
        entries, length = _header(path)
        found: dict[str, int] = {}
        end = 0
        for name, entry in entries.items():
            if name == "__metadata__":
                continue
            end = max(end, int(entry["data_offsets"][1]))
            if entry["dtype"] in _BITS:
                found[entry["dtype"]] = found.get(entry["dtype"], 0) + prod(map(int, entry["shape"]))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        refuse_pointer(path, "checkpoint")
        raise UserError("checkpoint", f"{path} is no safetensors file that can be read. {_REMEDY}") from error
    except OSError as error:
        raise UserError("checkpoint", f"{path} cannot be read: {error.strerror or error}.") from error
    if end != length:
        raise UserError("checkpoint", f"{path} is cut off or damaged: {length:,} bytes of {end:,}. {_REMEDY}")
    return found


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Entries of the header, and bytes behind it."""
    with open_regular(path) as file:
        size = int.from_bytes(file.read(8), "little")
        whole = path.stat().st_size
        if not 0 < size <= min(_LARGEST_HEADER, whole - 8):
            raise ValueError("no header")
        entries = json.loads(file.read(size))
    if not isinstance(entries, dict):
        raise TypeError("no object")
    return entries, whole - 8 - size
