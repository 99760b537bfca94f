"""TRIANGLE: the area of the triangle whose corners are three modality vectors.

Formula: A = 1/2 sqrt(|u|^2 |w|^2 - (u.w)^2) with u = t - v, w = t - a. Lower is better aligned; range
[0, 3 sqrt(3) / 4] for unit vectors. Exactly three modalities, split 1 + 2 or 2 + 1.

Traps: 0 whenever two of the three agree, whatever the third, or when the tips are collinear. The
authors' code returns (|u|^2 |w|^2 - (u.w)^2) / 2 = 2 A^2: same order, another scale; `squared=true` gives it.

Loss: InfoNCE in both directions with logits -A / T, as gram's; items that lack a modality take no part. The authors'
loss is that of `squared=true`, with no gradient to the gathered side (`detach_gathered=True`).

Source: Cicchetti et al., A TRIANGLE Enables Multimodal Alignment Beyond Cosine Similarity, NeurIPS 2025,
arXiv:2509.24734; code ispamm/TRIANGLE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import (
    Above,
    Compare,
    Formula,
    FusedKind,
    ScreenSide,
    Side,
    TileError,
    greater,
    plain_side,
    spread,
)
from gramcli.methods.batch import LossOptions, anchors, read_batch
from gramcli.methods.contrast import OPTIONS, TEMPERATURE, contrast
from gramcli.methods.linalg import DEPENDENT, square_root, tree_sum
from gramcli.methods.volumes import safe_sqrt

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAT = 2.0**-7


@dataclass(frozen=True)
class Triangle:
    """Triangle area; key = -(2 A)^2.

    Attributes:
        squared: Give 2 A^2, the number the authors' code computes.
    """

    squared: bool = False
    name: str = "triangle"
    higher_is_better: bool = False
    temperature = TEMPERATURE
    temperature_learns = True
    anchored = True

    @property
    def fused_kind(self) -> FusedKind | None:
        """None: no kernel."""
        return None

    def check(self, r: int, p: int, d: int) -> None:
        """Refuse all but three modalities."""
        if r + p != 3:
            raise UserError("embedding", f"triangle takes exactly 3 modalities; got {r + p}. Use gram, span or pmrl.")

    def side(self, z: Tensor, present: Tensor) -> Side:
        """The vectors, and for two of them their inner product."""
        if not bool(present.all()) or bool((z == 0).all(dim=-1).any()):  # zero rows: absent ones scored as zero
            raise UserError("embedding", "triangle is not defined with an absent modality: use --missing drop.")
        own = tree_sum(z[0] * z[1]).unsqueeze(0) if z.shape[0] == 2 else None
        side = plain_side(z, own)
        if z.shape[0] == 1:
            return side
        apart = z[0] - z[1]
        return Side(side.vectors, side.scale, side.extra, square_root(tree_sum(apart * apart)))

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Minus four times the squared area, in float64; from the edge vectors where it is small."""
        query_own, candidate_own = spread(queries.extra, candidates.extra, cross)
        xy, xz = cross.flatten(0, 1)
        area = _four_squared_areas(xy, xz, (query_own if len(query_own) else candidate_own)[0])
        where = (area < _FLAT).nonzero(as_tuple=True)
        if where[0].numel():
            pair = queries.vectors[:, where[0]], candidates.vectors[:, where[-1]]
            (x,), (y, z) = pair if pair[0].shape[0] == 1 else pair[::-1]
            area[where] = _from_edges(x - y, x - z)
        return -area

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """Edges from the products, whichever side has two vectors."""
        return Formula("area", gram.new_zeros(0, *gram.shape[1:]), gram[0, 1:2], torch.ones_like(gram[0, 0]))

    def screens(self, r: int, p: int) -> bool:
        """Always: a polynomial of two products."""
        return True

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """The vectors and their own product."""
        return ScreenSide(side.vectors, side.extra)

    def tile_keys(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
        """Minus four times the squared area, in the tile's dtype."""
        xy, xz = cross.flatten(0, 1)
        return -_four_squared_areas(xy, xz, (queries if len(queries) else candidates)[0])

    def compare_tile(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Compare:
        """Compare the keys with the threshold."""
        return Above(self.tile_keys(cross, queries, candidates))

    def slack(self, error: TileError, r: int, p: int) -> float:
        """|u|^2, |w|^2 and |u.w| are at most 4 and move by at most 2e each, e the tile's plus the reference's.

        So |u|^2 |w|^2 moves by at most 16 e + 4 e^2, and (u.w)^2 by the same; rounding adds below 256 roundoffs.
        """
        e = error.product + error.reference
        return 32 * e + 8 * e * e + 256 * error.roundoff

    def score(self, keys: Tensor) -> Tensor:
        """The area, or twice its square."""
        four_squared = (-keys).clamp(min=0.0).abs()  # 0.0, never -0.0
        return four_squared / 2 if self.squared else square_root(four_squared) / 2

    def ordered(self, keys: Tensor) -> Tensor:
        """Minus the score."""
        return -self.score(keys)

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """Where the difference of products has lost digits."""
        return greater(keys, torch.full((), -_FLAT, dtype=keys.dtype, device=keys.device))

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """InfoNCE of minus the area (or minus twice its square)."""
        batch = read_batch(self.name, embeddings, options, OPTIONS)
        self.check(1, len(batch.names) - 1, batch.vectors.shape[-1])
        parts = [(a, [k for k in range(3) if k != a]) for a in anchors(batch, options)]
        with batch.full_precision():
            return contrast(batch, self.similarity, parts, options, lambda present: present.all(dim=0))

    def similarity(self, queries: Tensor, candidates: Tensor, present: Tensor) -> Tensor:
        """Minus the area, for learning.

        Args:
            queries: Shape [n, d].
            candidates: Shape [2, N, d].
            present: All of them, shape [2, N].

        Returns:
            Shape [n, N].
        """
        four_squared = _areas_of_any(queries, candidates[0], candidates[1])
        twice: Tensor = four_squared if self.squared else safe_sqrt(four_squared)
        return -twice / 2


def _areas_of_any(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """|u|^2 |w|^2 - (u.w)^2 for u = x - y, w = x - z, of every x [n, d] with every pair y, z [N, d]; [n, N]."""
    xx, yy, zz = (torch.linalg.vecdot(one, one) for one in (x, y, z))
    xy, xz, yz = x @ y.T, x @ z.T, torch.linalg.vecdot(y, z)
    own = xx.unsqueeze(1)
    along = own - xy - xz + yz
    area: Tensor = (own - 2.0 * xy + yy) * (own - 2.0 * xz + zz) - along * along
    return area


def _four_squared_areas(xy: Tensor, xz: Tensor, yz: Tensor) -> Tensor:
    """|u|^2 |w|^2 - (u.w)^2 for u = x - y, w = x - z and unit x, y, z."""
    uw = 1.0 - xy - xz + yz
    edges = (2.0 - 2.0 * xy) * (2.0 - 2.0 * xz)
    return edges - uw * uw


def _from_edges(u: Tensor, w: Tensor) -> Tensor:
    """The same from the edge vectors [n, d]: no cancellation between numbers near 1."""
    uu = tree_sum(u * u)
    along = tree_sum(u * w) / torch.where(uu > 0, uu, 1.0)
    across = w - along.unsqueeze(-1) * u
    across_squared = tree_sum(across * across)
    collapsed = (square_root(uu) < DEPENDENT) | (square_root(across_squared) < DEPENDENT)
    return torch.where(collapsed, 0.0, uu * across_squared)
