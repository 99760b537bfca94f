"""The reference's arithmetic compiled for the CPU: the same bits as `gramcli.methods.linalg`, several times as fast.

Each function does for one row, in the cache, what torch does in a dozen passes over all of them. The bits are the same
because every operation is: sums halve as `tree_sum` halves, nothing is contracted to a fused multiply-add (LLVM does so
only where it is allowed to), and division and square root are IEEE's.

One sum may be reordered, that of the products of slices: they and every partial sum of a block are integers below 2^53
(see `gramcli.methods.linalg`), so that any order and any contraction gives the one exact result. `_plus_product` alone
carries that permission; a number is cut in slices by functions that do not.

Constants come as arguments: numba's cache on disk knows this file's date, not that of the file they stand in.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.methods import linalg
from gramcli.scoring.compiled.building import Function, kernel
from gramcli.scoring.threads import shared

_ROUND = 1.5 * 2.0**52  # x + _ROUND - _ROUND is x rounded to an integer, half to even, for |x| < 2^51
_SHIFT = 2.0**linalg.SLICE_BITS
_WORTH_A_THREAD: Final = 1 << 15  # numbers: about 20 microseconds


Vector = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


def _reorderable(function: Function) -> Function:
    return kernel(function, {"reassoc", "contract"})


@kernel
def _halved(x: Vector, width: int) -> float:
    """Sum of x[:width] by repeated halving; overwrites it."""
    while width > 1:
        half = width // 2
        head, tail = x[:half], x[half : 2 * half]
        for k in range(half):
            head[k] = head[k] + tail[k]
        if width % 2:
            x[half] = x[2 * half]
        width = half + width % 2
    total: float = x[0]
    return total


@kernel
def _tree_dot(x: Vector, y: Vector, room: Vector) -> float:
    """Sum of x * y by repeated halving."""
    d = len(x)
    half = d // 2
    head, tail, other_head, other_tail = x[:half], x[half : 2 * half], y[:half], y[half : 2 * half]
    for k in range(half):
        room[k] = head[k] * other_head[k] + tail[k] * other_tail[k]
    if d % 2:
        room[half] = x[2 * half] * y[2 * half]
    return _halved(room, half + d % 2)


@kernel
def _tree_sums(start: int, stop: int, x: Vector, out: Vector) -> None:
    """Rows [n, d] -> [n]."""
    d = x.shape[1]
    room = np.empty(d)
    for i in range(start, stop):
        row = x[i]
        for k in range(d):
            room[k] = row[k]
        out[i] = _halved(room, d)


@kernel
def _unit_rows(start: int, stop: int, x: Vector, out: Vector) -> None:
    """Rows [n, d], float32 or float64 -> unit rows, float64."""
    d = x.shape[1]
    room = np.empty(d)
    for i in range(start, stop):
        row, unit = x[i], out[i]
        for k in range(d):
            unit[k] = row[k]
        length = np.sqrt(_tree_dot(unit, unit, room))
        if not length > 0.0:
            length = 1.0
        for k in range(d):
            unit[k] = unit[k] / length


@kernel
def _project_out(basis: Vector, count: int, i: int, rest: Vector, room: Vector) -> None:
    """Subtract from rest [d] its components along the first `count` vectors of item i."""
    for a in range(count):
        vector = basis[a, i]
        along = _tree_dot(vector, rest, room)
        for k in range(len(rest)):
            rest[k] = rest[k] - along * vector[k]


@kernel
def _orthonormalise(
    start: int,
    stop: int,
    z: Vector,
    present: Mask,
    limits: tuple[float, float],
    out: tuple[Vector, Vector],
) -> None:
    """Vectors [k, n, d] -> basis [k, n, d] and diagonal [k, n]."""
    d = z.shape[2]
    cancelled, dependent = limits
    basis, diagonal = out
    rest, room = np.empty(d), np.empty(d)
    for i in range(start, stop):
        for b in range(z.shape[0]):
            vector, unit = z[b, i], basis[b, i]
            for k in range(d):
                rest[k] = vector[k]
            _project_out(basis, b, i, rest, room)
            length = np.sqrt(_tree_dot(rest, rest, room))
            if b > 0 and length < cancelled:
                _project_out(basis, b, i, rest, room)
                length = np.sqrt(_tree_dot(rest, rest, room))
            if not length > dependent:
                length = 0.0
            divisor = length if length > 0.0 else np.inf
            for k in range(d):
                unit[k] = rest[k] / divisor
            diagonal[b, i] = length if present[b, i] else 1.0


@kernel
def _whole(x: float) -> float:
    return (x + _ROUND) - _ROUND


@_reorderable
def _plus_product(total: float, x: float, y: float) -> float:
    return total + x * y


@kernel
def _block_product(x: Vector, y: Vector) -> float:
    """Exact product of at most one block's numbers, joined from its three levels."""
    high, middle, low = 0.0, 0.0, 0.0
    for k in range(len(x)):
        rest, other = x[k] * _SHIFT, y[k] * _SHIFT
        x0, y0 = _whole(rest), _whole(other)
        rest, other = (rest - x0) * _SHIFT, (other - y0) * _SHIFT
        x1, y1 = _whole(rest), _whole(other)
        x2, y2 = _whole((rest - x1) * _SHIFT), _whole((other - y1) * _SHIFT)
        high = _plus_product(high, x0, y0)
        middle = _plus_product(_plus_product(middle, x0, y1), x1, y0)
        low = _plus_product(_plus_product(_plus_product(low, x0, y2), x1, y1), x2, y0)
    return (high + (middle + low * (1.0 / _SHIFT)) * (1.0 / _SHIFT)) * (1.0 / (_SHIFT * _SHIFT))


@kernel
def _pair_products(
    start: int, stop: int, sides: tuple[Vector, Vector], pairs: tuple[Rows, Rows], block: int, out: Vector
) -> None:
    """Products of chosen rows of left [r, n, d] and right [p, N, d] -> [r, p, K]."""
    left, right = sides
    i, j = pairs
    d = left.shape[2]
    for pair in range(start, stop):
        for a in range(left.shape[0]):
            for b in range(right.shape[0]):
                x, y = left[a, i[pair]], right[b, j[pair]]
                total = 0.0
                for first in range(0, d, block):
                    last = min(first + block, d)
                    total = total + _block_product(x[first:last], y[first:last])
                out[a, b, pair] = total


def pair_products(left: Tensor, right: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Exact inner products of chosen rows, bit for bit those of `linalg.exact_dot_pairs`.

    Args:
        left: Shape [r, n, d], float64, entries in [-1, 1], CPU.
        right: Shape [p, N, d], likewise.
        i: Rows of left, shape [K], int64.
        j: Rows of right, shape [K], int64.

    Returns:
        Shape [r, p, K], float64.
    """
    r, _, d = left.shape
    out = torch.empty(r, len(right), len(i), dtype=torch.float64)
    sides, pairs = (_array(left), _array(right)), (_array(i), _array(j))
    _in_threads(_pair_products, len(i), r * len(right) * d, sides, pairs, linalg.SLICE_BLOCK, out.numpy())
    return out


def tree_sum(x: Tensor) -> Tensor:
    """As `linalg.tree_sum`: shape [..., d], float64, CPU -> [...]."""
    rows = x.reshape(-1, x.shape[-1])
    out = torch.empty(len(rows), dtype=torch.float64)
    _in_threads(_tree_sums, len(rows), rows.shape[1], _array(rows), out.numpy())
    return out.view(x.shape[:-1])


def unit_rows(x: Tensor) -> Tensor:
    """As `linalg.unit_rows`, of rows that cannot overflow when they are squared: shape [..., d], any dtype, CPU."""
    rows = x.reshape(-1, x.shape[-1])
    rows = rows if rows.dtype in (torch.float32, torch.float64) else rows.to(torch.float32)
    out = torch.empty(rows.shape, dtype=torch.float64)
    _in_threads(_unit_rows, len(rows), rows.shape[1], _array(rows), out.numpy())
    return out.view(x.shape)


def orthonormalise(z: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
    """As `linalg.orthonormalise`: shape [k, n, d], float64, CPU."""
    k, n, d = z.shape
    basis, diagonal = torch.empty(k, n, d, dtype=torch.float64), torch.empty(k, n, dtype=torch.float64)
    here = torch.ones(k, n, dtype=torch.bool) if present is None else present
    limits, out = (linalg.CANCELLED, linalg.DEPENDENT), (basis.numpy(), diagonal.numpy())
    _in_threads(_orthonormalise, n, k * k * d, _array(z), _array(here), limits, out)
    return basis, diagonal


def warm_up() -> None:
    """Compile, or read from disk, all that the functions above use."""
    for dtype in (torch.float32, torch.float64):
        unit_rows(torch.ones(1, 1, dtype=dtype))
    one, row = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.int64)
    tree_sum(one)
    orthonormalise(one, None)
    pair_products(one, one, row, row)


def _array(x: Tensor) -> Any:  # noqa: ANN401 - a numpy array of the tensor's dtype
    return x.detach().contiguous().numpy()


def _in_threads(work_on: Any, n: int, work: int, *given: Any) -> None:  # noqa: ANN401 - a compiled function, its arguments
    """Run a kernel over rows 0 to n, each of so much work."""
    shared(lambda start, stop: work_on(start, stop, *given), n, least=-(-_WORTH_A_THREAD // max(1, work)))
