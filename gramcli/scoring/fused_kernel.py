"""The Triton kernel of `fused`: products of a tile, compared with thresholds before they leave the chip.

Imported only where Triton is there and used; nothing else of the package may import it.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

# ruff: noqa: ANN401, PLR0913, PLR0917
# Triton compiles the functions below from their source, and calls them with what they need, one by one: their
# parameters are pointers, tensors and constants of its own language, which have no types that mypy could check.

_NUMERATOR = tl.constexpr(
    1e-25
)  # the guards of gramcli.methods.pmrl in float32: keeps 0 / 0 out, makes the quotient huge
_DENOMINATOR = tl.constexpr(1e-30)


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _append(undecided: Any, code: Any, found: Any, n_found: Any, capacity: Any) -> None:
    """Append the codes of undecided pairs to a list: one atomic per program, places by prefix sums."""
    ones = undecided.to(tl.int32)
    per_row = tl.sum(ones, 1)
    total = tl.sum(per_row, 0)
    if total > 0:
        base = tl.atomic_add(n_found, total)
        before = tl.cumsum(per_row, 0) - per_row
        slot = base + before[:, None] + tl.cumsum(ones, 1) - ones
        tl.store(found + slot, code, mask=undecided & (slot < capacity))


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _products(
    left: Any, right: Any, row_ok: Any, column_ok: Any, d: Any, plane: Any,
    p: tl.constexpr, precision: tl.constexpr, block_n: tl.constexpr, block_c: tl.constexpr, block_d: tl.constexpr,
) -> Any:  # fmt: skip
    """Products of a block's rows with up to four vectors of its columns, summed over d in float32."""
    k = tl.arange(0, block_d)
    a = tl.zeros((block_n, block_c), dtype=tl.float32)
    b = tl.zeros((block_n, block_c), dtype=tl.float32)
    c = tl.zeros((block_n, block_c), dtype=tl.float32)
    e = tl.zeros((block_n, block_c), dtype=tl.float32)
    for start in range(0, d, block_d):
        row_mask = row_ok[:, None] & (start + k < d)[None, :]
        column_mask = column_ok[None, :] & (start + k < d)[:, None]
        rows = tl.load(left + start, mask=row_mask, other=0.0)
        a = tl.dot(rows, tl.load(right + start, mask=column_mask, other=0.0), a, input_precision=precision)
        if p > 1:
            columns = tl.load(right + plane + start, mask=column_mask, other=0.0)
            b = tl.dot(rows, columns, b, input_precision=precision)
        if p > 2:
            columns = tl.load(right + 2 * plane + start, mask=column_mask, other=0.0)
            c = tl.dot(rows, columns, c, input_precision=precision)
        if p > 3:
            columns = tl.load(right + 3 * plane + start, mask=column_mask, other=0.0)
            e = tl.dot(rows, columns, e, input_precision=precision)
    return a, b, c, e


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _term(product: Any, mu: Any, at: Any, column_ok: Any, level: Any) -> Any:
    """c^2 / (L - mu) of the secular function, huge where L <= mu."""
    gap = level - tl.load(mu + at, mask=column_ok, other=0.0)[None, :]
    return (product * product + _NUMERATOR) / tl.maximum(gap, _DENOMINATOR)


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _above(
    a: Any, b: Any, c: Any, e: Any, own: Any, mu: Any, j: Any, N: Any, level: Any, kind: tl.constexpr, p: tl.constexpr
) -> Any:
    """Whether keys are above a level: by the key `a` itself, or by the secular test of the products."""
    if kind == 2:
        total = _term(a, mu, j, j < N, level)
        if p > 1:
            total += _term(b, mu + N, j, j < N, level)
        if p > 2:
            total += _term(c, mu + 2 * N, j, j < N, level)
        if p > 3:
            total += _term(e, mu + 3 * N, j, j < N, level)
        result = total > level - own
    else:
        result = a > level
    return result


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _volume(a: Any, b: Any, c: Any, e: Any, scale: Any, p: tl.constexpr) -> Any:
    """The key -vol^2 = |c|^2 - scale, where the scale rides on the vectors too."""
    key = a * a
    if p > 1:
        key += b * b
    if p > 2:
        key += c * c
    if p > 3:
        key += e * e
    return key - scale


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _block(n: Any, N: Any, block_n: tl.constexpr, block_c: tl.constexpr, group: tl.constexpr) -> Any:
    """Rows and columns of this program; `group` block rows are walked at a time, so that operands stay in L2."""
    n_rows, n_columns = tl.cdiv(n, block_n), tl.cdiv(N, block_c)
    program = tl.program_id(0)
    first = program // (group * n_columns) * group
    height = tl.minimum(n_rows - first, group)
    inside = program % (group * n_columns)
    i = (first + inside % height) * block_n + tl.arange(0, block_n)
    j = inside // height * block_c + tl.arange(0, block_c)
    return i, j


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def count_tile(
    x: Any, w: Any, row_constants: Any, column_constants: Any, row_levels: Any, column_levels: Any,
    row_counts: Any, column_counts: Any, found: Any, n_found: Any,
    n: Any, N: Any, d: Any, capacity: Any, x_stride: Any, w_stride: Any, w_plane: Any,
    kind: tl.constexpr, p: tl.constexpr, both: tl.constexpr, precision: tl.constexpr,
    block_n: tl.constexpr, block_c: tl.constexpr, block_d: tl.constexpr, group: tl.constexpr,
) -> None:  # fmt: skip
    """Count the keys of one block that are certainly above their row's and column's thresholds.

    Shapes: x [n, d], w [p, N, d], row_constants [1.., n], column_constants [p.., N], levels [2, n] and [2, N]
    (lower, upper), counts int32 [n] and [N], found int32 [capacity] of codes 2 (i N + j) + direction, n_found
    int32 [1]. kind: 0 inner product, 1 volume, 2 secular. `both`: columns ask as well.
    """
    i, j = _block(n, N, block_n, block_c, group)
    row_ok, column_ok = i < n, j < N
    k = tl.arange(0, block_d)
    left = x + i.to(tl.int64)[:, None] * x_stride + k[None, :]
    right = w + j.to(tl.int64)[None, :] * w_stride + k[:, None]
    plane = tl.cast(w_plane, tl.int64)
    a, b, c, e = _products(left, right, row_ok, column_ok, d, plane, p, precision, block_n, block_c, block_d)
    own = tl.zeros((block_n, 1), dtype=tl.float32)
    if kind == 2:
        own = tl.load(row_constants + i, mask=row_ok, other=0.0)[:, None]
    if kind == 1:
        a = _volume(a, b, c, e, tl.load(column_constants + j, mask=column_ok, other=0.0)[None, :], p)
    valid = row_ok[:, None] & column_ok[None, :]
    code = 2 * (i[:, None] * N + j[None, :])
    lower = tl.load(row_levels + i, mask=row_ok, other=float("inf"))[:, None]
    upper = tl.load(row_levels + n + i, mask=row_ok, other=float("inf"))[:, None]
    sure = valid & _above(a, b, c, e, own, column_constants, j, N, upper, kind, p)
    maybe = valid & _above(a, b, c, e, own, column_constants, j, N, lower, kind, p)
    tl.atomic_add(row_counts + i, tl.sum(sure.to(tl.int32), 1), mask=row_ok)
    _append(maybe & (sure == 0), code, found, n_found, capacity)
    if both:
        lower = tl.load(column_levels + j, mask=column_ok, other=float("inf"))[None, :]
        upper = tl.load(column_levels + N + j, mask=column_ok, other=float("inf"))[None, :]
        sure = valid & _above(a, b, c, e, own, column_constants, j, N, upper, kind, p)
        maybe = valid & _above(a, b, c, e, own, column_constants, j, N, lower, kind, p)
        tl.atomic_add(column_counts + j, tl.sum(sure.to(tl.int32), 0), mask=column_ok)
        _append(maybe & (sure == 0), code + 1, found, n_found, capacity)
