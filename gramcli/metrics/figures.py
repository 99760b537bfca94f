"""Ranks of one direction as result rows: each figure with its 95 % interval over queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.metrics.retrieval import average_precision, hit_at, ndcg_at, recall_at, reciprocal_rank
from gramcli.metrics.significance import bootstrap_interval, bootstrap_means, weighted_median, wilson_interval
from gramcli.results.records import RankVector, ResultRow

CUTOFFS = (1, 5, 10, 50)
NDCG_CUTOFF = 10
Intervals = Literal["bootstrap", "wilson"]
INTERVALS: Final[tuple[Intervals, ...]] = get_args(Intervals)


def direction_rows(
    vector: RankVector,
    stage: str,
    ties: Tensor,
    positions: Tensor,
    position_query: NDArray[np.int64],
    intervals: Intervals = "bootstrap",
) -> list[ResultRow]:
    """All retrieval figures of one task, method and direction.

    Args:
        vector: Best-positive ranks, one per query; NaN for a query nobody answers.
        stage: `raw`, or `rerank(K)`.
        ties: Non-positives tied with the best positive, shape [n].
        positions: Rank of every positive in its query's full ranking, shape [P], pairs sorted by query.
        position_query: Query of every such pair, shape [P].
        intervals: `bootstrap` over items; `wilson` for the R@k of independent queries, else bootstrap.

    Returns:
        Rows with fractions in [0, 1]; `n` is the number of queries that have an answer. Recall, which equals R@k where
        a query has one answer, is there only where some have several.
    """
    ranks = torch.tensor(vector.ranks, dtype=torch.float64)
    asked = ranks.isfinite()
    clusters = cluster_index([name for name, used in zip(vector.query_ids, asked.tolist(), strict=True) if used])
    query = torch.from_numpy(position_query)
    values = _per_query_figures(ranks, positions, query, vector.n_candidates)
    used = {metric: per_query[asked].numpy() for metric, per_query in values.items()}
    bounds = _bounds(used, clusters, intervals)
    rows = []
    for metric, numbers in used.items():
        value = float(np.median(numbers) if metric == "MedR" else numbers.mean())
        low, high = bounds[metric]
        rows.append(ResultRow(vector.task, vector.method, stage, metric, value, low, high, len(numbers)))
    tie_rate = float((ties[asked] > 0).double().mean())
    rows.append(ResultRow(vector.task, vector.method, stage, "tie_rate", tie_rate, None, None, int(asked.sum())))
    return rows


def _per_query_figures(ranks: Tensor, positions: Tensor, query: Tensor, gallery: int) -> dict[str, Tensor]:
    """Metric to one value per query, shape [n]."""
    n = len(ranks)
    cutoffs = [k for k in CUTOFFS if k <= 10 or k < gallery]
    several = bool((torch.bincount(query, minlength=n) > 1).any())
    values = {f"R@{k}": hit_at(ranks, k) for k in cutoffs}
    values |= {f"recall@{k}": recall_at(positions, query, n, k) for k in cutoffs if several}
    return values | {
        "MedR": ranks,
        "MeanR": ranks,
        "MRR": reciprocal_rank(ranks),
        "mAP": average_precision(positions, query, n),
        f"nDCG@{NDCG_CUTOFF}": ndcg_at(positions, query, n, NDCG_CUTOFF),
    }


def _bounds(
    used: Mapping[str, NDArray[np.float64]], clusters: NDArray[np.int64], intervals: Intervals
) -> dict[str, tuple[float, float]]:
    """95 % intervals: a bootstrap over items, or Wilson's for hits of independent queries.

    Where all queries hit, or none, resampling shows no spread at all: Wilson's then too, with an item counted once.
    """
    n_items = int(clusters.max()) + 1
    found = bootstrap_means(np.stack(list(used.values()), axis=1), clusters)
    bounds = {metric: (float(low), float(high)) for metric, (low, high) in zip(used, found, strict=True)}
    bounds["MedR"] = bootstrap_interval(used["MedR"], clusters, weighted_median)
    for metric, values in used.items():
        independent = n_items == len(values) and intervals == "wilson"
        if metric.startswith("R@") and independent:
            bounds[metric] = wilson_interval(int(values.sum()), n_items)
        elif metric.startswith(("R@", "recall@")) and values.min() == values.max() and values[0] in (0.0, 1.0):
            bounds[metric] = wilson_interval(n_items if values[0] else 0, n_items)
    return bounds


def cluster_index(names: list[str]) -> NDArray[np.int64]:
    """Number the distinct names 0, 1, ... in order of first appearance; one number per name."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
