"""Distance from the query to the span of the candidate's modalities: GRAM without the sides' own volumes.

Formula: sqrt(det(I - C C^T)); one query vector q: |q - proj_span(M) q|. Lower is better; range [0, 1]; any
split of 2 or more modalities with m <= d.

Why: vol(q, M) = vol(M) dist(q, span M). The factor vol(M) says how well the candidate's modalities agree
with each other, not with the query; it makes near-collinear candidates hubs for every query.

Loss: as gram's, with the distance in place of the volume.

Trap: the larger the candidate's span, the closer every query: do not compare across numbers of modalities.

Source: the volume of Cicchetti et al., arXiv:2412.11959, eq. 4, over the volumes of its two sides; the cosines of
principal angles as singular values of Q_A^T Q_B: Björck and Golub, Numerical Methods for Computing Angles
Between Linear Subspaces, Math. Comp. 27 (1973), 579-594. No paper scores retrieval with it that we know of.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.methods.angles import orthonormal_side, squared_sines
from gramcli.methods.base import Side
from gramcli.methods.gram import Gram
from gramcli.methods.volumes import safe_sqrt, squared_volumes


@dataclass(frozen=True)
class Span(Gram):
    """Product of the sines of the principal angles; key = -det(I - C C^T)."""

    name: str = "span"

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Orthonormal basis of each item's vectors; dependent ones add nothing to the span."""
        side = orthonormal_side(z, present, volume_in_scale=False)
        return Side(side.vectors, torch.ones_like(side.scale), side.extra, side.independence)

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Minus the squared distance, in float64."""
        return -squared_sines(cross, queries, candidates)

    def similarity(self, queries: Tensor, candidates: Tensor, present: Tensor) -> Tensor:
        """Minus the distance, for learning; of dependent candidates' vectors that of the volume, which is 0."""
        squared, own = squared_volumes(queries, candidates, present)
        distance = safe_sqrt(squared / own.clamp(min=torch.finfo(own.dtype).eps))
        return -distance.log() if self.log else -distance
