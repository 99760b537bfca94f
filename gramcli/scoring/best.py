"""The k best candidates of every query by torch passes: the few whose upper bounds are highest, then reference keys."""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, Side
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.prepared import Prepared, prepare
from gramcli.scoring.scores import index, parts, tile_keys
from gramcli.scoring.screening import (
    COLUMN_TILE,
    ROW_TILE,
    Embeddings,
    Operand,
    Screen,
    reference_tile,
)

ROWS_AT_ONCE = 256
"""Rows that are done in full together: preparing all candidates for each alone would take most of the time."""

_SPARE = 16
_NEARLY = 1e-12  # keys that differ by less may have one score


def best_plainly(
    method: AlignmentMethod, queries: Embeddings, candidates: Embeddings, k: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Reference keys [n, k] and candidate rows [n, k] of the k best of each query, best first, exact ties by row.

    Args:
        method: The measure.
        queries: Asking side.
        candidates: Answering side.
        k: At most N.
        dtype: What the fast pass rounds vectors to.
    """
    screen = Screen(method, queries.k, candidates.k, queries.d, dtype, queries.device)
    keys, columns = torch.empty(queries.n, k, dtype=torch.float64), torch.empty(queries.n, k, dtype=torch.int64)
    (right,) = prepare(candidates, [screen])
    for part in parts(queries.n, ROW_TILE):
        left = queries.side(method, index(part))
        if screen.usable:
            found = _screened(screen, (queries, candidates), part, screen.operand(left), right, k)
        else:
            found = best_by_reference(method, candidates, left, k)
        keys[part], columns[part] = found
    return keys, columns


def best_of(method: AlignmentMethod, keys: Tensor, columns: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of each row by score, ties by column: sort by column, then stably by score."""
    order = columns.argsort(dim=1, stable=True)
    keys, columns = keys.gather(1, order), columns.gather(1, order)
    order = method.ordered(keys).argsort(dim=1, descending=True, stable=True)[:, :k]
    return keys.gather(1, order), columns.gather(1, order)


def best_by_reference(method: AlignmentMethod, candidates: Embeddings, left: Side, k: int) -> tuple[Tensor, Tensor]:
    """Reference tiles only, keeping the best so far."""
    n = left.vectors.shape[1]
    keys, columns = torch.empty(n, 0, dtype=torch.float64), torch.empty(n, 0, dtype=torch.int64)
    for part in parts(candidates.n, COLUMN_TILE):
        tile = reference_tile(method, left, candidates.side(method, index(part))).cpu()
        keys = torch.cat([keys, tile], dim=1)
        columns = torch.cat([columns, index(part).expand(n, -1)], dim=1)
        keys, columns = best_of(method, keys, columns, k)
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
    keys, best = best_of(method, exact, columns, k)
    # Whatever was dropped has an upper bound of at most the smallest one kept.
    unsure = upper.amin(dim=1).double() >= keys[:, -1] - _NEARLY * keys[:, -1].abs()
    if columns.shape[1] == sides[1].n:
        return keys, best
    for some in torch.split(unsure.nonzero().flatten(), ROWS_AT_ONCE):
        left = sides[0].side(method, index(part)[some])
        keys[some], best[some] = best_by_reference(method, sides[1], left, k)
    return keys, best
