"""A column of vectors read one batch after the other, so that no row group need be in memory, whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.exchange.base import wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.exchange.parquet_steps import Nulls

_SPARSE = 2  # rows that are passed over for each that is wanted, at most


class ColumnStream:
    """The rows of a column in order; to go back, or far ahead, begins at the piece that holds the row.

    Args:
        ends: Number of the row after each piece, [pieces].
        batches: Yields piece k in parts, as the library has them.
        vectors: Returns the vectors of a part, [rows, d]; NaN where a row has none.
        nulls: Told of what is read.
        source: For messages.
    """

    def __init__(
        self,
        ends: NDArray[np.int64],
        batches: Callable[[int], Iterable[Any]],
        vectors: Callable[[Any], NDArray[Any]],
        nulls: Nulls,
        source: str,
    ) -> None:
        self._ends, self._batches, self._vectors, self._nulls, self._source = ends, batches, vectors, nulls, source
        self._piece = -1
        self._parts: Iterator[Any] = iter(())
        self._next = 0  # the row that `_rest` begins with
        self._rest: NDArray[Any] = np.empty((0, 0))

    @staticmethod
    def serves(positions: NDArray[Any]) -> bool:
        """Whether rows come in order, and few lie between them that would be read for nothing."""
        if not len(positions) or positions[-1] - positions[0] >= _SPARSE * len(positions):
            return False
        return bool((np.diff(positions) > 0).all())

    def read(self, first: int, found: NDArray[Any]) -> None:
        """Read rows one after the other.

        Args:
            first: The number of the first.
            found: Where they go, [rows, d].

        Raises:
            UserError: The file is damaged.
        """
        piece = int(np.searchsorted(self._ends, first, side="right"))
        if first < self._next or piece > self._piece:
            self._begin(piece)
        while self._next < first:
            self._take(first - self._next)
        done = 0
        while done < len(found):
            some = self._take(len(found) - done)
            found[done : done + len(some)] = some
            done += len(some)

    def _begin(self, piece: int) -> None:
        self._piece, self._parts = piece, iter(self._batches(piece))
        self._next, self._rest = int(self._ends[piece - 1]) if piece else 0, self._rest[:0].copy()

    def _take(self, most: int) -> NDArray[Any]:
        """The next rows, at least one of them."""
        while not len(self._rest):
            part = next(self._parts, None)
            if part is not None:
                self._nulls.add(part, self._next)
                self._rest = self._vectors(part)
            elif self._next == self._ends[self._piece] and self._piece + 1 < len(self._ends):
                self._begin(self._piece + 1)
            else:
                raise wrong(self._source, f"ends after {self._next:,} rows of the {self._ends[-1]:,} that it declares")
        some, self._rest = self._rest[:most], self._rest[most:]
        self._next += len(some)
        if self._next == self._ends[self._piece]:  # let go of the library's reader, which is not at its end yet
            self._parts, self._rest = iter(()), self._rest[:0].copy()
        return some
