"""Symile: the multilinear inner product of all modality vectors.

Formula: sum over dimensions of q_1 .. q_r m_1 .. m_p. Higher is better; range [-1, 1]; any number of modalities
on either side; with one on each side it is the cosine.

Traps: two sign flips cancel, so MIP(-t, -v, a) = MIP(t, v, a); of unit vectors its size shrinks like
d^(1 - m/2), so values are comparable only at one d and one m.

Source: Saporta et al., Contrasting with Symile, arXiv:2411.01053, eq. 4.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gramcli.methods.base import ScreenSide, Side, plain_side, spread
from gramcli.methods.product import InnerProduct


class Symile(InnerProduct):
    """Multilinear inner product: each side multiplies its vectors elementwise once."""

    name = "symile"

    def check(self, r: int, p: int, d: int) -> None:
        """Every split is accepted."""

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Elementwise product of the vectors that are present, with a power of two taken out of each row.

        A product of k unit vectors has entries of about d^(-k/2), far below the absolute resolution of
        the exact products; brought to [0.5, 1) they keep their digits, and the power goes to `scale`.

        Args:
            z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
            present: Shape [k, n], bool.

        Returns:
            One vector per item, its largest entry in [0.5, 1) (or all zeros).
        """
        product = torch.ones_like(z[0])
        total = torch.zeros_like(z[0, :, :1], dtype=torch.int32)
        for vector, here in zip(z, present, strict=True):
            product = product * torch.where(here.unsqueeze(-1), vector, 1.0)
            exponent = torch.frexp(product.abs().amax(dim=-1, keepdim=True)).exponent
            product, total = torch.ldexp(product, -exponent), total + exponent
        scale = torch.ldexp(torch.ones_like(product[:, 0]), total.squeeze(-1))
        return replace(plain_side(product.unsqueeze(0)), scale=scale)

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """The exact products, times both sides' powers of two, which rounds nothing."""
        own_query, own_candidate = spread(queries.scale, candidates.scale, cross)
        return cross[0, 0] * own_query * own_candidate

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """The product vectors at their own size: thresholds are keys, and a kernel may compare products with them."""
        return ScreenSide(side.vectors * side.scale.unsqueeze(-1), side.extra[:0])
