"""Keys of a row's block of pairs from the raw products q.m_k, each with a bound on its error; what is counted and kept.

All in one file, for numba keeps compiled code until the file it is in changes.

Every measure of one vector against p is a function of y = A c, where c_k = q.m_k are the raw products and A, [K, p],
belongs to the candidate alone (`gramcli.methods.base.Formula`):

    product   key = y_1                                                          cosine, centroid, symile
    volume    key = |y|^2 - s                                                    gram, span
    secular   key = the root of l - 1 - sum y_k^2 / (l - mu_k) beyond all mu     pmrl
    area      key = (u.w)^2 - |u|^2 |w|^2, u = q - m_1, w = q - m_2              triangle

Bounds, with a roundoff of 2^-24. A product is off by at most e = err + rel |c|: err is the rounding of the vectors and
of the sum, rel that of a product stored in bfloat16. So y_k is off by at most r_k e, r_k = sum_l |A_kl|; err has 16
roundoffs to spare for the rounding of A and of the sum of up to 8 terms. Then

    product   r e
    volume    sum_k 2 |y_k| r_k e + (r_k e)^2, and 2^-19 s for the sum of up to 8 squares, which is about s at most
    secular   Weyl: |E|_2 <= sqrt(p) e, for A is orthogonal. Newton's steps start left of the root, at the larger of
              what it were with the largest mu alone and with all mu as the smallest. The function f rises with a slope
              of 1 at least, so the root lies within |f(l)| of any l, to its left only as far as that start. Terms are
              positive: their rounding is a relative change of y_k^2, and gaps taken as 1e-6 or more are a change of
              mu_k by as much; 128 m roundoffs and 2e-6 cover both
    area      a polynomial of degree 2: it moves by (2 |w|^2 - 2 u.w) and (2 |u|^2 - 2 u.w) times the errors of c_1 and
              c_2, and at most 4 e^2; and 256 roundoffs

Slacks are taken 1e-4 too large for their own rounding. Contraction to fused multiply-adds only removes roundings. A
candidate whose A is NaN is neither above nor open: it is counted elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gramcli.scoring.compiled.building import kernel

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, unreachable"
# ruff: noqa: ANN401, ANN001, ANN201, ANN202, D417, PLR0912, PLR0913, PLR0917
# numba types arguments from the call; scratch room comes from outside, so that nothing is allocated per row.

BLOCK: Final = 512
"""Pairs whose intermediates stay in the first-level cache."""

FAST: Final = {"contract", "nsz"}
"""What arithmetic may do: fused multiply-adds, and zeros without sign. NaN and infinity keep their meaning."""

PRODUCT, VOLUME, SECULAR, AREA = 0, 1, 2, 3
FAMILIES: Final = {"product": PRODUCT, "volume": VOLUME, "secular": SECULAR, "area": AREA}

_ONE, _TWO, _FOUR, _HALF = np.float32(1), np.float32(2), np.float32(4), np.float32(0.5)
_WIDER = np.float32(1.0001)
_TINY = np.float32(1e-32)
_SUM = np.float32(2.0**-19)
_LEAST_GAP = np.float32(1e-6)
_GAPS = np.float32(2e-6)
_ROUNDING = np.float32(128 * 2.0**-24)
_AREA_ROUNDING = np.float32(256 * 2.0**-24)
_RESIDUAL = np.float32(1.01)
_STEPS = 3


def _inner(function: Any) -> Any:
    return kernel(function, FAST, error_model="numpy")


def _in_any_order(function: Any) -> Any:
    return kernel(function, FAST | {"reassoc"}, error_model="numpy")


@intrinsic
def widened(_context, number):
    """float32 as it is, or from the bits of a bfloat16 number."""
    if number == types.uint16:

        def from_bits(_inner, builder, _signature, args):
            word = builder.shl(builder.zext(args[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
            return builder.bitcast(word, ir.FloatType())

        return types.float32(types.uint16), from_bits

    def as_it_is(_inner, _builder, _signature, args):
        return args[0]

    return types.float32(types.float32), as_it_is


@_inner
def scratch(p: Any) -> Any:
    """Room for one block: products and squares [2 p, BLOCK]; error, two sums, key, slack [5, BLOCK]."""
    return np.empty((2 * p, BLOCK), np.float32), np.empty((5, BLOCK), np.float32)


@_inner
def block_keys(family, planes, use, i, j, m, at, weights, reach, constants, error, products, room) -> Any:
    """Keys of pairs (i, j .. j + m) of a tile and their slacks, into room[3] and room[4].

    Args:
        family: Which formula.
        planes: Raw products of the tile, [planes, rows, columns], float32 or the bits of bfloat16.
        use: The planes of this question's p candidate vectors.
        i: Row of the tile.
        j: First column of the block in the tile.
        m: Columns of the block.
        at: First column of the block among all candidates.
        weights: A, [K, p, N].
        reach: r_k, and last the sum of their squares, [K + 1, N].
        constants: Of the family, [E, N].
        error: (err, rel).
        products: Room.
        room: Room.
    """
    e = room[0]
    for q in range(m):
        e[q] = 0
    for k in range(len(use)):
        row, c = planes[use[k], i, j : j + m], products[k]
        for q in range(m):
            c[q] = widened(row[q])
            e[q] = max(e[q], abs(c[q]))
    for q in range(m):
        e[q] = error[0] + error[1] * e[q]
    if family == PRODUCT:
        _product(len(use), m, at, weights, reach, products, room)
    elif family == VOLUME:
        _volume(len(use), m, at, weights, reach, constants, products, room)
    elif family == SECULAR:
        _secular(len(use), m, at, weights, constants, products, room)
    else:
        _area(m, at, constants, products, room)


@_inner
def _combined(p, m, at, line, products, y):
    """Y = sum_l A_l c_l of one row of A."""
    first, c = line[0, at : at + m], products[0]
    for q in range(m):
        y[q] = first[q] * c[q]
    for k in range(1, p):
        weight, other = line[k, at : at + m], products[k]
        for q in range(m):
            y[q] += weight[q] * other[q]


@_inner
def _product(p, m, at, weights, reach, products, room):
    e, key, slack, r = room[0], room[3], room[4], reach[0, at : at + m]
    _combined(p, m, at, weights[0], products, key)
    for q in range(m):
        slack[q] = _WIDER * r[q] * e[q] + _TINY


@_inner
def _volume(p, m, at, weights, reach, constants, products, room):
    e, y, along, key, slack = room[0], room[1], room[2], room[3], room[4]
    n_lines = len(weights)
    s, squares = constants[0, at : at + m], reach[n_lines, at : at + m]
    for q in range(m):
        key[q] = -s[q]
        along[q] = 0
    for k in range(n_lines):
        _combined(p, m, at, weights[k], products, y)
        r = reach[k, at : at + m]
        for q in range(m):
            key[q] += y[q] * y[q]
            along[q] += abs(y[q]) * r[q]
    for q in range(m):
        slack[q] = _WIDER * e[q] * (_TWO * along[q] + e[q] * squares[q]) + _SUM * s[q] + _TINY


@_inner
def _secular(p, m, at, weights, constants, products, room):
    e, rest, slope, key, slack = room[0], room[1], room[2], room[3], room[4]
    top, bottom, whole, least = constants[p - 1, at : at + m], constants[0, at : at + m], slope, products[0]
    for q in range(m):
        whole[q] = 0
    for k in range(p):
        square = products[p + k]
        _combined(p, m, at, weights[k], products, square)
        for q in range(m):
            square[q] *= square[q]
            whole[q] += square[q]
    square = products[2 * p - 1]
    for q in range(m):  # left of the root: as if there were only the largest mu, or all were the smallest
        gap, wide = _ONE - top[q], _ONE - bottom[q]
        one = _ONE + top[q] + np.sqrt(gap * gap + _FOUR * square[q])
        other = _ONE + bottom[q] + np.sqrt(wide * wide + _FOUR * whole[q])
        least[q] = _HALF * max(one, other)
        key[q] = least[q]
    for step in range(_STEPS):
        for q in range(m):
            rest[q] = key[q] - _ONE
            slope[q] = _ONE
        for k in range(p):
            mu, square = constants[k, at : at + m], products[p + k]
            for q in range(m):
                inverse = _ONE / max(key[q] - mu[q], _LEAST_GAP)
                term = square[q] * inverse
                rest[q] -= term
                slope[q] += term * inverse
        if step < _STEPS - 1:
            for q in range(m):
                key[q] = max(key[q] - rest[q] / slope[q], least[q])
    spread, rounding = _WIDER * np.sqrt(np.float32(p)), _ROUNDING * np.float32(p + 1) + _GAPS
    for q in range(m):
        beside = max(-rest[q], min(rest[q], key[q] - least[q]))
        slack[q] = spread * e[q] + _RESIDUAL * beside + rounding


@_inner
def _area(m, at, constants, products, room):
    e, key, slack, own = room[0], room[3], room[4], constants[0, at : at + m]
    one, other = products[0], products[1]
    for q in range(m):
        uw, uu, ww = _ONE - one[q] - other[q] + own[q], _TWO * (_ONE - one[q]), _TWO * (_ONE - other[q])
        key[q] = uw * uw - uu * ww
        slope = _TWO * (abs(ww - uw) + abs(uu - uw))
        slack[q] = _WIDER * e[q] * (slope + _FOUR * e[q]) + _AREA_ROUNDING


@_inner
def count_rows(
    family, planes, use, part, at, weights, reach, constants, error, row_levels, column_levels, rows, columns, opened
) -> Any:
    """Count some rows of a tile.

    Args:
        family: Of the formula.
        planes: Raw products of the tile [planes, R, C].
        use: Planes of the p vectors.
        part: First row, and the one behind the last.
        at: First column of the tile among all candidates.
        weights, reach, constants, error: As `block_keys`.
        row_levels: Thresholds of the rows, rounded down and up, [2, L, R], float32; +inf asks nothing.
        column_levels: The same of the columns, [2, M, C].
        rows: Receives how many keys are certainly above, added, [L, R], int64.
        columns: The same, [M, C], int64; the part's own.
        opened: Receives codes ((2 level + is column) R + row) C + column, int64.

    Returns:
        How many pairs are open; those beyond the room of `opened` are not listed.
    """
    n_rows, n_columns = planes.shape[1], planes.shape[2]
    products, room = scratch(len(use))
    low, high = room[1], room[2]  # the least and the most that a key can be
    found = 0
    for j in range(0, n_columns, BLOCK):
        m = min(BLOCK, n_columns - j)
        for i in range(part[0], part[1]):
            block_keys(family, planes, use, i, j, m, at + j, weights, reach, constants, error, products, room)
            for q in range(m):
                low[q] = room[3, q] - room[4, q]
                high[q] = room[3, q] + room[4, q]
            for level in range(row_levels.shape[1]):
                below, above = row_levels[0, level, i], row_levels[1, level, i]
                sure, maybe = np.int32(0), np.int32(0)
                for q in range(m):
                    sure += np.int32(low[q] > above)
                    maybe += np.int32(high[q] >= below)
                rows[level, i] += sure
                if maybe > sure:
                    code = (2 * level * n_rows + i) * n_columns + j
                    for q in range(m):
                        if high[q] >= below and not low[q] > above:
                            if found < len(opened):
                                opened[found] = code + q
                            found += 1
            for level in range(column_levels.shape[1]):
                under, over = column_levels[0, level, j : j + m], column_levels[1, level, j : j + m]
                along = columns[level, j : j + m]
                undecided = np.int32(0)
                for q in range(m):
                    certain = np.int32(low[q] > over[q])
                    along[q] += certain
                    undecided += np.int32(high[q] >= under[q]) - certain
                if undecided > 0:
                    code = ((2 * level + 1) * n_rows + i) * n_columns + j
                    for q in range(m):
                        if high[q] >= under[q] and not low[q] > over[q]:
                            if found < len(opened):
                                opened[found] = code + q
                            found += 1
    return found


@_inner
def _put(high, low, place, most, least, where) -> None:
    """Insert a pair into a list [k], highest first, whose last falls out."""
    k = len(high) - 1
    while k > 0 and high[k - 1] < most:
        high[k], low[k], place[k] = high[k - 1], low[k - 1], place[k - 1]
        k -= 1
    high[k], low[k], place[k] = most, least, where


@_inner
def best_of_rows(family, planes, use, part, at, weights, reach, constants, error, numbers, high, low, place) -> None:
    """Keep the best of some rows of a tile.

    Args:
        family, planes, use, part, at, weights, reach, constants, error: As `count_rows`.
        numbers: What the tile's columns are called, [C], int64.
        high: What keys can be at most, best first, [R, k], float32; -inf where there are fewer.
        low: What they are at least, [R, k].
        place: Which columns they are, [R, k], int32.
    """
    products, room = scratch(len(use))
    for i in range(part[0], part[1]):
        for j in range(0, planes.shape[2], BLOCK):
            m = min(BLOCK, planes.shape[2] - j)
            block_keys(family, planes, use, i, j, m, at + j, weights, reach, constants, error, products, room)
            last, some = high[i, -1], np.int32(0)
            for q in range(m):
                some += np.int32(room[3, q] + room[4, q] > last)
            if some > 0:
                for q in range(m):
                    most = room[3, q] + room[4, q]
                    if most > high[i, -1]:
                        _put(high[i], low[i], place[i], most, room[3, q] - room[4, q], numbers[j + q])


@_inner
def best_of_columns(family, planes, use, part, at, weights, reach, constants, error, numbers, high, low, place) -> None:
    """Keep the best of some columns of a tile: as `best_of_rows`, with `part` and lists of columns, names of rows."""
    products, room = scratch(len(use))
    for j in range(part[0], part[1], BLOCK):
        m = min(BLOCK, part[1] - j)
        last = np.empty(m, np.float32)
        for q in range(m):
            last[q] = high[j + q, -1]
        for i in range(planes.shape[1]):
            block_keys(family, planes, use, i, j, m, at + j, weights, reach, constants, error, products, room)
            some = np.int32(0)
            for q in range(m):
                some += np.int32(room[3, q] + room[4, q] > last[q])
            if some > 0:
                for q in range(m):
                    most = room[3, q] + room[4, q]
                    if most > last[q]:
                        _put(high[j + q], low[j + q], place[j + q], most, room[3, q] - room[4, q], numbers[i])
                        last[q] = high[j + q, -1]


@_in_any_order
def _dot(x, y):
    """Sum of products in any order, which the bound on float32 products allows."""
    total = np.float32(0)
    for k in range(len(x)):
        total += x[k] * y[k]
    return total


@_inner
def pair_dots(left, right, rows, columns, part, out) -> None:
    """Products of chosen rows of a tile: left [R, d], right [C, d], positions [K], to out [K], all float32."""
    for k in range(part[0], part[1]):
        out[k] = _dot(left[rows[k]], right[columns[k]])


@_inner
def decide(family, planes, use, weights, reach, constants, error, levels, verdict) -> None:
    """Keys of chosen pairs against their thresholds.

    Args:
        family: Of the formula.
        planes: Raw products of the pairs, [p, 1, K], float32.
        use: 0 .. p - 1.
        weights, reach, constants: As `block_keys`, but of the pairs' candidates, [.., K].
        error: Of the products.
        levels: Each pair's threshold, rounded down and up, [2, K].
        verdict: Receives 1 where a key is certainly above, 0 where it is certainly not, 2 else; [K], int8.
    """
    products, room = scratch(len(use))
    for j in range(0, planes.shape[2], BLOCK):
        m = min(BLOCK, planes.shape[2] - j)
        block_keys(family, planes, use, 0, j, m, j, weights, reach, constants, error, products, room)
        for q in range(m):
            if room[3, q] - room[4, q] > levels[1, j + q]:
                verdict[j + q] = 1
            else:
                verdict[j + q] = 2 if room[3, q] + room[4, q] >= levels[0, j + q] else 0


def warm_up() -> None:
    """Compile, or read from disk, all of the above."""
    one, use, error = np.zeros((1, 1, 1), np.float32), np.zeros(1, np.int64), np.zeros(2, np.float32)
    row, whole = np.zeros((1, 1), np.float32), np.zeros((1, 1), np.int64)
    levels = np.zeros((2, 1, 1), np.float32)
    formula = PRODUCT, one, use, (0, 1), 0, one, row, row, error
    for planes in (one, one.astype(np.uint16)):
        count_rows(PRODUCT, planes, *formula[2:], levels, levels, whole, whole.copy(), use)
    for keep in (best_of_rows, best_of_columns):
        keep(*formula, use, row, row.copy(), whole.astype(np.int32))
    pair_dots(row, row, use, use, (0, 1), np.zeros(1, np.float32))
    decide(PRODUCT, one, use, one, row, row, error, levels[:, 0].copy(), np.zeros(1, np.int8))
