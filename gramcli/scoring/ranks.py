"""What ranking takes and gives: its options, the ranks, and one direction's thresholds and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.scoring.checks import check_dtype, check_tile
from gramcli.scoring.counting import Counter
from gramcli.scoring.positives import Positives


@dataclass(frozen=True)
class RankOptions:
    """How ranks are computed; none of it changes them.

    Attributes:
        every_positive: Also give the rank of every positive, for mAP, nDCG and recall@k.
        device: Where the fast pass runs.
        dtype: What the vectors are rounded to in it: float64, float32, bfloat16, float16; None is bfloat16 where the
            CPU has such arithmetic and no neighbours are asked for, else float32.
        tile: Rows and columns of a tile; None leaves it to the pass.
        progress: Called with (pairs done, pairs in all).

    Raises:
        UserError: Another dtype, or a tile that is not two whole numbers from 1 on.
    """

    every_positive: bool = False
    device: str | torch.device = "cpu"
    dtype: torch.dtype | None = None
    tile: tuple[int, int] | None = None
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None:
            check_dtype(self.dtype)
        if self.tile is not None:
            check_tile(self.tile)


@dataclass(frozen=True)
class Ranks:
    """Ranks counted from 1.

    Attributes:
        forward: Rank of each query's best positive, shape [n]; int64, or float64 with halves where ties
            straddle.
        backward: The same with candidates asking, shape [N], or None; NaN where no query has the candidate
            as positive.
        forward_ties: Non-positive candidates tied with the best positive, shape [n], int64.
        backward_ties: The same for candidates, shape [N], or None.
        forward_right: Positives with the score of the best one, itself included, shape [n], int64; 0 where nobody
            answers.
        backward_right: The same for candidates, shape [N], or None.
        forward_positions: With `every_positive`: rank of each positive pair, sorted by query, in the full
            ranking of that query (other positives count), shape [P], float64; else None.
        backward_positions: The same, pairs sorted by candidate.
        forward_position_ties: With `every_positive`: candidates with the score of each positive pair, itself and other
            positives included, shape [P], int64; else None.
        backward_position_ties: The same, pairs sorted by candidate.
        n_degenerate: Candidates (for several query vectors also queries) whose own vectors are linearly
            dependent, as far as the dtype of the rows can tell: one of them lies within 1e-14 (float64
            rows) or 4 units of the coarsest dtype of the span of those before it. Scores keep their digits.
        n_rescored: Decisions that the fast pass did not make: a pair counts once for each direction and each
            threshold it was too close to (with both directions up to twice, with `every_positive` more often),
            whether float64 products or reference keys decided it then; a tile that is computed whole by
            reference keys counts each of its pairs once. So it may exceed n N.
    """

    forward: Tensor
    backward: Tensor | None
    forward_ties: Tensor
    backward_ties: Tensor | None
    forward_right: Tensor
    backward_right: Tensor | None
    forward_positions: Tensor | None
    backward_positions: Tensor | None
    n_degenerate: int
    n_rescored: int
    forward_position_ties: Tensor | None = None
    backward_position_ties: Tensor | None = None


class Direction:
    """Thresholds of one direction's queries, their counts, and the ranks these give."""

    def __init__(
        self,
        pairs: Positives,
        keys: Tensor,
        every_positive: bool,
        forward: bool,
        ordered: Callable[[Tensor], Tensor] = lambda keys: keys,
    ) -> None:
        self.pairs = pairs
        best = torch.full((pairs.n,), -torch.inf, dtype=keys.dtype)
        best = best.scatter_reduce(0, pairs.query, keys, "amax")
        self.asked = pairs.counts() > 0
        # A positive that ties with its query's best one is no wrong answer that ties.
        self.right = self._per_query((ordered(keys) == ordered(best)[pairs.query]).long())
        levels = torch.where(self.asked, best, torch.inf).unsqueeze(0)
        self.lead = torch.zeros(pairs.n, dtype=torch.int64)
        if every_positive and len(pairs.query):
            levels = torch.full((int(pairs.counts().max()), pairs.n), torch.inf, dtype=keys.dtype)
            levels[pairs.slots(), pairs.query] = keys
            self.lead = torch.where(levels == best, 1, 0).argmax(dim=0)
        self.counter = Counter(levels, forward, ordered)

    def ties(self) -> Tensor:
        """Ties with the best positive that are not positives themselves, shape [n]."""
        return torch.where(self.asked, self._of_best(self.counter.ties) - self.right, 0)

    def ranks(self) -> Tensor:
        """Rank of the best positive among the non-positives, shape [n]."""
        above, ties = self._of_best(self.counter.above) + 1, self.ties()
        if bool(self.asked.all()) and not bool((ties % 2).any()):
            return above + ties // 2
        return torch.where(self.asked, above + ties.double() / 2, torch.nan)

    def positions(self) -> Tensor:
        """Rank of every positive in its query's full ranking, ties in the middle, shape [P]."""
        where = (self.pairs.slots(), self.pairs.query)
        return 1 + self.counter.above[where] + (self.counter.ties[where] - 1).double() / 2

    def position_ties(self) -> Tensor:
        """Candidates with the score of every positive, itself included, shape [P], int64."""
        return self.counter.ties[self.pairs.slots(), self.pairs.query]

    def _of_best(self, counts: Tensor) -> Tensor:
        return counts[self.lead, torch.arange(self.pairs.n)]

    def _per_query(self, values: Tensor) -> Tensor:
        return torch.zeros(self.pairs.n, dtype=torch.int64).index_add_(0, self.pairs.query, values)


def counted_ranks(
    forward: Direction, backward: Direction | None, every: bool, *, n_degenerate: int, n_rescored: int
) -> Ranks:
    """The ranks of one or both directions, once everything is counted."""
    return Ranks(
        forward=forward.ranks(),
        backward=backward.ranks() if backward else None,
        forward_ties=forward.ties(),
        backward_ties=backward.ties() if backward else None,
        forward_right=forward.right,
        backward_right=backward.right if backward else None,
        forward_positions=forward.positions() if every else None,
        backward_positions=backward.positions() if backward and every else None,
        n_degenerate=n_degenerate,
        n_rescored=n_rescored,
        forward_position_ties=forward.position_ties() if every else None,
        backward_position_ties=backward.position_ties() if backward and every else None,
    )
