"""Rows in memory, in files of fixed layout, in streams, or one array for each item; and headers of NumPy's files."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.base import MOST_ITEM_BYTES, MOST_ITEMS, wrong
from gramcli.files.reading import open_regular

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.exchange.base import Rows

NPY: Final = b"\x93NUMPY"
BF16: Final = "bfloat16"
_HEADER_LIMIT: Final = 10_000
_SKIP: Final = 2**20


@dataclass(frozen=True)
class Layout:
    """What a header says of an array.

    Attributes:
        shape: Of the whole array.
        dtype: Of its numbers; bfloat16 stands as uint16.
        fortran: Whether the first axis runs fastest.
        bf16: Whether the numbers are bfloat16.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False
    bf16: bool = False

    @property
    def name(self) -> str:
        """The number type, as people write it."""
        return BF16 if self.bf16 else str(self.dtype.newbyteorder("="))

    @property
    def nbytes(self) -> int:
        """Bytes of the whole array, by Python's integers, which do not overflow."""
        return prod(self.shape) * self.dtype.itemsize


def checked_layout(layout: Layout, source: object) -> Layout:
    """Refuse arrays that no features can be: of objects, negative, or of any number of rows that need no bytes.

    Raises:
        UserError: It is so.
    """
    if layout.dtype.hasobject:
        raise wrong(source, "is an array of Python objects, which only a pickle can hold", "Save it as numbers")
    if layout.dtype.fields is not None or layout.dtype.subdtype is not None:
        raise wrong(source, f"is an array of records ({layout.dtype})", "Save one array of numbers per modality")
    if any(size < 0 for size in layout.shape):
        raise wrong(source, f"has the shape {list(layout.shape)}, which no array has")
    if not layout.dtype.itemsize or (0 in layout.shape[1:] and max(layout.shape) > MOST_ITEMS):
        raise wrong(source, f"declares {list(layout.shape)} values of no bytes ({layout.dtype}), which hold nothing")
    return layout


def read_npy_header(file: IO[bytes], source: object) -> Layout:
    """Read the header of an .npy file; the file stands at its first number then.

    Raises:
        UserError: It is damaged, or no features.
    """
    try:
        version = np.lib.format.read_magic(file)
        reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = reader(file, max_header_size=_HEADER_LIMIT)
    except Exception as error:  # the header is a Python literal, and can fail in any way
        raise wrong(source, "has a damaged header of an .npy file", "Save it again with numpy.save") from error
    sizes = tuple(int(size) for size in shape)
    return checked_layout(Layout(sizes, dtype, bool(fortran)), source)


def refuse_beyond(n: int, source: object) -> None:
    """Refuse more rows than an import can hold the ids of.

    Raises:
        UserError: There are more.
    """
    if n > MOST_ITEMS:
        raise wrong(source, f"has {n:,} rows; one import takes {MOST_ITEMS:,}", "Split it")


class ArrayRows:
    """Rows that are in memory already.

    Args:
        array: [n, ...].
    """

    def __init__(self, array: NDArray[Any], dtype: str | None = None) -> None:
        self._array = array
        self.n, self.inner = len(array), tuple(array.shape[1:])
        self.dtype = dtype or str(array.dtype.newbyteorder("="))

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows."""
        found: NDArray[Any] = self._array[positions]
        return found


class FileRows:
    """Rows of fixed size in a file, read by place: no more of it is in memory than was asked for.

    Args:
        path: The file.
        offset: Where the first number stands.
        layout: Shape and number type.
        source: For messages.
    """

    def __init__(self, path: Path, offset: int, layout: Layout, source: object) -> None:
        self._path, self._offset, self._layout, self._source = path, offset, layout, source
        self._check()
        self.n, self.inner, self.dtype = layout.shape[0], layout.shape[1:], layout.name
        self._handle: IO[bytes] | None = None

    def _check(self) -> None:
        layout = self._layout
        if not layout.shape:
            raise wrong(self._source, "is a single number, not rows")
        size = self._path.stat().st_size
        if self._offset + layout.nbytes > size:
            said = f"declares {layout.nbytes:,} bytes of numbers ({list(layout.shape)} {layout.name})"
            raise wrong(self._source, f"{said}, and the file has {max(0, size - self._offset):,}")
        if layout.fortran and len(layout.shape) > 1 and layout.nbytes > MOST_ITEM_BYTES:
            remedy = "Save it again with numpy.save(FILE, numpy.ascontiguousarray(x))"
            raise wrong(self._source, "lies column by column, which cannot be read row by row", remedy)

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows: one reading for each run of neighbours."""
        layout = self._layout
        row = prod(layout.shape[1:]) * layout.dtype.itemsize
        if layout.fortran and len(layout.shape) > 1:
            taken: NDArray[Any] = self._columns()[positions]
            return taken
        found = np.empty((len(positions), *layout.shape[1:]), layout.dtype)
        flat: Any = found.reshape(-1).view(np.uint8)
        view = memoryview(flat)
        for start, stop in runs(positions):
            self._fill(view[start * row : stop * row], self._offset + int(positions[start]) * row)
        return widened(found) if layout.bf16 else found

    def _columns(self) -> NDArray[Any]:
        data = bytearray(self._layout.nbytes)
        self._fill(memoryview(data), self._offset)
        return np.frombuffer(data, self._layout.dtype).reshape(self._layout.shape, order="F")

    def _fill(self, view: memoryview, place: int) -> None:
        with open_regular(self._path) as file:
            done = 0
            while done < len(view):
                got = os.preadv(file.fileno(), [view[done : done + 2**30]], place + done)
                if got == 0:
                    raise wrong(self._source, "ends early: it changed while it was read")
                done += got


class StreamRows:
    """Rows of fixed size in a stream that only goes on, such as a compressed member of an archive.

    Args:
        begin: Opens the stream at its first number.
        layout: Shape and number type.
        source: For messages.
    """

    def __init__(self, begin: Callable[[], IO[bytes]], layout: Layout, source: object) -> None:
        if not layout.shape:
            raise wrong(source, "is a single number, not rows")
        self._by_columns = layout.fortran and len(layout.shape) > 1
        if self._by_columns and layout.nbytes > MOST_ITEM_BYTES:
            raise wrong(source, "lies column by column", "Save numpy.ascontiguousarray of it")
        self._begin, self._layout, self._source = begin, layout, source
        self.n, self.inner, self.dtype = layout.shape[0], layout.shape[1:], layout.name
        self._stream: IO[bytes] | None = None
        self._next = 0

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows; going back begins the stream anew, as every reading of what lies by columns does."""
        if self._by_columns:
            whole = np.frombuffer(self._whole(), self._layout.dtype).reshape(self._layout.shape, order="F")
            taken: NDArray[Any] = whole[positions]
            return taken
        parts = [self._run(int(positions[start]), stop - start) for start, stop in runs(positions)]
        shape = (len(positions), *self._layout.shape[1:])
        found = np.frombuffer(b"".join(parts), self._layout.dtype).reshape(shape)
        return widened(found) if self._layout.bf16 else found

    def _whole(self) -> bytes:
        self._restart()
        data = self._take(self._layout.nbytes, keep=True)
        self._next = self.n
        return data

    def _restart(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._next = self._begin(), 0

    def _run(self, first: int, count: int) -> bytes:
        row = prod(self._layout.shape[1:]) * self._layout.dtype.itemsize
        if self._stream is None or first < self._next:
            self._restart()
        self._take((first - self._next) * row, keep=False)
        self._next = first + count
        return self._take(count * row, keep=True)

    def _take(self, size: int, *, keep: bool) -> bytes:
        kept = io.BytesIO()
        while size:
            try:
                data = self._stream.read(min(size, _SKIP)) if self._stream else b""
            except Exception as error:  # what a damaged stream raises is the library's affair
                raise wrong(self._source, f"is damaged ({error})") from error
            if not data:
                raise wrong(self._source, "ends before the numbers that its header declares")
            size -= len(data)
            if keep:
                kept.write(data)
        return kept.getvalue()


class EachRows:
    """One array for each item.

    Args:
        get: Returns the array of item k.
        n: How many.
        inner: Shape of them all; None for sizes that differ.
        dtype: Name of the number type.
    """

    def __init__(self, get: Callable[[int], NDArray[Any]], n: int, inner: tuple[int | None, ...], dtype: str) -> None:
        self._get, self.n, self.inner, self.dtype = get, n, inner, dtype

    def read(self, positions: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the arrays of some items."""
        return [self._get(int(position)) for position in positions]


class ChainRows:
    """Parts of one modality, one after the other.

    Args:
        parts: At least one, of equal width, or of as many axes where there are several.
        source: For messages.
    """

    def __init__(self, parts: Sequence[Rows], source: object) -> None:
        self._parts = list(parts)
        self._ends = np.cumsum([part.n for part in parts])
        first = parts[0]
        for part in parts[1:]:
            alone = len(part.inner) < 2  # with time, --time-axis says which axis must be the same
            if len(part.inner) != len(first.inner) or (alone and part.inner != first.inner):
                raise wrong(source, f"has parts of different shapes, {_shape(first)} and {_shape(part)}")
        self.inner = _common([part.inner for part in parts])
        self.n, self.dtype = int(self._ends[-1]), first.dtype

    def read(self, positions: NDArray[Any]) -> list[NDArray[Any]] | NDArray[Any]:
        """Return some rows, from the parts that hold them."""
        owners = np.searchsorted(self._ends, positions, side="right")
        found: list[NDArray[Any]] = []
        for start, stop in runs(owners, step=0):
            part = int(owners[start])
            first = int(self._ends[part - 1]) if part else 0
            got = self._parts[part].read(positions[start:stop] - first)
            if start == 0 and stop == len(positions):
                return got
            found.extend(got)
        return found


def _shape(rows: Rows) -> str:
    return str(["n", *("T" if size is None else size for size in rows.inner)])


def runs(positions: NDArray[Any], step: int = 1) -> Iterator[tuple[int, int]]:
    """Cut an array into runs in which each entry is the one before plus `step`.

    Example:
        >>> list(runs(np.array([4, 5, 6, 9, 2])))
        [(0, 3), (3, 4), (4, 5)]
    """
    if not len(positions):
        return
    cuts = np.flatnonzero(np.diff(positions) != step) + 1
    yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(positions)], strict=True)


def widened(bits: NDArray[Any]) -> NDArray[Any]:
    """Return bfloat16, given as its 16 bits, as float32.

    Example:
        >>> widened(np.array([0x3F80], dtype=np.uint16)).tolist()
        [1.0]
    """
    return (bits.astype(np.uint32) << 16).view(np.float32)


def text_rows(array: NDArray[Any]) -> list[Any]:
    """Return an array of texts as a list: a text for each row, or a list of them where a row has several.

    Example:
        >>> text_rows(np.array([[b"a", b"b"]])), text_rows(np.array([["a"], ["b"]]))
        ([['a', 'b']], ['a', 'b'])
    """
    flat = [
        one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else str(one) for one in array.reshape(-1)
    ]
    width = prod(array.shape[1:])
    return flat if width < 2 else [flat[k : k + width] for k in range(0, len(flat), width)]


def array_from(data: bytes, source: object) -> NDArray[Any]:
    """Return the array of an .npy file that is in memory.

    Raises:
        UserError: It is damaged, shorter than it says, or no numbers.
    """
    file = io.BytesIO(data)
    layout = read_npy_header(file, source)
    begin = file.tell()
    if layout.nbytes > len(data) - begin:
        raise wrong(source, f"declares {layout.nbytes:,} bytes of numbers and has {len(data) - begin:,}")
    flat = np.frombuffer(data, layout.dtype, count=prod(layout.shape), offset=begin)
    return flat.reshape(layout.shape, order="F" if layout.fortran else "C")


def common_shape(shapes: Sequence[tuple[int, ...]], source: object) -> tuple[int | None, ...]:
    """Return the shape that arrays of items have in common, None where they differ.

    Raises:
        UserError: They differ in their number of axes.

    Example:
        >>> common_shape([(8, 512), (9, 512)], "x.npz")
        (None, 512)
    """
    counts = {len(shape) for shape in shapes}
    if len(counts) > 1:
        pair = [list(next(shape for shape in shapes if len(shape) == count)) for count in sorted(counts)[:2]]
        raise wrong(source, f"has items of the shapes {pair[0]} and {pair[1]}", "Bring them to one number of axes")
    return _common(shapes)


def _common(shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
