"""Singular values and leading direction of each item's vectors, with gradients that are finite everywhere.

The m vectors of an item are the rows of Z; its m x m Gram matrix has eigenvectors w_k and eigenvalues sigma_k^2, and
the leading direction is u = Z^T w_1 / sigma_1. No d x d factor is ever formed.

Gradients. d sigma_k / dZ = w_k u_k^T = w_k (Z^T w_k)^T / sigma_k, taken as 0 where sigma_k vanishes (the mean of the
two one-sided slopes); where singular values coincide, the mean over those that do. Of u, with y_k = Z^T w_k, g the
incoming gradient and F_k = 1 / (sigma_1^2 - sigma_k^2):

    dL/dZ = w_1 (g - (u.g) u)^T / sigma_1 + sum_(k>1) F_k (y_k.g) ( w_1 y_k^T / sigma_1 + w_k u^T )

F_k is infinite where the leading value is not alone and u is not defined: there 1/x is x / (x^2 + e^2), with
e a few roundings of the dtype. Checked against autograd through a full SVD wherever that is finite.

The sign of a singular vector is arbitrary. Here the sum of its loadings w_1 is positive: u points to where most
modalities point. (Where the sum is 0, as for two modalities with a negative cosine, the first loading that is not is
positive; 0 is what lies below the root of the dtype's epsilon, since rows have unit length only to rounding.)
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ALONE = 16  # gaps of squared singular values below this many epsilons are damped
_TIED = 64  # singular values closer than this many epsilons coincide
_VANISHES = 1e-7  # of the largest: what is left of a singular value of 0 in the root of an eigenvalue near 1e-16


def leading(z: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values and oriented leading left singular vector of the matrix of each item's vectors.

    Args:
        z: Vectors of each item, zero where absent; shape [B, m, d], float32 or float64.

    Returns:
        Singular values, largest first, shape [B, m], and unit directions, shape [B, d], 0 for an item of zeros; dtype
        of z, but computed in float64.
    """
    return cast("tuple[Tensor, Tensor]", _Leading.apply(z))  # type: ignore[no-untyped-call]


class _Leading(torch.autograd.Function):
    """See the module's text."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - autograd's context
        """[B, m, d] -> [B, m] and [B, d]."""
        z = z.contiguous()
        wide = z.to(torch.float64)
        values, loadings = torch.linalg.eigh(wide @ wide.mT)
        sigma = values.flip(-1).clamp(min=0.0).sqrt()
        loadings = loadings.flip(-1)
        loadings = loadings * _sign(loadings[..., 0], torch.finfo(z.dtype).eps)[:, None, None]
        u = (_over_largest(loadings, sigma).mT.to(z.dtype) @ z).squeeze(1)
        ctx.save_for_backward(z, sigma, loadings)
        return sigma.to(z.dtype), u

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        """Gradient of z: [B, m, m] factors in float64, and two products with [B, m, d]."""
        z, sigma, loadings = ctx.saved_tensors
        by_sigma, by_u = gradients
        with torch.autocast(z.device.type, enabled=False):
            eps = torch.finfo(z.dtype).eps
            along_z = (z @ by_u.unsqueeze(-1)).to(torch.float64)
            factors = loadings * _of_values(by_sigma.to(torch.float64), sigma, eps).unsqueeze(1) @ loadings.mT
            factors += _of_direction(along_z, sigma, loadings, eps)
            first = _over_largest(loadings, sigma).to(z.dtype)
            return torch.baddbmm(first * by_u.unsqueeze(1), factors.to(z.dtype), z)


def _over_largest(loadings: Tensor, sigma: Tensor) -> Tensor:
    """w_1 / sigma_1, [B, m, 1]; 0 where all vectors of the item are 0, which has no direction and no gradient."""
    largest = sigma[:, :1, None]
    return torch.where(largest > 0, loadings[..., :1] / torch.where(largest > 0, largest, 1.0), 0.0)


def _of_values(gradient: Tensor, sigma: Tensor, eps: float) -> Tensor:
    """Gradient of each singular value over it, [B, m]: 0 where it vanishes, the mean over ties."""
    close = (sigma.unsqueeze(-1) - sigma.unsqueeze(-2)).abs() <= _TIED * eps
    tied = close.to(sigma.dtype)
    shares = tied / tied.sum(dim=-1, keepdim=True)
    mean = (shares @ gradient.unsqueeze(-1)).squeeze(-1)
    vanishes = sigma <= sigma[:, :1] * _VANISHES
    return torch.where(vanishes, 0.0, mean / torch.where(vanishes, 1.0, sigma))


def _of_direction(along_z: Tensor, sigma: Tensor, loadings: Tensor, eps: float) -> Tensor:
    """What the gradient g of u gives to z beside w_1 g^T / sigma_1, as factors [B, m, m] of z, from z g [B, m, 1]."""
    first = _over_largest(loadings, sigma)
    squared = sigma * sigma
    gap = (squared[:, :1] - squared[:, 1:]).unsqueeze(-1)
    others = loadings[..., 1:]
    turn = others @ (gap / (gap * gap + (_ALONE * eps) ** 2) * (others.mT @ along_z))
    return first @ (turn - (first.mT @ along_z) * first).mT + turn @ first.mT


def _sign(loadings: Tensor, eps: float) -> Tensor:
    """The sign that makes the sum of loadings [B, m] positive, shape [B]."""
    total = loadings.sum(dim=-1)
    size = eps**0.5
    significant = (loadings.abs() > size).to(torch.float64)
    first = loadings.gather(-1, significant.argmax(dim=-1, keepdim=True)).squeeze(-1)
    return torch.where(torch.where(total.abs() > size, total, first) < 0, -1.0, 1.0).to(loadings.dtype)
