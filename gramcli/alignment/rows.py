"""What is trained on: the rows of a store's items, drawn in batches that depend on seed, epoch and step only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from gramcli.store.reader import Store

_SEEDS = 1_000_003  # epochs of one seed never share a generator's seed with those of the next


@dataclass(frozen=True)
class Rows:
    """Embeddings of n items.

    Attributes:
        vectors: Modality -> [n, d]; text -> one row per caption.
        present: Modality -> [n] bool.
        captions: Where each item's text rows begin and how many there are, [n, 2] int64; zeros without text.
        groups: [n] int64 or None; items of one group are no negatives of each other.
    """

    vectors: dict[str, Tensor]
    present: dict[str, Tensor]
    captions: Tensor
    groups: Tensor | None

    def __len__(self) -> int:
        """Items."""
        return len(self.captions)

    def seen_by(self, modality: str) -> Tensor:
        """The rows that are there, for the mean and scale of a head."""
        return self.vectors[modality] if modality == TEXT else self.vectors[modality][self.present[modality]]

    def to(self, device: str) -> Rows:
        """The same on a device."""
        return Rows(
            {name: one.to(device) for name, one in self.vectors.items()},
            {name: one.to(device) for name, one in self.present.items()},
            self.captions.to(device),
            None if self.groups is None else self.groups.to(device),
        )


@dataclass(frozen=True)
class Drawn:
    """A batch: positions of its items, and the caption of each."""

    items: Tensor
    captions: Tensor


def rows_of(store: Store, items: Tensor, modalities: Sequence[str], groups: Tensor | None) -> Rows:
    """The rows of chosen items.

    Args:
        store: The store.
        items: Positions, int64.
        modalities: Which embeddings.
        groups: Group of every item of the store, or None.
    """
    vectors, captions = {}, torch.zeros(len(items), 2, dtype=torch.int64)
    for name in modalities:
        found = store.embeddings(name)
        if name == TEXT:
            owners = store.caption_items()
            first = torch.searchsorted(owners, items)
            count = torch.searchsorted(owners, items, right=True) - first
            rows = torch.repeat_interleave(first - (count.cumsum(0) - count), count) + torch.arange(int(count.sum()))
            captions = torch.stack([count.cumsum(0) - count, count], dim=1)
            vectors[name] = found[rows]
        else:
            vectors[name] = found[items]
    present = {name: store.present(name)[items] for name in modalities}
    return Rows(vectors, present, captions, None if groups is None else groups[items])


def batches(rows: Rows, size: int, seed: int, epoch: int) -> Iterator[Drawn]:
    """The batches of an epoch: every item at most once, each with one of its captions at random.

    Items that do not fill a batch wait for another epoch's order.

    Args:
        rows: What to draw from.
        size: Items of a batch, over all ranks; at most `len(rows)`.
        seed: Of the run.
        epoch: From 1.
    """
    generator = torch.Generator().manual_seed(seed * _SEEDS + epoch)
    order = torch.randperm(len(rows), generator=generator)
    first, count = rows.captions.cpu().unbind(1)
    chosen = first + (torch.rand(len(rows), generator=generator) * count).long().clamp(max=(count - 1).clamp(min=0))
    for start in range(0, len(rows) - size + 1, size):
        items = order[start : start + size]
        yield Drawn(items, chosen[items])
