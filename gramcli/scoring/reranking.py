"""Ranks after the best few of a first stage were put in another order by better scores.

The order is lexicographic: the shortlist by its new scores, then everything else as the first stage had it. The
papers' code gives all that is outside the shortlist the score 0 instead, so its order there is arbitrary: figures
agree up to the length of the shortlist, and only these keep a meaning beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.scoring.positives import Positives


@dataclass(frozen=True)
class Reranked:
    """Ranks of one direction, counted from 1.

    Attributes:
        best: Rank of each query's best positive among the non-positives, shape [n], float64.
        ties: Non-positives of the shortlist that tie with it, shape [n], int64.
        right: Positives of the shortlist with its score, itself included, shape [n], int64.
        positions: Rank of every positive in its query's full order, shape [P], pairs sorted by query, float64.
        position_ties: Candidates of the shortlist with the score of every positive, itself included, shape [P], int64.
    """

    best: Tensor
    ties: Tensor
    right: Tensor
    positions: Tensor
    position_ties: Tensor


def rerank(
    pairs: Positives, first_best: Tensor, first_positions: Tensor, shortlist: Tensor, scores: Tensor
) -> Reranked:
    """Rank by a shortlist's new scores, higher is better.

    Args:
        pairs: Which candidates answer which query.
        first_best: First-stage rank of each query's best positive among the non-positives, shape [n].
        first_positions: First-stage rank of every positive, shape [P], pairs sorted by query.
        shortlist: The k best candidates of each query by the first stage, shape [n, k], int64.
        scores: Their new scores, shape [n, k].

    Returns:
        The ranks; a tie counts by the middle of its range.

    Example:
        >>> pairs = Positives(torch.tensor([0]), torch.tensor([7]), 1, 9)
        >>> found = rerank(pairs, torch.tensor([3.0]), torch.tensor([3.0]), torch.tensor([[4, 2, 7]]),
        ...                torch.tensor([[0.1, 0.9, 0.8]]))
        >>> found.best.tolist(), found.positions.tolist()
        ([2.0], [2.0])
    """
    k = shortlist.shape[1]
    right, place = _right_answers(pairs, shortlist)
    inside = place >= 0
    # Outside the shortlist the first stage's order stands, behind all k; a tie across the border cannot reach in.
    positions = first_positions.double().clamp(min=k + 1)
    rows, own = pairs.query[inside], scores[pairs.query[inside], place[inside]].unsqueeze(1)
    shared = torch.ones(len(positions), dtype=torch.int64)
    shared[inside] = (scores[rows] == own).sum(1)
    positions[inside] = 1 + (scores[rows] > own).sum(1) + (shared[inside] - 1).double() / 2
    top = torch.where(right, scores.double(), -torch.inf).amax(1, keepdim=True)
    found = right.any(1)
    above, level = (~right & (scores > top)).sum(1), (~right & (scores == top)).sum(1)
    best = torch.where(found, 1 + above + level.double() / 2, first_best.double().clamp(min=k + 1))
    together = torch.where(found, (right & (scores == top)).sum(1), 1)
    return Reranked(best, torch.where(found, level, 0), together, positions, shared)


def _right_answers(pairs: Positives, shortlist: Tensor) -> tuple[Tensor, Tensor]:
    """Where the shortlist holds positives, bool [n, k], and the place of every positive in it, int64 [P], or -1."""
    n, k = shortlist.shape
    codes = torch.arange(n).unsqueeze(1) * pairs.n_candidates + shortlist
    values, order = codes.flatten().sort()
    wanted = pairs.query * pairs.n_candidates + pairs.candidate
    at = torch.searchsorted(values, wanted).clamp(max=len(values) - 1)
    place = torch.where(values[at] == wanted, order[at] % k, -1)
    right = torch.zeros(n, k, dtype=torch.bool)
    right[pairs.query[place >= 0], place[place >= 0]] = True
    return right, place
