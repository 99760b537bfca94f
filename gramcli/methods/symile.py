"""Symile: the multilinear inner product of all modality vectors.

Formula: sum over dimensions of q_1 .. q_r m_1 .. m_p. Higher is better; range [-1, 1]; any number of modalities
on either side; with one on each side it is the cosine.

Traps: two sign flips cancel, so MIP(-t, -v, a) = MIP(t, v, a); of unit vectors its size shrinks like
d^(1 - m/2), so values are comparable only at one d and one m.

Source: Saporta et al., Contrasting with Symile, arXiv:2411.01053, eq. 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.methods.base import Side, plain_side
from gramcli.methods.product import InnerProduct


class Symile(InnerProduct):
    """Multilinear inner product: each side multiplies its vectors elementwise once."""

    name = "symile"

    def check(self, r: int, p: int, d: int) -> None:
        """Every split is accepted."""

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Elementwise product of the vectors that are present.

        Args:
            z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
            present: Shape [k, n], bool.

        Returns:
            One vector per item, of length at most 1.
        """
        product = torch.where(present[0].unsqueeze(-1), z[0], 1.0)
        for k in range(1, z.shape[0]):
            product = product * torch.where(present[k].unsqueeze(-1), z[k], 1.0)
        return plain_side(product.unsqueeze(0))
