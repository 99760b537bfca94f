"""Columns of Parquet and Arrow files with a time axis: lists of vectors, or tensors [T, d], a row an item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.exchange.arrays import runs
from gramcli.exchange.base import MOST_ITEM_BYTES, wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

Read = Callable[[Any, int, str], Any]
"""Vectors [T, d] of a list of vectors: the list, d, and the column's name for messages."""


def is_list(kind: Any) -> bool:  # noqa: ANN401 - an Arrow type
    """Whether the values of a type are lists."""
    import pyarrow as pa  # noqa: PLC0415 - only these formats need it

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def plain(kind: Any) -> Any:  # noqa: ANN401 - an Arrow type
    """The type that an extension type is stored as."""
    return getattr(kind, "storage_type", kind)


def is_steps(kind: Any) -> bool:  # noqa: ANN401 - as above
    """Whether a type is of lists of vectors, or of tensors of two axes."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if shape := tensor_shape(kind):
        return len(shape) == 2 and bool(pa.types.is_floating(plain(kind).value_type))
    kind = plain(kind)
    return is_list(kind) and is_list(kind.value_type) and bool(pa.types.is_floating(kind.value_type.value_type))


def tensor_shape(kind: Any) -> tuple[int, ...] | None:  # noqa: ANN401 - as above
    """The shape of each value of a column of tensors; None of other columns, or where axes are permuted."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if not isinstance(kind, pa.FixedShapeTensorType) or list(kind.permutation or ()) != sorted(kind.permutation or ()):
        return None
    return tuple(int(one) for one in kind.shape)


def step_type(kind: Any) -> Any:  # noqa: ANN401 - as above
    """The list type whose values are the numbers."""
    inner = plain(kind)
    return inner if tensor_shape(kind) else inner.value_type


class Nulls:
    """Rows of a table that are null, as far as it was read.

    Args:
        n: How many rows the table has.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._found: NDArray[np.bool_] | None = None  # most tables have none

    def add(self, column: Any, first: int) -> None:  # noqa: ANN401 - the library's
        """Take those of a part of a column, which begins with row `first`."""
        if not column.null_count:
            return
        if self._found is None:
            self._found = np.zeros(self._n, bool)
        self._found[first : first + len(column)] = np.asarray(column.is_null())

    def __contains__(self, row: int) -> bool:
        return self._found is not None and bool(self._found[row])


class StepRows:
    """A column of lists of vectors, piece by piece.

    Args:
        ends: Number of the row after each piece.
        load: Returns a column's piece k as the library has it.
        source: For messages.
        read: Reads a list of vectors.
        dtype: Name of the number type.
    """

    def __init__(self, ends: Sequence[int], load: Callable[[int], Any], source: str, read: Read, dtype: str) -> None:
        self._ends, self._load, self._source, self._read = np.asarray(ends, dtype=np.int64), load, source, read
        self.n, self.dtype = int(self._ends[-1]) if len(ends) else 0, dtype
        self._held: tuple[int, Any] | None = None
        self._nulls = Nulls(self.n)
        self._dim = self._first_dim()
        self.inner: tuple[int | None, ...] = (None, self._dim)

    def read(self, positions: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the steps of some rows, [T, d] each; the piece that was read last is kept."""
        found = []
        for start, stop in runs(np.searchsorted(self._ends, positions, side="right"), step=0):
            piece = int(np.searchsorted(self._ends, positions[start], side="right"))
            first = int(self._ends[piece - 1]) if piece else 0
            column = self._piece(piece)
            found += [self._steps(column, int(place) - first) for place in positions[start:stop]]
        return found

    def _piece(self, k: int) -> Any:  # noqa: ANN401 - the library's
        if self._held is None or self._held[0] != k:
            self._held = None  # before the next is read: one piece in memory, not two
            self._held = (k, self._load(k))
            self._nulls.add(self._held[1], int(self._ends[k - 1]) if k else 0)
        return self._held[1]

    def is_null(self, position: int) -> bool:
        """Whether a row that was read has nothing in the file."""
        return position in self._nulls

    def _steps(self, column: Any, place: int) -> NDArray[Any]:  # noqa: ANN401 - the library's
        cell = column[place]
        if not cell.is_valid:
            return np.full((1, self._dim), np.nan, np.float32)
        if shape := tensor_shape(column.type):
            tensor: NDArray[Any] = cell.value.values.to_numpy(zero_copy_only=False).reshape(shape)
            return tensor
        held = cell.value if _is_extension(cell) else cell
        steps: NDArray[Any] = self._read(held.values, self._dim, self._source)
        return steps

    def _first_dim(self) -> int:
        """The dimension of the first vector."""
        for dim in self._dims():
            if dim * 8 > MOST_ITEM_BYTES:
                raise wrong(self._source, f"declares vectors of {dim:,} dimensions")
            return dim
        raise wrong(self._source, "has no vector in any row")

    def _dims(self) -> Iterator[int]:
        for k in range(len(self._ends)):
            column = self._piece(k)
            if shape := tensor_shape(column.type):
                yield shape[-1]
            for chunk in getattr(column, "chunks", [column]):
                stored = getattr(chunk, "storage", chunk)
                lengths = stored.drop_null().flatten().drop_null().value_lengths()
                if len(lengths):
                    yield int(lengths[0].as_py())


def _is_extension(cell: Any) -> bool:  # noqa: ANN401 - the library's
    import pyarrow as pa  # noqa: PLC0415 - as above

    return isinstance(cell, pa.ExtensionScalar)
