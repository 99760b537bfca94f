"""Retrieval figures from ranks that count from 1, one value per query; averages are taken at the edge.

Published code disagrees on names (FIELD: `R@k` may mean a hit or a share). Here a hit is `hit_at`,
the share of positives found is `recall_at`, and both are in results under their own names.
"""

from __future__ import annotations

import torch
from torch import Tensor


def hit_at(ranks: Tensor, k: int) -> Tensor:
    """Whether the best positive is in the top k (the field's R@k).

    A tie across the border counts by the middle of its range: rank 1.5 is no hit at 1.

    Args:
        ranks: Rank of each query's best positive, shape [n].
        k: Cut-off.

    Returns:
        0 or 1 per query, shape [n], float64.

    Example:
        >>> hit_at(torch.tensor([1.0, 1.5, 7.0]), 5).tolist()
        [1.0, 1.0, 0.0]
    """
    return (ranks <= k).double()


def reciprocal_rank(ranks: Tensor) -> Tensor:
    """1 / rank of the best positive, whose mean is MRR; shape [n], float64."""
    return 1.0 / ranks.double()


def recall_at(positions: Tensor, query: Tensor, n: int, k: int) -> Tensor:
    """Share of each query's positives in the top k.

    Args:
        positions: Rank of every positive in its query's full ranking, shape [P].
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off.

    Returns:
        Shares, shape [n], float64; NaN for a query without positives.
    """
    return _per_query((positions <= k).double(), query, n) / torch.bincount(query, minlength=n)


def average_precision(positions: Tensor, query: Tensor, n: int, k: int | None = None) -> Tensor:
    """Mean over a query's positives of the precision at each (trec_eval `map`; with k, positions beyond it count 0).

    Args:
        positions: Rank of every positive in its query's full ranking, shape [P].
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off, or None.

    Returns:
        Shape [n], float64; NaN for a query without positives.
    """
    order = torch.argsort(positions, stable=True)
    order = order[torch.argsort(query[order], stable=True)]
    sorted_query, sorted_positions = query[order], positions[order].double()
    starts = torch.cumsum(torch.bincount(query, minlength=n), 0) - torch.bincount(query, minlength=n)
    found = torch.arange(len(order)) - starts[sorted_query] + 1
    precision = found / sorted_positions
    if k is not None:
        precision = torch.where(sorted_positions <= k, precision, 0.0)
    return _per_query(precision, sorted_query, n) / torch.bincount(query, minlength=n)


def ndcg_at(positions: Tensor, query: Tensor, n: int, k: int) -> Tensor:
    """Normalised discounted cumulative gain with gain 1 per positive and discount log2(rank + 1).

    Args:
        positions: Rank of every positive in its query's full ranking, shape [P].
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off.

    Returns:
        Shape [n], float64; NaN for a query without positives.
    """
    ranks = positions.double()
    gain = torch.where(ranks <= k, 1.0 / torch.log2(ranks + 1.0), 0.0)
    ideal = torch.cumsum(1.0 / torch.log2(torch.arange(2, k + 2).double()), 0)
    counts = torch.bincount(query, minlength=n)
    best = torch.where(counts > 0, ideal[counts.clamp(1, k) - 1], torch.nan)
    return _per_query(gain, query, n) / best


def _per_query(values: Tensor, query: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.float64).index_add_(0, query, values)
