"""Tiles of a method's products in a fast dtype, with a rigorous bound on their error.

Each side's vectors are rounded once to the pass's dtype; what the rounding took away is measured in
float64, row by row. With q = q' + dq and w = w' + dw, where primes are what the product sees,

    |q.w - fl(q'.w')| <= |dq| |w| + |q'| |dw| + g_d |q'| |w'|        (Cauchy-Schwarz)

and g_d = d u / (1 - d u) bounds any order of summation in arithmetic of roundoff u (Higham, Accuracy
and Stability of Numerical Algorithms, 3.1). Tensor cores add blocks of K >= 4 exact products to the sum by
aligning all terms to the largest and truncating them (Fasi, Higham, Mikaitis and Pranesh, Numerical
behavior of NVIDIA tensor cores, 2021): K + 2 errors of at most 2 u times the sum of |terms| per block, so at
most 3 d u in all; 4 g_d is used. The largest norms and residuals of the tile's rows and
columns give one number for the tile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod, Side, TileError
from gramcli.methods.linalg import (
    DEPENDENT,
    EXACT_RESOLUTION,
    exact_dot_matrix,
    exact_slices,
    unit_rows,
)
from gramcli.scoring.checks import check_device, check_embeddings, check_pair
from gramcli.scoring.compiled.loading import accelerated


@dataclass(frozen=True)
class Presence:
    """Which modalities exist, and what becomes of those that do not.

    Attributes:
        queries: Modality name to bool [n]; None, or a name left out, where nothing is absent.
        candidates: The same, bool [N].
        absent_as_zero: Score an absent modality as a zero vector instead of leaving it out. That is what
            some published code does; a volume is then 0, the best there is. Only to reproduce it.
    """

    queries: Mapping[str, Tensor] | None = None
    candidates: Mapping[str, Tensor] | None = None
    absent_as_zero: bool = False


EVERYTHING: Final = Presence()

ROW_TILE: Final = 1024
COLUMN_TILE: Final = 2048
_CHUNK_NUMBERS: Final = 1 << 18  # numbers per float64 intermediate: 2 MB, so that it stays in the cache
_CUDA_CHUNK_NUMBERS: Final = 1 << 23  # 64 MB: enough work for a launch

_MM_WIDENS: Final = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 8)  # has mm(out_dtype=...)

_ROUNDOFF: Final = {torch.float64: 2.0**-53, torch.float32: 2.0**-24}
_LARGEST_GAMMA: Final = 0.01
LOSSY_PRODUCT: Final = 2.0**-8  # covers TF32 and bfloat16 products behind a float32 interface
_TENSOR_CORE: Final = 4.0  # times gamma: tensor cores align the terms of a block to the largest and truncate


@dataclass(frozen=True)
class Embeddings:
    """Validated embeddings of one side: k modalities of n rows.

    Attributes:
        rows: One tensor [n, d] per modality, as given.
        present: Which exist, shape [k, n], bool.
        device: Where arithmetic happens.
        absent_as_zero: Whether absent vectors count as zero vectors.
        names: What the modalities are called, for messages.
    """

    rows: tuple[Tensor, ...]
    present: Tensor
    device: torch.device
    absent_as_zero: bool = False
    names: tuple[str, ...] = ()

    @property
    def k(self) -> int:
        """Number of modalities."""
        return len(self.rows)

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.rows[0].shape[0]

    @property
    def d(self) -> int:
        """Dimension."""
        return self.rows[0].shape[1]

    @property
    def chunk(self) -> int:
        """Rows whose float64 intermediates stay small."""
        numbers = _CUDA_CHUNK_NUMBERS if self.device.type == "cuda" else _CHUNK_NUMBERS
        return max(1, numbers // (self.d * self.k))

    def unit(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors [k, len(rows), d] in float64 and their presence; zeros where absent."""
        present = self.present[:, rows]
        z = torch.stack([unit_rows(x[rows].to(self.device)) for x in self.rows])
        present = present.to(self.device)
        if not bool(present.all()):
            z = torch.where(present.unsqueeze(-1), z, 0.0)
        return z, torch.ones_like(present) if self.absent_as_zero else present

    def side(self, method: AlignmentMethod, rows: Tensor) -> Side:
        """The method's view of some rows (int64, on the CPU)."""
        with accelerated(len(rows) * self.k * self.d, self.device):
            return method.side(*self.unit(rows))

    @property
    def resolution(self) -> float:
        """Distance of a unit vector to a span below which the rows' own rounding hides whether it lies in it.

        A copy, normalised or scaled in float32, differs from its original by about 1e-8: no float64
        arithmetic on such rows can tell it from one that is meant to differ.
        """
        coarsest = max(torch.finfo(x.dtype).eps for x in self.rows)
        return DEPENDENT if coarsest <= torch.finfo(torch.float64).eps else 4 * coarsest

    def n_degenerate(self, side: Side) -> int:
        """How many items of some rows have linearly dependent vectors, as far as the rows' dtype can tell."""
        return int((side.independence <= self.resolution).sum())


def open_sides(
    method: AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
) -> tuple[Embeddings, Embeddings]:
    """Validate both sides and the method's demands on them.

    Raises:
        UserError: See `gramcli.scoring.checks` and the method's `check`, whose message gets the modalities' names.
    """
    where = check_device(device)
    if not isinstance(present, Presence):
        raise UserError(
            "usage",
            "present is a gramcli.scoring.Presence(queries=..., candidates=...), each from modality to a bool "
            f"tensor; got {type(present).__name__}.",
        )
    check_embeddings("queries", queries, present.queries)
    check_embeddings("candidates", candidates, present.candidates)
    check_pair(queries, candidates)
    sides = (
        _embeddings(queries, present.queries, where, present.absent_as_zero),
        _embeddings(candidates, present.candidates, where, present.absent_as_zero),
    )
    try:
        method.check(sides[0].k, sides[1].k, sides[0].d)
    except UserError as error:
        raise UserError(error.kind, f"{error} Given: {sides_text(*sides)}.") from None
    return sides


def sides_text(queries: Embeddings, candidates: Embeddings) -> str:
    """Both sides' modalities for a message: `queries text; candidates video, audio`."""
    return f"queries {', '.join(queries.names)}; candidates {', '.join(candidates.names)}"


def _embeddings(
    rows: Mapping[str, Tensor], present: Mapping[str, Tensor] | None, device: torch.device, as_zero: bool
) -> Embeddings:
    n = next(iter(rows.values())).shape[0]
    everywhere = torch.ones(n, dtype=torch.bool)
    masks = [(present or {}).get(name, everywhere).to("cpu", torch.bool) for name in rows]
    names = tuple(str(name) for name in rows)
    return Embeddings(tuple(x.detach() for x in rows.values()), torch.stack(masks), device, as_zero, names)


def reference_tile(method: AlignmentMethod, queries: Side, candidates: Side) -> Tensor:
    """Reference keys of a whole tile, shape [n, N], float64: bit for bit those of `gramcli.scoring.pairs.pair_keys`."""
    left, right = ([exact_slices(x) for x in side.vectors] for side in (queries, candidates))
    cross = torch.stack([torch.stack([exact_dot_matrix(a, b) for b in right]) for a in left])
    return method.keys(cross, queries, candidates)


@dataclass(frozen=True)
class Operand:
    """One side's rows as the fast pass multiplies them.

    Attributes:
        vectors: Shape [k, n, d], the pass's dtype.
        constants: Shape [e, n], the epilogue's dtype.
        norm: Largest length of a row's vectors before rounding, shape [n], float64.
        residual: Largest length of what rounding took from them, shape [n], float64.
        scale: `Side.scale`, shape [n], float64.
    """

    vectors: Tensor
    constants: Tensor
    norm: Tensor
    residual: Tensor
    scale: Tensor

    def take(self, part: slice | Tensor) -> Operand:
        """The same operand restricted to some rows."""
        return Operand(
            self.vectors[:, part], self.constants[:, part], self.norm[part], self.residual[part], self.scale[part]
        )

    def room_for(self, n: int) -> Operand:
        """An unfilled operand of n rows of this one's shape and dtypes."""
        return Operand(
            self.vectors.new_empty(self.vectors.shape[0], n, self.vectors.shape[2]),
            self.constants.new_empty(self.constants.shape[0], n),
            *(x.new_empty(n) for x in (self.norm, self.residual, self.scale)),
        )

    def put(self, part: slice, other: Operand) -> None:
        """Write another operand's rows into this one's `part`."""
        self.vectors[:, part], self.constants[:, part] = other.vectors, other.constants
        self.norm[part], self.residual[part], self.scale[part] = other.norm, other.residual, other.scale


@dataclass(frozen=True)
class Screen:
    """A method's fast pass in one dtype on one device.

    Attributes:
        method: The measure.
        r: Query modalities.
        p: Candidate modalities.
        d: Dimension.
        dtype: What the vectors are rounded to: float64, float32, bfloat16 or float16.
        device: Where it runs.
    """

    method: AlignmentMethod
    r: int
    p: int
    d: int
    dtype: torch.dtype
    device: torch.device

    @property
    def epilogue(self) -> torch.dtype:
        """Dtype of products and epilogue: float64 for float64, else float32."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def storage(self) -> torch.dtype:
        """Dtype the vectors are held in.

        A CPU without bfloat16 arithmetic multiplies such numbers faster and no less exactly as float32.
        """
        if self.device.type == "cpu" and self.dtype not in _ROUNDOFF and not native_bfloat16(self.dtype):
            return torch.float32
        return self.dtype

    def operand(self, side: Side) -> Operand:
        """Round a side's vectors, and measure what that took away."""
        screen = self.method.screen_side(side, self.r, self.p)
        rounded = screen.vectors.to(self.dtype)
        lost = screen.vectors - rounded.to(torch.float64)
        return Operand(
            vectors=rounded.to(self.storage),
            constants=screen.constants.to(self.epilogue),
            norm=_largest_length(screen.vectors),
            residual=_largest_length(lost),
            scale=side.scale,
        )

    @property
    def gathered_numbers(self) -> int:
        """Numbers of gathered rows that stay in the cache while they are multiplied."""
        return _CUDA_CHUNK_NUMBERS if self.device.type == "cuda" else _CHUNK_NUMBERS

    @property
    def usable(self) -> bool:
        """Whether the method has a fast pass for this split and its bound says anything at this dimension."""
        return self.method.screens(self.r, self.p) and self.d * _ROUNDOFF[self.epilogue] < _LARGEST_GAMMA

    def products(self, queries: Operand, candidates: Operand, buffer: Tensor | None = None) -> Tensor:
        """Products of all vectors of both tiles, shape [r, p, n, N], in the epilogue's dtype.

        `buffer` is flat room for them, reused from tile to tile: touching fresh memory costs as much as
        the arithmetic.
        """
        r, n, _ = queries.vectors.shape
        p, N, _ = candidates.vectors.shape
        if buffer is None:
            buffer = torch.empty(r * p * n * N, dtype=self.epilogue, device=self.device)
        cross = buffer[: r * p * n * N].view(r, p, n, N)
        for a, left in enumerate(queries.vectors):
            for b, right in enumerate(candidates.vectors):
                self._multiply(left, right.T, cross[a, b])
        return cross

    def _multiply(self, left: Tensor, right: Tensor, out: Tensor) -> None:
        if left.dtype == out.dtype:
            torch.mm(left, right, out=out)
        elif self.device.type == "cuda" and _MM_WIDENS:
            torch.mm(left, right, out_dtype=out.dtype, out=out)
        elif self.device.type == "cuda":
            torch.mm(left.to(out.dtype), right.to(out.dtype), out=out)
        else:
            out.copy_(torch.mm(left, right))

    def error(self, queries: Operand, candidates: Operand, cross: Tensor | None = None) -> TileError:
        """The bound of the module docstring for a tile; products rounded when stored are off by a share of `cross`."""
        u = _ROUNDOFF[self.epilogue]
        gamma = (self.d + 2) * u / (1 - (self.d + 2) * u)
        half = self.storage not in _ROUNDOFF
        if half and self.device.type == "cuda":
            gamma *= _TENSOR_CORE
        if self.epilogue == torch.float32 and not (half and _MM_WIDENS) and rounds_float32(self.device):
            gamma += 2 * LOSSY_PRODUCT + LOSSY_PRODUCT**2
        q, c = float(queries.norm.max()), float(candidates.norm.max())
        dq, dc = float(queries.residual.max()), float(candidates.residual.max())
        size = (q + dq) * (c + dc)
        product = dq * c + (q + dq) * dc + gamma * size
        if half and self.device.type == "cpu":
            largest = size if cross is None else max(abs(float(end)) for end in torch.aminmax(cross))
            product += torch.finfo(self.storage).eps * largest  # twice the roundoff: |x - fl(x)| <= eps |fl(x)|
        return TileError(
            product=product * (1 + 1e-9),
            query_scale=float(queries.scale.max()),
            candidate_scale=float(candidates.scale.max()),
            roundoff=u,
            size=size,
            reference=self.d * EXACT_RESOLUTION,
        )

    def slack(self, queries: Operand, candidates: Operand, cross: Tensor | None = None) -> float:
        """How far from a threshold a key of the tile may lie and still be undecided; `cross` as in `error`."""
        return self.method.slack(self.error(queries, candidates, cross), self.r, self.p)


def _largest_length(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1).amax(dim=0)
    return lengths * (1 + 1e-12)


def native_bfloat16(dtype: torch.dtype) -> bool:
    """Whether the CPU multiplies numbers of this dtype, bfloat16, by instructions of its own."""
    if dtype != torch.bfloat16:
        return False
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


def rounds_float32(device: torch.device) -> bool:
    """Whether products of float32 matrices may be computed in TF32 or bfloat16 on this device."""
    cuda = device.type == "cuda"
    if cuda and os.environ.get("NVIDIA_TF32_OVERRIDE") == "1":
        return True
    backend = torch.backends.cuda.matmul if cuda else getattr(torch.backends.mkldnn, "matmul", None)
    precision = getattr(backend, "fp32_precision", None)  # torch 2.9 on; the older switch raises once this one is used
    if precision in ("tf32", "bf16"):
        return True
    try:
        return bool(torch.get_float32_matmul_precision() != "highest")
    except RuntimeError:
        return bool(precision != "ieee")
