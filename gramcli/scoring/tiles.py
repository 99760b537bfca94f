"""A tile of a compiled walk: counted for every question by products that decide most of it, refined where not."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.scoring.counting import Open
from gramcli.scoring.nearest import Lists
from gramcli.scoring.planes import Planes
from gramcli.scoring.runs import Run
from gramcli.scoring.threads import shared

_OPEN_SHARE: Final = {torch.bfloat16: 0.015, torch.float32: 0.02}
"""Of a tile's pairs: beyond it the next pass is cheaper than as many reference keys."""
_PATIENCE: Final = 3  # tiles in a row that bfloat16 leaves open before it is no longer tried


@dataclass
class Tile:
    """A tile and its products, which are made when a question needs them."""

    planes: Planes
    rows: slice
    columns: slice
    _made: dict[torch.dtype, NDArray[Any]] = field(default_factory=dict)

    def add(self, run: Run) -> None:
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

    def _count(self, run: Run, dtype: torch.dtype) -> bool:
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
        much = sum(found for _, _, found in done) > room
        if dtype == torch.bfloat16:  # float32 products that decide the tile instead do not speak for it
            run.failed = run.failed + 1 if much else 0
            if run.failed >= _PATIENCE:
                run.dtype = torch.float32
        if much:
            return False
        codes = np.concatenate([some for _, some, _ in done])
        opened = Opened.of(codes, R, C)
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

    def _decided(self, run: Run, opened: Opened, levels: Sequence[NDArray[np.float32]]) -> Tensor:
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

    def _leave_open(self, run: Run, opened: Opened) -> None:
        row, column = opened.row + self.rows.start, opened.column + self.columns.start
        i, j = (row, column) if run.single == 0 else (column, row)
        left = []
        for across, counter in enumerate((run.rows, run.columns)):
            for level in range(0 if counter is None else len(counter.thresholds)):
                here = (opened.level == level) & (opened.across == across)
                if counter is not None and bool(here.any()):
                    left.append(Open(counter, level, i[here], j[here]))
        run.asked.tally.leave_open(left)

    def _count_by_reference(self, run: Run) -> None:
        rows, columns = (torch.arange(part.start, part.stop) for part in (self.rows, self.columns))
        columns = columns[~torch.isin(columns, run.elsewhere)]
        run.asked.tally.add_reference_tile((rows, columns) if run.single == 0 else (columns, rows))

    def _keep_best(self, run: Run, lists: Lists, across: bool) -> None:
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
class Opened:
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
    def of(cls, codes: NDArray[np.int64], n_rows: int, n_columns: int) -> Opened:
        """Read the codes of `count_rows`."""
        kind, pair = np.divmod(codes, n_rows * n_columns)
        row, column = np.divmod(pair, n_columns)
        return cls(*(torch.from_numpy(x) for x in (kind >> 1, kind & 1, row, column)))

    def where(self, mask: Tensor) -> Opened:
        """Some of them."""
        return Opened(self.level[mask], self.across[mask], self.row[mask], self.column[mask])

    def count(self, counts: tuple[Tensor, Tensor]) -> None:
        """Add each to the counts of rows [L, R] or columns [M, C]."""
        for across, along in enumerate((self.row, self.column)):
            here = self.across == across
            one = torch.ones(1, dtype=torch.int64)
            counts[across].index_put_((self.level[here], along[here]), one, accumulate=True)


def _part_of(kernel: Any, *args: Any) -> None:  # noqa: ANN401 - a kernel and its arrays
    """Call a kernel with its part before the last argument: what `shared` appends."""
    *arrays, out, start, stop = args
    kernel(*arrays, (start, stop), out)
