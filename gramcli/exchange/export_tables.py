"""The rows of an export as a table: what Parquet and CSV have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramcli.exchange.export_layout import Outgoing
from gramcli.store.items import ItemRow
from gramcli.store.layout import has_row, is_text
from gramcli.store.rows import DIGESTS


@dataclass(frozen=True)
class Block:
    """The rows of one embedding and shard.

    Attributes:
        modality: The embedding.
        items: The item of each row.
        captions: Number of each row's caption within its item; None where it has none.
        digests: Of each row's caption, as in `hexadecimal`; None where it is not known.
        present: Whether a row has a vector.
        vectors: Of the rows that have one, [present, d].
        more: `x`, `y`, `rank`, `neighbors` of each row, where asked for.
    """

    modality: str
    items: list[ItemRow]
    captions: list[int | None]
    digests: list[str | None]
    present: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    more: dict[str, list[Any]]


def blocks(outgoing: Outgoing) -> Iterator[Block]:
    """The table, a shard and embedding at a time.

    Args:
        outgoing: The store.
    """
    place = _places(outgoing)
    for index in range(outgoing.rows.n_shards):
        for name in outgoing.held:
            yield (_texts if is_text(name) else _others)(outgoing, name, index, place)
            outgoing.advance()


def hexadecimal(digest: int) -> str:
    """A caption's digest as the first 16 digits of its sha256: as a number, pandas would round it beside holes.

    Example:
        >>> hexadecimal(-1), hexadecimal(255)
        ('ffffffffffffffff', '00000000000000ff')
    """
    return f"{digest % 2**64:016x}"


def rows_of_table(outgoing: Outgoing, name: str) -> NDArray[np.int64]:
    """Row in the table of each row of an embedding in the store.

    Args:
        outgoing: The store.
        name: One of its embeddings to write.
    """
    starts, size = outgoing.rows.caption_starts, outgoing.store.manifest["shard_size"]
    n = len(outgoing.store.rows)
    counts = np.diff(starts)
    lines = {one: np.maximum(counts, 1) if is_text(one) else np.ones(n, np.int64) for one in outgoing.held}
    found: list[NDArray[np.int64]] = []
    start = 0
    for first in range(0, n, size):
        part = slice(first, first + size)
        for one in outgoing.held:
            if one == name:
                begins = start + np.cumsum(lines[one][part]) - lines[one][part]
                own = counts[part] if is_text(one) else lines[one][part]
                before = np.cumsum(own) - own
                found.append(np.arange(int(own.sum())) + np.repeat(begins - before, own))
            start += int(lines[one][part].sum())
    return np.concatenate(found)


def _others(outgoing: Outgoing, name: str, index: int, place: NDArray[np.int64]) -> Block:
    first, last = outgoing.rows.edges(name)[index : index + 2].tolist()
    items = list(outgoing.store.rows[first:last])
    present = np.array([has_row(row.status[name]) for row in items], dtype=bool)
    vectors = outgoing.rows.shard(name, index)[present]
    nothing: list[Any] = [None] * len(items)
    lines = np.arange(first, last)
    return Block(name, items, nothing, nothing, present, vectors, _more(outgoing, name, lines, place))


def _texts(outgoing: Outgoing, name: str, index: int, place: NDArray[np.int64]) -> Block:
    first, last = outgoing.rows.edges("video")[index : index + 2].tolist()
    start = int(outgoing.rows.caption_starts[first])
    items, captions, lines = [], [], []
    for row in outgoing.store.rows[first:last]:
        numbers: list[int | None] = list(range(row.captions)) or [None]
        items += [row] * len(numbers)
        captions += numbers
        lines += [*range(start, start + row.captions)] or [-1]
        start += row.captions
    rows = np.array(lines, dtype=np.int64)
    present = rows >= 0
    digests: list[str | None] = [None] * len(items)
    if outgoing.rows.knows_texts:
        known = iter(outgoing.rows.shard(DIGESTS, index).tolist())
        digests = [hexadecimal(next(known)) if there else None for there in present.tolist()]
    more = _more(outgoing, name, rows, place)
    return Block(name, items, captions, digests, present, outgoing.rows.shard(name, index), more)


def _places(outgoing: Outgoing) -> NDArray[np.int64]:
    columns = outgoing.columns
    return rows_of_table(outgoing, columns.neighbor_of) if columns.neighbors else np.zeros(0, np.int64)


def _more(outgoing: Outgoing, name: str, rows: NDArray[np.int64], place: NDArray[np.int64]) -> dict[str, list[Any]]:
    columns = outgoing.columns
    found: dict[str, list[Any]] = {}
    if columns.xy:
        points = columns.xy.get(name)
        for axis, letter in enumerate("xy"):
            found[letter] = _numbers(None if points is None else points[:, axis], rows)
    if columns.ranks:
        found["rank"] = _numbers(columns.ranks.get(name), rows)
    if columns.neighbors:
        known = columns.neighbors.get(name, {})
        listed = [known.get(row) for row in rows.tolist()]
        found["neighbors"] = [
            None if one is None else {"ids": place[one[0]].tolist(), "distances": one[1].tolist()} for one in listed
        ]
    return found


def _numbers(values: NDArray[Any] | None, rows: NDArray[np.int64]) -> list[Any]:
    if values is None:
        return [None] * len(rows)
    taken = values[np.maximum(rows, 0)] if len(values) else np.full(len(rows), np.nan)
    return [None if row < 0 or np.isnan(value) else value.item() for row, value in zip(rows, taken, strict=True)]
