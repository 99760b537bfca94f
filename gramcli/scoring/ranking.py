"""Exact ranks of the right answers, in both directions, in O(n + N) memory.

The rank of a query is 1 + the number of candidates that score strictly better than its best positive +
half the number that tie with it. Positives are left out by index, never by value. Ranks are those of
the float64 reference scores whatever the device, the dtype of the fast pass, the tile size or the
number of threads; only exact float64 ties are ties.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.checks import DTYPES, check_dense
from gramcli.scoring.plan import Question, answer
from gramcli.scoring.positives import PositivesLike, read_positives
from gramcli.scoring.ranks import Direction, RankOptions, Ranks
from gramcli.scoring.scores import as_method, index, parts
from gramcli.scoring.screening import EVERYTHING, ROW_TILE, Presence
from gramcli.scoring.topk import top_k

__all__ = ["RankOptions", "Ranks", "rank", "rank_scores", "top_k"]

_EXACT_INTEGER = 1 << 53  # beyond it float64 skips integers


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
    asked = Question(
        as_method(method),
        queries,
        candidates,
        positives,
        present=present,
        both_directions=both_directions,
        every_positive=(options or RankOptions()).every_positive,
    )
    (found,) = answer([asked], options)
    if found.ranks is None:
        raise ValueError("ranks were asked for")
    return found.ranks


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
