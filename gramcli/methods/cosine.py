"""Cosine similarity, and the mean of pairwise cosines when a side has several modalities.

Formula: mean over query modalities a and candidate modalities b of q_a . m_b. Higher is better; range
[-1, 1]; any number of modalities on either side.

Trap: the mean over several candidate modalities shrinks towards 0 when they disagree with each
other, so its values are not on one scale with a single pair's; its ranks are.

Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision (CLIP),
arXiv:2103.00020: `logits = np.dot(I_e, T_e.T) * np.exp(t)` in its numpy-like pseudocode, of unit vectors; the
dual-encoder baseline of every other paper cited here. The mean over several pairs is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.methods.base import Side, plain_side
from gramcli.methods.product import InnerProduct

if TYPE_CHECKING:
    from torch import Tensor


class Cosine(InnerProduct):
    """Mean pairwise cosine: the mean over all cross pairs is the product of the two means."""

    name = "cosine"

    def check(self, r: int, p: int, d: int) -> None:
        """Every split is accepted."""

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Mean of the vectors that are present, not normalised.

        Args:
            z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
            present: Shape [k, n], bool.

        Returns:
            One vector per item.
        """
        total = z[0]
        for k in range(1, z.shape[0]):
            total = total + z[k]
        mean = total / present.sum(dim=0).clamp(min=1).unsqueeze(-1)
        return plain_side(mean.unsqueeze(0))
