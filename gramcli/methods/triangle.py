"""TRIANGLE: the area of the triangle whose corners are three modality vectors.

Formula: A = 1/2 sqrt(|u|^2 |w|^2 - (u.w)^2) with u = t - v, w = t - a. Lower is better aligned; range
[0, 3 sqrt(3) / 4] for unit vectors. Exactly three modalities, split 1 + 2 or 2 + 1.

Traps: 0 whenever two of the three agree, whatever the third, or when the tips are collinear. The
authors' code returns (|u|^2 |w|^2 - (u.w)^2) / 2 = 2 A^2: same order, another scale; `squared=true` gives it.

Source: Cicchetti et al., A TRIANGLE Enables Multimodal Alignment Beyond Cosine Similarity, NeurIPS 2025,
arXiv:2509.24734; code ispamm/TRIANGLE.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import Above, Compare, FusedKind, ScreenSide, Side, TileError, greater, plain_side, spread
from gramcli.methods.linalg import DEPENDENT, tree_sum

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
        return Side(side.vectors, side.scale, side.extra, tree_sum(apart * apart).sqrt())

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
        return four_squared / 2 if self.squared else four_squared.sqrt() / 2

    def ordered(self, keys: Tensor) -> Tensor:
        """Minus the score."""
        return -self.score(keys)

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """Where the difference of products has lost digits."""
        return greater(keys, torch.full((), -_FLAT, dtype=keys.dtype, device=keys.device))


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
    collapsed = (uu.sqrt() < DEPENDENT) | (across_squared.sqrt() < DEPENDENT)
    return torch.where(collapsed, 0.0, uu * across_squared)
