"""One question by itself, by torch passes on any device: tiles of its own products (`gramcli.scoring.counting`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring import fused
from gramcli.scoring.asked import Asked, Nearest
from gramcli.scoring.best import best_plainly
from gramcli.scoring.counting import Pass
from gramcli.scoring.memory import hand_back_freed
from gramcli.scoring.prepared import prepare
from gramcli.scoring.ranks import RankOptions
from gramcli.scoring.scores import parts
from gramcli.scoring.screening import COLUMN_TILE, ROW_TILE, Embeddings, Screen


def answer_plainly(asked: Asked, options: RankOptions, progress: Callable[[int], None]) -> None:
    """Count all pairs of a question, and find its neighbours.

    Args:
        asked: The question.
        options: Device, dtype and tile.
        progress: Called with the pairs done since the last call.
    """
    if asked.forward is not None:
        asked.n_degenerate = count_plainly(asked, options, progress)
    else:
        progress(asked.pairs)
    if asked.question.nearest is not None:
        _find_plainly(asked, asked.question.nearest, options.dtype or torch.float32)


def _find_plainly(asked: Asked, k: int, dtype: torch.dtype) -> None:
    queries, candidates, order = asked.queries, asked.candidates, asked.question.in_order
    asked.nearest_forward = _found(best_plainly(asked.method, queries, candidates, min(k, candidates.n), dtype), order)
    if asked.question.both_directions and _takes(asked.method, candidates, queries):
        asked.nearest_backward = _found(
            best_plainly(asked.method, candidates, queries, min(k, queries.n), dtype), order
        )


def _takes(method: AlignmentMethod, asking: Embeddings, answering: Embeddings) -> bool:
    """Whether a method is defined with the sides turned."""
    try:
        method.check(asking.k, answering.k, asking.d)
    except UserError:
        return False
    return True


def _found(best: tuple[Tensor, Tensor], in_order: bool) -> Nearest:
    keys, rows = best
    return Nearest(rows, keys) if in_order else Nearest(rows.sort(dim=1).values, None)


def count_plainly(
    asked: Asked,
    options: RankOptions,
    progress: Callable[[int], None],
    *,
    queries: Tensor | None = None,
    candidates: Tensor | None = None,
) -> int:
    """Walk all tiles.

    Args:
        asked: The question.
        options: Device, dtype and tile.
        progress: Called with the pairs done since the last call.
        queries: Only these rows of the queries, int64; None for all.
        candidates: Only these rows of the candidates.

    Returns:
        The number of degenerate items among them.
    """
    left_side, right_side, tally = asked.queries, asked.candidates, asked.tally
    dtype = options.dtype or torch.float32
    screens = [
        Screen(asked.method, left_side.k, right_side.k, left_side.d, one, torch.device(options.device))
        for one in dict.fromkeys([dtype, torch.float64])
    ]
    passes = [
        Pass(*prepared)
        for prepared in zip(
            screens, prepare(left_side, screens, queries), prepare(right_side, screens, candidates), strict=True
        )
    ]
    tile = options.tile or (ROW_TILE, COLUMN_TILE)
    n_vectors = passes[0].rows.vectors_per_item * passes[0].columns.vectors_per_item
    n, N = len(passes[0].rows.order), len(passes[0].columns.order)
    numbers = n_vectors * min(tile[0], n) * min(tile[1], N)
    buffer = torch.empty(numbers, dtype=screens[0].epilogue, device=screens[0].device)
    step = fused.FUSED_TILE if tally.fuses(screens[0]) else tile
    for right in parts(N, step[1]):
        for left in parts(n, step[0]):
            tally.add_tile(passes, (left, right), buffer, tile)
            progress((left.stop - left.start) * (right.stop - right.start))
        hand_back_freed()
    tally.settle()
    return passes[0].columns.n_degenerate + (passes[0].rows.n_degenerate if left_side.k > 1 else 0)
