"""Retrieval figures from ranks that count from 1, one value per query; averages are taken at the edge.

Published code disagrees on names (FIELD: `R@k` may mean a hit or a share). Here a hit is `hit_at`,
the share of positives found is `recall_at`, and both are in results under their own names.

Where right and wrong answers tie, a figure is its expectation over all orders of the tied ones: it lies between the
figures that put the right ones first and last, and a tie of right answers alone costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tied:
    """What shares the score of each query's best right answer.

    Attributes:
        wrong: Wrong answers, shape [n], int64.
        right: Right answers, itself included, shape [n], int64.
    """

    wrong: Tensor
    right: Tensor

    def above(self, ranks: Tensor) -> Tensor:
        """Wrong answers with a better score, from the expected ranks of the best right answers; shape [n]."""
        return torch.round(ranks.double() - 1.0 - self.wrong / (self.right + 1.0))


def hit_at(ranks: Tensor, k: int, tied: Tied | None = None) -> Tensor:
    """Whether the best positive is in the top k (the field's R@k); where it ties, the chance that it is.

    Args:
        ranks: Rank of each query's best positive, shape [n]; with `tied`, its expectation.
        k: Cut-off.
        tied: What ties with it; None where nothing does.

    Returns:
        0 to 1 per query, shape [n], float64.

    Example:
        >>> hit_at(torch.tensor([1.0, 2.0, 7.0]), 5).tolist()
        [1.0, 1.0, 0.0]
        >>> hit_at(torch.tensor([1.5]), 1, Tied(torch.tensor([1]), torch.tensor([1]))).tolist()
        [0.5]
    """
    if tied is None:
        return (ranks <= k).double()
    slots = (k - tied.above(ranks)).clamp(min=0)
    missed = torch.ones_like(slots)
    wrong, right = tied.wrong.double(), tied.right
    for place in range(int(right.max())):  # C(wrong + right - slots, right) / C(wrong + right, right)
        left = (wrong + right - place - slots).clamp(min=0) / (wrong + right - place)
        missed = torch.where(place < right, missed * left, missed)
    return torch.where(ranks.isnan(), 0.0, 1.0 - missed)


def reciprocal_rank(ranks: Tensor, tied: Tied | None = None) -> Tensor:
    """1 / rank of the best positive, whose mean is MRR; where it ties, its expectation.

    Args:
        ranks: As for `hit_at`.
        tied: As for `hit_at`.

    Returns:
        Shape [n], float64.
    """
    plain = 1.0 / ranks.double()
    if tied is None:
        return plain
    where = (tied.wrong > 0).nonzero().flatten()
    cases = torch.stack([tied.above(ranks)[where].long(), tied.wrong[where], tied.right[where]], dim=1)
    kinds, member = torch.unique(cases, dim=0, return_inverse=True)
    expected = torch.stack([_expected_reciprocal(*kind) for kind in kinds.tolist()]) if len(kinds) else plain[:0]
    return plain.index_copy(0, where, expected[member])


def _expected_reciprocal(above: int, wrong: int, right: int) -> Tensor:
    """Mean of 1 / rank of the first of `right` among `right + wrong` in random order, behind `above` others."""
    before = torch.arange(wrong + 1, dtype=torch.float64)
    logs = _log_choose(wrong + right - 1 - before, right - 1)
    chances = torch.softmax(logs, dim=0)
    return (chances / (above + 1 + before)).sum()


def _log_choose(n: Tensor, k: int) -> Tensor:
    return torch.lgamma(n + 1) - torch.lgamma(n - k + 1)  # the constant log k! falls out of a softmax


def recall_at(positions: Tensor, query: Tensor, n: int, k: int, ties: Tensor | None = None) -> Tensor:
    """Share of each query's positives in the top k.

    Args:
        positions: Rank of every positive in its query's full ranking, shape [P]; with `ties` the middle of its range.
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off.
        ties: Candidates with the score of every positive, itself included, shape [P]; None where nothing ties.

    Returns:
        Shares, shape [n], float64; NaN for a query without positives.
    """
    found = positions <= k if ties is None else ((k - _better(positions, ties)) / ties).clamp(0, 1)
    return _per_query(found.double(), query, n) / torch.bincount(query, minlength=n)


def average_precision(
    positions: Tensor, query: Tensor, n: int, k: int | None = None, ties: Tensor | None = None
) -> Tensor:
    """Mean over a query's positives of the precision at each (trec_eval `map`; with k, positions beyond it count 0).

    Args:
        positions: As for `recall_at`.
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off, or None.
        ties: As for `recall_at`; not together with k.

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
    if ties is not None:
        shared = (ties[order] > 1).nonzero().flatten()  # whoever shares a place does so with all of its group
        apart = (sorted_query[shared], sorted_positions[shared], found[shared], ties[order][shared])
        precision = precision.index_copy(0, shared, _expected_precision(*apart)) if len(shared) else precision
    return _per_query(precision, sorted_query, n) / torch.bincount(query, minlength=n)


def _expected_precision(query: Tensor, positions: Tensor, found: Tensor, ties: Tensor) -> Tensor:
    """Precision at a positive that shares its score, each of the shared places being as likely; all shape [P].

    With `better` candidates above the t tied ones, h positives among them and p of the tied ones positive, a positive
    at place j = 1..t has h + 1 + (j - 1) (p - 1) / (t - 1) positives up to it, of better + j candidates.
    """
    groups, member = torch.unique(torch.stack([query.double(), positions]), dim=1, return_inverse=True)
    p = torch.bincount(member, minlength=groups.shape[1])[member].double()
    h = torch.full((groups.shape[1],), torch.inf, dtype=torch.float64)
    h = h.scatter_reduce(0, member, found.double() - 1, "amin")[member]
    t, better = ties.double(), _better(positions, ties)
    harmonic = torch.digamma(better + t + 1) - torch.digamma(better + 1)
    growth = (p - 1) / (t - 1).clamp(min=1)
    return ((h + 1) * harmonic + growth * (t - (better + 1) * harmonic)) / t


def ndcg_at(positions: Tensor, query: Tensor, n: int, k: int, ties: Tensor | None = None) -> Tensor:
    """Normalised discounted cumulative gain with gain 1 per positive and discount log2(rank + 1).

    Args:
        positions: As for `recall_at`.
        query: Query of every positive, shape [P], int64.
        n: Number of queries.
        k: Cut-off.
        ties: As for `recall_at`.

    Returns:
        Shape [n], float64; NaN for a query without positives.
    """
    ranks = positions.double()
    discounts = torch.cumsum(1.0 / torch.log2(torch.arange(2, k + 2).double()), 0)
    if ties is None:
        gain = torch.where(ranks <= k, 1.0 / torch.log2(ranks + 1.0), 0.0)
    else:
        summed, better = torch.cat([torch.zeros(1, dtype=torch.float64), discounts]), _better(ranks, ties).long()
        gain = (summed[(better + ties).clamp(max=k)] - summed[better.clamp(max=k)]) / ties
    counts = torch.bincount(query, minlength=n)
    best = torch.where(counts > 0, discounts[counts.clamp(1, k) - 1], torch.nan)
    return _per_query(gain, query, n) / best


def _better(positions: Tensor, ties: Tensor) -> Tensor:
    """Candidates above a tied range, from its middle."""
    return positions.double() - (ties.double() + 1) / 2


def _per_query(values: Tensor, query: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.float64).index_add_(0, query, values)
