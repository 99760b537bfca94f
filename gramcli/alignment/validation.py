"""Retrieval on items that are not trained on, after every epoch: what early stopping looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

import torch

from gramcli.evaluation.selection import Relevant, select
from gramcli.metrics.retrieval import hit_at, reciprocal_rank
from gramcli.scoring.ranking import rank
from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from torch import Tensor

    from gramcli.heads.model import Heads
    from gramcli.modalities import Task
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
        entries = {name: {**entry, "dim": heads.dim} for name, entry in self.store.manifest["modalities"].items()}
        loaded = rows | ({"text.item": owners} if TEXT in self.store.modalities else {})
        return replace(self.store, manifest={**self.store.manifest, "modalities": entries}, _loaded=loaded)


def better(figures: Mapping[str, float], than: Mapping[str, float] | None, metric: str) -> bool:
    """Whether an epoch's figures are better than those of the best so far; all measures are better high."""
    return than is None or figures[metric] > than[metric]


def _figure(name: str, ranks: Tensor) -> Tensor:
    return reciprocal_rank(ranks) if name == "MRR" else hit_at(ranks, int(name.partition("@")[2]))
