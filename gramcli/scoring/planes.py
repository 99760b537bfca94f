"""Raw products of unit vectors, a tile at a time, with a bound on the error of each: what every formula is made of.

With unit vectors q, m and what the product sees, q + dq and m + dm, |dq|, |dm| known,

    |q.m - fl(q'.m')| <= |dq| + |dm| + |dq| |dm| + g_d (1 + |dq|) (1 + |dm|)        (as in `gramcli.scoring.screening`)

and a product stored in bfloat16 is off by 2^-8 of itself besides.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.methods.linalg import unit_rows
from gramcli.scoring import screening

_CHUNK: Final = 1 << 20  # numbers per float64 intermediate
_KEPT_BYTES: Final = 128 << 20  # of one operand; beyond it, rows are brought to unit length whenever a tile asks
_UNIT: Final = 2.0**-21  # rows whose length is this close to 1 are taken as they are
_ROUNDOFF: Final = 2.0**-24
_SCALED: Final = 4 * _ROUNDOFF  # a length in float32, its product with an entry, and a little
_FORMULA: Final = 16 * _ROUNDOFF  # what `gramcli.scoring.compiled.formulas` asks for
_HALF: Final = 2.0**-8  # roundoff of bfloat16
_ORDINARY: Final = 2.0**100  # between its inverse and it, lengths have a float32 inverse with all its digits


@dataclass
class UnitRows:
    """One operand: rows of unit length, of one embedding or of the elementwise product of several.

    Attributes:
        parts: Embeddings [n, d]; several are multiplied, elementwise, after each was brought to unit length.
        present: Which rows exist, shape [parts, n], bool; others are zero (of several: left out of the product).
    """

    parts: Sequence[Tensor]
    present: Tensor
    _kept: dict[torch.dtype, Tensor] = field(default_factory=dict, init=False)
    _lost: dict[torch.dtype, float] = field(default_factory=dict, init=False)
    _latest: tuple[tuple[slice, torch.dtype], Tensor] | None = field(default=None, init=False)

    @functools.cached_property
    def length(self) -> Tensor:
        """Length of the product of the unit vectors, shape [n], float64; 1 where it is one vector."""
        return torch.ones(len(self._lengths), dtype=torch.float64) if len(self.parts) == 1 else self._lengths

    @functools.cached_property
    def _lengths(self) -> Tensor:
        return torch.cat([self._wide(part).norm(dim=1) for part in self._chunks()])

    @functools.cached_property
    def _here(self) -> Tensor:
        return self.present.any(dim=0)

    @functools.cached_property
    def _inverse(self) -> Tensor:
        return torch.where(self._here & (self._lengths > 0), 1.0 / self._lengths, 0.0)

    @functools.cached_property
    def _plain(self) -> bool:
        """Whether the rows are of unit length as they are."""
        if len(self.parts) > 1 or self.parts[0].dtype != torch.float32 or not bool(self._here.all()):
            return False
        return bool(((self._lengths - 1).abs() <= _UNIT).all())

    def same_as(self, other: UnitRows) -> bool:
        """Whether both are the same numbers."""
        return (
            len(self.parts) == len(other.parts)
            and torch.equal(self.present, other.present)
            and all(
                a is b or (a.dtype == b.dtype and torch.equal(a, b))
                for a, b in zip(self.parts, other.parts, strict=True)
            )
        )

    def rows(self, part: slice, dtype: torch.dtype) -> Tensor:
        """Rows of unit length (zero where absent), shape [part, d], float32 or bfloat16."""
        if self._plain and dtype == torch.float32:
            return self.parts[0][part].contiguous()
        if dtype not in self._kept:
            if self.parts[0].numel() * dtype.itemsize > _KEPT_BYTES:
                if self._latest is None or self._latest[0] != (part, dtype):
                    self._latest = (part, dtype), self._made(part, dtype)
                return self._latest[1]
            self._kept[dtype] = torch.cat([self._made(s, dtype) for s in self._chunks()])
        return self._kept[dtype][part]

    def lost(self, dtype: torch.dtype) -> float:
        """Bound on the length of what rows in this dtype differ by from unit vectors."""
        if dtype == torch.float32:
            return _UNIT + _SCALED
        if dtype not in self._lost:
            largest = 0.0
            for part in self._chunks():
                exact = self._made(part, torch.float32)
                rest = exact - exact.to(dtype).to(torch.float32)
                largest = max(largest, float(torch.linalg.vector_norm(rest, dim=1).max()))
            self._lost[dtype] = largest * (1 + 1e-4) + _UNIT + _SCALED
        return self._lost[dtype]

    def wide_rows(self, part: slice) -> Tensor:
        """Rows of unit length in float64, zero where absent, shape [part, d]: right to about 1e-15."""
        rows = self._wide(part) * self._inverse[part].unsqueeze(1)
        return torch.where(self._here[part].unsqueeze(1), rows, 0.0)

    @property
    def _step(self) -> int:
        return max(1, _CHUNK // self.parts[0].shape[1])

    def _chunks(self) -> list[slice]:
        n = len(self.parts[0])
        return [slice(k, min(k + self._step, n)) for k in range(0, n, self._step)]

    def _wide(self, part: slice) -> Tensor:
        """Rows in float64; the product of unit rows where there are several."""
        if len(self.parts) == 1:
            rows = self.parts[0][part]
            return unit_rows(rows) if rows.dtype == torch.float64 else rows.double()
        product = torch.ones(self.parts[0][part].shape, dtype=torch.float64)
        for rows, here in zip(self.parts, self.present, strict=True):
            product *= torch.where(here[part].unsqueeze(1), unit_rows(rows[part]), 1.0)
        return product

    @functools.cached_property
    def _scaled_in_float32(self) -> bool:
        """Whether rows may be divided by their lengths in float32: one over a tiny length is infinite there."""
        if len(self.parts) > 1 or self.parts[0].dtype != torch.float32:
            return False
        inverse = self._inverse[self._here]
        return bool(((inverse >= 1.0 / _ORDINARY) & (inverse <= _ORDINARY)).all())

    def _made(self, part: slice, dtype: torch.dtype) -> Tensor:
        if self._plain:
            return self.parts[0][part].to(dtype)
        inverse = self._inverse[part].unsqueeze(1)
        if self._scaled_in_float32:
            made = self.parts[0][part] * inverse.float()
        else:
            made = (self._wide(part) * inverse).float()
        if not bool(self._here[part].all()):
            made[~self._here[part]] = 0.0
        return made.to(dtype)


@dataclass
class Planes:
    """Products of one operand with several, tile by tile.

    Attributes:
        single: The operand down the rows.
        several: Those across the columns.
        tile: Rows and columns of a tile.
    """

    single: UnitRows
    several: Sequence[UnitRows]
    tile: tuple[int, int]
    _room: dict[torch.dtype, Tensor] = field(default_factory=dict, init=False)

    def products(self, rows: slice, columns: slice, dtype: torch.dtype) -> NDArray[Any]:
        """Products [planes, rows, columns], float32 or bits of bfloat16; valid until the next call with this dtype."""
        stored = (
            torch.bfloat16 if dtype == torch.bfloat16 and screening.native_bfloat16(torch.bfloat16) else torch.float32
        )
        R, C = rows.stop - rows.start, columns.stop - columns.start
        if dtype not in self._room:  # by what was asked for: a tile holds its products in both dtypes at once
            self._room[dtype] = torch.empty(len(self.several) * self.tile[0] * self.tile[1], dtype=stored)
        out = self._room[dtype][: len(self.several) * R * C].view(-1, R, C)
        left = self.single.rows(rows, dtype).to(stored)
        for plane, operand in zip(out, self.several, strict=True):
            torch.mm(left, operand.rows(columns, dtype).to(stored).T, out=plane)
        return (out.view(torch.uint16) if stored == torch.bfloat16 else out).numpy()

    def error(self, dtype: torch.dtype) -> NDArray[np.float32]:
        """(err, rel) of `gramcli.scoring.compiled.formulas`."""
        d = self.single.parts[0].shape[1]
        gamma = (d + 2) * _ROUNDOFF / (1 - (d + 2) * _ROUNDOFF)
        relative = _HALF if dtype == torch.bfloat16 and screening.native_bfloat16(torch.bfloat16) else 0.0
        if not relative and screening.rounds_float32(torch.device("cpu")):
            gamma += 2 * screening.LOSSY_PRODUCT + screening.LOSSY_PRODUCT**2
        dq, dm = self.single.lost(dtype), max(operand.lost(dtype) for operand in self.several)
        product = dq + dm + dq * dm + gamma * (1 + dq) * (1 + dm)
        return np.array([(product + _FORMULA) * (1 + 1e-4), relative], dtype=np.float32)
