"""Retrieval on items that are not trained on, after every epoch: what early stopping looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import torch

from gramcli.evaluation.selection import Relevant, select
from gramcli.methods.batch import alone
from gramcli.metrics.retrieval import hit_at, reciprocal_rank
from gramcli.scoring.ranking import rank
from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from torch import Tensor

    from gramcli.alignment.rows import Rows
    from gramcli.heads.model import Heads
    from gramcli.methods.base import AlignmentMethod
    from gramcli.modalities import Task
    from gramcli.results.runs import Epoch
    from gramcli.store.reader import Store

MEASURES: Final = ("R@1", "R@5", "R@10", "MRR")


@dataclass(frozen=True)
class Validation:
    """What is measured, on which items.

    Attributes:
        store: The store of the base embeddings.
        items: Positions of the items.
        task: Asked in both directions.
        method: Who ranks.
        relevant: Which items answer.
    """

    store: Store
    items: Tensor
    task: Task
    method: str
    relevant: Relevant

    def measure(self, heads: Heads) -> dict[str, float]:
        """Every one of `MEASURES` with these heads, the mean of both directions."""
        found = select(self._seen_by(heads), self.task, self.items, "drop", self.relevant)
        ranks = rank(self.method, found.queries, found.candidates, found.positives)
        both = [one[~one.double().isnan()] for one in (ranks.forward, ranks.backward) if one is not None]
        return {name: float(torch.stack([_figure(name, one).mean() for one in both]).mean()) for name in MEASURES}

    def mean_cosines(self, heads: Heads) -> dict[str, float]:
        """Mean cosine of the two modalities of an item, for each pair of the task's, over items that have both."""
        store, found = self._seen_by(heads), {}
        for a, b in combinations(self.task.modalities, 2):
            both = self.items[store.present(a)[self.items] & store.present(b)[self.items]]
            if len(both):
                first = torch.searchsorted(store.caption_items(), both)
                x, y = (store.embeddings(name)[first if name == TEXT else both] for name in (a, b))
                found[f"{a} and {b}"] = float((x * y).sum(dim=1).mean())
        return found

    def _seen_by(self, heads: Heads) -> Store:
        """A store whose vectors of these items are mapped by the heads, the others left out."""
        rows, owners = {}, self.store.caption_items()
        with torch.no_grad():
            for name in self.task.modalities:
                base = self.store.embeddings(name)
                wanted = torch.isin(owners, self.items).nonzero().flatten() if name == TEXT else self.items
                mapped = heads.project(name, base[wanted].to(heads.tensors[f"{name}/mean"].device)).cpu()
                rows[name] = torch.zeros(len(base), heads.dim).index_copy(0, wanted, mapped)
        return self.store.mapped(rows)


@dataclass(frozen=True)
class HeldOut:
    """A loss on the validation items: it still moves where few items leave the figures no better value to take.

    Attributes:
        rows: The items.
        size: Of a batch, as in training.
        method: Whose loss.
        options: Of the loss that do not change.
        temperature: The one that training starts with, for every epoch.
    """

    rows: Rows
    size: int
    method: AlignmentMethod
    options: Mapping[str, Any]
    temperature: float

    def loss(self, heads: Heads) -> float:
        """Mean over the items, in batches in their order, each item with its first caption."""
        generator, total = torch.Generator().manual_seed(0), 0.0
        with torch.no_grad(), alone():
            for start in range(0, len(self.rows), self.size):
                items = torch.arange(start, min(start + self.size, len(self.rows)))
                total += len(items) * float(self._batch(heads, items, generator))
        return total / len(self.rows)

    def _batch(self, heads: Heads, items: Tensor, generator: torch.Generator) -> Tensor:
        rows = self.rows
        first = rows.captions.cpu()[items, 0]
        vectors = {
            name: heads.project(name, found[first.clamp(max=len(found) - 1) if name == TEXT else items])
            for name, found in rows.vectors.items()
        }
        return self.method.loss(
            vectors,
            present={name: one[items] for name, one in rows.present.items()},
            groups=None if rows.groups is None else rows.groups[items],
            temperature=self.temperature,
            generator=generator,
            **self.options,
        )


def better(epoch: Epoch, than: Epoch | None, metric: str) -> bool:
    """Whether an epoch is better than the best so far; of two alike under the metric, the one of lower validation loss.

    Args:
        epoch: An epoch.
        than: The best before it, if any.
        metric: One of `MEASURES`; all are better high.
    """
    if than is None:
        return True
    if epoch.measures[metric] != than.measures[metric]:
        return epoch.measures[metric] > than.measures[metric]
    return _or_infinite(epoch.validation_loss) < _or_infinite(than.validation_loss)


def _or_infinite(loss: float | None) -> float:
    return float("inf") if loss is None else loss


def _figure(name: str, ranks: Tensor) -> Tensor:
    return reciprocal_rank(ranks) if name == "MRR" else hit_at(ranks, int(name.partition("@")[2]))
