"""Where right answers stand that tie with wrong ones: anywhere with equal chance, first, or last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch
from torch import Tensor

Ties = Literal["mean", "optimistic", "pessimistic"]
TIES: Final[tuple[Ties, ...]] = get_args(Ties)


@dataclass(frozen=True)
class Placed:
    """Ranks of one direction's best right answers under a policy.

    Attributes:
        ranks: Counted from 1, shape [n], float64; NaN where nobody answers. Under `mean` the expectation.
        wrong: Under `mean` the wrong answers that tie with it, else 0; shape [n], int64.
        right: Right answers that share its score, itself included; shape [n], int64.
    """

    ranks: Tensor
    wrong: Tensor
    right: Tensor


def placed(ranks: Tensor, ties: Tensor, right: Tensor, policy: Ties) -> Placed:
    """Ranks of best positives under a policy.

    Args:
        ranks: In the middle of the tied range, shape [n]; NaN where nobody answers.
        ties: Non-positives tied with the best positive, shape [n].
        right: Positives with the score of the best one, shape [n].
        policy: `mean` expects the first of `right` among `ties` in random order; `optimistic` puts the positives before
            them, `pessimistic` behind.

    Returns:
        Ranks, and what the expectation of other figures needs.

    Example:
        >>> one = torch.tensor([2.0]), torch.tensor([2]), torch.tensor([1])
        >>> placed(*one, "mean").ranks.tolist(), placed(*one, "pessimistic").ranks.tolist()
        ([2.0], [3.0])
        >>> placed(torch.tensor([2.0]), torch.tensor([2]), torch.tensor([3]), "mean").ranks.tolist()
        [1.5]
    """
    above = ranks.double() - ties.double() / 2
    if policy == "mean":
        return Placed(above + ties.double() / (right + 1.0), ties, right)
    return Placed(above + (ties.double() if policy == "pessimistic" else 0.0), torch.zeros_like(ties), right)


def placed_positions(positions: Tensor, ties: Tensor, query: Tensor, policy: Ties) -> tuple[Tensor, Tensor | None]:
    """Ranks of every positive in its query's full ranking under a policy.

    Positives that tie with one another never share a place except under `mean`: a range that p positives and w wrong
    answers tie for holds the positives first or last, one after the other.

    Args:
        positions: Middles of the tied ranges, shape [P].
        ties: Candidates with the same score, itself and other positives included, shape [P].
        query: Query of every positive, shape [P], sorted.
        policy: As in `placed`.

    Returns:
        Ranks, shape [P], float64; and `ties` where a rank stands for the middle of that many places, else None.

    Example:
        >>> both = torch.tensor([2.0, 2.0]), torch.tensor([3, 3]), torch.tensor([0, 0])
        >>> [placed_positions(*both, policy)[0].tolist() for policy in ("optimistic", "pessimistic")]
        [[1.0, 2.0], [2.0, 3.0]]
    """
    positions, spread = positions.double(), ties.double()
    if policy == "mean":
        return positions, ties if bool((ties > 1).any()) else None
    first = positions - (spread - 1) / 2
    groups, member = torch.unique(torch.stack([query.double(), first]), dim=1, return_inverse=True)
    order = member.argsort(stable=True)
    counts = torch.bincount(member, minlength=groups.shape[1])
    within = torch.empty_like(member)
    within[order] = torch.arange(len(member)) - (torch.cumsum(counts, 0) - counts)[member[order]]
    start = first if policy == "optimistic" else first + spread - counts[member]
    return start + within, None
