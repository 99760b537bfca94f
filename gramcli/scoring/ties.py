"""Where a right answer stands that ties with wrong ones: in the middle, first, or last."""

from __future__ import annotations

from typing import Final, Literal, get_args

import torch
from torch import Tensor

Ties = Literal["mean", "optimistic", "pessimistic"]
TIES: Final[tuple[Ties, ...]] = get_args(Ties)


def placed(ranks: Tensor, ties: Tensor, policy: Ties) -> Tensor:
    """Ranks of best positives under a policy.

    Args:
        ranks: In the middle of the tied range, shape [n]; NaN where nobody answers.
        ties: Non-positives tied with the best positive, shape [n].
        policy: `mean` keeps the middle; `optimistic` puts the positive before them, `pessimistic` behind.

    Returns:
        Shape [n], float64.

    Example:
        >>> placed(torch.tensor([2.0]), torch.tensor([2]), "pessimistic").tolist()
        [3.0]
    """
    shift = {"mean": 0.0, "optimistic": -0.5, "pessimistic": 0.5}[policy]
    return ranks.double() + shift * ties.double()


def placed_positions(positions: Tensor, ties: Tensor, query: Tensor, policy: Ties) -> Tensor:
    """Ranks of every positive in its query's full ranking under a policy.

    Positives that tie with one another never share a place except under `mean`: a range that p positives and w wrong
    answers tie for holds the positives first or last, one after the other.

    Args:
        positions: Middles of the tied ranges, shape [P].
        ties: Candidates with the same score, itself and other positives included, shape [P].
        query: Query of every positive, shape [P], sorted.
        policy: As in `placed`.

    Returns:
        Shape [P], float64.

    Example:
        >>> both = torch.tensor([2.0, 2.0]), torch.tensor([3, 3]), torch.tensor([0, 0])
        >>> placed_positions(*both, "optimistic").tolist(), placed_positions(*both, "pessimistic").tolist()
        ([1.0, 2.0], [2.0, 3.0])
    """
    positions, ties = positions.double(), ties.double()
    if policy == "mean":
        return positions
    first = positions - (ties - 1) / 2
    groups, member = torch.unique(torch.stack([query.double(), first]), dim=1, return_inverse=True)
    order = member.argsort(stable=True)
    counts = torch.bincount(member, minlength=groups.shape[1])
    within = torch.empty_like(member)
    within[order] = torch.arange(len(member)) - (torch.cumsum(counts, 0) - counts)[member[order]]
    start = first if policy == "optimistic" else first + ties - counts[member]
    return start + within
