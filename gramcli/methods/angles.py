"""Principal angles between the span of the query's vectors and the span of the candidate's.

With orthonormal bases W_Q [r, d] and W_M [p, d] and C = W_Q W_M^T, the product of the squared sines of
the principal angles is det(I - C C^T) (Björck and Golub 1973). GRAM's volume for any split of the
modalities, and the distance to the span, are this number with and without the sides' own volumes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import Formula, Side
from gramcli.methods.linalg import orthonormalise

FLAT = 2.0**-10
"""Below this a pivot of I - C C^T has lost digits to cancellation, and the residual is formed instead."""

LARGEST_SCREENED = 4
"""Largest determinant written out by cofactors in the fast pass (m = 8 splits as 4 + 4 at worst)."""


def orthonormal_side(z: Tensor, present: Tensor, *, volume_in_scale: bool) -> Side:
    """Orthonormal basis of each item's vectors, with its squared volume as scale when asked.

    Args:
        z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
        present: Shape [k, n], bool; an absent vector leaves basis and volume alone.
        volume_in_scale: Carry det G = (prod R_ii)^2 in `scale`.
    """
    basis, diagonal = orthonormalise(z, present)
    squared = torch.ones_like(diagonal[0])
    for row in diagonal:
        squared = squared * (row * row)
    scale = squared if volume_in_scale else torch.ones_like(squared)
    return Side(basis, scale, z.new_zeros(0, z.shape[1]), diagonal.amin(dim=0))


def volume_formula(gram: Tensor, present: Tensor, *, volume_in_scale: bool) -> Formula:
    """|y|^2 - s with y = sqrt(s) L^-1 c, G = L L^T: the square of the part of q within the span, less the whole.

    Args:
        gram: Shape [p, p, N], float64, zero where absent.
        present: Shape [p, N], bool.
        volume_in_scale: s is det G, for the volume; else 1, for the distance.
    """
    own = gram.permute(2, 0, 1) + torch.diag_embed((~present).T.to(gram.dtype))
    lower, failed = torch.linalg.cholesky_ex(own)
    eye = torch.eye(own.shape[-1], dtype=gram.dtype).expand_as(own)
    inverse = torch.linalg.solve_triangular(lower, eye, upper=False)
    inverse = torch.where((failed > 0)[:, None, None], torch.nan, inverse)
    squared = lower.diagonal(dim1=-2, dim2=-1).prod(dim=-1).square()
    scale = squared if volume_in_scale else torch.ones_like(squared)
    weights = (inverse * scale.sqrt()[:, None, None]).permute(1, 2, 0)
    return Formula("volume", weights, scale.unsqueeze(0), scale)


def squared_sines(cross: Tensor, queries: Side, candidates: Side) -> Tensor:
    """det(I - C C^T) in float64, to full relative accuracy however small it is.

    Args:
        cross: C, shape [r, p, n, N] for a tile or [r, p, n] for pairs, float64.
        queries: Side with orthonormal vectors.
        candidates: Side with orthonormal vectors.

    Returns:
        Values in [0, 1], shape [n, N] or [n].
    """
    small = cross if cross.shape[0] <= cross.shape[1] else cross.transpose(0, 1)
    product, flat = _pivots(_complement(small))
    where = flat.nonzero(as_tuple=True)
    if where[0].numel():
        product[where] = _residual_sines(
            queries.vectors[:, where[0]], candidates.vectors[:, where[-1]], cross[:, :, flat]
        )
    return product


def _complement(cross: Tensor) -> list[list[Tensor]]:
    """I - C C^T as a nested list of planes, each entry summed in a fixed order."""
    r, p = cross.shape[:2]
    rows = []
    for a in range(r):
        row = []
        for b in range(r):
            total = cross[a, 0] * cross[b, 0]
            for m in range(1, p):
                total = total + cross[a, m] * cross[b, m]
            row.append(1.0 - total if a == b else -total)
        rows.append(row)
    return rows


def _pivots(matrix: list[list[Tensor]]) -> tuple[Tensor, Tensor]:
    """Product of the elimination pivots, and where one of them was too small to trust."""
    r = len(matrix)
    product = matrix[0][0]
    flat = matrix[0][0] < FLAT
    for k in range(1, r):
        pivot = torch.where(matrix[k - 1][k - 1] < FLAT, 1.0, matrix[k - 1][k - 1])
        for a in range(k, r):
            factor = matrix[a][k - 1] / pivot
            for b in range(k, r):
                matrix[a][b] = matrix[a][b] - factor * matrix[k - 1][b]
        product = product * matrix[k][k]
        flat = flat | (matrix[k][k] < FLAT)
    return product.clamp(min=0.0), flat


def _residual_sines(queries: Tensor, candidates: Tensor, cross: Tensor) -> Tensor:
    """The same number from what is left of the smaller side after projection on the larger."""
    if queries.shape[0] > candidates.shape[0]:
        queries, candidates, cross = candidates, queries, cross.transpose(0, 1)
    rest = queries
    for m in range(candidates.shape[0]):
        rest = rest - cross[:, m].unsqueeze(-1) * candidates[m]
    # An absent or dependent vector is a zero row of the basis: it has no angle, not a zero one.
    missing = (queries == 0).all(dim=-1)
    _, diagonal = orthonormalise(rest, ~missing)
    product = torch.ones_like(diagonal[0])
    for row in diagonal:
        product = product * (row * row)
    return product


def tile_squared_sines(cross: Tensor) -> Tensor:
    """det(I - C C^T) of a tile in its own dtype, by cofactors.

    Args:
        cross: C, shape [r, p, n, N]; min(r, p) <= 4.

    Returns:
        Shape [n, N]; may be slightly negative from rounding.
    """
    small = cross if cross.shape[0] <= cross.shape[1] else cross.transpose(0, 1)
    return _determinant(_complement(small))


def _determinant(matrix: list[list[Tensor]]) -> Tensor:
    if len(matrix) == 1:
        return matrix[0][0]
    total = None
    for b, head in enumerate(matrix[0]):
        minor = [row[:b] + row[b + 1 :] for row in matrix[1:]]
        term = head * _determinant(minor)
        total = term if total is None else total + term if b % 2 == 0 else total - term
    if total is None:
        raise ValueError("determinant of an empty matrix")
    return total


def sine_slack(product_error: float, roundoff: float, r: int, p: int) -> float:
    """Bound on the error of `tile_squared_sines` (and of 1 - |c|^2) for unit vectors.

    With C off by E, |E_ij| <= e, the matrix I - C C^T moves by at most x = 2 sqrt(rp) e + r p e^2 in the
    spectral norm, because |C| <= 1. All its eigenvalues lie in [0, 1], so by Weyl each moves by at most
    x and their product by at most (1 + x)^s - 1 with s = min(r, p). The cofactor expansion adds at most
    s! products of s entries of size <= 1, each entry a sum of p products: below 8 s! (p + s + 2) roundoffs.
    """
    s = min(r, p)
    x = 2 * (r * p) ** 0.5 * product_error + r * p * product_error**2
    factorial = 1
    for k in range(2, s + 1):
        factorial *= k
    return float((1 + x) ** s - 1 + 8 * factorial * (p + r + 2) * roundoff)


def check_volume(name: str, r: int, p: int, d: int) -> None:
    """Refuse more vectors than dimensions.

    Raises:
        UserError: d < r + p.
    """
    if d < r + p:
        raise UserError(
            "embedding",
            f"{name} of {r + p} modalities needs at least {r + p} dimensions; got d = {d}. "
            f"{r + p} vectors in {d} dimensions always have volume 0: drop modalities or use a wider encoder.",
        )
