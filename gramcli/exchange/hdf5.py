"""HDF5 files: opened so that nothing outside of them is followed, and read row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.errors import UserError
from gramcli.exchange.arrays import refuse_beyond, runs
from gramcli.exchange.base import MOST_ITEM_BYTES, needs_package, wrong
from gramcli.exchange.text_room import TextRoom
from gramcli.files.reading import check_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_DEEPEST: Final = 5
_MOST_OBJECTS: Final = 1_000_000
_MOST_RATIO: Final = 300
_SMALL: Final = 64 * 2**20
_TEXT_LIMIT: Final = 64 * 2**20  # bytes of texts that are read at a time
_TEXTS_AT_ONCE: Final = 4096
_FEW: Final = 64
_LONG_RUN: Final = 2**20  # bytes; to ask for less costs more than to copy it
_LONGEST_FILL: Final = 4096


@contextmanager
def hdf5_errors(path: Path) -> Iterator[None]:
    """Turn what the library raises into a sentence.

    Raises:
        UserError: The block failed in the library.
    """
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise needs_package("h5py", shown(path)) from error
    except Exception as error:  # damaged files end in any of its errors
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise wrong(shown(path), f"cannot be read by h5py ({text})") from error


def opened(path: Path) -> Any:  # noqa: ANN401 - the library's
    """Open an HDF5 file for reading.

    Raises:
        UserError: It is damaged, or h5py is not installed.
    """
    with hdf5_errors(path):
        import h5py  # noqa: PLC0415 - only this format needs it

        check_regular(path)
        return h5py.File(path, "r", locking=False)


def tree_of(path: Path) -> dict[str, Any]:
    """Return what a file holds: groups as dictionaries, arrays as rows, texts as lists.

    Raises:
        UserError: It has links, data in other files, objects, more than a file of features; or is damaged.
    """
    with hdf5_errors(path):
        return _Walk(path).group(opened(path), "", 0)


class _Walk:
    """Goes through the groups of a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen, self._room = path, 0, TextRoom()
        self._texts: dict[int, Any] = {}
        self._declared = self._stored = 0

    def group(self, group: Any, name: str, depth: int) -> dict[str, Any]:  # noqa: ANN401 - the library's
        """Return what a group holds.

        Raises:
            UserError: As `tree_of`.
        """
        import h5py  # noqa: PLC0415 - as above

        if depth > _DEEPEST:
            raise wrong(shown(self._path), f"has groups more than {_DEEPEST} deep, or in a ring")
        found: dict[str, Any] = {}
        for key in group:
            self._seen += 1
            where = f"{shown(self._path)}, {name}{key}"
            if self._seen > _MOST_OBJECTS:
                raise wrong(shown(self._path), f"holds more than {_MOST_OBJECTS:,} objects")
            check_link(group.get(key, getlink=True), where)
            held = group[key]
            if isinstance(held, h5py.Group):
                found[key] = self.group(held, f"{name}{key}/", depth + 1)
            elif isinstance(held, h5py.Dataset):
                found[key] = self._value(held, where)
        return found

    def _value(self, dataset: Any, where: str) -> Any:  # noqa: ANN401 - the library's
        """Rows, or texts, which are read once whatever number of names they have."""
        place = int(_address(dataset))
        if place in self._texts:
            return self._texts[place]
        found = value_of(dataset, self._path, where, self._room)
        if not isinstance(found, DatasetRows):
            self._texts[place] = found
            return found
        self._declared += prod(dataset.shape) * dataset.dtype.itemsize
        self._stored += dataset.id.get_storage_size()
        if self._declared > _SMALL and self._declared > _MOST_RATIO * max(1, self._stored):
            said = f"declares {self._declared:,} bytes in {self._seen:,} objects and stores {self._stored:,}"
            raise wrong(shown(self._path), f"{said}, as no features do")
        return found


def _address(dataset: Any) -> int:  # noqa: ANN401 - the library's
    """Where a dataset lies in its file: the same under each of its names."""
    import h5py  # noqa: PLC0415 - as above

    return int(h5py.h5o.get_info(dataset.id).addr)


def check_link(link: Any, where: str) -> None:  # noqa: ANN401 - the library's
    """Refuse what leads elsewhere.

    Raises:
        UserError: It is an external or a soft link.
    """
    import h5py  # noqa: PLC0415 - as above

    if isinstance(link, h5py.ExternalLink):
        raise wrong(where, f"is a link to another file, {link.filename!r}, which is not followed", "Copy its data")
    if isinstance(link, h5py.SoftLink):
        raise wrong(where, f"is a link to {link.path!r}, which is not followed", "Copy its data")


def value_of(dataset: Any, path: Path, where: str, room: TextRoom | None = None) -> Any:  # noqa: ANN401 - rows, or texts
    """Return the rows of a dataset, or its texts.

    Raises:
        UserError: Its data lie in other files, are objects, or are more than the file can hold.
    """
    import h5py  # noqa: PLC0415 - as above

    if dataset.is_virtual or dataset.external:
        raise wrong(where, "has its data in other files, which are not read", "Copy them into this file")
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return _texts(dataset, where, room or TextRoom())
    if dataset.dtype.kind not in "fiub" or dataset.dtype.subdtype is not None:
        raise wrong(where, f"holds objects ({dataset.dtype}), which only a pickle or a pointer can be", "Save numbers")
    if dataset.shape is None:
        return []
    size = prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if size > _SMALL and size > _MOST_RATIO * max(1, stored):
        raise wrong(where, f"declares {size:,} bytes ({list(dataset.shape)}) and stores {stored:,}, as no features do")
    if dataset.chunks and prod(dataset.chunks) * dataset.dtype.itemsize > MOST_ITEM_BYTES:
        raise wrong(where, f"has chunks of {list(dataset.chunks)}, each of which is read whole", "Write smaller chunks")
    return DatasetRows(dataset, path, where)


def _texts(dataset: Any, where: str, room: TextRoom) -> list[Any]:  # noqa: ANN401 - the library's
    n, width = prod(dataset.shape or ()), dataset.dtype.itemsize
    refuse_beyond(n, where)
    fixed = dataset.dtype.kind == "S"
    if fixed:
        room.take(n, n * width, where)
    elif len(dataset.fillvalue or b"") > _LONGEST_FILL:
        raise wrong(where, f"fills what was not written with a text of {len(dataset.fillvalue):,} bytes")
    found: list[str] = []
    for piece in _pieces(dataset, fixed=fixed):
        flat = np.asarray(piece, dtype=object).reshape(-1).tolist()
        if not fixed:
            room.take(len(flat), sum(map(len, flat)), where)
        found += [one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else str(one) for one in flat]
    row = prod(dataset.shape[1:]) if dataset.shape else 1
    return found if row < 2 else [found[k : k + row] for k in range(0, len(found), row)]


def _pieces(dataset: Any, *, fixed: bool) -> Iterator[Any]:  # noqa: ANN401 - the library's
    """The texts of a dataset, some at a time: one of variable length may be as long as all of its file."""
    if not dataset.shape:
        yield dataset[()]
        return
    longest = dataset.dtype.itemsize if fixed else dataset.file.id.get_filesize()
    most = min(_TEXTS_AT_ONCE, max(_FEW, _TEXT_LIMIT // max(1, longest)))
    step = max(1, most // max(1, prod(dataset.shape[1:])))
    for start in range(0, dataset.shape[0], step):
        yield dataset[start : start + step]


class DatasetRows:
    """Rows of a dataset, opened when asked for: a file may hold one for each of many items.

    Args:
        dataset: The library's.
        path: Of the file, for messages.
        where: File and name, for messages.
    """

    def __init__(self, dataset: Any, path: Path, where: str) -> None:  # noqa: ANN401 - the library's
        self._file, self._name, self._path, self._where = dataset.file, dataset.name, path, where
        shape = dataset.shape or (1,)
        self.n, self.inner, self.dtype = (
            int(shape[0]),
            tuple(int(one) for one in shape[1:]),
            str(dataset.dtype.newbyteorder("=")),
        )

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows: one reading for each run of neighbours."""
        with hdf5_errors(self._path):
            dataset = self._file[self._name]
            if not dataset.shape:
                single: NDArray[Any] = np.asarray(dataset[()]).reshape(1)
                return single
            found = np.empty((len(positions), *self.inner), dataset.dtype)
            for start, stop in runs(positions):
                first, some = int(positions[start]), found[start:stop]
                if some.nbytes < _LONG_RUN:
                    some[...] = dataset[first : first + stop - start]
                else:  # into its place: no second array, and no copy from it
                    dataset.read_direct(some, np.s_[first : first + stop - start])
            return found


def array_of(path: Path, name: str) -> NDArray[Any]:
    """Return one dataset of a file, whole; the file is closed again.

    Raises:
        UserError: It is larger than one item may be, or as `value_of`.
    """
    with hdf5_errors(path), opened(path) as file:
        where = f"{shown(path)}, {name}"
        check_link(file.get(name, getlink=True), where)
        rows = value_of(file[name], path, where)
        if not hasattr(rows, "read"):
            raise wrong(where, "holds no numbers")
        if prod((rows.n, *rows.inner)) * file[name].dtype.itemsize > MOST_ITEM_BYTES:
            raise wrong(where, f"declares {[rows.n, *rows.inner]} numbers for one item")
        return np.asarray(rows.read(np.arange(rows.n)))


def is_tree(value: object) -> bool:
    """Whether a value is a group."""
    return isinstance(value, Mapping)
