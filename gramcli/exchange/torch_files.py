"""Tensors of .pt and .pth files: loaded with `weights_only`, mapped where the file allows, never run."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import torch

from gramcli.errors import UserError
from gramcli.exchange.base import texts_as_keys, wrong
from gramcli.exchange.values import Listed
from gramcli.files.pickled_keys import check_holdings
from gramcli.files.pickles import UnsafePickleError
from gramcli.files.reading import LARGE, check_regular, open_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_DEEPEST: Final = 4


class TensorRows:
    """Rows of a tensor, in memory or mapped from its file."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor if tensor.dim() else tensor.reshape(1)
        self.n, self.inner = self._tensor.shape[0], tuple(self._tensor.shape[1:])
        self.dtype = str(tensor.dtype).removeprefix("torch.")

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows; bfloat16 as float32."""
        found = self._tensor[torch.from_numpy(np.ascontiguousarray(positions, dtype=np.int64))]
        return (found.float() if found.dtype == torch.bfloat16 else found).numpy()


def torch_values(path: Path) -> dict[str, Any]:
    """Return what a .pt file holds, by key: tensors, lists of texts, dictionaries of them.

    Raises:
        UserError: It is damaged, compressed, or holds more than tensors and plain values, which are not run.
    """
    found = _loaded(path)
    if isinstance(found, torch.Tensor):
        return {"": _value(found, shown(path), 0)}
    if not isinstance(found, Mapping):
        raise wrong(shown(path), f"holds a {type(found).__name__}", "Save a tensor, or a dictionary of tensors")
    keyed = texts_as_keys(found.items(), shown(path))
    return {key: _value(value, f"{shown(path)}, {key}", 0) for key, value in keyed.items()}


def tensor_of(data: bytes, source: str) -> NDArray[Any]:
    """Return the one tensor of a .pth file that is in memory.

    Raises:
        UserError: It is damaged, or holds anything else.
    """
    try:
        if data.startswith(b"PK"):
            _check_stored(io.BytesIO(data), source)
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # as below
        raise _refused(source, error) from error
    if not isinstance(found, torch.Tensor):
        raise wrong(source, f"holds a {type(found).__name__}, not a tensor", "Save one tensor for each item")
    rows = _value(found, source, 0)
    return np.asarray(rows.read(np.arange(rows.n)))


def _loaded(path: Path) -> Any:  # noqa: ANN401 - whatever was saved
    try:
        check_regular(path)
        with open_regular(path) as file:
            zipped = file.read(2) == b"PK"
        if zipped:
            with open_regular(path) as file:
                _check_stored(file, shown(path))
        elif path.stat().st_size > LARGE:
            raise wrong(shown(path), "is of torch's old form and too large to be held", "Save it again with torch 1.6+")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can end in any error at all
        raise _refused(shown(path), error) from error


def _check_stored(file: IO[bytes], source: str) -> None:
    """Refuse archives that unpack to more than they have: torch unpacks them whole, and runs their pickle.

    Raises:
        UserError: It is packed, or its pickle holds too much.
    """
    with zipfile.ZipFile(file) as archive:
        if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
            raise wrong(source, "is compressed, as torch.save writes no file", "Save it again")
        for name in archive.namelist():
            if name.endswith("data.pkl"):
                try:
                    check_holdings(archive.read(name))
                except UnsafePickleError as error:
                    raise wrong(source, f"is not read: {error}", "Save tensors alone") from error


def _refused(source: str, error: Exception) -> UserError:
    text = str(error)
    if isinstance(error, pickle.UnpicklingError) and (found := _named_global(text)):
        return wrong(
            source,
            f"names the code {found}, which is not run",
            "Save tensors alone: torch.save({'video': x}, FILE)",
        )
    why = text.splitlines()[0][:200] if text else type(error).__name__
    if "weights_only" in why:  # torch's advice to run what the file names
        return wrong(source, "holds more than tensors and plain values", "Save tensors alone")
    return wrong(source, f"cannot be read ({why})")


def _named_global(text: str) -> str | None:
    found = re.search(r"(?:GLOBAL|Unsupported global: GLOBAL|class|type|function)\s+['\"`]?([\w.]+\.[\w]+)", text)
    return found[1] if found else None


def _value(value: Any, source: str, depth: int) -> Any:  # noqa: ANN401 - as the file has it
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
            raise wrong(source, "is no plain tensor (sparse, quantised, complex or without data)", "Save x.to_dense()")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise wrong(source, f"declares {list(value.shape)} numbers and stores fewer", "Save x.clone()")
        return TensorRows(value.detach())
    if isinstance(value, Mapping) and depth < _DEEPEST:
        keyed = texts_as_keys(value.items(), source)
        return {key: _value(one, f"{source}, {key}", depth + 1) for key, one in keyed.items()}
    if isinstance(value, list | tuple) and value and all(isinstance(one, torch.Tensor) for one in value):
        return Listed({str(k): _value(one, f"{source}, {k}", depth + 1) for k, one in enumerate(value)})
    return list(value) if isinstance(value, list | tuple) else value
