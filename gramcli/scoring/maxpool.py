"""Retrieval of whole items through their captions: an item scores as its best caption does.

`v2t` ranks a clip's captions among all captions. Some published code pools first: a clip's score with an item is the
largest over the item's captions, and items are ranked (`tensor_video_to_text_sim` of CLIP4Clip). The gallery is
then N items instead of all their captions, so the figures are of another protocol and carry their own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, ones
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.scores import index, parts
from gramcli.scoring.screening import EVERYTHING, Embeddings, Operand, Presence, Screen, open_sides

_TILE = 2048


@dataclass(frozen=True)
class PooledRanks:
    """Ranks of items, counted from 1.

    Attributes:
        ranks: Rank of each candidate's own item, ties in the middle, shape [N], float64.
        ties: Other items that tie with it, shape [N], int64.
    """

    ranks: Tensor
    ties: Tensor


def pooled_ranks(
    method: AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    owner: Tensor,
    *,
    present: Presence = EVERYTHING,
) -> PooledRanks:
    """For every candidate, rank its own item among all items by the best of each item's queries.

    Args:
        method: The measure.
        queries: Modality name to rows [n, d]: all captions, an item's next to each other.
        candidates: Modality name to rows [N, d]: one per item.
        owner: Candidate that each query belongs to, shape [n], int64, sorted; every candidate owns one at least.
        present: Which modalities exist.

    Returns:
        The ranks; exact, as those of `gramcli.scoring.ranking.rank`.

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.
    """
    q, c = open_sides(method, queries, candidates, present=present)
    own = pair_keys(method, q, c, torch.arange(q.n), owner)
    best = torch.full((c.n,), -torch.inf, dtype=own.dtype).scatter_reduce(0, owner, own, "amax")
    pool = _Pool(method, q, c, owner, best, Screen(method, q.k, c.k, q.d, torch.float64, torch.device("cpu")))
    for rows in _whole_items(owner):
        left = pool.screen.operand(q.side(method, index(rows)))
        for columns in parts(c.n, _TILE):
            pool.add(rows, columns, left)
    return PooledRanks(1 + pool.above + pool.level.double() / 2, pool.level)


@dataclass
class _Pool:
    """Counts of items above, and level with, every candidate's own."""

    method: AlignmentMethod
    queries: Embeddings
    candidates: Embeddings
    owner: Tensor
    best: Tensor
    screen: Screen
    above: Tensor = field(init=False)
    level: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.above = torch.zeros(self.candidates.n, dtype=torch.int64)
        self.level = torch.zeros_like(self.above)

    def add(self, rows: slice, columns: slice, left: Operand) -> None:
        """Count a tile that holds whole items: each counts once, by its best caption."""
        higher, equal = self._compared(rows, columns, left)
        owner = self.owner[rows]
        item, place = torch.unique_consecutive(owner, return_inverse=True)
        mine = item.unsqueeze(1) == index(columns)
        above, level = (
            torch.zeros(len(item), found.shape[1]).scatter_reduce_(
                0, place.unsqueeze(1).expand_as(found), found.float(), "amax"
            )
            > 0
            for found in (higher, equal)
        )
        self.above[columns] += (above & ~mine).sum(0)
        self.level[columns] += (level & ~above & ~mine).sum(0)

    def _compared(self, rows: slice, columns: slice, left: Operand) -> tuple[Tensor, Tensor]:
        """Which keys of a tile are above, and equal to, their column's threshold, bool [n, N]."""
        thresholds = self.best[columns]
        n, N = rows.stop - rows.start, columns.stop - columns.start
        if self.screen.usable:
            right = self.screen.operand(self.candidates.side(self.method, index(columns)))
            cross = self.screen.products(left, right)
            slack = self.screen.slack(left, right, cross)
            compare = self.method.compare_tile(cross, left.constants.unsqueeze(-1), right.constants.unsqueeze(-2))
            sure = compare(thresholds + slack).bool()
            i, j = ones(compare(thresholds - slack).sub_(sure.double()))
            higher = sure
        else:
            higher = torch.zeros(n, N, dtype=torch.bool)
            i, j = (place.flatten() for place in torch.meshgrid(torch.arange(n), torch.arange(N), indexing="ij"))
        keys = pair_keys(self.method, self.queries, self.candidates, i + rows.start, j + columns.start)
        exact, wanted = self.method.ordered(keys), self.method.ordered(thresholds)[j]
        equal = torch.zeros_like(higher)
        higher[i, j], equal[i, j] = exact > wanted, exact == wanted
        return higher, equal


def _whole_items(owner: Tensor) -> list[slice]:
    """Cut the queries into runs of about a tile, never within an item."""
    ends = torch.cumsum(torch.unique_consecutive(owner, return_counts=True)[1], 0).tolist()
    runs, start = [], 0
    for end, following in zip(ends, [*ends[1:], None], strict=True):
        if following is None or following - start > _TILE:
            runs.append(slice(start, end))
            start = end
    return runs
