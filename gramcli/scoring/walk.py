"""The compiled walk: a tile of raw products is made once, and the formula of every question runs over it in the cache.

Questions go together that have one vector on one side, the same rows there, and as many items on the other. Each decides
what its bounds let it: from bfloat16 products where they were chosen and leave little open, else from float32 products;
what is open then is decided by reference keys, and a tile with more than a few of these is counted by them whole.

A candidate whose own vectors nearly agree amplifies the rounding of raw products; it is not counted here but by
`gramcli.scoring.plain`, from products with its orthonormal basis.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.methods.base import Formula
from gramcli.scoring import screening
from gramcli.scoring.asked import Asked
from gramcli.scoring.compiled.loading import ready
from gramcli.scoring.counting import Counter, Open
from gramcli.scoring.memory import hand_back_freed
from gramcli.scoring.nearest import Lists
from gramcli.scoring.plain import count_plainly
from gramcli.scoring.planes import Planes, UnitRows
from gramcli.scoring.ranks import RankOptions
from gramcli.scoring.scores import parts
from gramcli.scoring.screening import Embeddings
from gramcli.scoring.threads import shared

_TILE: Final = (1024, 2048)
_MOST_VECTORS: Final = 8  # what the bounds of the formulas allow for
_AMPLIFIED: Final = 64.0  # times `Formula.size`: beyond it a candidate is counted in another way
_NEARLY_DEPENDENT: Final = 1e-3  # distance of a unit vector to the span of those before it
_MOSTLY: Final = 0.25  # of a question's candidates counted elsewhere: then all are
_OPEN_SHARE: Final = {torch.bfloat16: 0.05, torch.float32: 0.02}
"""Of a tile's pairs: beyond it the next pass is cheaper than as many reference keys."""
_REFERENCE: Final = 2.0**-40  # what reference keys differ by from exact ones, at most, of candidates counted here
_PATIENCE: Final = 3  # tiles in a row that bfloat16 leaves open before it is no longer tried


def compiled_walks(asked: Sequence[Asked], options: RankOptions) -> tuple[list[Walk], list[Asked]]:
    """Sort questions into walks, and those that have none.

    Args:
        asked: Open questions.
        options: Device, dtype, tile.
    """
    work = sum(one.pairs * one.queries.d for one in asked)
    if torch.device(options.device).type != "cpu" or options.dtype not in (None, *_OPEN_SHARE) or not ready(work):
        return [], list(asked)
    walks: list[Walk] = []
    rest = []
    for one in asked:
        single = _single_side(one)
        if single is None:
            rest.append(one)
            continue
        rows = UnitRows(one_side(one, single).rows, torch.ones(1, one_side(one, single).n, dtype=torch.bool))
        walk = next((walk for walk in walks if walk.fits(one, single, rows)), None)
        if walk is None:
            walk = Walk(rows, one_side(one, 1 - single).n, options)
            walks.append(walk)
        if not walk.add(one, single):
            rest.append(one)
    return [walk for walk in walks if walk.runs], rest


def one_side(asked: Asked, which: int) -> Embeddings:
    """The queries (0) or the candidates (1)."""
    return (asked.queries, asked.candidates)[which]


def _single_side(asked: Asked) -> int | None:
    """Which side has one vector, all of them present; None where the question has no formula."""
    if (
        getattr(asked.method, "formula", None) is None
        or asked.queries.absent_as_zero
        or asked.candidates.absent_as_zero
    ):
        return None
    for which in (0, 1):
        side, other = one_side(asked, which), one_side(asked, 1 - which)
        if side.k == 1 and other.k <= _MOST_VECTORS and bool(side.present.all()):
            return which
    return None


@dataclass
class _Run:
    """One question of a walk, its numbers as the compiled loops take them.

    Attributes:
        asked: The question.
        single: Which side runs down the rows: 0 the queries, 1 the candidates.
        formula: Family, and A, r and constants in float32.
        use: Planes of its vectors.
        elsewhere: Columns that are counted in another way, int64.
        dtype: Products it is tried with first.
        rows: Counts of those down the rows, or None.
        columns: Counts of those across, or None.
        lists: The best of rows and of columns, each None where not asked for.
    """

    asked: Asked
    single: int
    formula: tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]
    use: NDArray[np.int64]
    elsewhere: Tensor
    dtype: torch.dtype
    rows: Counter | None
    columns: Counter | None
    lists: tuple[Lists | None, Lists | None]
    levels: tuple[NDArray[np.float32], NDArray[np.float32]] = field(init=False)
    failed: int = 0

    def __post_init__(self) -> None:
        n, N = one_side(self.asked, self.single).n, one_side(self.asked, 1 - self.single).n
        self.levels = _bracketed(self.rows, n), _bracketed(self.columns, N)


@dataclass
class Walk:
    """All pairs of the items down the rows with those across, once.

    Attributes:
        single: The rows' vectors.
        n_columns: Items across.
        options: Tile and dtype.
        runs: The questions.
    """

    single: UnitRows
    n_columns: int
    options: RankOptions
    runs: list[_Run] = field(default_factory=list)
    _operands: list[UnitRows] = field(default_factory=list)
    _grams: dict[tuple[int, ...], Tensor] = field(default_factory=dict)

    def fits(self, asked: Asked, single: int, rows: UnitRows) -> bool:
        """Whether a question asks for products with the same rows."""
        return one_side(asked, 1 - single).n == self.n_columns and self.single.same_as(rows)

    def add(self, asked: Asked, single: int) -> bool:
        """Take a question in; False where it is better answered by itself."""
        from gramcli.scoring.compiled.kernels import FAMILIES  # noqa: PLC0415 - numba, which little work does without

        side = one_side(asked, 1 - single)
        use = [
            self._operand(UnitRows((rows,), here.unsqueeze(0)))
            for rows, here in zip(side.rows, side.present, strict=True)
        ]
        gram = self._gram(tuple(use), side.present)
        formula: Formula | None = asked.method.formula(gram, side.present)
        if formula is None:
            return False
        weights = formula.weights
        if formula.multiplied and side.k > 1:
            use = [self._operand(UnitRows(side.rows, side.present))]
        if formula.multiplied:
            weights = weights * self._operands[use[0]].length
        reach = weights.abs().sum(dim=1)
        squares = reach.square().sum(dim=0, keepdim=True)
        amplified = ~(squares[0] <= _AMPLIFIED * formula.size)
        amplified |= ~torch.cat([weights.flatten(0, 1), formula.constants]).isfinite().all(dim=0)
        elsewhere = amplified.nonzero().flatten()
        wanted = asked.question.nearest or 0
        if len(elsewhere) > (0 if wanted else _MOSTLY * self.n_columns):
            return False
        weights = torch.where(amplified, torch.nan, weights)
        constants = torch.where(amplified, torch.nan, formula.constants)
        asked.n_degenerate = _n_degenerate(asked, 1 - single, gram)
        counters = [direction.counter if direction else None for direction in (asked.forward, asked.backward)]
        both = [asked.queries.n, asked.candidates.n]
        lists = [
            Lists(both[0], wanted) if wanted else None,
            Lists(both[1], wanted) if wanted and asked.question.both_directions else None,
        ]
        bfloat16 = screening.native_bfloat16(torch.bfloat16) and not wanted
        dtype = self.options.dtype or (torch.bfloat16 if bfloat16 else torch.float32)
        numbers = [x.to(torch.float32).contiguous().numpy() for x in (weights, torch.cat([reach, squares]), constants)]
        self.runs.append(
            _Run(
                asked,
                single,
                (FAMILIES[formula.family], *numbers),
                np.array(use, dtype=np.int64),
                elsewhere,
                dtype,
                counters[single],
                counters[1 - single],
                (lists[single], lists[1 - single]),
            )
        )
        return True

    def run(self, progress: Callable[[int], None]) -> None:
        """Walk all tiles, and settle what is open."""
        planes = Planes(self.single, self._operands, self.options.tile or _TILE)
        n = len(self.single.length)
        for columns in parts(self.n_columns, planes.tile[1]):
            for rows in parts(n, planes.tile[0]):
                tile = _Tile(planes, rows, columns)
                for run in self.runs:
                    tile.add(run)
                progress((rows.stop - rows.start) * (columns.stop - columns.start) * len(self.runs))
            hand_back_freed()
        for run in self.runs:
            self._finish(run)

    def _finish(self, run: _Run) -> None:
        asked = run.asked
        if asked.forward is not None:
            asked.tally.settle()
            if len(run.elsewhere):
                _count_elsewhere(run)
        by_side = run.lists if run.single == 0 else run.lists[::-1]
        for forward, lists in zip((True, False), by_side, strict=True):
            if lists is not None:
                sides = (asked.queries, asked.candidates) if forward else asked.reversed_sides()
                found = lists.settled(asked.method, *sides, in_order=asked.question.in_order)
                if forward:
                    asked.nearest_forward = found
                else:
                    asked.nearest_backward = found

    def _operand(self, rows: UnitRows) -> int:
        for place, known in enumerate(self._operands):
            if known.same_as(rows):
                return place
        self._operands.append(rows)
        return len(self._operands) - 1

    def _gram(self, use: tuple[int, ...], present: Tensor) -> Tensor:
        """Inner products of each item's vectors, zero where absent, shape [p, p, N], float64."""
        if use not in self._grams:
            rows = [self._operands[k] for k in use]
            gram = torch.zeros(len(use), len(use), self.n_columns, dtype=torch.float64)
            for part in parts(self.n_columns, 2048):
                z = [one.wide_rows(part) for one in rows]
                for a in range(len(z)):
                    gram[a, a, part] = present[a, part].double()
                    for b in range(a):
                        gram[a, b, part] = gram[b, a, part] = torch.linalg.vecdot(z[a], z[b])
            self._grams[use] = gram
        return self._grams[use]


@dataclass
class _Tile:
    """A tile and its products, which are made when a question needs them."""

    planes: Planes
    rows: slice
    columns: slice
    _made: dict[torch.dtype, NDArray[Any]] = field(default_factory=dict)

    def add(self, run: _Run) -> None:
        """Count the tile for a question, and keep its best."""
        if run.rows is not None:
            dtypes = [run.dtype, torch.float32] if run.dtype == torch.bfloat16 else [torch.float32]
            if not any(self._count(run, dtype) for dtype in dtypes):
                self._count_by_reference(run)
        for lists, across in zip(run.lists, (False, True), strict=True):
            if lists is not None:
                self._keep_best(run, lists, across)

    def _products(self, dtype: torch.dtype) -> NDArray[Any]:
        if dtype not in self._made:
            self._made[dtype] = self.planes.products(self.rows, self.columns, dtype)
        return self._made[dtype]

    def _count(self, run: _Run, dtype: torch.dtype) -> bool:
        """Count by products of a dtype; False where they leave too much open, and nothing is counted then."""
        from gramcli.scoring.compiled.kernels import count_rows  # noqa: PLC0415 - numba

        planes, error = self._products(dtype), self.planes.error(dtype)
        R, C = planes.shape[1:]
        levels = [
            np.ascontiguousarray(found[:, :, part])
            for found, part in zip(run.levels, (self.rows, self.columns), strict=True)
        ]
        room = int(_OPEN_SHARE[dtype] * R * C) + 2 * (R + C)
        above = np.zeros((levels[0].shape[1], R), dtype=np.int64)

        def work(start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
            """Count a part of the rows."""
            along, opened = np.zeros((levels[1].shape[1], C), dtype=np.int64), np.empty(room, dtype=np.int64)
            family, *numbers = run.formula
            found = count_rows(
                family,
                planes,
                run.use,
                (start, stop),
                self.columns.start,
                *numbers,
                error,
                *levels,
                above,
                along,
                opened,
            )
            return along, opened[:found], int(found)

        done = shared(work, R, 16)
        if sum(found for _, _, found in done) > room:
            run.failed += 1
            if run.failed >= _PATIENCE:
                run.dtype = torch.float32
            return False
        run.failed = 0
        codes = np.concatenate([some for _, some, _ in done])
        opened = _Opened.of(codes, R, C)
        run.asked.tally.rescored += len(codes)
        counts = torch.from_numpy(above), torch.from_numpy(sum(along for along, _, _ in done))
        if dtype == torch.bfloat16 and len(codes):
            verdict = self._decided(run, opened, levels)
            opened.where(verdict == 1).count(counts)
            opened = opened.where(verdict == 2)
        for counter, found, part in zip((run.rows, run.columns), counts, (self.rows, self.columns), strict=True):
            if counter is not None:
                counter.above[:, part] += found
        self._leave_open(run, opened)
        return True

    def _decided(self, run: _Run, opened: _Opened, levels: Sequence[NDArray[np.float32]]) -> Tensor:
        """What float32 products of open pairs say: 1 above, 0 not above, 2 open; int8 [K]."""
        from gramcli.scoring.compiled.kernels import decide, pair_dots  # noqa: PLC0415 - numba

        row, column = opened.row.numpy(), opened.column.numpy()
        products = np.empty((len(run.use), 1, len(row)), dtype=np.float32)
        left = self.planes.single.rows(self.rows, torch.float32).numpy()
        for k, plane in enumerate(run.use):
            right = self.planes.several[plane].rows(self.columns, torch.float32).numpy()
            shared(functools.partial(_part_of, pair_dots, left, right, row, column, products[k, 0]), len(row), 256)
        family, *numbers = run.formula
        chosen = [np.ascontiguousarray(x[..., column + self.columns.start]) for x in numbers]
        across = opened.across.numpy()
        level = opened.level.numpy()
        thresholds = np.empty((2, len(row)), dtype=np.float32)
        for kind, along in ((0, row), (1, column)):
            here = across == kind
            thresholds[:, here] = levels[kind][:, level[here], along[here]]
        verdict = np.empty(len(row), dtype=np.int8)
        use = np.arange(len(run.use))
        decide(family, products, use, *chosen, self.planes.error(torch.float32), thresholds, verdict)
        return torch.from_numpy(verdict)

    def _leave_open(self, run: _Run, opened: _Opened) -> None:
        row, column = opened.row + self.rows.start, opened.column + self.columns.start
        i, j = (row, column) if run.single == 0 else (column, row)
        left = []
        for across, counter in enumerate((run.rows, run.columns)):
            for level in range(0 if counter is None else len(counter.thresholds)):
                here = (opened.level == level) & (opened.across == across)
                if counter is not None and bool(here.any()):
                    left.append(Open(counter, level, i[here], j[here]))
        run.asked.tally.leave_open(left)

    def _count_by_reference(self, run: _Run) -> None:
        rows, columns = (torch.arange(part.start, part.stop) for part in (self.rows, self.columns))
        columns = columns[~torch.isin(columns, run.elsewhere)]
        run.asked.tally.add_reference_tile((rows, columns) if run.single == 0 else (columns, rows))

    def _keep_best(self, run: _Run, lists: Lists, across: bool) -> None:
        from gramcli.scoring.compiled.kernels import best_of_columns, best_of_rows  # noqa: PLC0415 - numba

        planes, error = self._products(torch.float32), self.planes.error(torch.float32)
        mine, others = (self.columns, self.rows) if across else (self.rows, self.columns)
        numbers = np.arange(others.start, others.stop)
        high, low, place = lists.high[mine], lists.low[mine], lists.place[mine]
        keep = best_of_columns if across else best_of_rows

        def work(start: int, stop: int) -> None:
            """Look at a part of those that ask."""
            family, *formula = run.formula
            keep(family, planes, run.use, (start, stop), self.columns.start, *formula, error, numbers, high, low, place)

        shared(work, mine.stop - mine.start, 16)


@dataclass(frozen=True)
class _Opened:
    """Pairs of a tile that the bounds leave open, each with the threshold it is too close to; all [K], int64.

    Attributes:
        level: Which threshold.
        across: Whether it is its column's.
        row: Position in the tile.
        column: The same.
    """

    level: Tensor
    across: Tensor
    row: Tensor
    column: Tensor

    @classmethod
    def of(cls, codes: NDArray[np.int64], n_rows: int, n_columns: int) -> _Opened:
        """Read the codes of `count_rows`."""
        kind, pair = np.divmod(codes, n_rows * n_columns)
        row, column = np.divmod(pair, n_columns)
        return cls(*(torch.from_numpy(x) for x in (kind >> 1, kind & 1, row, column)))

    def where(self, mask: Tensor) -> _Opened:
        """Some of them."""
        return _Opened(self.level[mask], self.across[mask], self.row[mask], self.column[mask])

    def count(self, counts: tuple[Tensor, Tensor]) -> None:
        """Add each to the counts of rows [L, R] or columns [M, C]."""
        for across, along in enumerate((self.row, self.column)):
            here = self.across == across
            one = torch.ones(1, dtype=torch.int64)
            counts[across].index_put_((self.level[here], along[here]), one, accumulate=True)


def _part_of(kernel: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 - a kernel's arrays
    """Call a kernel with its part before the last argument: what `shared` appends."""
    *arrays, out, start, stop = args
    kernel(*arrays, (start, stop), out)


def _bracketed(counter: Counter | None, n: int) -> NDArray[np.float32]:
    """Thresholds rounded down and up by more than reference keys are off, shape [2, L, n]; +inf stays."""
    if counter is None:
        return np.empty((2, 0, n), dtype=np.float32)
    exact = counter.thresholds.numpy()
    ends = [(exact + shift).astype(np.float32) for shift in (-_REFERENCE, _REFERENCE)]
    ends = [np.nextafter(end, np.float32(way)) for end, way in zip(ends, (-np.inf, np.inf), strict=True)]
    return np.stack([np.where(np.isfinite(exact), end, np.float32(np.inf)) for end in ends])


def _n_degenerate(asked: Asked, which: int, gram: Tensor) -> int:
    """Items of the side with several vectors that are dependent: only where they nearly are, the vectors are looked at."""
    side = one_side(asked, which)
    if side.k == 1:
        return 0
    own = gram.permute(2, 0, 1) + torch.diag_embed((~side.present).T.double())
    lower, failed = torch.linalg.cholesky_ex(own)
    nearly_so = max(_NEARLY_DEPENDENT, 2 * side.resolution)
    nearly = (failed > 0) | (lower.diagonal(dim1=-2, dim2=-1).amin(dim=-1) < nearly_so)
    rows = nearly.nonzero().flatten()
    return sum(side.n_degenerate(side.side(asked.method, part)) for part in torch.split(rows, side.chunk) if len(part))


def _count_elsewhere(run: _Run) -> None:
    """Count the candidates that the formula would be too coarse for."""
    options = RankOptions(dtype=torch.float32)
    count_plainly(run.asked, options, lambda _pairs: None, **{("candidates", "queries")[run.single]: run.elsewhere})
