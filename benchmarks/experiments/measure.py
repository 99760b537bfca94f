"""What is reported of a set of heads: retrieval in every direction, classification, geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.selection import Relevant, select
from gramcli.heads.model import Heads
from gramcli.methods import get_method
from gramcli.metrics.retrieval import average_precision, hit_at, reciprocal_rank
from gramcli.modalities import Task
from gramcli.scoring.ranking import RankOptions, rank
from gramcli.store import Store
from gramcli.store.splits import chosen_items

Figures = dict[str, float]


def seen_through(store: Store, heads: Heads) -> Store:
    """The store in the heads' space."""
    rows = {name: torch.from_numpy(heads.apply(name, store.embeddings(name).numpy())) for name in heads.modalities}
    entries = {name: {**store.manifest["modalities"][name], "dim": heads.dim} for name in heads.modalities}
    loaded = rows | ({"text.item": store.caption_items()} if "text" in rows else {})
    model = {**store.manifest["model"], "shared_space": True}
    return replace(store, manifest={**store.manifest, "modalities": entries, "model": model}, _loaded=loaded)


def pairs(modalities: Sequence[str]) -> list[Task]:
    """One against one; every task is asked in both directions."""
    return [Task((a,), (b,)) for a, b in combinations(modalities, 2)]


def joints(modalities: Sequence[str]) -> list[Task]:
    """One against all others."""
    return [Task((a,), tuple(b for b in modalities if b != a)) for a in modalities]


def retrieval(store: Store, split: str, tasks: Sequence[Task], method: str, relevant: Relevant) -> dict[str, Figures]:
    """R@1, MRR and mAP of every task in both directions; cosine where the method is not for so few modalities."""
    items, found = chosen_items(store, split, None), {}
    for task in tasks:
        judge = "cosine" if method == "triangle" and len(task.modalities) != 3 else method
        get_method(judge).check(len(task.query), len(task.candidates), next(iter(store.dims.values())))
        rows = select(store, task, items, "drop", relevant)
        ranks = rank(judge, rows.queries, rows.candidates, rows.positives, options=RankOptions(every_positive=True))
        n = len(rows.query_ids)
        asked = torch.repeat_interleave(torch.arange(n), rows.positives[0].diff())
        sides = (
            (task, ranks.forward, ranks.forward_positions, asked),
            (task.reversed(), ranks.backward, ranks.backward_positions, rows.positives[1].sort().values),
        )
        for side, best, positions, query in sides:
            if best is None or positions is None:
                raise ValueError("ranks lack a direction")
            found[side.name] = {
                "R@1": float(hit_at(best, 1).mean()),
                "MRR": float(reciprocal_rank(best).mean()),
                "mAP": float(average_precision(positions, query, n).mean()),
            }
    return found


def mean_of(found: Mapping[str, Figures], metric: str) -> float:
    """Mean of a metric over directions."""
    return float(np.mean([figures[metric] for figures in found.values()]))


def selection_measure(store: Store, method: str, relevant: Relevant) -> float:
    """What chooses settings: mean mAP on val over all pairs and all one-against-rest, by the loss's own measure."""
    names = store.modalities
    single = mean_of(retrieval(store, "val", pairs(names), method, relevant), "mAP")
    joint = mean_of(retrieval(store, "val", joints(names), method, relevant), "mAP")
    return (single + joint) / 2


def everything(store: Store, method: str, relevant: Relevant) -> dict[str, Figures | dict[str, Figures]]:
    """All figures on the test split."""
    names = store.modalities
    return {
        "pairs cosine": retrieval(store, "test", pairs(names), "cosine", relevant),
        "joint cosine": retrieval(store, "test", joints(names), "cosine", relevant),
        "pairs own": retrieval(store, "test", pairs(names), method, relevant),
        "joint own": retrieval(store, "test", joints(names), method, relevant),
        "classification": _classification(store),
        "geometry": _geometry(store),
    }


def _classification(store: Store) -> Figures:
    """Accuracy of 10 nearest neighbours, learnt from the train split, of each modality but text and of all together."""
    names = [name for name in store.modalities if name != "text"]
    labels = np.array(store.labels)
    train, test = (chosen_items(store, split, None).numpy() for split in ("train", "test"))
    rows = {name: store.embeddings(name).numpy() for name in names}
    rows["all"] = np.concatenate(list(rows.values()), axis=1)
    found = {}
    for name, x in rows.items():
        learnt = KNeighborsClassifier(10, metric="cosine").fit(x[train], labels[train])
        found[name] = float((learnt.predict(x[test]) == labels[test]).mean())
    return found


def _geometry(store: Store) -> Figures:
    names = store.modalities
    task = Task((names[0],), tuple(names[1:]))
    found = measure(store, tasks=[task], options=EvalOptions(split="test", kinds=("geometry",)))
    means: dict[str, list[float]] = {}
    wanted = ("volume_positive", "sigma1_positive", "effective_rank", "modality_gap", "cosine_positive")
    for row in found.results:
        if row.metric in wanted and row.value is not None:
            means.setdefault(row.metric, []).append(row.value)
    return {metric: float(np.mean(values)) for metric, values in means.items()}
