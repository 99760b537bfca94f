"""Squared volumes of one vector with several, for learning: one bilinear form per pair, polynomials per item.

    vol^2(q, m_1 .. m_p) = |q|^2 det G_M - c^T adj(G_M) c,   c = M q

Nothing is divided, so gradients stay finite where a candidate's own vectors are dependent. det and adj are taken per
item in float64; per pair there are p products c_a and p products of q with the rows of adj(G_M) M. The backward pass
forms them again, so that memory is a few [n, N] matrices whatever p.
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
    rows = candidates.transpose(0, 1).to(torch.float64)
    gram = rows @ rows.mT + torch.diag_embed((~present).T.to(torch.float64))
    determinant, adjugate = determinant_and_adjugate(gram)
    partners = (adjugate @ rows).transpose(0, 1).to(queries.dtype)
    own = determinant.to(queries.dtype)
    form: Tensor = _Bilinear.apply(queries, candidates, partners)  # type: ignore[no-untyped-call]
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


class _Bilinear(torch.autograd.Function):
    """sum_a (q . x_a) (q . y_a) of every pair; products are formed again backwards instead of kept."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, x: Tensor, y: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        """From q [n, d], x and y [p, N, d] to [n, N]."""
        ctx.save_for_backward(q, x, y)
        total = q.new_zeros(q.shape[0], x.shape[1])
        for left, right in zip(x, y, strict=True):
            total.addcmul_(q @ left.T, q @ right.T)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        """Gradients of q, x and y."""
        q, x, y = ctx.saved_tensors
        to_q, to_x, to_y = torch.zeros_like(q), torch.empty_like(x), torch.empty_like(y)
        with torch.autocast(q.device.type, enabled=False):
            for a in range(x.shape[0]):
                by_y = (q @ y[a].T).mul_(gradients[0])
                to_q.addmm_(by_y, x[a])
                torch.mm(by_y.T, q, out=to_x[a])
                by_x = torch.mm(q, x[a].T, out=by_y).mul_(gradients[0])
                to_q.addmm_(by_x, y[a])
                torch.mm(by_x.T, q, out=to_y[a])
        return to_q, to_x, to_y


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient is 0, not infinite, where x is below the rounding of numbers near 1.

    Args:
        x: Any shape; float32 or float64.

    Returns:
        sqrt(x), and the square root of the dtype's epsilon where x is smaller than that.
    """
    root: Tensor = x.clamp(min=torch.finfo(x.dtype).eps).sqrt()
    return root
