"""The compiled walk: a tile of raw products is made once, and the formula of every question runs over it.

Questions go together that have one vector on one side, the same rows there, and as many items on the other. Each
decides what its bounds let it. What bfloat16 products leave open is decided by float32 products of those pairs, or of
the whole tile where it is much; what is open then by reference keys, and a tile with more than a few of these is
counted by them whole.

A candidate whose own vectors nearly agree amplifies the rounding of raw products; it is not counted here but by
`gramcli.scoring.plain`, from products with its orthonormal basis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.methods.base import Formula
from gramcli.scoring import screening
from gramcli.scoring.asked import Asked
from gramcli.scoring.compiled.loading import loops
from gramcli.scoring.memory import hand_back_freed
from gramcli.scoring.nearest import Lists
from gramcli.scoring.plain import count_plainly
from gramcli.scoring.planes import Planes, UnitRows
from gramcli.scoring.ranks import RankOptions
from gramcli.scoring.runs import Run, one_side
from gramcli.scoring.scores import parts
from gramcli.scoring.tiles import Tile

Numbers: TypeAlias = NDArray[np.float32]

_TILE: Final = (1024, 2048)
_WORTH_WALKING: Final = 1 << 26  # multiplications from which loading the loops is cheaper than torch's passes
_MOST_VECTORS: Final = 8  # what the bounds of the formulas allow for
_AMPLIFIED: Final = 2.0**14  # times `Formula.size`: beyond it a candidate is counted in another way
_NEARLY_DEPENDENT: Final = 1e-3  # distance of a unit vector to the span of those before it
_MOSTLY: Final = 0.25  # of a question's candidates counted elsewhere: then all are


def walkable(asked: Sequence[Asked], options: RankOptions) -> bool:
    """Whether there are compiled loops for this device and dtype, and work enough for loading them."""
    work = sum(one.pairs * one.queries.d for one in asked)
    possible = torch.device(options.device).type == "cpu" and options.dtype in (None, torch.bfloat16, torch.float32)
    return possible and work >= _WORTH_WALKING and loops(work)


def compiled_walks(asked: Sequence[Asked], options: RankOptions) -> tuple[list[Walk], list[Asked]]:
    """Sort questions into walks, and those that have none.

    Args:
        asked: Open questions.
        options: Dtype and tile.
    """
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
    runs: list[Run] = field(default_factory=list)
    _operands: list[UnitRows] = field(default_factory=list)
    _grams: dict[tuple[int, ...], Tensor] = field(default_factory=dict)

    def fits(self, asked: Asked, single: int, rows: UnitRows) -> bool:
        """Whether a question asks for products with the same rows."""
        return one_side(asked, 1 - single).n == self.n_columns and self.single.same_as(rows)

    def add(self, asked: Asked, single: int) -> bool:
        """Take a question in; False where it is better answered by itself."""
        from gramcli.scoring.compiled.kernels import FAMILIES  # noqa: PLC0415 - numba, which little work does without

        side, wanted = one_side(asked, 1 - single), asked.question.nearest or 0
        use = [
            self._operand(UnitRows((rows,), here.unsqueeze(0)))
            for rows, here in zip(side.rows, side.present, strict=True)
        ]
        gram = self._gram(tuple(use), side.present)
        formula: Formula | None = asked.method.formula(gram, side.present)
        if formula is None:
            return False
        if formula.multiplied:
            use = [self._operand(UnitRows(side.rows, side.present))] if side.k > 1 else use
            formula = replace(formula, weights=formula.weights * self._operands[use[0]].length)
        numbers, elsewhere = _rounded(formula)
        if len(elsewhere) > (0 if wanted else _MOSTLY * self.n_columns):
            return False
        asked.n_degenerate = _n_degenerate(asked, 1 - single, gram)
        counters = [direction.counter if direction else None for direction in (asked.forward, asked.backward)]
        both = [asked.queries.n, asked.candidates.n]
        lists = [
            Lists(both[0], min(wanted, both[1])) if wanted else None,
            Lists(both[1], min(wanted, both[0])) if wanted and asked.question.both_directions else None,
        ]
        bfloat16 = screening.native_bfloat16(torch.bfloat16)
        self.runs.append(
            Run(
                asked,
                single,
                (FAMILIES[formula.family], *numbers),
                np.array(use, dtype=np.int64),
                elsewhere,
                self.options.dtype or (torch.bfloat16 if bfloat16 else torch.float32),
                counters[single],
                counters[1 - single],
                (lists[single], lists[1 - single]),
            )
        )
        return True

    def run(self, progress: Callable[[int], None]) -> None:
        """Walk all tiles, and settle what is open."""
        if any(any(run.lists) for run in self.runs):  # these need float32 products, which then serve all
            for run in self.runs:
                run.dtype = torch.float32
        planes = Planes(self.single, self._operands, self.options.tile or _TILE)
        n = len(self.single.length)
        for columns in parts(self.n_columns, planes.tile[1]):
            for rows in parts(n, planes.tile[0]):
                tile = Tile(planes, rows, columns)
                for run in self.runs:
                    tile.add(run)
                progress((rows.stop - rows.start) * (columns.stop - columns.start) * len(self.runs))
            hand_back_freed()
        for run in self.runs:
            self._finish(run)

    def _finish(self, run: Run) -> None:
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


def _rounded(formula: Formula) -> tuple[tuple[Numbers, Numbers, Numbers], Tensor]:
    """A, r and constants in float32, NaN for the candidates that are counted elsewhere; and which these are, int64."""
    reach = formula.weights.abs().sum(dim=1)
    squares = reach.square().sum(dim=0, keepdim=True)
    amplified = ~(squares[0] <= _AMPLIFIED * formula.size)
    amplified |= ~torch.cat([formula.weights.flatten(0, 1), formula.constants]).isfinite().all(dim=0)
    weights, constants = (torch.where(amplified, torch.nan, x) for x in (formula.weights, formula.constants))
    exact = weights, torch.cat([reach, squares]), constants
    first, second, third = (x.to(torch.float32).contiguous().numpy() for x in exact)
    return (first, second, third), amplified.nonzero().flatten()


def _n_degenerate(asked: Asked, which: int, gram: Tensor) -> int:
    """Items of the side with several vectors that are dependent: vectors are looked at only where they nearly are."""
    side = one_side(asked, which)
    if side.k == 1:
        return 0
    own = gram.permute(2, 0, 1) + torch.diag_embed((~side.present).T.double())
    lower, failed = torch.linalg.cholesky_ex(own)
    nearly_so = max(_NEARLY_DEPENDENT, 2 * side.resolution)
    nearly = (failed > 0) | (lower.diagonal(dim1=-2, dim2=-1).amin(dim=-1) < nearly_so)
    rows = nearly.nonzero().flatten()
    return sum(side.n_degenerate(side.side(asked.method, part)) for part in torch.split(rows, side.chunk) if len(part))


def _count_elsewhere(run: Run) -> None:
    """Count the candidates that the formula would be too coarse for."""
    options = RankOptions(dtype=torch.float32)
    count_plainly(run.asked, options, lambda _pairs: None, **{("candidates", "queries")[run.single]: run.elsewhere})
