"""The shared form of measures whose key is one inner product per pair: cosine, centroid, symile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gramcli.methods.base import Above, Compare, Formula, FusedKind, ScreenSide, Side, TileError
from gramcli.methods.contrast import TEMPERATURE

if TYPE_CHECKING:
    from torch import Tensor

_TINY = 1e-32  # above what 10^5 terms below float32's normal range add up to: such keys are all alike to the fast pass


def product_formula(weights: Tensor, *, multiplied: bool = False) -> Formula:
    """The formula of a weighted sum of products, weights [1, p, N]."""
    return Formula(
        "product", weights, weights.new_zeros(0, weights.shape[2]), torch.ones_like(weights[0, 0]), multiplied
    )


class InnerProduct:
    """Key = q.w with |q|, |w| <= 1; higher is better. Methods differ only in how a side makes its vector.

    However small |q| and |w| are, the fast pass is as good relative to |q| |w| as it is for unit vectors.
    """

    higher_is_better = True
    temperature = TEMPERATURE
    temperature_learns = True
    anchored = True

    @property
    def fused_kind(self) -> FusedKind | None:
        """The product itself."""
        return "product"

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Reference keys: the exact products themselves."""
        return cross[0, 0]

    def screens(self, r: int, p: int) -> bool:
        """Always: one product per pair."""
        return True

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """The vectors as they are."""
        return ScreenSide(side.vectors, side.extra[:0])

    def tile_keys(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
        """The product is the key."""
        return cross[0, 0]

    def compare_tile(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Compare:
        """Compare the products with the threshold."""
        return Above(self.tile_keys(cross, queries, candidates))

    def slack(self, error: TileError, r: int, p: int) -> float:
        """The product's own error, the reference's, and rounding of a threshold.

        Keys are at most |q| |w| =: s. A threshold beyond s is rounded by more than 4 roundoffs of s, but
        rounding is monotone: it stays beyond s + slack, as it should.
        """
        return error.product + 4 * error.roundoff * error.size + error.scale * error.reference + _TINY

    def score(self, keys: Tensor) -> Tensor:
        """The key is the score."""
        return keys

    def ordered(self, keys: Tensor) -> Tensor:
        """The key is the score, and higher is better."""
        return keys

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """Never: the error is absolute."""
        return None
