"""Distance from the query to the span of the candidate's modalities: GRAM without the sides' own volumes.

Formula: sqrt(det(I - C C^T)); one query vector q: |q - proj_span(M) q|. Lower is better; range [0, 1]; any
split of 2 or more modalities with m <= d.

Why: vol(q, M) = vol(M) dist(q, span M). The factor vol(M) says how well the candidate's modalities agree
with each other, not with the query; it makes near-collinear candidates hubs for every query.

Option `ridge=l`: the sine of the angle between q and P q, P = A (A^T A + l I)^-1 A^T with the candidate's vectors as
columns of A, one vector against any number. OVA-IB scores by cos(q, P q), so by sqrt(1 - score^2): the same order. A
direction that the candidate's vectors hardly differ in counts less; l = 0 is the distance to the span, l of infinity
the angle with A A^T q. Two vectors have the same score whatever l. It has no fast pass: ranks are as exact, but slower.

Loss: as gram's, with the distance in place of the volume.

Trap: the larger the candidate's span, the closer every query: do not compare across numbers of modalities.

Source: the volume of Cicchetti et al., arXiv:2412.11959, eq. 4, over the volumes of its two sides; the cosines of
principal angles as singular values of Q_A^T Q_B: Björck and Golub, Numerical Methods for Computing Angles
Between Linear Subspaces, Math. Comp. 27 (1973), 579-594. As a score, with the ridge: Li et al., OVA-IB: One vs All
Information Bottleneck for Multi-Modal Alignment, arXiv:2605.29900 (its loss has a second term, which is not here).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.angles import orthonormal_side, squared_sines, volume_formula
from gramcli.methods.base import Formula, FusedKind, Side, spread
from gramcli.methods.gram import Gram
from gramcli.methods.ridge import principal_side, spread_out
from gramcli.methods.volumes import ridge_cosines, safe_sqrt, squared_volumes


@dataclass(frozen=True)
class Span(Gram):
    """Product of the sines of the principal angles; key = -det(I - C C^T).

    Attributes:
        ridge: Of the projection, at least 0; above 0 for one vector against any number.
    """

    name: str = "span"
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.ridge < math.inf:
            raise UserError("usage", f"span needs ridge >= 0 and finite; got {self.ridge}.")

    @property
    def fused_kind(self) -> FusedKind | None:
        """As gram's; none with a ridge."""
        return None if self.ridge else super().fused_kind

    def check(self, r: int, p: int, d: int) -> None:
        """Refuse d < r + p; with a ridge also several vectors on both sides, which no projection is defined for."""
        super().check(r, p, d)
        if self.ridge and min(r, p) > 1:
            raise UserError(
                "usage",
                f"span with a ridge sets one modality against others; got {r} against {p}. Leave the ridge out.",
            )

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """As gram's without the candidate's volume; none with a ridge."""
        return None if self.ridge else volume_formula(gram, present, volume_in_scale=False)

    def screens(self, r: int, p: int) -> bool:
        """As gram's; not with a ridge, whose rounding no bound of use is known for."""
        return not self.ridge and super().screens(r, p)

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Orthonormal basis of each item's vectors; dependent ones add nothing to the span."""
        if self.ridge:
            directions, weights, independence = principal_side(z, present, self.ridge)
            return Side(directions, torch.ones_like(independence), weights, independence)
        side = orthonormal_side(z, present, volume_in_scale=False)
        return Side(side.vectors, torch.ones_like(side.scale), side.extra, side.independence)

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Minus the squared distance, in float64."""
        squared = squared_sines(cross, queries, candidates)
        if not self.ridge:
            return -squared
        one = cross.shape[0] == 1
        weights = spread(queries.extra, candidates.extra, cross)[1 if one else 0]
        squares = (cross[0] if one else cross[:, 0]).square()
        return -(squared + spread_out(squares, weights)).clamp(max=1.0)

    def similarity(self, queries: Tensor, candidates: Tensor, present: Tensor) -> Tensor:
        """Minus the distance, for learning; of dependent candidates' vectors that of the volume, which is 0."""
        if self.ridge:
            distance = safe_sqrt(1.0 - ridge_cosines(queries, candidates, self.ridge))
        else:
            squared, own = squared_volumes(queries, candidates, present)
            distance = safe_sqrt(squared / own.clamp(min=torch.finfo(own.dtype).eps))
        return -distance.log() if self.log else -distance
