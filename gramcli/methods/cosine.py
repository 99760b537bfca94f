"""Cosine similarity, and the mean of pairwise cosines when a side has several modalities.

Formula: mean over query modalities a and candidate modalities b of q_a . m_b. Higher is better; range
[-1, 1]; any number of modalities on either side.

Trap: the mean over several candidate modalities shrinks towards 0 when they disagree with each
other, so its values are not on one scale with a single pair's; its ranks are.

Loss: InfoNCE in both directions with logits cos / T for every pair of modalities, or with `anchor` for the pairs with
it; the mean over the pairs. An item takes part in the pairs that it has both of.

Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision (CLIP),
arXiv:2103.00020: `logits = np.dot(I_e, T_e.T) * np.exp(t)` in its numpy-like pseudocode, of unit vectors; the
dual-encoder baseline of every other paper cited here. The mean over several pairs is ours.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Unpack

from gramcli.methods.base import Formula, Side, plain_side
from gramcli.methods.batch import LossOptions, anchors, read_batch
from gramcli.methods.contrast import OPTIONS, contrast
from gramcli.methods.product import InnerProduct, product_formula

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def formula(self, gram: Tensor, present: Tensor) -> Formula:
        """The mean of the products."""
        here = present.to(gram.dtype)
        return product_formula((here / here.sum(dim=0).clamp(min=1.0)).unsqueeze(0))

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """Mean InfoNCE of the cosine over the pairs of modalities."""
        batch = read_batch(self.name, embeddings, options, OPTIONS)
        chosen = anchors(batch, options)
        pairs = [(a, [b]) for a, b in combinations(range(len(batch.names)), 2) if {a, b} & set(chosen)]
        with batch.full_precision():
            return contrast(batch, _cosines, pairs, options)


def _cosines(queries: Tensor, candidates: Tensor, _present: Tensor) -> Tensor:
    return queries @ candidates[0].T
