"""Ranks among candidates of which some are neither right nor wrong: a query's own rows, which it must not find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.ranking import RankOptions, rank
from gramcli.scoring.topk import top_k


@dataclass(frozen=True)
class OwnLeftOut:
    """Exact ranks of right answers, as if a query's own rows were not in the gallery.

    Attributes:
        ranks: Of the best right answer, in the middle of the tied range, shape [n], float64.
        ties: Wrong answers that tie with it, shape [n], int64.
        right: Right answers that tie with it, itself included, shape [n], int64.
        positions: Of every right answer in its query's ranking, sorted by query, shape [P], float64.
        position_ties: Candidates with its score, itself included, shape [P], int64.
        query: Query of every right answer, shape [P], int64.
    """

    ranks: Tensor
    ties: Tensor
    right: Tensor
    positions: Tensor
    position_ties: Tensor
    query: Tensor


def ranks_without_own(
    method: AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    answers: tuple[Tensor, Tensor],
    own: Tensor,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> OwnLeftOut:
    """Rank the right answers of every query among all candidates but its own rows.

    Own rows and right answers are ranked together as positives, each exactly; then whoever stands above or beside a
    right answer and is an own row is taken off.

    Args:
        method: Takes one vector against one.
        queries: One name to embeddings, shape [n, d].
        candidates: One name to embeddings, shape [N, d].
        answers: (indptr [n + 1], indices) of the rows that are right or a query's own; some of each query are right.
        own: Which of the indices are own rows, bool, shape [P].
        device: Where the fast pass runs.
        progress: As in `RankOptions`.
    """
    indptr, _ = answers
    options = RankOptions(every_positive=True, device=device, progress=progress)
    found = rank(method, queries, candidates, answers, both_directions=False, options=options)
    if found.forward_positions is None or found.forward_position_ties is None:
        raise ValueError("every positive was asked for")
    ties = found.forward_position_ties
    first = (found.forward_positions - (ties.double() - 1) / 2).long()  # 1 + how many score strictly better
    n, widest = len(indptr) - 1, int(indptr.diff().max())
    query = torch.repeat_interleave(torch.arange(n), indptr.diff())
    slot = torch.arange(len(query)) - indptr[:-1][query]
    levels = torch.full((n, widest), -1).index_put((query, slot), first)
    mine = torch.zeros(n, widest, dtype=torch.bool).index_put((query, slot), own)
    above, beside, right_beside = (torch.zeros_like(first) for _ in range(3))
    for k in range(widest):
        other, is_own = levels[query, k], mine[query, k]
        above += (is_own & (other < first)).long()
        beside += (is_own & (other == first)).long()
        right_beside += (~is_own & (other == first)).long()
    first, ties = first - above, ties - beside
    right = ~own
    best = torch.full((n,), len(candidates[next(iter(candidates))]) + 1).scatter_reduce(
        0, query[right], first[right], "amin"
    )
    place = _first_of(query, right & (first == best[query]), n)
    wrong = ties[place] - right_beside[place]
    return OwnLeftOut(
        ranks=best.double() + wrong.double() / 2,
        ties=wrong,
        right=right_beside[place],
        positions=(first + (ties.double() - 1) / 2)[right],
        position_ties=ties[right],
        query=query[right],
    )


def _first_of(query: Tensor, chosen: Tensor, n: int) -> Tensor:
    """The first chosen pair of each query, shape [n]."""
    places = chosen.nonzero().flatten()
    return torch.full((n,), len(query)).scatter_reduce(0, query[places], places, "amin")


def best_without_own(
    method: AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    own: Callable[[Tensor], Tensor],
    k: int,
    spare: int,
    *,
    device: str = "cpu",
) -> Tensor:
    """The k best candidates of every query that are none of its own rows, shape [n, k], best first.

    Args:
        method: As for `ranks_without_own`.
        queries: As there.
        candidates: As there.
        own: Of candidate rows [n, K] which are the query's own, bool.
        k: How many; there are as many.
        spare: Most own rows of a query.
        device: Where it runs.
    """
    total = len(next(iter(candidates.values())))
    columns = top_k(method, queries, candidates, min(k + spare, total), device=device)[1]
    order = own(columns).long().argsort(dim=1, stable=True)
    return columns.gather(1, order)[:, :k]
