"""The Triton kernel of `gramcli.fused`: products of a tile, compared with thresholds before they leave the chip.

Imported only where Triton is there and used; nothing else of the package may import it.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

# Triton compiles the functions below from their source: their parameters are pointers, tensors and
# constants of its own language, for which it has no types that mypy could check.

_NUMERATOR = tl.constexpr(1e-25)  # as in gramcli.methods.pmrl: keeps 0 / 0 out, makes the quotient huge
_DENOMINATOR = tl.constexpr(1e-30)


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _append(undecided: Any, code: Any, found: Any, n_found: Any, capacity: Any) -> None:  # noqa: ANN401
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
def _above(a: Any, b: Any, c: Any, e: Any, own: Any, mu: Any, n_mu: Any, at: Any, level: Any, kind: Any, p: Any) -> Any:  # noqa: ANN401, PLR0913
    """Whether keys are above a level: by the key `a` itself, or by the secular test of squares a, b, c, e."""
    if kind == 2:
        total = (a + _NUMERATOR) / tl.maximum(
            level - tl.load(mu + at, mask=at < n_mu, other=0.0)[None, :], _DENOMINATOR
        )
        if p > 1:
            gap = level - tl.load(mu + n_mu + at, mask=at < n_mu, other=0.0)[None, :]
            total += (b + _NUMERATOR) / tl.maximum(gap, _DENOMINATOR)
        if p > 2:
            gap = level - tl.load(mu + 2 * n_mu + at, mask=at < n_mu, other=0.0)[None, :]
            total += (c + _NUMERATOR) / tl.maximum(gap, _DENOMINATOR)
        if p > 3:
            gap = level - tl.load(mu + 3 * n_mu + at, mask=at < n_mu, other=0.0)[None, :]
            total += (e + _NUMERATOR) / tl.maximum(gap, _DENOMINATOR)
        result = total > level - own[:, None]
    else:
        result = a > level
    return result


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def count_tile(  # noqa: PLR0913, PLR0915
    x, w, row_constants, column_constants, row_levels, column_levels, row_counts, column_counts, found, n_found,  # noqa: ANN001
    n, N, d, capacity, x_stride, w_stride, w_plane,  # noqa: ANN001
    kind: tl.constexpr, p: tl.constexpr, both: tl.constexpr, precision: tl.constexpr,
    block_n: tl.constexpr, block_c: tl.constexpr, block_d: tl.constexpr, group: tl.constexpr,
):  # fmt: skip  # noqa: ANN201
    """Count the keys of one block that are certainly above their row's and column's thresholds.

    Shapes: x [n, d], w [p, N, d], row_constants [1.., n], column_constants [p.., N], levels [2, n] and [2, N]
    (lower, upper), counts int32 [n] and [N], found int32 [capacity] of codes 2 (i N + j) + direction, n_found
    int32 [1]. kind: 0 inner product, 1 volume, 2 secular. `both`: columns ask as well.
    """
    # Programs walk `group` block rows at a time, so that their operands stay in the L2 cache.
    n_rows, n_columns = tl.cdiv(n, block_n), tl.cdiv(N, block_c)
    program = tl.program_id(0)
    first = program // (group * n_columns) * group
    height = tl.minimum(n_rows - first, group)
    inside = program % (group * n_columns)
    i = (first + inside % height) * block_n + tl.arange(0, block_n)
    j = inside // height * block_c + tl.arange(0, block_c)
    row_ok, column_ok = i < n, j < N

    k = tl.arange(0, block_d)
    left = x + i.to(tl.int64)[:, None] * x_stride + k[None, :]
    right = w + j.to(tl.int64)[None, :] * w_stride + k[:, None]
    plane = tl.cast(w_plane, tl.int64)
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

    own = tl.zeros((block_n,), dtype=tl.float32)
    if kind == 2:
        a, b, c, e = a * a, b * b, c * c, e * e
        own = tl.load(row_constants + i, mask=row_ok, other=0.0)
    if kind == 1:
        a = a * a
        if p > 1:
            a += b * b
        if p > 2:
            a += c * c
        if p > 3:
            a += e * e
        a -= tl.load(column_constants + j, mask=column_ok, other=0.0)[None, :]

    valid = row_ok[:, None] & column_ok[None, :]
    code = 2 * (i[:, None] * N + j[None, :])
    lower = tl.load(row_levels + i, mask=row_ok, other=float("inf"))[:, None]
    upper = tl.load(row_levels + n + i, mask=row_ok, other=float("inf"))[:, None]
    sure = valid & _above(a, b, c, e, own, column_constants, N, j, upper, kind, p)
    maybe = valid & _above(a, b, c, e, own, column_constants, N, j, lower, kind, p)
    tl.atomic_add(row_counts + i, tl.sum(sure.to(tl.int32), 1), mask=row_ok)
    _append(maybe & (sure == 0), code, found, n_found, capacity)
    if both:
        lower = tl.load(column_levels + j, mask=column_ok, other=float("inf"))[None, :]
        upper = tl.load(column_levels + N + j, mask=column_ok, other=float("inf"))[None, :]
        sure = valid & _above(a, b, c, e, own, column_constants, N, j, upper, kind, p)
        maybe = valid & _above(a, b, c, e, own, column_constants, N, j, lower, kind, p)
        tl.atomic_add(column_counts + j, tl.sum(sure.to(tl.int32), 0), mask=column_ok)
        _append(maybe & (sure == 0), code + 1, found, n_found, capacity)
