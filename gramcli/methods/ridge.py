"""The ridge projection of a vector on the span of others: directions that hardly any of them has count less.

With the vectors as columns of A = W S V^T (W orthonormal, S singular values), P = A (A^T A + l I)^-1 A^T has the
eigenvectors W and the eigenvalues h_k = s_k^2 / (s_k^2 + l). Of a unit vector q with c = W^T q, the squared sine of the
angle between q and P q is, by Lagrange's identity, a sum of terms that are never negative and lose no digits:

    1 - cos^2(q, P q) = (1 - |c|^2) + sum_(i<j) c_i^2 c_j^2 (h_i - h_j)^2 / sum_k h_k^2 c_k^2

The first term is the squared distance to the span, which is all there is of l = 0. Only the ratios of the h_k matter:
they are kept over the largest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.methods.linalg import orthonormalise, square_root, tree_sum

_SWEEPS = 10


def principal_side(z: Tensor, present: Tensor, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Principal directions of each item's vectors, and how much each counts.

    Args:
        z: Unit vectors, zero rows where absent, shape [k, n, d], float64.
        present: Shape [k, n], bool.
        ridge: l, above 0.

    Returns:
        W, zero where there are fewer directions, shape [k, n, d]; h over the largest of an item's, shape [k, n]; and
        the least diagonal of R, shape [n], by which dependent vectors are known.
    """
    basis, diagonal = orthonormalise(z, present)
    turned = _rotated([torch.stack([tree_sum(axis * row) for axis in basis]) for row in z])
    squared = torch.stack([_dot(column, column) for column in turned])
    length = square_root(torch.where(squared > 0, squared, torch.inf))
    directions = torch.zeros_like(z)
    for k, column in enumerate(turned):
        for axis, part in zip(basis, column / length[k], strict=True):
            directions[k] = directions[k] + part.unsqueeze(-1) * axis
    weight = squared / (squared + ridge)
    largest = weight.amax(dim=0)
    return directions, weight / torch.where(largest > 0, largest, 1.0), diagonal.amin(dim=0)


def _rotated(columns: list[Tensor]) -> list[Tensor]:
    """Turn columns [k, n] against one another until they are orthogonal (Hestenes), by elementwise operations only."""
    for _ in range(_SWEEPS):
        for i in range(len(columns) - 1):
            for j in range(i + 1, len(columns)):
                columns[i], columns[j] = _turned(columns[i], columns[j])
    return columns


def _turned(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    off = _dot(x, y)
    safe = torch.where(off == 0, 1.0, off)
    tau = (_dot(y, y) - _dot(x, x)) / (2.0 * safe)
    sign = torch.where(tau >= 0, 1.0, -1.0)
    tangent = torch.where(off == 0, 0.0, sign / (tau.abs() + square_root(1.0 + tau * tau)))
    cosine = 1.0 / square_root(1.0 + tangent * tangent)
    sine = tangent * cosine
    return cosine * x - sine * y, sine * x + cosine * y


def _dot(x: Tensor, y: Tensor) -> Tensor:
    total = x[0] * y[0]
    for a, b in zip(x[1:], y[1:], strict=True):
        total = total + a * b
    return total


def spread_out(squares: Tensor, weights: Tensor) -> Tensor:
    """The second term above: how much the ridge turns the projection.

    Args:
        squares: c_k^2, shape [p, ...].
        weights: h_k, broadcastable to it.

    Returns:
        Shape [...]; 0 where all c are 0.
    """
    above, below = torch.zeros_like(squares[0]), torch.zeros_like(squares[0])
    for i in range(len(squares)):
        below = below + weights[i] * weights[i] * squares[i]
        for j in range(i + 1, len(squares)):
            apart = weights[i] - weights[j]
            above = above + squares[i] * squares[j] * (apart * apart)
    return above / torch.where(below > 0, below, 1.0)
