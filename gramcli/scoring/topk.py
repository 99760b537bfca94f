"""The k best candidates of every query, exact, without holding the matrix."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, Side
from gramcli.scoring.checks import check_cutoff, check_dtype
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.prepared import Prepared, prepare
from gramcli.scoring.scores import as_method, index, parts, tile_keys
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
)

_SPARE = 16
_NEARLY = 1e-12  # keys that differ by less may have one score


def top_k(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    k: int,
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """The k best candidates of each query, best first, by their float64 reference scores.

    Args:
        method: Name (options after a colon) or method.
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [N, d].
        k: How many, at most N.
        present: Which modalities exist.
        device: Where the fast pass runs.
        dtype: What the vectors are rounded to in it; it does not change the answer.

    Returns:
        Scores, shape [n, k], float64, and candidate rows, shape [n, k], int64; exact ties by row.

    Raises:
        UserError: k is no whole number from 1 to N; otherwise as `gramcli.scoring.score_matrix`.
    """
    check_dtype(dtype)
    chosen = as_method(method)
    q, c = open_sides(chosen, queries, candidates, present=present, device=device)
    k = check_cutoff(k, c.n)
    screen = Screen(chosen, q.k, c.k, q.d, dtype, torch.device(device))
    keys, columns = torch.empty(q.n, k, dtype=torch.float64), torch.empty(q.n, k, dtype=torch.int64)
    (right,) = prepare(c, [screen])
    for part in parts(q.n, ROW_TILE):
        left = q.side(chosen, index(part))
        if screen.usable:
            found = _screened(screen, (q, c), part, screen.operand(left), right, k)
        else:
            found = _reference(chosen, c, left, k)
        keys[part], columns[part] = found
    return chosen.score(keys), columns


def nearest(
    method: AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    k: int,
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
) -> Tensor:
    """The k best candidates of each query by float32 scores, for statistics of whole rankings.

    Many times as fast as `top_k`: candidates whose scores agree to about 1e-6 may be exchanged.

    Args:
        method: The measure.
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [N, d].
        k: How many, at most N.
        present: Which modalities exist.
        device: Where it runs.

    Returns:
        Candidate rows, best first, shape [n, k], int64.

    Raises:
        UserError: As `top_k`.
    """
    q, c = open_sides(method, queries, candidates, present=present, device=device)
    k = check_cutoff(k, c.n)
    screen = Screen(method, q.k, c.k, q.d, torch.float32, torch.device(device))
    if not screen.usable:
        return top_k(method, queries, candidates, k, present=present, device=device)[1]
    (right,) = prepare(c, [screen])
    rows = [_nearest(screen, screen.operand(q.side(method, index(part))), right, k)[1] for part in parts(q.n, ROW_TILE)]
    return torch.cat(rows).cpu()


def _best(method: AlignmentMethod, keys: Tensor, columns: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of each row by score, ties by column: sort by column, then stably by score."""
    order = columns.argsort(dim=1, stable=True)
    keys, columns = keys.gather(1, order), columns.gather(1, order)
    order = method.ordered(keys).argsort(dim=1, descending=True, stable=True)[:, :k]
    return keys.gather(1, order), columns.gather(1, order)


def _reference(method: AlignmentMethod, candidates: Embeddings, left: Side, k: int) -> tuple[Tensor, Tensor]:
    """Reference tiles only, keeping the best so far."""
    n = left.vectors.shape[1]
    keys, columns = torch.empty(n, 0, dtype=torch.float64), torch.empty(n, 0, dtype=torch.int64)
    for part in parts(candidates.n, COLUMN_TILE):
        tile = reference_tile(method, left, candidates.side(method, index(part))).cpu()
        keys = torch.cat([keys, tile], dim=1)
        columns = torch.cat([columns, index(part).expand(n, -1)], dim=1)
        keys, columns = _best(method, keys, columns, k)
    return keys, columns


def _screened(
    screen: Screen, sides: tuple[Embeddings, Embeddings], part: slice, left: Operand, right: Prepared, k: int
) -> tuple[Tensor, Tensor]:
    """Keep k + spare candidates by their upper bounds; rows whose spares all might matter are done in full."""
    upper, columns = _nearest(screen, left, right, min(k + _SPARE, sides[1].n))
    return _settle(screen.method, sides, part, upper.cpu(), columns.cpu(), k)


def _nearest(screen: Screen, left: Operand, right: Prepared, kept: int) -> tuple[Tensor, Tensor]:
    """The `kept` candidates of each row with the largest upper bounds, and these bounds, best first."""
    upper = torch.empty(left.vectors.shape[1], 0, device=screen.device, dtype=screen.epilogue)
    columns = upper.long()
    for column_part in parts(len(right.order), COLUMN_TILE):
        operand = right.operand(column_part)
        cross = screen.products(left, operand)
        slack = screen.slack(left, operand, cross)
        keys = tile_keys(screen, left, operand, cross)
        values, where = keys.topk(min(kept, keys.shape[1]), dim=1)
        upper = torch.cat([upper, values + slack], 1)
        columns = torch.cat([columns, right.order[column_part].to(screen.device)[where]], 1)
        upper, order = upper.topk(min(kept, upper.shape[1]), dim=1)
        columns = columns.gather(1, order)
    return upper, columns


def _settle(
    method: AlignmentMethod,
    sides: tuple[Embeddings, Embeddings],
    part: slice,
    upper: Tensor,
    columns: Tensor,
    k: int,
) -> tuple[Tensor, Tensor]:
    rows = index(part).unsqueeze(1).expand_as(columns)
    exact = pair_keys(method, *sides, rows.flatten(), columns.flatten()).view_as(columns)
    keys, best = _best(method, exact, columns, k)
    # Whatever was dropped has an upper bound of at most the smallest one kept.
    unsure = upper.amin(dim=1).double() >= keys[:, -1] - _NEARLY * keys[:, -1].abs()
    if columns.shape[1] == sides[1].n:
        return keys, best
    for row in unsure.nonzero().flatten():
        left = sides[0].side(method, index(part)[row : row + 1])
        keys[row : row + 1], best[row : row + 1] = _reference(method, sides[1], left, k)
    return keys, best
