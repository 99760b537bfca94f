"""The fast pass as one GPU kernel: "matrix product, then comparisons" without writing the products.

The plain pass writes a tile of products and reads it back for every comparison; on a GPU that traffic costs
more than the product. The Triton kernel in `gramcli.scoring.fused_kernel` keeps a block of products in registers,
counts what is certainly above each row's and column's threshold, and appends the pairs that are not
certain to a list. Counts and list are the only things it writes.

The bound is that of `gramcli.scoring.screening`, unchanged. The kernel multiplies the same rounded vectors and
accumulates over d in float32, in some order: g_d covers any order. float32 operands are multiplied in
IEEE arithmetic (`input_precision="ieee"`, never TF32); products of two bfloat16 or float16 numbers are exact in
float32, and that tensor cores truncate where they add is in `Screen.error`. The epilogue is that of the
methods, operation for operation; contraction to fused multiply-adds only takes roundings away, and a
division that is off by 2 units instead of half a unit stays within the 128 m^2 roundoffs of pmrl's slack.

The kernel is used on CUDA where Triton is installed, after it has given exact ranks once for its kind, number
of vectors, dtype and device; Triton is not a dependency and is not imported elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gramcli.methods import get_method
from gramcli.methods.base import FusedKind
from gramcli.methods.linalg import unit_rows
from gramcli.scoring.screening import Operand, Screen, reference_tile

FUSED_TILE: Final = (8192, 16384)
"""Rows and columns of a tile for the kernel: enough work to hide what the host does between tiles."""

LARGEST_FUSED: Final = 4
"""Most candidate vectors: their blocks of products must fit in registers."""

_KINDS: Final[dict[FusedKind, int]] = {"product": 0, "volume": 1, "secular": 2}
_EXAMPLES: Final[dict[FusedKind, str]] = {"product": "cosine", "volume": "gram", "secular": "pmrl"}
_LARGEST_TILE: Final = 1 << 30  # a pair and its direction are one int32
_CAPACITY_SHARE: Final = 0.125  # of a tile's pairs; beyond it the plain pass is as good
_LEAST_CAPACITY: Final = 4096
_CHECKED: Final = (150, 170, 72)  # n, N, d of the self-check: several blocks, none of them full
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Direction:
    """Thresholds of one direction of a tile.

    Attributes:
        forward: Whether the rows ask; else the columns do.
        thresholds: One per asking item, shape [n] or [N], float64, on the device; +inf where nothing is asked.
    """

    forward: bool
    thresholds: Tensor


@dataclass(frozen=True)
class Counted:
    """What the kernel says of one direction.

    Attributes:
        certain: Keys certainly above each threshold, shape [n] or [N], int64, on the device.
        i: Query positions of undecided pairs, shape [K], int64, on the device.
        j: Candidate positions, the same.
    """

    certain: Tensor
    i: Tensor
    j: Tensor


def available(screen: Screen) -> bool:
    """Whether tiles of this pass can go through the kernel: one query vector, a known epilogue, a checked kernel."""
    kind: FusedKind | None = getattr(screen.method, "fused_kind", None)
    if kind is None or screen.r > 1 or screen.dtype == torch.float64 or not screen.usable:
        return False
    if screen.p > LARGEST_FUSED or not _runs_triton(screen.device):
        return False
    return _agrees(kind, screen.p, screen.dtype, screen.device)


def count(
    screen: Screen, queries: Operand, candidates: Operand, directions: Sequence[Direction], slack: float
) -> list[Counted] | None:
    """Count one tile with the kernel.

    Args:
        screen: The pass; `available`.
        queries: Operand of n rows with one vector each.
        candidates: Operand of N rows with up to 4 vectors each.
        directions: The rows' thresholds, then the columns' if those are wanted too.
        slack: How far from a threshold a key is undecided.

    Returns:
        Counts per direction, or None where undecided pairs overflow the list or the tile is too large: then
        the tile has to be done in another way.
    """
    n, N = queries.vectors.shape[1], candidates.vectors.shape[1]
    if n * N > _LARGEST_TILE:
        return None
    capacity = max(_LEAST_CAPACITY, int(_CAPACITY_SHARE * n * N))
    counts = torch.zeros(n + N + 1, dtype=torch.int32, device=screen.device)
    found = torch.empty(capacity, dtype=torch.int32, device=screen.device)
    levels = [
        torch.stack([entry.thresholds - slack, entry.thresholds + slack]).to(screen.epilogue) for entry in directions
    ]
    _launch(screen, (queries, candidates), levels, counts, found)
    n_found = int(counts[-1])
    if n_found > capacity:
        return None
    code = found[:n_found].long()
    pair, backward = code >> 1, (code & 1).bool()
    i, j = pair.div(N, rounding_mode="floor"), pair.remainder(N)
    certain = (counts[:n].long(), counts[n : n + N].long())
    masks = (~backward, backward)
    return [Counted(certain[k], i[masks[k]], j[masks[k]]) for k in range(len(directions))]


def _launch(
    screen: Screen, operands: tuple[Operand, Operand], levels: list[Tensor], counts: Tensor, found: Tensor
) -> None:
    import triton  # noqa: PLC0415 - only where the kernel runs

    from gramcli.scoring.fused_kernel import count_tile  # noqa: PLC0415

    queries, candidates = operands
    x, w = _rows_contiguous(queries.vectors)[0], _rows_contiguous(candidates.vectors)
    (n, d), (p, N, _) = x.shape, w.shape
    block_n, block_c, block_d, warps, stages = _blocks(p, x.dtype)
    method_kind: FusedKind = screen.method.fused_kind or "product"
    with torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext():
        count_tile[(triton.cdiv(n, block_n) * triton.cdiv(N, block_c),)](
            x, w, queries.constants.contiguous(), candidates.constants.contiguous(), levels[0], levels[-1],
            counts, counts[n:], found, counts[n + N :],
            n, N, d, len(found), x.stride(0), w.stride(1), w.stride(0),
            kind=_KINDS[method_kind], p=p, both=len(levels) > 1, precision="ieee",
            block_n=block_n, block_c=block_c, block_d=block_d, group=8, num_warps=warps, num_stages=stages,
        )  # fmt: skip


def _rows_contiguous(vectors: Tensor) -> Tensor:
    return vectors if vectors.stride(-1) == 1 else vectors.contiguous()


def _blocks(p: int, dtype: torch.dtype) -> tuple[int, int, int, int, int]:
    """Rows, columns and depth of a block, warps and stages; p accumulators share the registers."""
    if dtype == torch.float32:
        return 64, 64, 32, 8 if p > 2 else 4, 2
    return 128, 128 if p <= 2 else 64, 64, 8, 3


def _runs_triton(device: torch.device) -> bool:
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None


@functools.cache
def _agrees(kind: FusedKind, p: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the kernel compiles here and its counts with its undecided pairs give the reference ranks."""
    try:
        agrees = _self_check(kind, p, dtype, device)
    except Exception as error:  # whatever Triton, its compiler or the driver may raise: the plain pass works
        _LOG.info("the fused kernel does not run (%s: %s); using the plain pass", type(error).__name__, error)
        return False
    if not agrees:
        _LOG.warning("the fused kernel for %s gives other ranks on %s; using the plain pass", kind, device)
    return agrees


def _self_check(kind: FusedKind, p: int, dtype: torch.dtype, device: torch.device) -> bool:
    n, N, d = _CHECKED
    method = get_method(_EXAMPLES[kind])
    screen = Screen(method, 1, p, d, dtype, device)
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(1, N, d, generator=generator, dtype=torch.float64)
    noise = torch.randn(1 + p, N, d, generator=generator, dtype=torch.float64)
    z = unit_rows(common + noise).to(device)
    present = torch.ones(1 + p, N, dtype=torch.bool, device=device)
    left, right = method.side(z[:1, :n], present[:1, :n]), method.side(z[1:], present[1:])
    keys = reference_tile(method, left, right)
    asked = torch.arange(N, device=device)
    directions = [Direction(True, keys[asked[:n], asked[:n]]), Direction(False, keys[asked % n, asked])]
    queries, candidates = screen.operand(left), screen.operand(right)
    counted = count(screen, queries, candidates, directions, screen.slack(queries, candidates))
    return counted is not None and all(
        _exact(entry, keys if asking.forward else keys.T, asking)
        for entry, asking in zip(counted, directions, strict=True)
    )


def _exact(counted: Counted, keys: Tensor, direction: Direction) -> bool:
    """Whether certain counts and undecided pairs give the counts of reference keys [asking, answering]."""
    thresholds = direction.thresholds.unsqueeze(1)
    asking, answering = (counted.i, counted.j) if direction.forward else (counted.j, counted.i)
    undecided = torch.zeros_like(keys, dtype=torch.bool)
    undecided[asking, answering] = True
    above = counted.certain + (undecided & (keys > thresholds)).sum(1)
    same = torch.equal(above, (keys > thresholds).sum(1)) and int(undecided.sum()) == len(asking)
    return same and bool(undecided[keys == thresholds].all())
