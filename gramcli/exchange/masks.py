"""Masks beside features: which time steps of an item count, as CLIP4Clip's `video_mask` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.base import Rows, wrong
from gramcli.exchange.values import ALL_STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECE: Final = 2**22  # values of a mask that are looked at together


class MaskedRows:
    """Features whose masked steps are NaN, and so count for nothing.

    Args:
        rows: [n, T, ...].
        mask: [n, T] or [n, 1, T], of 0 and 1.
    """

    def __init__(self, rows: Rows, mask: Rows) -> None:
        self._rows, self._mask = rows, mask
        self.n, self.inner, self.dtype = rows.n, rows.inner, rows.dtype

    def read(self, positions: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the features of some items."""
        found = []
        steps = _read(self._mask, positions) != 0
        for item, counts in zip(self._rows.read(positions), steps, strict=True):
            kept = np.array(item)
            kept[~counts] = np.nan
            found.append(kept)
        return found


def masked(rows: Rows, mask: Rows, source: str) -> tuple[Rows, NDArray[np.int64]]:
    """Leave out the time steps that a mask leaves out.

    Args:
        rows: Features.
        mask: Of them.
        source: File and key of the mask, for messages.

    Returns:
        The features, and how many steps of each item to look at.

    Raises:
        UserError: It is not of their shape, or not of 0 and 1.
    """
    steps = [size for size in mask.inner if size != 1] or list(mask.inner[-1:])
    if mask.n != rows.n or len(rows.inner) < 2 or steps != [rows.inner[0]]:
        shapes = f"{[mask.n, *mask.inner]}, and the features {[rows.n, *rows.inner]}"
        raise wrong(source, f"is a mask of the shape {shapes}", "Save one of [n, T] beside features [n, T, d]")
    lengths = np.empty(rows.n, np.int64)
    whole = True  # each mask begins with all that counts: then lengths say the same
    for place, piece in _pieces(mask):
        if not np.isin(piece, (0, 1)).all():
            raise wrong(source, "is a mask with values other than 0 and 1", "Save 1 for each step that counts, else 0")
        counts = piece.sum(axis=1, dtype=np.int64)
        lengths[place : place + len(piece)] = counts
        whole = whole and bool((np.diff((piece != 0).astype(np.int8), axis=1) <= 0).all())
    if whole:
        return rows, lengths
    return MaskedRows(rows, mask), np.where(lengths > 0, ALL_STEPS, 0)


def _read(mask: Rows, positions: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(mask.read(positions)).reshape(len(positions), -1)


def _pieces(mask: Rows) -> Iterator[tuple[int, NDArray[Any]]]:
    step = max(1, _PIECE // max(1, *(size or 1 for size in mask.inner)))
    for place in range(0, mask.n, step):
        yield place, _read(mask, np.arange(place, min(mask.n, place + step)))
