"""Streaming counts of keys above thresholds, exact, in both directions of a matrix that is never held.

A tile of the fast pass decides every pair whose key is further from its threshold than the tile's
bound; the few others are kept and decided by their float64 reference keys. A tile where too many
remain is computed as a reference tile instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, Compare
from gramcli.screening import Embeddings, Operand, Screen, pair_keys, reference_tile

_UNDECIDED_TILE = 0.04
_PENDING_PAIRS = 1 << 18


@dataclass
class Counter:
    """Keys above and equal to each row's thresholds.

    Attributes:
        thresholds: Shape [L, n], float64; +inf where a row has fewer than L.
        above: Keys strictly above, shape [L, n], int64.
        ties: Keys equal, shape [L, n], int64.
    """

    thresholds: Tensor
    above: Tensor = field(init=False)
    ties: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.above = torch.zeros_like(self.thresholds, dtype=torch.int64)
        self.ties = torch.zeros_like(self.above)

    def add_pairs(self, level: int, rows: Tensor, keys: Tensor) -> None:
        """Count reference keys [K] against threshold `level` of their rows [K]."""
        thresholds = self.thresholds[level, rows]
        self.above[level].index_add_(0, rows, (keys > thresholds).long())
        self.ties[level].index_add_(0, rows, (keys == thresholds).long())

    def add_reference(self, rows: Tensor, keys: Tensor, dim: int) -> None:
        """Count a whole tile of reference keys; `dim` is the one to sum over."""
        for level in range(len(self.thresholds)):
            thresholds = self.thresholds[level, rows].to(keys.device).unsqueeze(dim)
            self.above[level, rows] += (keys > thresholds).sum(dim).cpu()
            self.ties[level, rows] += (keys == thresholds).sum(dim).cpu()


@dataclass
class Tally:
    """Both directions' counters over one pair of sides, and what is still undecided.

    Attributes:
        method: The measure.
        queries: Query side.
        candidates: Candidate side.
        forward: Counts along the candidates, one row per query.
        backward: Counts along the queries, one row per candidate, or None.
        rescored: Pairs decided by their reference keys so far.
    """

    method: AlignmentMethod
    queries: Embeddings
    candidates: Embeddings
    forward: Counter
    backward: Counter | None
    rescored: int = 0
    _pending: list[tuple[Counter, int, Tensor, Tensor]] = field(default_factory=list)
    _waiting: int = 0

    def add_tile(
        self, screen: Screen, left: Operand, right: Operand, where: tuple[Tensor, Tensor], out: Tensor
    ) -> None:
        """Count one tile by the fast pass.

        Args:
            screen: The fast pass.
            left: Operand of the tile's queries.
            right: Operand of the tile's candidates.
            where: Query rows and candidate rows of the tile, int64.
            out: Buffer for the products, shape [r, p, n, N].
        """
        cross = screen.products(left, right, out)
        compare = self.method.compare_tile(cross, left.constants.unsqueeze(-1), right.constants.unsqueeze(-2))
        slack = screen.slack(left, right)
        decided = [_screen_counter(self.forward, compare, slack, where[0], 1, screen)]
        if self.backward is not None:
            decided.append(_screen_counter(self.backward, compare, slack, where[1], 0, screen))
        if sum(part.undecided for part in decided) > _UNDECIDED_TILE * cross[0, 0].numel():
            self.add_reference_tile(where)
            return
        for part in decided:
            part.counter.above[:, part.rows] += part.certain
            for level, i, j in part.pairs:
                self._pending.append((part.counter, level, where[0][i], where[1][j]))
                self._waiting += len(i)
        if self._waiting > _PENDING_PAIRS:
            self.settle()

    def add_reference_tile(self, where: tuple[Tensor, Tensor]) -> None:
        """Count one tile by its reference keys."""
        left, right = self.queries.side(self.method, where[0]), self.candidates.side(self.method, where[1])
        keys = reference_tile(self.method, left, right)
        self.rescored += keys.numel()
        self.forward.add_reference(where[0], keys, 1)
        if self.backward is not None:
            self.backward.add_reference(where[1], keys, 0)

    def settle(self) -> None:
        """Decide the pairs that are still open."""
        if not self._pending:
            return
        i = torch.cat([entry[2] for entry in self._pending])
        j = torch.cat([entry[3] for entry in self._pending])
        order = torch.argsort(j, stable=True)  # neighbours share their candidate: fewer rows to prepare per chunk
        keys = torch.empty(len(i), dtype=torch.float64)
        keys[order] = pair_keys(self.method, self.queries, self.candidates, i[order], j[order])
        start = 0
        for counter, level, rows, columns in self._pending:
            part = keys[start : start + len(rows)]
            counter.add_pairs(level, rows if counter is self.forward else columns, part)
            start += len(rows)
        self.rescored += len(i)
        self._pending, self._waiting = [], 0


@dataclass(frozen=True)
class _Decided:
    """What the fast pass knows of one direction of a tile."""

    counter: Counter
    rows: Tensor
    certain: Tensor
    pairs: list[tuple[int, Tensor, Tensor]]

    @property
    def undecided(self) -> int:
        return sum(len(i) for _, i, _ in self.pairs)


def _screen_counter(
    counter: Counter, compare: Compare, slack: float, rows: Tensor, dim: int, screen: Screen
) -> _Decided:
    levels = len(counter.thresholds)
    certain = torch.zeros(levels, len(rows), dtype=torch.int64)
    pairs = []
    for level in range(levels):
        thresholds = counter.thresholds[level, rows].to(screen.device).unsqueeze(dim)
        if not bool(thresholds.isfinite().any()):
            continue
        sure = compare((thresholds + slack).to(screen.epilogue))
        maybe = compare((thresholds - slack).to(screen.epilogue))
        certain[level] = sure.sum(dim).cpu()
        i, j = (maybe & ~sure).nonzero(as_tuple=True)
        if len(i):
            pairs.append((level, i.cpu(), j.cpu()))
    return _Decided(counter, rows, certain, pairs)
