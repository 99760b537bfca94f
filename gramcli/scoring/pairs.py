"""Reference keys of chosen pairs: what decides where no tile could.

Compiled, where there is work enough: every row is prepared once for a group of pairs that share rows, and the exact
products read the prepared rows where they lie. Otherwise in small parts by torch. The bits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, Side
from gramcli.methods.linalg import exact_dot_pairs, exact_slices
from gramcli.scoring.compiled.loading import accelerated
from gramcli.scoring.screening import Embeddings

_GROUP_NUMBERS: Final = 1 << 22  # of one side's prepared rows: 32 MB
_CHUNK_NUMBERS: Final = 1 << 20  # of rows while they are prepared: 8 MB
_VECTOR_NUMBERS: Final = 1 << 22  # of a chunk's vectors, where a method's keys ask for them


def pair_keys(method: AlignmentMethod, queries: Embeddings, candidates: Embeddings, i: Tensor, j: Tensor) -> Tensor:
    """Reference keys of chosen pairs: float64, the same bits as in any tile.

    Args:
        method: The measure.
        queries: Query side.
        candidates: Candidate side.
        i: Query rows, shape [K], int64, CPU.
        j: Candidate rows, shape [K], int64, CPU.

    Returns:
        Keys, shape [K], float64, CPU.
    """
    work = len(i) * (queries.k + candidates.k) * queries.d
    with accelerated(work, queries.device) as compiled:
        return (_compiled_keys if compiled else _plain_keys)(method, (queries, candidates), i, j)


def _plain_keys(method: AlignmentMethod, sides: tuple[Embeddings, Embeddings], i: Tensor, j: Tensor) -> Tensor:
    keys = torch.empty(len(i), dtype=torch.float64)
    step = min(side.chunk for side in sides)
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        q, c = (_gathered(method, side, rows[part]) for side, rows in zip(sides, (i, j), strict=True))
        left, right = ([exact_slices(x) for x in side.vectors] for side in (q, c))
        cross = torch.stack([torch.stack([exact_dot_pairs(a, b) for b in right]) for a in left])
        keys[part] = method.keys(cross, q, c).cpu()
    return keys


def _gathered(method: AlignmentMethod, side: Embeddings, rows: Tensor) -> Side:
    distinct, where = torch.unique(rows, return_inverse=True)
    return side.side(method, distinct).take(where.to(side.device))


def _compiled_keys(method: AlignmentMethod, sides: tuple[Embeddings, Embeddings], i: Tensor, j: Tensor) -> Tensor:
    from gramcli.scoring.compiled.exact import pair_products  # noqa: PLC0415 - numba stands behind it

    queries, candidates = sides
    keys = torch.empty(len(i), dtype=torch.float64)
    step = max(1, _VECTOR_NUMBERS // (queries.d * max(queries.k, candidates.k)))
    for asked in _groups(i, _GROUP_NUMBERS // (queries.d * queries.k)):
        q, row = _prepared(method, queries, i[asked])
        for among in _groups(j[asked], _GROUP_NUMBERS // (candidates.d * candidates.k)):
            c, column = _prepared(method, candidates, j[asked[among]])
            for part in torch.split(torch.arange(len(among)), step):
                rows, columns = row[among[part]], column[part]
                cross = pair_products(q.vectors, c.vectors, rows, columns)
                keys[asked[among[part]]] = method.keys(cross, _Chosen.of(q, rows), _Chosen.of(c, columns))
    return keys


def _groups(rows: Tensor, most: int) -> Iterator[Tensor]:
    """Positions [..] of rows in ascending order of row, in groups of at most `most` distinct rows."""
    ascending, order = rows.sort()
    _, distinct = torch.unique_consecutive(ascending, return_inverse=True)
    _, sizes = torch.unique_consecutive(distinct // max(1, most), return_counts=True)
    yield from torch.split(order, sizes.tolist())


def _prepared(method: AlignmentMethod, side: Embeddings, rows: Tensor) -> tuple[Side, Tensor]:
    """The distinct of some rows as the method sees them, and where each row stands among them."""
    distinct, where = torch.unique(rows, return_inverse=True)
    step = max(1, _CHUNK_NUMBERS // (side.d * side.k))
    parts = [side.side(method, part) for part in torch.split(distinct, step)]
    if len(parts) == 1:
        return parts[0], where
    whole = Side(
        vectors=torch.cat([part.vectors for part in parts], dim=1),
        scale=torch.cat([part.scale for part in parts]),
        extra=torch.cat([part.extra for part in parts], dim=1),
        independence=torch.cat([part.independence for part in parts]),
    )
    return whole, where


class _Chosen(Side):
    """`Side.take`, but vectors are gathered only when a method asks for them: most keys need the products alone."""

    @classmethod
    def of(cls, side: Side, rows: Tensor) -> Side:
        """The side restricted to some rows."""
        chosen = object.__new__(cls)
        numbers = {"scale": side.scale[rows], "extra": side.extra[:, rows], "independence": side.independence[rows]}
        vars(chosen).update(numbers, _gather=lambda: side.vectors[:, rows])
        return chosen

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - called for what is not there yet
        if name != "vectors" or "_gather" not in vars(self):
            raise AttributeError(name)
        return vars(self).setdefault(name, vars(self)["_gather"]())
