"""Text features [N, k, d] of N items with k captions each: a row for each caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.exchange.base import Features, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FoldedRows:
    """Features [N, k, d] as [N * k, d].

    Args:
        rows: Of the items.
        k: Captions of each.
    """

    def __init__(self, rows: Rows, k: int) -> None:
        self._rows, self._k = rows, k
        self.n, self.inner, self.dtype = rows.n * k, rows.inner[1:], rows.dtype

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return the vectors of some captions."""
        items = np.unique(positions // self._k)
        rows = np.asarray(self._rows.read(items))
        flat: NDArray[Any] = rows.reshape(-1, *rows.shape[2:])
        every = (items[:, None] * self._k + np.arange(self._k)).reshape(-1)
        return flat if np.array_equal(every, positions) else flat[np.searchsorted(every, positions)]


def captions_of_each(one: Features, ids: Sequence[str], captions: Mapping[str, tuple[str, ...]]) -> int | None:
    """Return how many captions each item has, where an axis of the features counts them; None of other features.

    Args:
        one: Of text.
        ids: Of the items of its rows.
        captions: Texts by id.
    """
    inner = one.rows.inner
    if len(inner) != 2 or not inner[0] or inner[0] < 2 or one.lengths is not None or one.rows.n != len(ids):
        return None
    if len(set(ids)) < len(ids) or any(len(captions.get(identity, ())) != inner[0] for identity in ids):
        return None
    return inner[0]


def folded(one: Features, ids: Sequence[str], k: int) -> Features:
    """Return text features with a row for each caption."""
    owners = [identity for identity in ids for _ in range(k)]
    return Features(one.name, FoldedRows(one.rows, k), one.source, owners)
