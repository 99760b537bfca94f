"""Squared volumes of one vector with several, for learning: one quadratic form per pair, polynomials per item.

    vol^2(q, m_1 .. m_p) = |q|^2 det G_M - c^T adj(G_M) c,   c = M q

No small number divides, so gradients stay finite where a candidate's own vectors are dependent. det and adj are taken
per item in float64; per pair there are p products c_a. The backward pass forms them again, and both passes go by blocks
of queries, so that memory is a few [n, N] matrices whatever p.

Where a candidate's vectors nearly agree, the form is a small difference of large float32 terms. So M is first replaced
by T M with T unit lower triangular, which makes its rows nearly orthogonal. The volume is the same for every such T,
and so is its gradient: T is a constant to autograd.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_PIVOT = 1e-10  # squared distances below this are left alone
_BLOCK = 256  # queries at a time, at least: products of fewer rows are slow


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
    gram: Tensor = _Gram.apply(candidates)  # type: ignore[no-untyped-call]
    gram = gram + torch.diag_embed((~present).T.to(gram.dtype))
    apart = _orthogonalising(gram.detach())
    determinant, adjugate = determinant_and_adjugate(apart @ gram @ apart.mT)
    own = determinant.to(queries.dtype)
    rows: Tensor = _Apart.apply(candidates, apart)  # type: ignore[no-untyped-call]
    form: Tensor = _Form.apply(queries, rows, adjugate.to(queries.dtype))  # type: ignore[no-untyped-call]
    return torch.linalg.vecdot(queries, queries).unsqueeze(1) * own - form, own


def ridge_cosines(queries: Tensor, candidates: Tensor, ridge: float) -> Tensor:
    """Squared cosines between every query and its ridge projection on every candidate's vectors.

    With x = T M as above and K = (T (G + l I) T^T)^-1, which is the same projection for every T: q.Pq = c^T K c and
    |Pq|^2 = c^T K T G T^T K c, c = x q.

    Args:
        queries: Shape [n, d].
        candidates: Zero rows where absent, shape [p, N, d].
        ridge: l, above 0.

    Returns:
        Shape [n, N], dtype of queries; 0 where a query is orthogonal to all.
    """
    gram: Tensor = _Gram.apply(candidates)  # type: ignore[no-untyped-call]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    apart = _orthogonalising(gram.detach())
    inverse = torch.linalg.inv(apart @ (gram + ridge * eye) @ apart.mT) * (1.0 + ridge)  # cosines know no scale
    inverse = (inverse + inverse.mT) / 2
    twice = inverse @ (apart @ gram @ apart.mT) @ inverse
    rows: Tensor = _Apart.apply(candidates, apart)  # type: ignore[no-untyped-call]
    along: Tensor = _Form.apply(queries, rows, inverse.to(queries.dtype))  # type: ignore[no-untyped-call]
    length: Tensor = _Form.apply(queries, rows, twice.to(queries.dtype))  # type: ignore[no-untyped-call]
    own = torch.linalg.vecdot(queries, queries).unsqueeze(1)
    cosines: Tensor = along.square() / (own * length).clamp(min=torch.finfo(queries.dtype).eps ** 2)
    return cosines


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


def _orthogonalising(gram: Tensor) -> Tensor:
    """Unit lower triangular T [N, p, p] with T G T^T nearly diagonal: Gaussian elimination, but of no tiny pivot."""
    rest = gram.clone()
    apart = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).expand(gram.shape).clone()
    for k in range(gram.shape[-1] - 1):
        pivot = rest[:, k, k, None]
        factor = torch.where(pivot > _PIVOT, rest[:, k + 1 :, k] / pivot, 0.0).unsqueeze(-1)
        rest[:, k + 1 :] -= factor * rest[:, k, None]
        apart[:, k + 1 :] -= factor * apart[:, k, None]
    return apart


class _Gram(torch.autograd.Function):
    """Inner products of each item's vectors in float64; only they, not the vectors, are kept in float64."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - autograd's context
        """[p, N, d] -> [N, p, p]."""
        ctx.save_for_backward(x)
        rows = x.transpose(0, 1).to(torch.float64)
        return rows @ rows.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        """Gradient of x."""
        (x,) = ctx.saved_tensors
        factors = (gradient + gradient.mT).permute(1, 2, 0).unsqueeze(-1).to(x.dtype)
        out = torch.zeros_like(x)
        for total, line in zip(out, factors, strict=True):
            for rows, factor in zip(x, line, strict=True):
                total.addcmul_(rows, factor)
        return out


class _Apart(torch.autograd.Function):
    """T x of each item's vectors, in float64 before it is rounded; T [N, p, p] is a constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:  # noqa: ANN401
        """[p, N, d] -> [p, N, d]."""
        factors = matrix.permute(1, 2, 0).unsqueeze(-1).contiguous()
        ctx.save_for_backward(factors.to(x.dtype))
        rows, out = x.to(torch.float64), torch.empty_like(x)
        for a, line in enumerate(factors):
            total = rows[a].clone()
            for b in range(a):
                total.addcmul_(rows[b], line[b])
            out[a] = total
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Gradient of x."""
        (factors,) = ctx.saved_tensors
        total = gradient.clone()
        for a in range(len(gradient)):
            for b in range(a):
                total[b].addcmul_(gradient[a], factors[a, b])
        return total, None


class _Form(torch.autograd.Function):
    """c^T A c of every pair, c = X q; products are formed again backwards instead of kept."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, x: Tensor, matrix: Tensor) -> Tensor:  # noqa: ANN401
        """From q [n, d], x [p, N, d] and symmetric A [N, p, p] to [n, N]."""
        lines = matrix.permute(1, 2, 0).contiguous()
        ctx.save_for_backward(q, x, lines)
        form = q.new_zeros(q.shape[0], x.shape[1])
        twice = _upper(lines)
        for block, c in _products(q, x):
            for a in range(len(x)):
                form[block].addcmul_(c[:, a], _combined(c[:, a:], twice[a, a:]))
        return form

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ANN401
        """Gradients of q, x and A."""
        q, x, lines = ctx.saved_tensors
        to_q, to_x, to_matrix = torch.empty_like(q), x.new_zeros(x.shape), torch.zeros_like(lines)
        with torch.autocast(q.device.type, enabled=False):
            for block, c in _products(q, x):
                g, by_c = gradient[block], torch.empty_like(c)
                for a in range(len(x)):
                    weighted = g * c[:, a]
                    for b in range(a, len(x)):
                        to_matrix[a, b] += torch.mul(weighted, c[:, b], out=by_c[:, b]).sum(dim=0)
                weighted = 2.0 * g
                for a in range(len(x)):
                    torch.mul(_combined(c, lines[a]), weighted, out=by_c[:, a])
                by_c = by_c.flatten(1)
                torch.mm(by_c, x.flatten(0, 1), out=to_q[block])
                to_x.flatten(0, 1).addmm_(by_c.T, q[block])
        for a in range(len(x)):
            to_matrix[a + 1 :, a] = to_matrix[a, a + 1 :]
        return to_q, to_x, to_matrix.permute(2, 0, 1)


def _products(q: Tensor, x: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of queries and their products with all vectors, [block, p, N], together no larger than [n, N] is."""
    p, n = x.shape[0], q.shape[0]
    size = max(_BLOCK, -(-n // p))
    for start in range(0, n, size):
        block = slice(start, min(start + size, n))
        yield block, (q[block] @ x.flatten(0, 1).T).view(block.stop - block.start, p, x.shape[1])


def _upper(lines: Tensor) -> Tensor:
    """Symmetric matrices [p, p, N] whose upper triangles alone give the same form: twice what is off the diagonal."""
    twice = 2.0 * lines
    for a in range(len(lines)):
        twice[a, a] = lines[a, a]
    return twice


def _combined(c: Tensor, factors: Tensor) -> Tensor:
    """sum_b factors_b c_b, from c [block, p, N] and [p, N] to [block, N]."""
    total = c[:, 0] * factors[0]
    for b in range(1, len(factors)):
        total.addcmul_(c[:, b], factors[b])
    return total


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root whose gradient is 0, not infinite, where x is below the rounding of numbers near 1.

    Args:
        x: Any shape; float32 or float64.

    Returns:
        sqrt(x), and the square root of the dtype's epsilon where x is smaller than that.
    """
    root: Tensor = x.clamp(min=torch.finfo(x.dtype).eps).sqrt()
    return root
