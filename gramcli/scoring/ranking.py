"""Exact ranks of the right answers, in both directions, in O(n + N) memory.

The rank of a query is 1 + the number of candidates that score strictly better than its best positive +
half the number that tie with it. Positives are left out by index, never by value. Ranks are those of
the float64 reference scores whatever the device, the dtype of the fast pass, the tile size or the
number of threads; only exact float64 ties are ties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring import fused
from gramcli.scoring.checks import DTYPES, check_dense, check_dtype, check_tile
from gramcli.scoring.counting import Counter, Pass, Tally
from gramcli.scoring.memory import hand_back_freed
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.positives import Positives, PositivesLike, read_positives
from gramcli.scoring.prepared import prepare
from gramcli.scoring.scores import as_method, index, parts
from gramcli.scoring.screening import COLUMN_TILE, EVERYTHING, ROW_TILE, Presence, Screen, open_sides, sides_text
from gramcli.scoring.topk import top_k

__all__ = ["RankOptions", "Ranks", "rank", "rank_scores", "top_k"]

_EXACT_INTEGER = 1 << 53  # beyond it float64 skips integers


@dataclass(frozen=True)
class RankOptions:
    """How ranks are computed; none of it changes them.

    Attributes:
        every_positive: Also give the rank of every positive, for mAP, nDCG and recall@k.
        device: Where the fast pass runs.
        dtype: What the vectors are rounded to in it: float64, float32, bfloat16, float16.
        tile: Rows and columns of a tile; the fused GPU kernel takes larger ones.
        progress: Called with (pairs done, pairs in all).

    Raises:
        UserError: Another dtype, or a tile that is not two whole numbers from 1 on.
    """

    every_positive: bool = False
    device: str | torch.device = "cpu"
    dtype: torch.dtype = torch.float32
    tile: tuple[int, int] = (ROW_TILE, COLUMN_TILE)
    progress: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
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


def rank(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    positives: PositivesLike = None,
    *,
    both_directions: bool = True,
    present: Presence = EVERYTHING,
    options: RankOptions | None = None,
) -> Ranks:
    """Rank every query's positives among all candidates, and the other way round.

    Args:
        method: Name (options after a colon) or method.
        queries: Modality name to embeddings, each shape [n, d]; normalised in float64 first.
        candidates: Modality name to embeddings, each shape [N, d].
        positives: None (i answers i, n = N), int64 [n] (query -> its candidate), or a CSR pair
            (indptr [n + 1], indices) for several; tensors, numpy arrays or lists of whole numbers.
        both_directions: Also rank the queries for every candidate, in the same pass.
        present: Which modalities exist, as `gramcli.scoring.Presence`.
        options: Device, dtype of the fast pass, tile and progress, which change the time but not the ranks; and
            whether to rank every positive.

    Returns:
        The ranks. A log-volume is ranked by its volume, whose order it shares. Cosines are resolved to about
        2^-60 absolutely, so candidates whose cosines differ by less tie (`linalg.exact_dot_matrix`).

    Raises:
        UserError: As `gramcli.scoring.score_matrix`, or the positives are malformed.

    Example:
        >>> side = {"x": torch.eye(3)}
        >>> rank("cosine", side, side).forward
        tensor([1, 1, 1])
    """
    options = options or RankOptions()
    chosen = as_method(method)
    q, c = open_sides(chosen, queries, candidates, present=present, device=options.device)
    pairs = read_positives(positives, q.n, c.n, sides_text(q, c))
    keys = pair_keys(chosen, q, c, pairs.query, pairs.candidate)
    forward = Direction(pairs, keys, options.every_positive, forward=True, ordered=chosen.ordered)
    backward = None
    if both_directions:
        order = torch.argsort(pairs.candidate, stable=True)
        backward = Direction(
            pairs.reversed(), keys[order], options.every_positive, forward=False, ordered=chosen.ordered
        )
    codes, order = (pairs.query * c.n + pairs.candidate).sort()
    tally = Tally(
        chosen, q, c, forward.counter, backward.counter if backward else None, (codes, keys[order]), options.tile
    )
    n_degenerate = _count(tally, options)
    return Ranks(
        forward=forward.ranks(),
        backward=backward.ranks() if backward else None,
        forward_ties=forward.ties(),
        backward_ties=backward.ties() if backward else None,
        forward_right=forward.right,
        backward_right=backward.right if backward else None,
        forward_positions=forward.positions() if options.every_positive else None,
        backward_positions=backward.positions() if backward and options.every_positive else None,
        n_degenerate=n_degenerate,
        n_rescored=tally.rescored,
        forward_position_ties=forward.position_ties() if options.every_positive else None,
        backward_position_ties=backward.position_ties() if backward and options.every_positive else None,
    )


def rank_scores(
    scores: Tensor, positives: PositivesLike = None, *, higher_is_better: bool = True, every_positive: bool = False
) -> Ranks:
    """Ranks from a score matrix that is already there, forward only; transpose it for the other direction.

    Args:
        scores: Shape [n, N], any real dtype, finite. Integers are ranked as they are, also beyond 2^53.
        positives: As in `rank`.
        higher_is_better: Orientation of the scores.
        every_positive: Also rank every positive.

    Returns:
        Ranks with `backward` None.

    Raises:
        UserError: The scores are no dense tensor [n, N], empty, complex, uint64, of 8-bit floats or not finite, or
            the positives are malformed.
    """
    unordered = isinstance(scores, Tensor) and scores.is_floating_point() and scores.dtype not in DTYPES
    if not isinstance(scores, Tensor) or scores.is_complex() or scores.dtype == torch.uint64 or unordered:
        got = str(scores.dtype) if isinstance(scores, Tensor) else type(scores).__name__
        raise UserError("embedding", f"rank_scores needs a tensor of real numbers (int64, float64, ..); got {got}.")
    check_dense("The scores that rank_scores needs", scores)
    shapeless = scores.dim() != 2 or scores.numel() == 0
    if shapeless or not bool(scores.isfinite().all()):
        what = f"shape {list(scores.shape)}" if shapeless else "NaN or infinity"
        raise UserError("embedding", f"rank_scores needs finite scores [n, N]; got {what}.")
    pairs = read_positives(positives, *scores.shape)
    keys = _as_keys(scores) if higher_is_better else -_as_keys(scores)
    direction = Direction(pairs, keys[pairs.query, pairs.candidate].cpu(), every_positive, forward=True)
    for part in parts(scores.shape[0], ROW_TILE):
        direction.counter.add_reference(index(part), keys[part], 1)
    return Ranks(
        forward=direction.ranks(),
        backward=None,
        forward_ties=direction.ties(),
        backward_ties=None,
        forward_right=direction.right,
        backward_right=None,
        forward_positions=direction.positions() if every_positive else None,
        backward_positions=None,
        n_degenerate=0,
        n_rescored=0,
    )


def _as_keys(scores: Tensor) -> Tensor:
    """Scores in a floating dtype that orders them as they are: large integers by their place among all values."""
    if scores.dtype in (torch.float32, torch.float64):
        return scores
    if scores.dtype == torch.int64 and bool(((scores > _EXACT_INTEGER) | (scores < -_EXACT_INTEGER)).any()):
        places: Tensor = torch.unique(scores, return_inverse=True)[1]
        return places.double()
    return scores.double()


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
        if every_positive:
            several = torch.full((int(pairs.counts().max()), pairs.n), torch.inf, dtype=keys.dtype)
            several[pairs.slots(), pairs.query] = keys
            levels = torch.cat([levels, several])
        self.counter = Counter(levels, forward, ordered)

    def ties(self) -> Tensor:
        """Ties with the best positive that are not positives themselves, shape [n]."""
        return torch.where(self.asked, self.counter.ties[0] - self.right, 0)

    def ranks(self) -> Tensor:
        """Rank of the best positive among the non-positives, shape [n]."""
        above, ties = self.counter.above[0] + 1, self.ties()
        if bool(self.asked.all()) and not bool((ties % 2).any()):
            return above + ties // 2
        return torch.where(self.asked, above + ties.double() / 2, torch.nan)

    def positions(self) -> Tensor:
        """Rank of every positive in its query's full ranking, ties in the middle, shape [P]."""
        where = (self.pairs.slots() + 1, self.pairs.query)
        return 1 + self.counter.above[where] + (self.counter.ties[where] - 1).double() / 2

    def position_ties(self) -> Tensor:
        """Candidates with the score of every positive, itself included, shape [P], int64."""
        return self.counter.ties[self.pairs.slots() + 1, self.pairs.query]

    def _per_query(self, values: Tensor) -> Tensor:
        return torch.zeros(self.pairs.n, dtype=torch.int64).index_add_(0, self.pairs.query, values)


def _count(tally: Tally, options: RankOptions) -> int:
    """Walk all tiles; returns the number of degenerate items."""
    queries, candidates = tally.queries, tally.candidates
    dtypes = [options.dtype] if options.dtype == torch.float64 else [options.dtype, torch.float64]
    screens = [
        Screen(tally.method, queries.k, candidates.k, queries.d, dtype, torch.device(options.device))
        for dtype in dtypes
    ]
    passes = [
        Pass(*prepared)
        for prepared in zip(screens, prepare(queries, screens), prepare(candidates, screens), strict=True)
    ]
    n_vectors = passes[0].rows.vectors_per_item * passes[0].columns.vectors_per_item
    numbers = n_vectors * min(options.tile[0], queries.n) * min(options.tile[1], candidates.n)
    buffer = torch.empty(numbers, dtype=screens[0].epilogue, device=screens[0].device)
    done, total = 0, queries.n * candidates.n
    tile = fused.FUSED_TILE if tally.fuses(screens[0]) else options.tile
    for columns in parts(candidates.n, tile[1]):
        for rows in parts(queries.n, tile[0]):
            tally.add_tile(passes, (rows, columns), buffer)
            done += (rows.stop - rows.start) * (columns.stop - columns.start)
            if options.progress:
                options.progress(done, total)
        hand_back_freed()
    tally.settle()
    return passes[0].columns.n_degenerate + (passes[0].rows.n_degenerate if queries.k > 1 else 0)
