"""Reproducible float64 linear algebra on batches of small problems.

Ranks must not depend on the tile size, the number of threads or the device, and equal items must
tie exactly. Ordinary BLAS and LAPACK promise neither: their order of summation changes with the
shape and the alignment of the operands. Everything here is built from operations whose result is
fixed by IEEE 754 (elementwise + - * / and `square_root`, each its own kernel so that nothing is contracted),
plus matrix products whose terms are integers small enough that every partial sum is exact.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

DEPENDENT = 1e-14
"""A unit vector whose distance to the span of the others is below this lies in it: rounding of
the inputs alone moves it by about 1e-16 times a small power of the number of vectors."""

EXACT_RESOLUTION = 2.0**-59
"""Bound on what each term of an exact product loses, of entries in [-1, 1]: 2^-61 from what the slices of either
factor leave out, 2^-61 from the products of low slices that are left out, and a little."""

CANCELLED = 0.7
"""A shorter remainder of a unit vector may have lost orthogonality to rounding."""

SLICE_BITS = 20
SLICE_BLOCK = 2048  # 2 * SLICE_BITS + log2(3 * SLICE_BLOCK) < 53: every partial sum of a block is an exact integer

_PASSES = 3
_SLICES = 3
_SWEEPS = 10
_EXP_TERMS = 18


class Kernels(Protocol):
    """Compiled versions of this module's functions, of the same bits, for float64 tensors on the CPU."""

    def tree_sum(self, x: Tensor) -> Tensor:
        """As the function of this name."""

    def unit_rows(self, x: Tensor) -> Tensor:
        """As the function of this name, for rows whose squares neither over- nor underflow; any floating dtype."""

    def orthonormalise(self, z: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
        """As the function of this name."""


KERNELS: ContextVar[Kernels | None] = ContextVar("KERNELS", default=None)
"""What takes the place of torch's operations here, where someone has set it; by whom is not this module's concern."""


def _kernels_for(x: Tensor) -> Kernels | None:
    return KERNELS.get() if x.device.type == "cpu" and x.numel() and not x.requires_grad else None


def square_root(x: Tensor) -> Tensor:
    """Square root, correctly rounded in float64.

    torch's own is not on CPUs: the last digit of MKL's is off for one number in 70 on some of them, so that equal ranks
    on two machines, or on a CPU and a GPU, would be luck.

    Args:
        x: Numbers of at least 0, any shape; no gradient flows.

    Returns:
        Roots, shape and dtype of x. Of float32 numbers torch's own.
    """
    if x.device.type != "cpu" or x.dtype != torch.float64:
        return x.sqrt()
    root = torch.empty_like(x)
    np.sqrt(x.detach().numpy(), out=root.numpy())
    return root


def tree_sum(x: Tensor) -> Tensor:
    """Sum over the last dimension by repeated halving: the same result for a row wherever it lies.

    Args:
        x: Values, shape [..., d].

    Returns:
        Sums, shape [...], dtype of x. Relative error at most ceil(log2 d) units for terms of one sign.
    """
    kernels = _kernels_for(x)
    if kernels is not None and x.dtype == torch.float64:
        return kernels.tree_sum(x)
    width = x.shape[-1]
    while width > 1:
        half = width // 2
        head = x[..., :half] + x[..., half : 2 * half]
        x = torch.cat([head, x[..., 2 * half :]], dim=-1) if width % 2 else head
        width = x.shape[-1]
    return x[..., 0]


def unit_rows(x: Tensor) -> Tensor:
    """Scale vectors to unit length in float64; zero vectors stay zero.

    Args:
        x: Vectors, shape [..., d], any floating dtype, finite.

    Returns:
        Unit vectors, shape [..., d], float64.
    """
    wide = x if _kernels_for(x) is not None else x.to(torch.float64)
    if x.dtype == torch.float64:  # squares of float32 numbers neither over- nor underflow, those of float64 can
        exponent = torch.frexp(wide.abs().amax(dim=-1, keepdim=True)).exponent
        wide = torch.ldexp(wide, -exponent)
    kernels = _kernels_for(x)
    if kernels is not None:
        return kernels.unit_rows(wide)
    length = square_root(tree_sum(wide * wide)).unsqueeze(-1)
    return wide / torch.where(length > 0, length, 1.0)


def orthonormalise(z: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """QR factors of each item's vectors by Gram-Schmidt, repeated where it cancels, in float64.

    The product of the diagonal of R is the volume of the parallelotope. Unlike the determinant of
    the Gram matrix it keeps its relative accuracy when vectors agree to 1e-6.

    Args:
        z: Unit vectors, shape [k, n, d], float64.
        present: Which vectors exist, shape [k, n], bool; an absent one contributes a factor 1.

    Returns:
        Orthonormal vectors, shape [k, n, d] (zero where absent or dependent), and the diagonal of
        R, shape [k, n] (0 where dependent, 1 where absent).
    """
    kernels = _kernels_for(z)
    if kernels is not None and z.dtype == torch.float64:
        return kernels.orthonormalise(z, present)
    basis, diagonal = torch.zeros_like(z), torch.ones_like(z[..., 0])
    for k in range(z.shape[0]):
        rest = _project_out(basis[:k], z[k])
        length = square_root(tree_sum(rest * rest))
        again = (length < CANCELLED).nonzero().flatten() if k else length[:0].long()
        if len(again):  # "twice is enough" (Parlett): the rows that lost digits, and only they, once more
            rest[again] = _project_out(basis[:k, again], rest[again])
            length[again] = square_root(tree_sum(rest[again] * rest[again]))
        length = torch.where(length > DEPENDENT, length, 0.0)
        basis[k] = rest / torch.where(length > 0, length, torch.inf).unsqueeze(-1)
        diagonal[k] = length if present is None else torch.where(present[k], length, 1.0)
    return basis, diagonal


def triangular_factor(z: Tensor) -> Tensor:
    """R of the QR factorisation of each item's vectors, so that |sum_k w_k z_k| = |R w|.

    Unlike the Gram matrix, whose quadratic form w^T G w loses half the digits of a small sum, R gives its
    length to about 1e-16 absolutely. Dependent vectors are not set to zero: their remainders are noise of
    1e-16, made orthogonal like any other (after three passes it is, whatever its size).

    Args:
        z: Vectors, shape [k, n, d], float64; a zero vector is a zero column.

    Returns:
        Upper triangle, shape [k, k, n]: R[a, b] is the component of vector b along basis vector a.
    """
    k, n, _ = z.shape
    factor, basis = z.new_zeros(k, k, n), torch.zeros_like(z)
    for b in range(k):
        rest = z[b]
        for _ in range(_PASSES):
            for a in range(b):
                along = tree_sum(basis[a] * rest)
                factor[a, b] = factor[a, b] + along
                rest = rest - along.unsqueeze(-1) * basis[a]
        length = square_root(tree_sum(rest * rest))
        factor[b, b] = length
        basis[b] = rest / torch.where(length > 0, length, torch.inf).unsqueeze(-1)
    return factor


def _project_out(basis: Tensor, rest: Tensor) -> Tensor:
    """Subtract from rest [n, d] its components along the basis [k, n, d]."""
    for vector in basis:
        rest = rest - tree_sum(vector * rest).unsqueeze(-1) * vector
    return rest


def exact_slices(x: Tensor) -> Tensor:
    """Cut numbers in [-1, 1] into three slices of 20 bits, held as integers in float64.

    Args:
        x: Shape [..., n, d], float64.

    Returns:
        Slices, largest first, shape [3, ..., n, d]: x = (s0 + (s1 + s2 2^-20) 2^-20) 2^-20 up to 2^-61.
    """
    slices = torch.empty(_SLICES, *x.shape, dtype=x.dtype, device=x.device)
    rest = x.clone()
    for piece in slices:
        rest.mul_(2.0**SLICE_BITS)
        torch.round(rest, out=piece)
        rest.sub_(piece)
    return slices


def exact_dot_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of all rows of a with all rows of b, independent of the order of summation.

    Matrix products of 20-bit slices sum integers below 2^53 without rounding (the Ozaki scheme).

    Note:
        "Exact" is the sum, not its terms: entries are held to 2^-61 absolutely, so inner products of unit
        vectors are resolved to about 2^-60. Cosines that differ by less are ties; so is one of 1e-20 with
        0. Whoever needs the digits of smaller entries scales the rows by powers of two, as symile does.

    Args:
        a: Slices of n rows, shape [3, n, d].
        b: Slices of N rows, shape [3, N, d].

    Returns:
        Products, shape [n, N], float64.
    """
    total = torch.zeros(a.shape[1], b.shape[1], dtype=torch.float64, device=a.device)
    for start in range(0, a.shape[2], SLICE_BLOCK):
        left, right = a[..., start : start + SLICE_BLOCK], b[..., start : start + SLICE_BLOCK]
        levels = [
            torch.cat([*left[: level + 1]], dim=1) @ torch.cat([*right[: level + 1].flip(0)], dim=1).T
            for level in range(_SLICES)
        ]
        total = total + _join(levels)
    return total


def exact_dot_pairs(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of matching rows, bit for bit those of `exact_dot_matrix`.

    Args:
        a: Slices of n rows, shape [3, n, d].
        b: Slices of n rows, shape [3, n, d].

    Returns:
        Products, shape [n], float64.
    """
    total = torch.zeros(a.shape[1], dtype=torch.float64, device=a.device)
    for start in range(0, a.shape[2], SLICE_BLOCK):
        left, right = a[..., start : start + SLICE_BLOCK], b[..., start : start + SLICE_BLOCK]
        levels = []
        for level in range(_SLICES):
            products = torch.linalg.vecdot(left[: level + 1], right[: level + 1].flip(0))
            levels.append(products.sum(dim=0))
        total = total + _join(levels)
    return total


def _join(levels: list[Tensor]) -> Tensor:
    total = levels[-1]
    for level in levels[-2::-1]:
        total = level + total * 2.0**-SLICE_BITS
    return total * 2.0 ** (-2 * SLICE_BITS)


def symmetric_eigenvalues(matrix: Tensor, sweeps: int = _SWEEPS) -> Tensor:
    """Eigenvalues of many small symmetric matrices by cyclic Jacobi rotations.

    Args:
        matrix: Symmetric matrices, entries first so that each is a contiguous plane, shape [m, m, ...].
        sweeps: Rounds over all off-diagonal entries; convergence is quadratic, 10 reach rounding for m <= 8.

    Returns:
        Eigenvalues, not sorted, shape [m, ...], dtype of matrix.
    """
    m = matrix.shape[0]
    a = [[matrix[i, j] for j in range(m)] for i in range(m)]
    for _ in range(sweeps):
        for p in range(m - 1):
            for q in range(p + 1, m):
                _rotate(a, p, q)
    return torch.stack([a[i][i] for i in range(m)])


def _rotate(a: list[list[Tensor]], p: int, q: int) -> None:
    """Zero a[p][q] with one Jacobi rotation, keeping a symmetric (Golub and Van Loan, 8.5.2)."""
    off = a[p][q]
    safe = torch.where(off == 0, 1.0, off)
    tau = (a[q][q] - a[p][p]) / (2.0 * safe)
    sign = torch.where(tau >= 0, 1.0, -1.0)
    t = sign / (tau.abs() + square_root(1.0 + tau * tau))
    t = torch.where(off == 0, 0.0, t)
    c = 1.0 / square_root(1.0 + t * t)
    s = t * c
    shift = t * off
    a[p][p], a[q][q] = a[p][p] - shift, a[q][q] + shift
    a[p][q] = a[q][p] = torch.zeros_like(off)
    for k in range(len(a)):
        if k not in (p, q):
            left, right = a[k][p], a[k][q]
            a[k][p] = a[p][k] = c * left - s * right
            a[k][q] = a[q][k] = s * left + c * right


def reproducible_exp(x: Tensor) -> Tensor:
    """Exponential from + - * alone: library versions differ between vector bodies and tails.

    Args:
        x: Exponents in [-700, 700], float64, any shape.

    Returns:
        exp(x), float64, relative error below 1e-15.
    """
    n = (x * (1.0 / math.log(2.0))).round()
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    total = torch.ones_like(r)
    for k in range(_EXP_TERMS, 0, -1):
        total = 1.0 + (r * total) * (1.0 / k)
    return torch.ldexp(total, n.to(torch.int32))
