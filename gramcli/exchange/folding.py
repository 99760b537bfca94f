"""Text features [k, d] of each item, with a vector for each of its k captions: a row for each caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.exchange.base import Features, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FoldedRows:
    """Features [k, d] of each item as one [N, d].

    Args:
        rows: Of the items.
        counts: Captions of each, [n].
    """

    def __init__(self, rows: Rows, counts: NDArray[np.int64]) -> None:
        self._rows, self._counts = rows, counts
        self._ends = np.cumsum(counts)
        self.n, self.inner, self.dtype = int(counts.sum()), rows.inner[1:], rows.dtype

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return the vectors of some captions."""
        owners = np.searchsorted(self._ends, positions, side="right")
        items = np.unique(owners)
        counts = self._counts[items]
        read = zip(self._rows.read(items), counts.tolist(), strict=True)
        flat = np.concatenate([np.asarray(one)[:count] for one, count in read] or [np.zeros((0, 0), np.float32)])
        before = (np.cumsum(counts) - counts)[np.searchsorted(items, owners)]
        found: NDArray[Any] = flat[before + positions - (self._ends - self._counts)[owners]]
        return found


def captions_of_each(
    one: Features, ids: Sequence[str], captions: Mapping[str, tuple[str, ...]]
) -> NDArray[np.int64] | None:
    """Return how many captions each item has, where an axis of the features counts them; None of other features.

    Args:
        one: Of text.
        ids: Of the items of its rows.
        captions: Texts by id.
    """
    inner, n = one.rows.inner, one.rows.n
    if len(inner) != 2 or inner[1] is None or n != len(ids) or len(set(ids)) < len(ids):
        return None
    counts = np.array([len(captions.get(identity, ())) for identity in ids], np.int64)
    if not n or counts.max() < 2 or (inner[0] is not None and one.lengths is None and (counts != inner[0]).any()):
        return None
    if one.lengths is not None:
        return counts if np.array_equal(counts, one.lengths) else None
    if inner[0] is None and any(len(one.rows.read(np.array([k]))[0]) != count for k, count in enumerate(counts)):
        return None
    return counts


def folded(one: Features, ids: Sequence[str], counts: NDArray[np.int64]) -> Features:
    """Return text features with a row for each caption."""
    owners = [identity for identity, count in zip(ids, counts.tolist(), strict=True) for _ in range(count)]
    return Features(one.name, FoldedRows(one.rows, counts), one.source, owners)
