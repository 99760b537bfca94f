"""Rows that repeat one of their item, as a table with a row a caption repeats the video's: merged where equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.base import Features, wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES: Final = 2**24  # of rows that are looked at together


def first_rows(one: Features, ids: Sequence[str]) -> dict[str, int]:
    """Return id -> its first row; the others must be equal to it.

    Args:
        one: Features of anything but text.
        ids: Of its rows, some of them several times.

    Raises:
        UserError: Two rows of an item differ.
    """
    first: dict[str, int] = {}
    digests: dict[str, bytes] = {}
    for row, digest in _digests(one):
        identity = ids[row]
        if digests.setdefault(identity, digest) != digest:
            said = f"has several rows of the item '{identity}' that differ"
            raise wrong(one.source, said, "Keep one; only text has several")
        first.setdefault(identity, row)
    return first


def _digests(one: Features) -> Iterator[tuple[int, bytes]]:
    rows = one.rows
    step = 1 if None in rows.inner else max(1, _BYTES // max(1, 8 * prod(size or 1 for size in rows.inner)))
    for start in range(0, rows.n, step):
        positions = np.arange(start, min(rows.n, start + step))
        for row, item in zip(positions.tolist(), rows.read(positions), strict=True):
            yield row, _digest(item, None if one.lengths is None else int(one.lengths[row]))


def _digest(item: NDArray[Any], length: int | None) -> bytes:
    array = np.ascontiguousarray(item)
    return blake2b(f"{array.shape}{length}".encode() + array.tobytes(), digest_size=16).digest()
