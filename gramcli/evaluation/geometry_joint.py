"""Joint figures of one task: volume and sigma_1 of matched and of shuffled instances, and the papers' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.geometry_rows import GeometryRows
from gramcli.evaluation.selection import Selection
from gramcli.metrics.geometry import joint
from gramcli.metrics.geometry.catalog import QUANTILES
from gramcli.metrics.geometry.rows import directions_vary


@dataclass(frozen=True)
class _Instances:
    """Matched and shuffled instances of a task.

    Attributes:
        matched: Of every pair of a query and an answer, [n].
        shuffled: Each query with the candidate side of other items, [k]; None without another item.
        owners: Item of each matched one, [n].
        pairs: Items of the query and of the candidate of each shuffled one, [k].
        vary: Whether the rows of some modality vary.
    """

    matched: joint.Instances
    shuffled: joint.Instances | None
    owners: Tensor
    pairs: tuple[Tensor, Tensor]
    vary: bool


def add_joint(found: GeometryRows, selection: Selection, methods: Sequence[str], seed: int) -> None:
    """Add the joint figures of a task.

    Args:
        found: Where they go.
        selection: Rows of the task.
        methods: Among `gram` and `pmrl`.
        seed: Of the shuffling, and of the choice of queries for `gramian_value`.
    """
    task = selection.task.name
    m, d = len(selection.task.modalities), next(iter(selection.queries.values())).shape[1]
    wanted = [name for name in methods if name != "gram" or d >= m]
    if len(wanted) < len(methods):
        found.notes.append(f"{task}: no volumes: {m} vectors need {m} dimensions, not {d}.")
    both = _instances(found, selection, seed)
    for method in wanted:
        if method == "gram":
            _add_volume(found, selection, both, seed)
        else:
            _add_sigma(found, task, both)


def _instances(found: GeometryRows, selection: Selection, seed: int) -> _Instances:
    """Matched instances, and every query with the candidate side of others: seeded cyclic permutations of the items."""
    sides = selection.queries, selection.candidates
    places, item_of = _instance_rows(selection)
    vectors = [x for side in sides for x in side.values()]
    matched = joint.instances(vectors, _spread(places, sides))
    vary, nothing = any(map(directions_vary, vectors)), torch.zeros(0, dtype=torch.int64)
    try:
        moved = joint.derangements(int(item_of[1].max()) + 1, seed)
    except UserError as error:
        found.notes.append(f"{selection.task.name}: {error}")
        return _Instances(matched, None, item_of[0], (nothing, nothing), vary)
    first = torch.full((moved.shape[1],), len(item_of[1]), dtype=torch.int64)
    first.scatter_reduce_(0, item_of[1], torch.arange(len(item_of[1])), "amin")
    others = moved[:, item_of[0]].flatten()
    shuffled = joint.instances(vectors, _spread((places[0].repeat(len(moved)), first[others]), sides))
    return _Instances(matched, shuffled, item_of[0], (item_of[0].repeat(len(moved)), others), vary)


def _add_volume(found: GeometryRows, selection: Selection, both: _Instances, seed: int) -> None:
    task, matched = selection.task.name, both.matched
    negative = None if both.shuffled is None else both.shuffled.volume
    _add_distribution(found, task, "volume", (matched.volume, negative), both)
    share = float(matched.degenerate.double().mean())
    found.row(task, "degenerate_share", share, len(matched.volume), method="gram")
    value, n = joint.gramian_value(selection.queries, selection.candidates, present=selection.present, seed=seed)
    found.row(task, "gramian_value", value, n, method="gram")
    if n < len(selection.query_ids):
        found.notes.append(f"{task}: gramian_value over {n} of the queries (seeded), each against the whole gallery.")


def _add_sigma(found: GeometryRows, task: str, both: _Instances) -> None:
    matched, shuffled, n = both.matched, both.shuffled, len(both.matched.volume)
    _add_distribution(found, task, "sigma1", (matched.sigma_1, None if shuffled is None else shuffled.sigma_1), both)
    found.mean(task, "sigma1_share", matched.share, both.owners, "pmrl")
    if shuffled is not None:
        _add_shuffled(found, task, "sigma1_share_negative", shuffled.share, both)
    found.mean(task, "eigenvalue_max", matched.sigma_1, both.owners, "pmrl")
    found.row(task, "eigenvector_uniformity", joint.eigenvector_uniformity(matched.mean_direction), n, method="pmrl")


def _add_distribution(
    found: GeometryRows, task: str, name: str, scores: tuple[Tensor, Tensor | None], both: _Instances
) -> None:
    """Mean and quantiles of a score over matched and shuffled instances, and its AUC."""
    method, higher = ("gram", False) if name == "volume" else ("pmrl", True)
    positive, negative = scores
    found.mean(task, f"{name}_positive", positive, both.owners, method)
    _add_quantiles(found, task, f"{name}_positive", positive, method)
    if negative is None:
        return
    _add_shuffled(found, task, f"{name}_negative", negative, both)
    _add_quantiles(found, task, f"{name}_negative", negative, method)
    if not both.vary:
        found.row(task, f"{name}_auc", None, len(positive), method=method)
        found.notes.append(f"{task}: {name}_auc is undefined: the rows of no modality vary.")
        return
    value = joint.auc(positive, negative, higher_is_better=higher)
    interval = joint.auc_interval(positive, negative, both.owners, both.pairs, higher_is_better=higher)
    found.row(task, f"{name}_auc", value, len(positive), method=method, interval=interval)


def _add_shuffled(found: GeometryRows, task: str, metric: str, values: Tensor, both: _Instances) -> None:
    method = "gram" if metric.startswith("volume") else "pmrl"
    interval = joint.shuffled_interval(values, both.pairs)
    found.row(task, metric, float(values.mean()), len(values), method=method, interval=interval)


def _add_quantiles(found: GeometryRows, task: str, name: str, values: Tensor, method: str) -> None:
    for q in QUANTILES:
        found.row(task, f"{name}_q{q:02d}", float(np.percentile(values, q)), len(values), method=method)


def _instance_rows(selection: Selection) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Query and candidate row of every matched pair; item of every pair's query, item of every candidate row."""
    indptr, candidates = selection.positives
    queries = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    numbers = {name: k for k, name in enumerate(dict.fromkeys(selection.candidate_ids))}
    of_candidate = torch.tensor([numbers[name] for name in selection.candidate_ids])
    return (queries, candidates), (of_candidate[candidates], of_candidate)


def _spread(places: tuple[Tensor, Tensor], sides: tuple[dict[str, Tensor], dict[str, Tensor]]) -> list[Tensor]:
    """The row of every instance, once for each modality of either side."""
    return [rows for rows, side in zip(places, sides, strict=True) for _ in side]
