"""Streaming counts of keys above thresholds, exact, in both directions of a matrix that is never held.

Three passes, each only over what the one before could not decide. The fast pass decides every pair
whose key is further from its threshold than the tile's bound. The fine pass repeats that in float64,
with a bound 10^8 times tighter. What is left then (ties, and pairs that agree to about 13 digits) is
decided by the reference keys. A tile where too much is left is computed as a reference tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod, Compare, ones
from gramcli.scoring import fused
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.prepared import Prepared
from gramcli.scoring.scores import parts
from gramcli.scoring.screening import COLUMN_TILE, ROW_TILE, Embeddings, Operand, Screen, reference_tile

_REFERENCE_SHARE = 0.02  # of a tile: beyond it, a whole reference tile is cheaper than that many pairs
_FINE_SHARE = 0.004  # of a tile: beyond it, a whole float64 product is cheaper than that many gathered rows
_DENSE_SHARE = 0.03  # of a tile: below it, looking at each key that may be above is cheaper than whole-tile passes
_PENDING_PAIRS = 1 << 18


@dataclass
class Counter:
    """Keys above and equal to each row's thresholds.

    Attributes:
        thresholds: Shape [L, n], float64; +inf where a row has fewer than L.
        forward: Whether the rows are queries.
        ordered: What is compared exactly: a non-decreasing function of a key, the key itself by default.
        above: Keys strictly above, shape [L, n], int64.
        ties: Keys equal, shape [L, n], int64.
    """

    thresholds: Tensor
    forward: bool = True
    ordered: Callable[[Tensor], Tensor] = lambda keys: keys
    above: Tensor = field(init=False)
    ties: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.above = torch.zeros_like(self.thresholds, dtype=torch.int64)
        self.ties = torch.zeros_like(self.above)

    def add_pairs(self, level: int, rows: Tensor, keys: Tensor) -> None:
        """Count reference keys [K] against threshold `level` of their rows [K]."""
        keys, thresholds = self.ordered(keys), self.ordered(self.thresholds[level, rows])
        self.above[level].index_add_(0, rows, (keys > thresholds).long())
        self.ties[level].index_add_(0, rows, (keys == thresholds).long())

    def add_reference(self, rows: Tensor, keys: Tensor, dim: int) -> None:
        """Count a whole tile of keys, float32 or float64; `dim` is the one to sum over."""
        keys = self.ordered(keys)
        mask = torch.empty_like(keys)  # 0 and 1 in the keys' dtype: see `Compare`
        for level in range(len(self.thresholds)):
            thresholds = self.ordered(self.thresholds[level, rows]).to(keys.device, keys.dtype).unsqueeze(dim)
            self.above[level, rows] += torch.gt(keys, thresholds, out=mask).sum(dim).long().cpu()
            self.ties[level, rows] += torch.eq(keys, thresholds, out=mask).sum(dim).long().cpu()


@dataclass(frozen=True)
class Pass:
    """One way of computing products: its dtype, and both sides' operands for it."""

    screen: Screen
    rows: Prepared
    columns: Prepared


@dataclass(frozen=True)
class Open:
    """Pairs that a pass could not decide, by position in the tile or among all.

    Attributes:
        counter: The direction they belong to.
        level: Which of the counter's thresholds, an int.
        i: Query positions, shape [K], int64, where the pass runs.
        j: Candidate positions, the same.
    """

    counter: Counter
    level: int
    i: Tensor
    j: Tensor


Screened: TypeAlias = tuple[list[tuple[Counter, int, Tensor]], list[Open]]
"""What a pass says of a tile: (counter, level, keys certainly above per row of that direction), and open pairs."""


@dataclass
class Tally:
    """Both directions' counters over one pair of sides, and what is still undecided.

    Attributes:
        method: The measure.
        queries: Query side.
        candidates: Candidate side.
        forward: Counts along the candidates, one row per query.
        backward: Counts along the queries, one row per candidate, or None.
        known: Positions (query * N + candidate) of pairs whose reference keys are known, sorted, and the keys.
        rescored: Pairs the fast pass did not decide so far.
    """

    method: AlignmentMethod
    queries: Embeddings
    candidates: Embeddings
    forward: Counter
    backward: Counter | None
    known: tuple[Tensor, Tensor]
    rescored: int = 0
    _pending: list[Open] = field(default_factory=list)

    def add_tile(self, passes: list[Pass], part: tuple[slice, slice], buffer: Tensor, tile: tuple[int, int]) -> None:
        """Count one tile.

        Args:
            passes: The fast pass, and where that is not in float64 already, the fine one.
            part: Positions of the tile's queries and candidates in the passes' orders.
            buffer: Flat room for the fast pass's products.
            tile: Rows and columns of a tile of the plain pass, for tiles that the fused kernel gives back.
        """
        fast = passes[0]
        if not fast.screen.usable:
            self.add_reference_tile((fast.rows.order[part[0]], fast.columns.order[part[1]]))
            return
        fuses = self.fuses(fast.screen)
        counted = _fused(self._counters(), fast, part) if fuses else None
        if counted is not None:
            self._take(passes, part, counted)
            return
        for piece in _pieces(part, tile) if fuses else [part]:
            self._take(passes, piece, _plain(self._counters(), fast, piece, buffer))

    def fuses(self, screen: Screen) -> bool:
        """Whether tiles of this pass go through the fused GPU kernel."""
        return all(len(counter.thresholds) == 1 for counter in self._counters()) and fused.available(screen)

    def _counters(self) -> list[Counter]:
        return [self.forward] if self.backward is None else [self.forward, self.backward]

    def _take(self, passes: list[Pass], part: tuple[slice, slice], screened: Screened) -> None:
        """Add what a pass has decided of a tile, and see to the rest."""
        counts, still = screened
        where = passes[0].rows.order[part[0]], passes[0].columns.order[part[1]]
        n_undecided = sum(len(entry.i) for entry in still)
        if len(passes) > 1 and n_undecided:
            decided, still = _refine(self.method, passes[1], part, where, still)
            counts = counts + decided
        if sum(len(entry.i) for entry in still) > _REFERENCE_SHARE * len(where[0]) * len(where[1]):
            self.add_reference_tile(where)
            return
        self.rescored += n_undecided
        for counter, level, certain in counts:
            counter.above[level, where[0] if counter.forward else where[1]] += certain.cpu()
        self.leave_open(
            Open(entry.counter, entry.level, where[0][entry.i.cpu()], where[1][entry.j.cpu()]) for entry in still
        )

    def leave_open(self, pairs: Iterable[Open]) -> None:
        """Keep pairs, by their positions among all, to be decided by their reference keys."""
        self._pending += pairs
        if sum(len(entry.i) for entry in self._pending) > _PENDING_PAIRS:
            self.settle()

    def add_reference_tile(self, where: tuple[Tensor, Tensor]) -> None:
        """Count a tile of these queries and candidates by reference keys."""
        for columns in torch.split(where[1], COLUMN_TILE):
            right = self.candidates.side(self.method, columns)
            for rows in torch.split(where[0], ROW_TILE):
                keys = reference_tile(self.method, self.queries.side(self.method, rows), right)
                self.rescored += keys.numel()
                self.forward.add_reference(rows, keys, 1)
                if self.backward is not None:
                    self.backward.add_reference(columns, keys, 0)

    def settle(self) -> None:
        """Decide the pairs that are still open by their reference keys."""
        if not self._pending:
            return
        i = torch.cat([entry.i for entry in self._pending])
        j = torch.cat([entry.j for entry in self._pending])
        pairs, place = torch.unique(i * self.candidates.n + j, return_inverse=True)  # one may be open both ways
        keys = self._reference_keys(pairs // self.candidates.n, pairs % self.candidates.n)[place]
        for entry, part in zip(
            self._pending, torch.split(keys, [len(entry.i) for entry in self._pending]), strict=True
        ):
            entry.counter.add_pairs(entry.level, entry.i if entry.counter.forward else entry.j, part)
        self._pending = []

    def _reference_keys(self, i: Tensor, j: Tensor) -> Tensor:
        """Reference keys of pairs; those of the positives, which tie with themselves, are known already."""
        codes, known = self.known
        code = i * self.candidates.n + j
        place = torch.searchsorted(codes, code).clamp(max=len(codes) - 1)
        keys = known[place]
        unknown = (codes[place] != code).nonzero().flatten()
        order = unknown[torch.argsort(j[unknown])]  # neighbours share their candidate: fewer rows to prepare
        keys[order] = pair_keys(self.method, self.queries, self.candidates, i[order], j[order])
        return keys


def _pieces(part: tuple[slice, slice], tile: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Cut a tile for the kernel into tiles for the plain pass."""
    rows, columns = part
    for right in parts(columns.stop - columns.start, tile[1]):
        for left in parts(rows.stop - rows.start, tile[0]):
            yield (
                slice(rows.start + left.start, rows.start + left.stop),
                slice(columns.start + right.start, columns.start + right.stop),
            )


def _fused(counters: list[Counter], fast: Pass, part: tuple[slice, slice]) -> Screened | None:
    """Screen a tile by the fused kernel; None where it has to be done by the plain pass."""
    left, right = fast.rows.operand(part[0]), fast.columns.operand(part[1])
    asking = [fast.rows.order[part[0]], fast.columns.order[part[1]]]
    directions = [
        fused.Direction(counter.forward, counter.thresholds[0, rows].to(fast.screen.device))
        for counter, rows in zip(counters, asking, strict=False)
    ]
    counted = fused.count(fast.screen, left, right, directions, fast.screen.slack(left, right))
    if counted is None:
        return None
    found = list(zip(counters, counted, strict=True))
    return [(counter, 0, entry.certain) for counter, entry in found], [
        Open(counter, 0, entry.i, entry.j) for counter, entry in found if len(entry.i)
    ]


def _plain(counters: list[Counter], fast: Pass, part: tuple[slice, slice], buffer: Tensor) -> Screened:
    """Screen a tile by its products."""
    left, right = fast.rows.operand(part[0]), fast.columns.operand(part[1])
    cross = fast.screen.products(left, right, buffer)
    slack = fast.screen.slack(left, right, cross)
    compare = fast.screen.method.compare_tile(cross, left.constants.unsqueeze(-1), right.constants.unsqueeze(-2))
    counts, still = [], []
    for counter in counters:
        rows = fast.rows.order[part[0]] if counter.forward else fast.columns.order[part[1]]
        certain, undecided = _screen(counter, compare, slack, rows, fast.screen)
        counts += [(counter, level, along) for level, along in enumerate(certain)]
        still += undecided
    return counts, still


def _screen(
    counter: Counter, compare: Compare, slack: float, rows: Tensor, screen: Screen
) -> tuple[Tensor, list[Open]]:
    """Certain counts [L, rows] of one direction of a tile, and what the bound leaves open."""
    dim = 1 if counter.forward else 0
    certain = torch.zeros(len(counter.thresholds), len(rows), dtype=torch.int64)
    still = []
    for level in range(len(counter.thresholds)):
        thresholds = counter.thresholds[level, rows].to(screen.device).unsqueeze(dim)
        if not bool(thresholds.isfinite().any()):
            continue
        lower, upper = ((thresholds + shift).to(screen.epilogue) for shift in (-slack, slack))
        maybe = compare.superset(lower)
        if float(maybe.sum()) < _DENSE_SHARE * maybe.numel():
            i, j = ones(maybe)
            chosen, along = compare.at(i, j), i if dim else j
            above = chosen(upper.flatten()[along].unsqueeze(-1)).flatten() > 0
            below = chosen(lower.flatten()[along].unsqueeze(-1)).flatten() == 0
            certain[level] = torch.bincount(along[above], minlength=len(rows)).cpu()
            i, j = i[~(above | below)], j[~(above | below)]
        else:
            sure = compare(upper)
            certain[level] = sure.sum(dim).cpu()
            i, j = ones(compare(lower).sub_(sure))
        if len(i):
            still.append(Open(counter, level, i, j))
    return certain, still


def _refine(
    method: AlignmentMethod, fine: Pass, part: tuple[slice, slice], where: tuple[Tensor, Tensor], still: list[Open]
) -> Screened:
    """Decide open pairs in float64: counts of those that are now certain, and what stays open."""
    i, j = torch.cat([entry.i for entry in still]), torch.cat([entry.j for entry in still])
    left, i = fine.rows.chosen(part[0], i)
    right = fine.columns.operand(part[1])
    cross = _chosen_products(fine.screen, left, right, i, j).unsqueeze(-1)
    compare = method.compare_tile(cross, left.constants[:, i].unsqueeze(-1), right.constants[:, j].unsqueeze(-1))
    thresholds = torch.cat([_thresholds(entry, where) for entry in still]).unsqueeze(-1)
    slack = fine.screen.slack(left, right)
    sure = compare(thresholds + slack).flatten().bool()
    maybe = compare(thresholds - slack).flatten().bool()
    counts, open_still, start = [], [], 0
    for entry in still:
        here = slice(start, start + len(entry.i))
        start = here.stop
        along, n = (entry.i, len(where[0])) if entry.counter.forward else (entry.j, len(where[1]))
        counts.append((entry.counter, entry.level, torch.bincount(along[sure[here]], minlength=n)))
        unsure = (maybe[here] & ~sure[here]).nonzero().flatten()
        if len(unsure):
            open_still.append(Open(entry.counter, entry.level, entry.i[unsure], entry.j[unsure]))
    return counts, open_still


def _thresholds(entry: Open, where: tuple[Tensor, Tensor]) -> Tensor:
    rows, along = (where[0], entry.i) if entry.counter.forward else (where[1], entry.j)
    return entry.counter.thresholds[entry.level, rows].to(along.device)[along]


def _chosen_products(screen: Screen, left: Operand, right: Operand, i: Tensor, j: Tensor) -> Tensor:
    """Products [r, p, K] of chosen pairs of a tile: from the whole tile where they are many."""
    n, N = left.vectors.shape[1], right.vectors.shape[1]
    if len(i) > _FINE_SHARE * n * N:
        return screen.products(left, right)[:, :, i, j]
    r, p, d = left.vectors.shape[0], right.vectors.shape[0], left.vectors.shape[2]
    cross = torch.empty(r, p, len(i), dtype=screen.epilogue, device=screen.device)
    step = max(1, screen.gathered_numbers // d)
    rows, columns = (torch.empty(min(step, len(i)), d, dtype=screen.epilogue, device=screen.device) for _ in range(2))
    for start in range(0, len(i), step):
        chosen = slice(start, start + step)
        x, y = rows[: len(i[chosen])], columns[: len(i[chosen])]
        for b, candidate in enumerate(right.vectors):
            for a, query in enumerate(left.vectors):
                torch.index_select(candidate, 0, j[chosen], out=y)
                torch.index_select(query, 0, i[chosen], out=x)
                torch.sum(y.mul_(x), 1, out=cross[a, b, chosen])
    return cross
