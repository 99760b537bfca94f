"""Scores of a method over queries x candidates, tile by tile: one matrix product and an epilogue.

No m x m determinant or singular value decomposition is formed per pair, and the matrix is held only by
`score_matrix`, whose purpose it is. Ranks need no scores: see `gramcli.scoring.ranking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.methods.base import ones
from gramcli.scoring.checks import check_dtype, check_tile
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.screening import (
    COLUMN_TILE,
    EVERYTHING,
    ROW_TILE,
    Embeddings,
    Operand,
    Presence,
    Screen,
    open_sides,
    reference_tile,
    sides_text,
)

if TYPE_CHECKING:
    from gramcli.methods.base import AlignmentMethod, Side

_MOSTLY_FRAGILE = 0.1
_LEAST_SCALE = 1e-30  # keys of smaller scale are at the end of float32's range: all of them are computed again


@dataclass(frozen=True)
class Tile:
    """Scores of a block of the matrix.

    Attributes:
        rows: Query rows it covers.
        columns: Candidate rows it covers.
        scores: Shape [rows, columns].
    """

    rows: slice
    columns: slice
    scores: Tensor


def as_method(method: str | AlignmentMethod) -> AlignmentMethod:
    """A method by name, or the one given.

    Raises:
        UserError: The name is not known, or it is neither.
    """
    return method if hasattr(method, "compare_tile") and not isinstance(method, str) else get_method(method)


def score_matrix(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Score every query against every candidate.

    Rows need not have unit length: they are normalised in float64 first.

    Args:
        method: Name (options after a colon: `pmrl:value=share`) or a method.
        queries: Modality name to embeddings, each shape [n, d], one floating dtype or several.
        candidates: Modality name to embeddings, each shape [N, d].
        present: Which modalities exist, as `gramcli.scoring.Presence`. Absent rows are never looked at; the
            score is then that of the modalities present: no absent modality makes a volume 0.
        device: Where the arithmetic runs; the result is on the CPU.
        dtype: float64 gives the reference scores that ranks are defined by, the same bits for a pair in
            any matrix; float32, bfloat16, float16 round the inputs of the product to that type.

    Returns:
        Scores, shape [n, N], float64 for dtype float64, else float32. float32 scores agree with the
        reference to about 1e-6 (a log-volume to 1e-5); volumes near 0 are computed again in float64, so they
        keep their digits (their logarithms too: only the score is rounded to float32).

    Raises:
        UserError: Unknown method; a side is empty; rows or dimensions differ; a present row is zero, NaN
            or infinite (names modality and row); d < r + p for gram and span; not 3 modalities for triangle;
            a dtype that is none of the four; a device that is not there.

    Example:
        >>> eye = torch.eye(3)
        >>> score_matrix("gram", {"text": eye[:1]}, {"video": eye[1:2], "audio": eye[2:]})
        tensor([[1.]])
    """
    out: Tensor | None = None
    for tile in score_tiles(method, queries, candidates, present=present, device=device, dtype=dtype):
        if out is None:
            n, N = (next(iter(side.values())).shape[0] for side in (queries, candidates))
            out = torch.empty(n, N, dtype=tile.scores.dtype)
        out[tile.rows, tile.columns] = tile.scores
    if out is None:
        raise UserError("embedding", "There is nothing to score.")
    return out


def score_tiles(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    tile: tuple[int, int] = (ROW_TILE, COLUMN_TILE),
) -> Iterator[Tile]:
    """Yield the score matrix in tiles, candidates in the outer loop, in O(n + N + tile) memory.

    Args:
        method: As in `score_matrix`, like all arguments but the last.
        queries: Modality name to embeddings [n, d].
        candidates: Modality name to embeddings [N, d].
        present: Which modalities exist.
        device: Where the arithmetic runs.
        dtype: Of the product's inputs.
        tile: Rows and columns of a tile.

    Yields:
        Tiles on the CPU that together cover the matrix once.

    Raises:
        UserError: As `score_matrix`, or the tile is not two whole numbers from 1 on.
    """
    check_dtype(dtype)
    check_tile(tile)
    chosen = as_method(method)
    q, c = open_sides(chosen, queries, candidates, present=present, device=device)
    screen = Screen(chosen, q.k, c.k, q.d, dtype, q.device)
    if dtype == torch.float64 or not screen.usable:
        for rows, columns, keys in key_tiles(chosen, q, c, tile=tile):
            yield Tile(rows, columns, chosen.score(keys).to("cpu", screen.epilogue))
        return
    row_parts = list(parts(q.n, tile[0]))
    left = [screen.operand(q.side(chosen, index(part))) for part in row_parts]
    for columns in parts(c.n, tile[1]):
        right = screen.operand(c.side(chosen, index(columns)))
        for rows, operand in zip(row_parts, left, strict=True):
            yield Tile(rows, columns, _fast_scores(screen, (operand, right), (q, c), (rows, columns)).cpu())


def score_pairs(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
) -> Tensor:
    """Score row i of the queries against row i of the candidates.

    Args:
        method: Name or method.
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [n, d].
        present: Which modalities exist.
        device: Where the arithmetic runs.

    Returns:
        Scores, shape [n], float64: the diagonal of the float64 `score_matrix`, bit for bit.

    Raises:
        UserError: As `score_matrix`, or the sides have different numbers of rows.
    """
    chosen = as_method(method)
    q, c = open_sides(chosen, queries, candidates, present=present, device=device)
    if q.n != c.n:
        raise UserError(
            "embedding",
            f"score_pairs needs as many queries as candidates; got {q.n} and {c.n} ({sides_text(q, c)}).",
        )
    rows = torch.arange(q.n)
    return chosen.score(pair_keys(chosen, q, c, rows, rows))


def key_tiles(
    method: AlignmentMethod,
    queries: Embeddings,
    candidates: Embeddings,
    *,
    tile: tuple[int, int] = (ROW_TILE, COLUMN_TILE),
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield (rows, columns, reference keys) on the device, keys in float64.

    Args:
        method: The measure.
        queries: Query side.
        candidates: Candidate side.
        tile: Rows and columns of a tile.
    """
    for columns in parts(candidates.n, tile[1]):
        right = candidates.side(method, index(columns))
        for rows in parts(queries.n, tile[0]):
            yield rows, columns, reference_tile(method, queries.side(method, index(rows)), right)


def fast_tile(screen: Screen, queries: Operand, candidates: Operand, out: Tensor | None = None) -> Tensor:
    """Keys of a tile by the fast pass, shape [n, N]."""
    return tile_keys(screen, queries, candidates, screen.products(queries, candidates, out))


def tile_keys(screen: Screen, queries: Operand, candidates: Operand, cross: Tensor) -> Tensor:
    """Keys of a tile from its products, shape [n, N]; `cross` may be overwritten."""
    return screen.method.tile_keys(cross, queries.constants.unsqueeze(-1), candidates.constants.unsqueeze(-2))


def _fast_scores(
    screen: Screen, operands: tuple[Operand, Operand], sides: tuple[Embeddings, Embeddings], where: tuple[slice, slice]
) -> Tensor:
    """float32 scores of a tile; those whose float32 keys have lost their digits come from reference keys.

    Only the score of such a key is rounded: the key itself, a squared volume, may be below float32's range.
    """
    method = screen.method
    keys = fast_tile(screen, *operands)
    fragile = _fragile(method, keys, *operands)
    if fragile is None:
        return method.score(keys)
    i, j = ones(fragile)
    if len(i) > _MOSTLY_FRAGILE * keys.numel():
        tiles: list[Side] = [side.side(method, index(part)) for side, part in zip(sides, where, strict=True)]
        return method.score(reference_tile(method, *tiles)).to(keys.dtype)
    scores = method.score(keys)
    if len(i):
        exact = pair_keys(method, *sides, (i + where[0].start).cpu(), (j + where[1].start).cpu())
        scores[i, j] = method.score(exact).to(scores)
    return scores


def _fragile(method: AlignmentMethod, keys: Tensor, left: Operand, right: Operand) -> Tensor | None:
    """1 where a key has lost its relative accuracy, else 0; None where no key can."""
    uniform = bool((left.scale == left.scale[0]).all())
    scale = right.scale.unsqueeze(-2) * (left.scale[0] if uniform else left.scale.unsqueeze(-1))
    fragile = method.fragile(keys, scale.to(keys.dtype))
    if fragile is None or bool((scale >= _LEAST_SCALE).all()):
        return fragile
    return torch.where(scale < _LEAST_SCALE, 1.0, fragile)


def parts(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` rows that cover range(n)."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def index(part: slice) -> Tensor:
    """The rows of a slice as int64."""
    return torch.arange(part.start, part.stop)
