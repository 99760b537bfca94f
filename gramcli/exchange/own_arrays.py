"""The arrays of an export of ours, read a shard at a time: .npz, .safetensors and .h5."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.exchange.base import needs_package
from gramcli.exchange.export_layout import ITEMS, MARK
from gramcli.files.reading import check_regular, open_regular

LARGEST_BLOB: Final = 2**30
_MOST_RATIO: Final = 64  # items do not compress so well
_SMALL: Final = 64 * 2**20
_TYPES: Final[dict[str, np.dtype[Any]]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8"), "U8": np.dtype("u1")}


class Arrays(Protocol):
    """Arrays by name, read forward."""

    def kind(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
        """Type and shape; None where there is no such array."""

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some rows; of one array they are asked for in order, without a gap."""


def unusable(path: Path, why: object) -> UserError:
    """The error of an export that cannot be read; raising it is the caller's part."""
    said = " ".join(str(why).split()).rstrip(".")[:200]
    return UserError("input", f"{path} is no whole export of gram: {said}. Export the store again.")


@contextmanager
def open_arrays(path: Path) -> Iterator[Arrays | None]:
    """Open a file of arrays.

    Args:
        path: The file.

    Yields:
        Its arrays; None where it is no such file, or not ours.

    Raises:
        UserError: It is damaged, or its package is not installed.
    """
    with ExitStack() as stack:
        opener = _opener(path)
        found: Any = None if opener is None else stack.enter_context(opener(path))
        yield found if found is not None and found.kind(MARK) is not None else None


def blob(arrays: Arrays, name: str, path: Path) -> bytes:
    """The bytes of a description.

    Raises:
        UserError: There is none, or it is no row of bytes of a size that the file accounts for.
    """
    kind = arrays.kind(name)
    if kind is None or kind[0] != np.dtype("u1") or len(kind[1]) != 1:
        raise unusable(path, f"'{name}' is missing or no text")
    most = min(LARGEST_BLOB, 2**20 + _MOST_RATIO * path.stat().st_size)
    if not 0 <= kind[1][0] <= most:
        raise unusable(path, f"'{name}' declares {kind[1][0]:,} bytes, more than the {most:,} it may have")
    return arrays.read(name, 0, kind[1][0]).tobytes()


def _opener(path: Path) -> Callable[[Path], Any] | None:
    """Which reader a file needs, by how it begins."""
    with open_regular(path) as file:
        head = file.read(16)
    if head.startswith(b"PK\x03\x04"):
        return _npz
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _h5
    return _safetensors if head[8:9] == b"{" else None


class _Npz:
    """Members of a zip archive, each a .npy file, read forward."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, stack: ExitStack) -> None:
        self._path, self._archive, self._stack = path, archive, stack
        self._open: dict[str, tuple[IO[bytes], np.dtype[Any], tuple[int, ...]]] = {}
        self._at: dict[str, int] = {}

    def kind(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
        """Type and shape."""
        member = self._member(name)
        return None if member is None else (member[1], member[2])

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some rows, in order."""
        member = self._member(name)
        if member is None or self._at.get(name, 0) != start:
            raise unusable(self._path, f"'{name}' is missing or is not read in order")
        stream, dtype, shape = member
        size = (stop - start) * prod(shape[1:]) * dtype.itemsize
        data = _exactly(self._path, name, stream, size)
        self._at[name] = stop
        return np.frombuffer(data, dtype).reshape(stop - start, *shape[1:])

    def _member(self, name: str) -> tuple[IO[bytes], np.dtype[Any], tuple[int, ...]] | None:
        if name not in self._open:
            try:
                info = self._archive.getinfo(f"{name}.npy")
            except KeyError:
                return None
            _check_packed(self._path, name, info.file_size, info.compress_size)
            stream = self._stack.enter_context(self._archive.open(info))
            version = np.lib.format.read_magic(stream)
            reader: Any = getattr(np.lib.format, f"read_array_header_{version[0]}_0", None)
            shape, fortran, dtype = reader(stream)
            if fortran and len(shape) > 1:
                raise unusable(self._path, f"'{name}' is stored by columns")
            self._open[name] = stream, dtype, shape
        return self._open[name]


def _check_packed(path: Path, name: str, size: int, stored: int) -> None:
    """Refuse an array that is more than what is stored of it: gram packs none, and others hardly can.

    Raises:
        UserError: It is.
    """
    described = name in (MARK, ITEMS)  # `blob` has a bound of its own for them
    if not described and size > _SMALL and size > _MOST_RATIO * max(1, stored):
        raise unusable(path, f"'{name}' unpacks {stored:,} bytes to {size:,}, as no features do")


def _exactly(path: Path, name: str, stream: IO[bytes], size: int) -> bytes:
    parts, left = [], size
    while left and (part := stream.read(min(left, 2**24))):
        parts.append(part)
        left -= len(part)
    if left:
        raise unusable(path, f"'{name}' ends early")
    return b"".join(parts)


@contextmanager
def _npz(path: Path) -> Iterator[Arrays]:
    with open_regular(path) as file, ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            yield _Npz(path, archive, stack)
        except (zipfile.BadZipFile, zlib.error, ValueError, TypeError, EOFError, RuntimeError) as error:
            raise unusable(path, error) from error


class _Safetensors:
    """Tensors read where they lie: a mapped file would count as memory."""

    def __init__(self, path: Path, file: IO[bytes], header: dict[str, Any], start: int) -> None:
        self._path, self._file, self._header, self._start = path, file, header, start

    def kind(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
        """Type and shape."""
        found = self._header.get(name)
        if found is None:
            return None
        dtype: np.dtype[Any] = _TYPES.get(found["dtype"], np.dtype("V1"))
        return dtype, tuple(found["shape"])

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some rows."""
        kind = self.kind(name)
        if kind is None:
            raise unusable(self._path, f"'{name}' is missing")
        row = prod(kind[1][1:]) * kind[0].itemsize
        self._file.seek(self._start + self._header[name]["data_offsets"][0] + start * row)
        data = _exactly(self._path, name, self._file, (stop - start) * row)
        return np.frombuffer(data, kind[0]).reshape(stop - start, *kind[1][1:])


@contextmanager
def _safetensors(path: Path) -> Iterator[Arrays | None]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - one format

    check_regular(path)
    try:
        with safe_open(path, framework="np"):  # checks that every tensor lies in the file and has its size
            pass
    except SafetensorError as error:
        raise unusable(path, error) from error
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        yield _Safetensors(path, file, json.loads(file.read(length)), 8 + length)


class _H5:
    """Datasets of the root that lie in the file itself: links and external storage are not followed."""

    def __init__(self, path: Path, root: Any, h5py: Any) -> None:  # noqa: ANN401 - the library's
        self._path, self._root, self._h5py = path, root, h5py

    def kind(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]] | None:
        """Type and shape."""
        dataset = self._dataset(name)
        if dataset is None:
            return None
        stored = dataset.id.get_storage_size()
        _check_packed(self._path, name, prod(dataset.shape or ()) * dataset.dtype.itemsize, stored)
        return dataset.dtype, tuple(dataset.shape)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some rows."""
        found: NDArray[Any] = self._dataset(name)[start:stop]
        return found

    def _dataset(self, name: str) -> Any:  # noqa: ANN401 - the library's
        link = self._root.get(name, getlink=True)
        if link is None:
            return None
        plain = isinstance(link, self._h5py.HardLink) and isinstance(self._root[name], self._h5py.Dataset)
        if not plain or self._root[name].is_virtual or self._root[name].external:
            raise unusable(self._path, f"'{name}' does not lie in the file")
        return self._root[name]


@contextmanager
def _h5(path: Path) -> Iterator[Arrays | None]:
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError:
        raise needs_package("h5py", str(path)) from None
    check_regular(path)
    try:
        with h5py.File(path, "r") as root:
            yield _H5(path, root, h5py)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise unusable(path, error) from error
