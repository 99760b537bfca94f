"""Tensors of weight files under their official names: shapes at once, values only when asked for."""

from __future__ import annotations

import hashlib
import pickle
import pickletools
import re
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from gramcli.encoders.vast.names import Shape, tied_name
from gramcli.encoders.vast.wrappers import Key, tensors_in, unwrap
from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import NotPermittedError, check_regular, open_regular

_FRAMES: Final = "vision_frame_embedding"
_PERCEIVER: Final = "vision_perceiver.vision_frame_embedding"
MOST_UNPACKED: Final = 2**29
"""Bytes that any archive may unpack to."""
MOST_TIMES: Final = 8
"""How many times its size a larger one may unpack to."""
_ZIP: Final = b"PK\x03\x04"
_PICKLE: Final = b"\x80"
_REFUSED: Final = re.compile(r"(?:GLOBAL|[Uu]nsupported class) ([\w.]+)")
_OPERATION: Final = re.compile(r"[Uu]nsupported oper(?:and|ation) (\d+)")
_SAFETENSORS_DTYPES: Final = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


class _File(Protocol):
    """One weight file, opened."""

    def entries(self) -> Mapping[Key, tuple[Shape, torch.dtype]]:
        """Where tensors lie, with shapes and number types."""

    def read(self, key: Key) -> Tensor:
        """One tensor."""

    def check(self, keys: Collection[Key]) -> None:
        """Refuse tensors that are no plain numbers."""

    def release(self) -> None:
        """Let go of what is held open."""

    def verify(self) -> None:
        """Read everything once."""


class WeightFiles:
    """The tensors of a checkpoint, mapped from its files rather than copied.

    Tied tensors, of which a file may hold many copies, are one: the last copy counts, as it does when PyTorch loads
    them one after the other into one parameter.

    Args:
        paths: The weight file or its shards.
        allow_pickle: Whether a file may run code of its own, which only a file you trust should.

    Raises:
        UserError: A file is damaged, holds no tensors, or needs more than tensors to be read.

    Attributes:
        shapes: Shape of every tensor under its official name.
        dtypes: Their number types.
        stored: Their names as the files have them.
        remarks: What was stripped from the names, and what other weights lie beside; one sentence each.
    """

    def __init__(self, paths: Sequence[Path], *, allow_pickle: bool = False) -> None:
        self.shapes: dict[str, Shape] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self.stored: dict[str, str] = {}
        self._where: dict[str, tuple[_File, Key]] = {}
        self._files: list[_File] = [
            _Safetensors(path) if path.suffix.lower() == ".safetensors" else _Torch(path, allow_pickle)
            for path in paths
        ]
        held = {key: (file, *entry) for file in self._files for key, entry in file.entries().items()}
        if not held:
            raise UserError(
                "checkpoint",
                f"{paths[0]} holds no tensors by name (states of optimizers aside); give the weights of a VAST-family "
                "model.",
            )
        found = unwrap({key: shape for key, (_, shape, _) in held.items()}, paths[0])
        self.remarks = found.remarks
        for name, key in found.names:
            file, self.shapes[name], self.dtypes[name] = held[key]
            self.stored[name] = ".".join(key)
            self._where[tied_name(name)] = (file, key)
        for one in self._files:
            one.check({key for _, key in found.names if held[key][0] is one})
        self._take_perceiver()

    def _take_perceiver(self) -> None:
        """Find the frame embeddings where older releases keep them."""
        if _FRAMES not in self.shapes and _PERCEIVER in self.shapes:
            tables: tuple[dict[str, Any], ...] = (self.shapes, self.dtypes, self.stored, self._where)
            for table in tables:
                table[_FRAMES] = table.pop(_PERCEIVER)

    def __contains__(self, name: object) -> bool:
        """Whether a tensor, or one it is tied to, is in the files."""
        return isinstance(name, str) and tied_name(name) in self._where

    def read(self, name: str) -> Tensor:
        """Map a tensor; its values come from the disk when they are used."""
        file, key = self._where[tied_name(name)]
        return file.read(key)

    def verify(self) -> None:
        """Read everything.

        Raises:
            UserError: A file's own checksums do not fit its content, or a tensor holds NaN or infinity; names them.
        """
        for file in self._files:
            file.verify()
        bad = []
        for name in self._where:
            tensor = self.read(name)
            if tensor.is_floating_point() and not _is_finite(tensor):
                bad.append(name)
            del tensor
            self.release()
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise UserError(
                "checkpoint", f"Tensor {bad[0]}{more} holds NaN or infinity; train on, or copy the checkpoint again."
            )

    def release(self) -> None:
        """Let go of the mapped files, so that pages that were read no longer count as memory of this process."""
        for file in self._files:
            file.release()


class _Safetensors:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: Any = None

    def entries(self) -> dict[Key, tuple[Shape, torch.dtype]]:
        """Where tensors lie, with shapes and number types."""
        handle = self._open()
        slices = {key: handle.get_slice(key) for key in handle.keys()}  # noqa: SIM118 - it is no mapping
        return {(key,): (tuple(s.get_shape()), self._dtype(key, s.get_dtype())) for key, s in slices.items()}

    def read(self, key: Key) -> Tensor:
        """One tensor."""
        tensor: Tensor = self._open().get_tensor(*key)
        return tensor

    def check(self, keys: Collection[Key]) -> None:
        """A safetensors file holds nothing else."""

    def release(self) -> None:
        """Let go of what is held open."""
        self._handle = None

    def verify(self) -> None:
        """A safetensors file holds no checksums."""

    def _dtype(self, key: str, name: str) -> torch.dtype:
        if name not in _SAFETENSORS_DTYPES:
            raise UserError("checkpoint", f"{self._path} stores {key} as {name}, which is not read; save it as F32.")
        return _SAFETENSORS_DTYPES[name]

    def _open(self) -> Any:  # noqa: ANN401 - the library's handle
        if self._handle is None:
            try:
                check_regular(self._path)
                self._handle = safe_open(self._path, framework="pt")
            except (SafetensorError, OSError) as error:
                raise _damaged(self._path, error) from error
        return self._handle


class _Torch:
    def __init__(self, path: Path, allow_pickle: bool) -> None:
        self._path, self._allow_pickle = path, allow_pickle
        self._tensors: Mapping[Key, Tensor] | None = None
        self._mapped = False

    def entries(self) -> dict[Key, tuple[Shape, torch.dtype]]:
        """Where tensors lie, with shapes and number types."""
        return {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in self._open().items()}

    def read(self, key: Key) -> Tensor:
        """One tensor."""
        return self._open()[key].detach()

    def release(self) -> None:
        """Let go of what is held open."""
        # What cannot be mapped (files from before PyTorch 1.6, compressed ones) would be read whole once more.
        if self._mapped:
            self._tensors = None

    def verify(self) -> None:
        """Compare the checksums of the archive, which mapping it does not look at."""
        if not zipfile.is_zipfile(self._path):
            return
        try:
            with zipfile.ZipFile(self._path) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
            raise _damaged(self._path, error) from error
        if damaged:
            raise UserError(
                "checkpoint", f"{self._path} is damaged: {damaged} does not have its checksum. Copy it again."
            )

    def check(self, keys: Collection[Key]) -> None:
        """Refuse tensors that are no plain numbers, or more of them than the file stores.

        Raises:
            UserError: One is so; names it.
        """
        tensors = {".".join(key): tensor for key, tensor in self._open().items() if key in keys}
        if odd := [key for key, tensor in tensors.items() if not _is_plain(tensor)]:
            kind = f"{tensors[odd[0]].layout} {tensors[odd[0]].dtype}".replace("torch.", "")
            raise UserError("checkpoint", f"{self._path} holds {odd[0]} as {kind}; save plain dense real tensors.")
        if swollen := [key for key, tensor in tensors.items() if not _is_stored(tensor)]:
            raise UserError(
                "checkpoint",
                f"{self._path}: {swollen[0]} has more numbers than the file stores (an expanded view); save a "
                "contiguous copy.",
            )

    def _open(self) -> Mapping[Key, Tensor]:
        if self._tensors is None:
            self._tensors = tensors_in(self._load())
        return self._tensors

    def _load(self) -> Any:  # noqa: ANN401 - whatever was saved
        path, safe = self._path, not self._allow_pickle
        _check_unpacked(path)
        try:
            with open_regular(path) as file:
                self._mapped = file.read(4) == _ZIP and not _is_compressed(path)
            with warnings.catch_warnings(action="ignore"):  # of a pickle's protocol: what matters is said below
                return torch.load(path, map_location="cpu", weights_only=safe, mmap=self._mapped)
        except NotPermittedError:
            raise
        except Exception as error:  # a damaged pickle can end in any error at all
            refused = safe and isinstance(error, pickle.UnpicklingError) and _is_torch_file(path)
            if refused and (wants := _more_than_tensors(error)):
                raise UserError(
                    "checkpoint",
                    f"{path} holds more than tensors: {wants}. Save its state_dict alone, or pass --allow-pickle if "
                    "you trust whoever made it, for such a file can run any code.",
                ) from error
            raise _damaged(path, error) from error


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_complex() or tensor.is_meta)


def _is_finite(tensor: Tensor) -> bool:
    wide = tensor if tensor.element_size() > 1 else tensor.float()  # torch has no such question for 8 bits
    return bool(torch.isfinite(wide).all())


def _is_stored(tensor: Tensor) -> bool:
    """Whether every number of a tensor has a place of its own; others could fill any memory from a few bytes."""
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _check_unpacked(path: Path) -> None:
    """Refuse an archive that unpacks to far more than it holds: a few megabytes of it could fill any memory.

    Raises:
        UserError: It does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked, held = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # no archive: reading it says so
    if unpacked > MOST_UNPACKED and unpacked > MOST_TIMES * held:
        raise UserError(
            "checkpoint",
            f"{path} unpacks to {unpacked / 2**30:.1f} GiB, {unpacked // max(held, 1):,} times its size; beyond "
            f"{MOST_UNPACKED >> 20} MiB at most {MOST_TIMES} times are read. If you trust it, save it again with "
            "torch.save, which does not compress.",
        )


def _is_torch_file(path: Path) -> bool:
    """Whether a file begins as torch.save or pickle write it: only then can trust in it be of use."""
    with open_regular(path) as file:
        return file.read(4).startswith((_ZIP, _PICKLE))


def _is_compressed(path: Path) -> bool:
    """Whether an archive was packed again: mapped, compressed bytes would be taken for numbers."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, reading it in pieces."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dtype_name(dtype: torch.dtype) -> str:
    """Name a number type as it is written: `float32`."""
    return str(dtype).removeprefix("torch.")


def dtype_counts(dtypes: Iterable[torch.dtype]) -> dict[str, int]:
    """Count tensors by the name of their number type."""
    names = [dtype_name(dtype) for dtype in dtypes]
    return {name: names.count(name) for name in sorted(set(names))}


def _more_than_tensors(error: Exception) -> str:
    """What a pickle wants that tensors do not need, or nothing where it is simply no pickle."""
    if refused := _REFUSED.search(str(error)):
        return f"it wants to run {refused.group(1)}"
    operation = _OPERATION.search(str(error))
    known = pickletools.code2op.get(chr(int(operation.group(1)))) if operation else None  # type: ignore[attr-defined]
    return f"its pickle wants {known.name}, which no state_dict does" if known else ""


def _damaged(path: Path, error: Exception) -> UserError:
    if path.is_file() and path.stat().st_size == 0:
        return UserError("checkpoint", f"{path} is empty; download or copy the weights again.")
    refuse_pointer(path, "checkpoint")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, pickle.UnpicklingError):
        reason = "it is no PyTorch file"
    return UserError(
        "checkpoint",
        f"{path} cannot be read as weights ({reason[:120]}): it is damaged, cut off, or no weight file at all. "
        "Download or copy it again.",
    )
