"""Ranks of one direction as result rows: each figure with its 95 % interval over queries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.metrics.retrieval import average_precision, hit_at, ndcg_at, recall_at, reciprocal_rank
from gramcli.metrics.significance import bootstrap_interval, weighted_mean, weighted_median, wilson_interval
from gramcli.results import RankVector, ResultRow

CUTOFFS = (1, 5, 10, 50)
SHARE_CUTOFFS = (10,)
NDCG_CUTOFF = 10


def direction_rows(
    vector: RankVector, stage: str, ties: Tensor, positions: Tensor, position_query: NDArray[np.int64]
) -> list[ResultRow]:
    """All retrieval figures of one task, method and direction.

    Args:
        vector: Best-positive ranks, one per query; NaN for a query nobody answers.
        stage: `raw`, or `rerank(K)`.
        ties: Non-positives tied with the best positive, shape [n].
        positions: Rank of every positive in its query's full ranking, shape [P], pairs sorted by query.
        position_query: Query of every such pair, shape [P].

    Returns:
        Rows with fractions in [0, 1]; `n` is the number of queries that have an answer.
    """
    ranks = torch.tensor(vector.ranks, dtype=torch.float64)
    asked = ranks.isfinite()
    clusters = cluster_index([name for name, used in zip(vector.query_ids, asked.tolist(), strict=True) if used])
    query = torch.from_numpy(position_query)
    n = len(ranks)
    several = bool((torch.bincount(query, minlength=n) > 1).any())
    values: dict[str, Tensor] = {f"R@{k}": hit_at(ranks, k) for k in CUTOFFS if k <= 10 or k < vector.n_candidates}
    values |= {"MedR": ranks, "MeanR": ranks, "MRR": reciprocal_rank(ranks)}
    if several:
        values |= {f"recall@{k}": recall_at(positions, query, n, k) for k in SHARE_CUTOFFS}
        values |= {
            "mAP": average_precision(positions, query, n),
            f"nDCG@{NDCG_CUTOFF}": ndcg_at(positions, query, n, NDCG_CUTOFF),
        }
    rows = []
    for metric, per_query in values.items():
        used = per_query[asked].numpy()
        statistic: Callable[..., NDArray[np.float64]] = weighted_median if metric == "MedR" else weighted_mean
        value = float(statistic(used, np.ones((1, len(used))))[0])
        low, high = _interval(metric, used, clusters, statistic)
        rows.append(ResultRow(vector.task, vector.method, stage, metric, value, low, high, len(used)))
    tie_rate = float((ties[asked] > 0).double().mean())
    rows.append(ResultRow(vector.task, vector.method, stage, "tie_rate", tie_rate, None, None, int(asked.sum())))
    return rows


def _interval(
    metric: str, values: NDArray[np.float64], clusters: NDArray[np.int64], statistic: Callable[..., NDArray[np.float64]]
) -> tuple[float, float]:
    """Wilson for hits of independent queries, else a bootstrap over items.

    Where all queries hit, or none, resampling shows no spread at all: Wilson, with an item counted once.
    """
    n_items = int(clusters.max()) + 1
    if metric.startswith("R@") and n_items == len(values):
        return wilson_interval(int(values.sum()), n_items)
    if metric.startswith(("R@", "recall@")) and values.min() == values.max() and values[0] in (0.0, 1.0):
        return wilson_interval(n_items if values[0] else 0, n_items)
    return bootstrap_interval(values, clusters, statistic)


def cluster_index(names: list[str]) -> NDArray[np.int64]:
    """Number the distinct names 0, 1, ... in order of first appearance; one number per name."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
