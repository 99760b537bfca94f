"""Centroid: cosine between the query and the unit mean of the candidate's modalities.

Formula: q . sum_k w_k m_k / |sum_k w_k m_k|, with w uniform (both sides may have several modalities) or, with
`weights=query`, w = softmax(q . m_k / tau) for one query vector. Higher is better; range [-1, 1].

Where the weighted sum is shorter than 1e-14 (its largest weight taken as 1), it has no direction in float64
and the score is 0 by definition; above that its error is about 1e-16 over its length.

Loss: InfoNCE in both directions with logits score / T, the anchor against the centroid of all other modalities.

Trap: with query weights the score leans towards the best single modality; tau is a free choice (0.1).

Source: Jeong et al., Anchors Aweigh! Sail for Optimal Unified Multi-Modal Representations (CentroBind),
arXiv:2410.02086, trains towards anchors that are centroids of all modalities; here the centroid is of the
candidate's alone and brought to unit length. Query weights: as in the SCALAR preprint's spherical centroid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Unpack, get_args

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import Formula, Side, plain_side, spread
from gramcli.methods.batch import LossOptions, read_batch
from gramcli.methods.contrast import OPTIONS, info_nce
from gramcli.methods.linalg import DEPENDENT, reproducible_exp, square_root, tree_sum, triangular_factor
from gramcli.methods.product import InnerProduct, product_formula

if TYPE_CHECKING:
    from collections.abc import Mapping

Weights = Literal["uniform", "query"]


@dataclass(frozen=True)
class Centroid(InnerProduct):
    """Cosine to the unit mean.

    Attributes:
        weights: `uniform` or `query`.
        tau: Temperature of the query weights.
    """

    weights: Weights = "uniform"
    tau: float = 0.1
    name: str = "centroid"

    def __post_init__(self) -> None:
        if self.weights not in get_args(Weights):
            raise UserError(
                "usage", f"centroid has no weights '{self.weights}'. Known: {', '.join(get_args(Weights))}."
            )
        if not 0 < self.tau < math.inf:
            raise UserError("usage", f"centroid needs tau > 0 and finite; got {self.tau}.")

    def check(self, r: int, p: int, d: int) -> None:
        """Query weights need one query vector."""
        if self.weights == "query" and r > 1:
            raise UserError("embedding", f"centroid with query weights takes one query modality; got {r}.")

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Unit mean of the vectors present; for query weights the vectors, R of their QR factors and which are present.

        Args:
            z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
            present: Shape [k, n], bool.
        """
        if self.weights == "query":
            factor = triangular_factor(z).flatten(0, 1)
            return plain_side(z, torch.cat([factor, present.to(torch.float64)]))
        total = z[0]
        for k in range(1, z.shape[0]):
            total = total + z[k]
        length = square_root(tree_sum(total * total))
        vanishes = length < DEPENDENT
        unit = torch.where(vanishes.unsqueeze(-1), 0.0, total / torch.where(vanishes, 1.0, length).unsqueeze(-1))
        return replace(plain_side(unit.unsqueeze(0)), independence=length)

    def screens(self, r: int, p: int) -> bool:
        """Uniform weights only: one product per pair."""
        return self.weights == "uniform"

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """The sum of the products over the length of the sum of the vectors; none with query weights."""
        if self.weights == "query":
            return None
        length = gram.sum(dim=(0, 1)).clamp(min=0.0).sqrt()
        return product_formula((present.to(gram.dtype) / length).unsqueeze(0))

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Reference scores; 0 where the weighted sum vanishes in float64."""
        if self.weights == "uniform":
            return cross[0, 0]
        products = cross[0]
        p = products.shape[0]
        _, extra = spread(queries.extra, candidates.extra, cross)
        factor, here = extra[: p * p], extra[p * p :]
        largest = torch.where(here > 0, products, -1.0).amax(dim=0)
        weights = [
            mask * reproducible_exp(((product - largest) / self.tau).clamp(-700.0, 0.0))
            for product, mask in zip(products, here, strict=True)
        ]
        dot, squared = torch.zeros_like(largest), torch.zeros_like(largest)
        for a in range(p):
            dot = dot + weights[a] * products[a]
            along = torch.zeros_like(largest)
            for b in range(a, p):
                along = along + weights[b] * factor[a * p + b]
            squared = squared + along * along
        length = square_root(squared)
        vanishes = length < DEPENDENT
        return torch.where(vanishes, 0.0, (dot / torch.where(vanishes, 1.0, length)).clamp(-1.0, 1.0))

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """InfoNCE of the cosine to the centroid."""
        batch = read_batch(self.name, embeddings, options, OPTIONS)
        with batch.full_precision():
            return info_nce(batch, self.similarity, options)

    def similarity(self, queries: Tensor, candidates: Tensor, present: Tensor) -> Tensor:
        """Cosine to the centroid, for learning; where opposed vectors cancel, gradients stay bounded.

        Args:
            queries: Shape [n, d].
            candidates: Zero rows where absent, shape [p, N, d].
            present: Shape [p, N], bool.

        Returns:
            Shape [n, N].
        """
        if self.weights == "uniform":
            total, least = candidates.sum(dim=0), torch.finfo(candidates.dtype).eps ** 0.5
            return queries @ torch.nn.functional.normalize(total, dim=-1, eps=least).T
        products = torch.stack([queries @ rows.T for rows in candidates])
        weights = (products / self.tau).masked_fill(~present.unsqueeze(1), -math.inf).softmax(dim=0)
        own = torch.einsum("pNd,rNd->prN", candidates, candidates)
        squared = sum(weights[a] * weights[b] * own[a, b] for a in range(len(own)) for b in range(len(own)))
        length = torch.as_tensor(squared).clamp(min=torch.finfo(products.dtype).eps).sqrt()
        return (weights * products).sum(dim=0) / length
