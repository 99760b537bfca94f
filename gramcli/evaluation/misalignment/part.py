"""The rows that one task asks of a store, read in blocks: no modality is ever in memory whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.selection import TEXT, check_modalities, kept_items, lacking_items
from gramcli.evaluation.views import as_asked, plain
from gramcli.modalities import Task
from gramcli.results.records import LeftOut
from gramcli.store.reader import Store
from gramcli.store.rows import StoreRows

Places = NDArray[np.int64]

PER: Final = ("item", "caption")
"""What may be scored."""

BLOCK_NUMBERS: Final = 2**22
"""Numbers of one block's vectors, all modalities together: 16 MB in float32."""
_LEAST, _MOST = 64, 4096  # rows of a block


@dataclass(frozen=True)
class Block:
    """Some rows of a task: one per caption where text is part of it, else one per item.

    Attributes:
        vectors: Modality -> [rows, d].
        units: Number of the unit that is scored (an item, or a caption) of each row, from 0, never decreasing.
        owners: Positions in the store of the items that a row is made of, each shape [rows]: one, or two where a
            modality was put in another's place.
    """

    vectors: dict[str, Tensor]
    units: Places
    owners: tuple[Places, ...]

    def __len__(self) -> int:
        return len(self.units)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean over the rows of each unit, shape [..., units]."""
        starts = np.flatnonzero(np.diff(self.units, prepend=-1))
        sums: NDArray[np.float64] = np.add.reduceat(values, starts, axis=-1)
        return sums / np.diff(np.append(starts, len(self.units)))


@dataclass(frozen=True)
class Part:
    """The items of one task that have the same modalities.

    Attributes:
        store: The store, with one vector of each modality.
        task: Their modalities.
        label: What results call it: `t2va`, or `t2va/t2v` for its items that have no audio.
        items: Their positions in the store, increasing.
        captions: How many rows each has.
        first: Row of the text of each item's first caption.
        per: What is scored: items, or each of their captions.
    """

    store: Store
    task: Task
    label: str
    items: Places
    captions: Places
    first: Places
    per: str

    @property
    def units(self) -> int:
        """How many are scored."""
        return len(self.items) if self.per == "item" else int(self.captions.sum())

    def blocks(self) -> Iterator[Block]:
        """All rows, in blocks of whole items."""
        size = self._block_size()
        ends = np.cumsum(self.captions)
        start = 0
        while start < len(self.items):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
            yield self.block(np.arange(start, stop))
            start = stop

    def block(self, chosen: Places) -> Block:
        """The rows of some items.

        Args:
            chosen: Their numbers among the part's items, increasing.
        """
        return self.mixed(dict.fromkeys(self.task.modalities, chosen), chosen)

    def mixed(self, sources: dict[str, Places], *owners: Places) -> Block:
        """Rows whose modalities may come from different items of the part.

        Args:
            sources: Modality -> number of the item that it is of, one per item made.
            owners: Numbers of the items they are made of.
        """
        leading = sources[TEXT] if TEXT in sources else owners[0]
        counts = self.captions[leading]
        row_of = np.repeat(np.arange(len(leading)), counts)
        within = np.arange(len(row_of)) - np.repeat(np.cumsum(counts) - counts, counts)
        vectors = {}
        for name, source in sources.items():
            rows = self.first[source][row_of] + within if name == TEXT else self.items[source][row_of]
            vectors[name] = self._taken(name, rows)
        own = tuple(self.items[one][row_of] for one in owners)
        return Block(vectors, row_of if self.per == "item" else np.arange(len(row_of)), own)

    @cached_property
    def _reader(self) -> StoreRows:
        return StoreRows(self.store)

    def _taken(self, name: str, rows: Places) -> Tensor:
        """Some rows of a modality; each that is asked for several times is read once."""
        held = self.store.in_memory(name)
        if held is not None:
            return held[torch.from_numpy(rows)]
        distinct, where = np.unique(rows, return_inverse=True)
        return torch.from_numpy(self._reader.take(name, distinct))[torch.from_numpy(where)]

    def _block_size(self) -> int:
        numbers = sum(self.store.dims[name] for name in self.task.modalities)
        return int(np.clip(BLOCK_NUMBERS // numbers, _LEAST, _MOST))


def parts_of(
    store: Store, task: Task, items: Tensor, missing: str, per: str = "item"
) -> tuple[list[Part], tuple[LeftOut, ...]]:
    """The items that a task covers, in parts that have the same modalities.

    Args:
        store: An open store.
        task: Query and candidate modalities.
        items: Positions of the items to use.
        missing: As for `gramcli.evaluation.selection.select`; under `present` there is one part for each set of
            modalities that items have.
        per: What is scored.

    Raises:
        UserError: As `select`.
    """
    named, task = task, plain(task)
    store = as_asked(store, named)
    check_modalities(store, task)
    if missing == "zero":
        raise UserError("usage", "--missing zero: a zero vector fits everything or nothing. Use drop or present.")
    has = {name: store.present(name)[items] for name in task.modalities}
    keep = kept_items(task, has, missing)
    left_out = lacking_items(store, task, items[~keep], missing)
    if not bool(keep.any()):
        why = f"First reason: {left_out[0].reason}."
        raise UserError("store", f"Task {task.name}: no item of {store.path} has what it needs. {why}")
    whole = _part(store, task, items[keep], per)
    if missing != "present":
        return [replace(whole, label=named.name)], left_out
    patterns = torch.stack([mask[keep] for mask in has.values()], dim=1)
    return _by_pattern(whole, tuple(has), patterns), left_out


def _by_pattern(whole: Part, names: tuple[str, ...], patterns: Tensor) -> list[Part]:
    found = []
    for pattern in sorted(set(map(tuple, patterns.tolist())), reverse=True):
        there = {name for name, has in zip(names, pattern, strict=True) if has}
        sides = (tuple(name for name in side if name in there) for side in (whole.task.query, whole.task.candidates))
        task = Task(*sides)
        rows = torch.from_numpy(whole.items)[(patterns == torch.tensor(pattern)).all(dim=1)]
        part = _part(whole.store, task, rows, whole.per)
        label = task.name if task == whole.task else f"{whole.task.name}/{task.name}"
        found.append(replace(part, label=label))
    return found


def _part(store: Store, task: Task, items: Tensor, per: str) -> Part:
    places = items.numpy().astype(np.int64)
    if TEXT not in task.modalities:
        ones = np.ones(len(places), np.int64)
        return Part(store, task, task.name, places, ones, ones, "item")
    counts = np.array([row.captions for row in store.rows], dtype=np.int64)
    first = np.cumsum(counts) - counts
    return Part(store, task, task.name, places, counts[places], first[places], per)
