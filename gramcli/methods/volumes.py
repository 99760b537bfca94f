"""Squared volumes of one vector with several, for learning: one matrix product, and polynomials per item.

    vol^2(q, m_1 .. m_p) = |q|^2 det G_M - c^T adj(G_M) c,   c = M q

Nothing is divided, so gradients stay finite where a candidate's own vectors are dependent. det and adj are taken per
item in float64. With adj = U diag(s) U^T and x = U^T M the form is sum_a s_a (q . x_a)^2: where vectors nearly agree
the terms are small one by one, and do not cancel. Per query and candidate the p products q . x_a are kept; the backward
pass is two more matrix products of the size of the first.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def squared_volumes(queries: Tensor, candidates: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Squared volumes of every query with every candidate's vectors.

    Args:
        queries: Shape [n, d].
        candidates: Zero rows where absent, shape [p, N, d].
        present: Shape [p, N], bool; an absent vector leaves the volume alone.

    Returns:
        Squared volumes, slightly negative perhaps from rounding, shape [n, N], and det G_M, shape [N]; dtype of
        queries.
    """
    rows = candidates.transpose(0, 1)
    gram: Tensor = _Gram.apply(rows)  # type: ignore[no-untyped-call]
    determinant, adjugate = determinant_and_adjugate(gram + torch.diag_embed((~present).T.to(torch.float64)))
    form: Tensor = _Form.apply(queries, rows, adjugate)  # type: ignore[no-untyped-call]
    own = determinant.to(queries.dtype)
    return torch.linalg.vecdot(queries, queries).unsqueeze(1) * own - form, own


def determinant_and_adjugate(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Determinant and adjugate by the Faddeev-LeVerrier recursion: polynomials, smooth at singular matrices.

    Args:
        matrix: Shape [..., p, p].

    Returns:
        det, shape [...], and adj with matrix adj = det I, shape [..., p, p].

    Example:
        >>> determinant_and_adjugate(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
        (tensor(3.), tensor([[ 2., -1.],
                [-1.,  2.]]))
    """
    p = matrix.shape[-1]
    eye = torch.eye(p, dtype=matrix.dtype, device=matrix.device).expand(matrix.shape)
    last, product = eye, matrix
    coefficient = -_trace(matrix)
    for k in range(2, p + 1):
        last = product + coefficient[..., None, None] * eye
        product = matrix @ last
        coefficient = -_trace(product) / k
    sign = -1.0 if p % 2 else 1.0
    return coefficient * sign, last * -sign


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1)


class _Gram(torch.autograd.Function):
    """Gram matrices in float64 of rows in any dtype; the gradient has the dtype of the rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        """[N, p, d] -> [N, p, p]."""
        ctx.save_for_backward(rows)
        wide = rows.to(torch.float64)
        gram: Tensor = wide @ wide.mT
        return gram

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        """Twice the symmetric part times the rows."""
        (rows,) = ctx.saved_tensors
        with torch.autocast(rows.device.type, enabled=False):
            to_rows: Tensor = (gradients[0] + gradients[0].mT).to(rows.dtype) @ rows
            return to_rows


class _Form(torch.autograd.Function):
    """c^T A c of every query with every candidate, c = M q, A symmetric and given apart from M."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, rows: Tensor, matrix: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        """From q [n, d], rows [N, p, d] and A [N, p, p] in float64 to [n, N]."""
        weights, axes = torch.linalg.eigh(matrix)
        rotated = (axes.mT @ rows.to(torch.float64)).to(q.dtype).transpose(0, 1).contiguous()
        scale = weights.T.to(q.dtype)
        products = (q @ rotated.flatten(0, 1).T).view(len(q), *scale.shape)
        ctx.save_for_backward(q, rotated, products, scale, axes)
        form: Tensor = (products * products * scale).sum(dim=1)
        return form

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        """Gradients of q, rows and A."""
        q, rotated, products, scale, axes = ctx.saved_tensors
        with torch.autocast(q.device.type, enabled=False):
            weighted = (products * gradients[0].unsqueeze(1)).flatten(1)
            scaled = rotated * scale.unsqueeze(-1)
            to_q = (weighted @ scaled.flatten(0, 1)) * 2.0
            back = (weighted.T @ q).view(rotated.shape)  # sum over queries of g (q . x_a) q
            to_rows = axes.to(q.dtype) @ (back * (2.0 * scale).unsqueeze(-1)).transpose(0, 1)
            inner = (back.transpose(0, 1) @ rotated.permute(1, 2, 0)).to(torch.float64)
        return to_q, to_rows, axes @ inner @ axes.mT


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient is 0, not infinite, where x is below the rounding of numbers near 1.

    Args:
        x: Any shape; float32 or float64.

    Returns:
        sqrt(x), and the square root of the dtype's epsilon where x is smaller than that.
    """
    root: Tensor = x.clamp(min=torch.finfo(x.dtype).eps).sqrt()
    return root
