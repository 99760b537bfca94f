"""GRAM: the volume of the parallelotope spanned by the modality vectors of query and candidate.

Formula: vol^2 = det G(q, m_1 .. m_p) = det G_Q det G_M det(I - C C^T); one query vector:
vol^2 = det G_M (1 - |c|^2). Lower is better aligned; range [0, 1] for unit vectors: 0 linearly
dependent, 1 orthogonal. Any split of 2 or more modalities with m <= d. Option `log=true`: log-volume.

Traps: the sign of a vector does not matter, so vol(t, v) = vol(-t, v); the factor det G_M makes a
candidate whose own modalities nearly agree small for EVERY query (see `span`); volumes of different
numbers of modalities are not on one scale.

Loss: InfoNCE in both directions with logits -vol / T, anchor against all other modalities; without an anchor the mean
over all. T = 0.07 (it may learn), label smoothing 0.1. The authors' code lets no gradient flow to the gathered side,
on one GPU too: `detach_gathered=True` does the same, plain autograd is our default.

Note: the paper's code takes sqrt(|det G|) in float32, about 3.8 times too large once vectors agree to
1e-4 and 362 times at 1e-5; here the factors come from a QR in float64.

Source: Cicchetti et al., Gramian Multimodal Representation Learning and Alignment, arXiv:2412.11959, eq. 4, 8, 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from gramcli.methods.angles import (
    LARGEST_SCREENED,
    check_volume,
    orthonormal_side,
    sine_slack,
    squared_sines,
    tile_squared_sines,
    volume_formula,
)
from gramcli.methods.base import Above, Compare, Formula, FusedKind, ScreenSide, Side, TileError, greater, spread
from gramcli.methods.batch import LossOptions, read_batch
from gramcli.methods.contrast import OPTIONS, TEMPERATURE, info_nce
from gramcli.methods.linalg import square_root
from gramcli.methods.volumes import safe_sqrt, squared_volumes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_SMALL = 2.0**-7
_TINY = 1e-36  # keys below float32's normal range are all alike to the fast pass


@dataclass(frozen=True)
class Gram:
    """Volume; key = -vol^2.

    Attributes:
        log: Give the natural logarithm of the volume instead (-inf at 0); the order is the same.
    """

    log: bool = False
    name: str = "gram"
    higher_is_better: bool = False
    temperature = TEMPERATURE
    temperature_learns = True
    anchored = True

    @property
    def fused_kind(self) -> FusedKind | None:
        """Squared products less the candidate's scale."""
        return "volume"

    def check(self, r: int, p: int, d: int) -> None:
        """Refuse d < r + p, where every volume is 0."""
        check_volume(self.name, r, p, d)

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Orthonormal basis and squared volume of each item's own vectors."""
        return orthonormal_side(z, present, volume_in_scale=True)

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Minus the squared volume, in float64."""
        own_query, own_candidate = spread(queries.scale, candidates.scale, cross)
        return -(own_query * own_candidate * squared_sines(cross, queries, candidates))

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """Squared components of the query along the candidate's basis, less all of it."""
        return volume_formula(gram, present, volume_in_scale=True)

    def screens(self, r: int, p: int) -> bool:
        """Where the smaller side has at most 4 modalities."""
        return min(r, p) <= LARGEST_SCREENED

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """One vector against several: the scale rides on the vectors, and the key is |c|^2 - scale."""
        if min(r, p) > 1:
            return ScreenSide(side.vectors, side.scale.unsqueeze(0))
        return ScreenSide(side.vectors * side.scale.sqrt().unsqueeze(-1), side.scale.unsqueeze(0))

    def tile_keys(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
        """Minus the squared volume, in the tile's dtype."""
        if min(cross.shape[:2]) > 1:
            return tile_squared_sines(cross).mul_(queries[0]).mul_(candidates[0]).neg_()
        products = cross.flatten(0, 1)
        keys = products[0].square_()
        for product in products[1:]:
            keys.addcmul_(product, product)
        return keys.sub_(queries[0] * candidates[0] if cross.shape[0] > 1 else candidates[0])

    def compare_tile(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Compare:
        """Compare the keys with the threshold."""
        return Above(self.tile_keys(cross, queries, candidates))

    def slack(self, error: TileError, r: int, p: int) -> float:
        """Error of det(I - C C^T), times the largest scale, plus rounding of constants and threshold.

        The reference's C is of the unit vectors too and differs from the exact one by its own error, which adds.

        Where the scale s rides on the vectors, |c| <= sqrt(s): dividing product and error by sqrt(s) gives
        the case of unit vectors, whose bound is then multiplied by s.
        """
        product = error.product / max(error.scale, _TINY) ** 0.5 if min(r, p) == 1 else error.product
        relative = sine_slack(product + error.reference, error.roundoff, r, p) + 8 * error.roundoff
        return error.scale * relative + _TINY

    def score(self, keys: Tensor) -> Tensor:
        """Volume, or its logarithm."""
        squared = (-keys).clamp_(min=0.0).abs_()  # the sign of a zero: 0.0 has no business as -0.0
        return squared.log_().div_(2) if self.log else squared.sqrt_()

    def ordered(self, keys: Tensor) -> Tensor:
        """Minus the volume; of its logarithm too, whose last digit differs between implementations."""
        return -square_root((-keys).clamp(min=0.0))

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """Where query and span nearly meet, 1 - |c|^2 has lost digits."""
        return greater(keys, -_SMALL * scale)

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """InfoNCE of minus the volume (or minus its logarithm)."""
        batch = read_batch(self.name, embeddings, options, OPTIONS)
        self.check(1, len(batch.names) - 1, batch.vectors.shape[-1])
        with batch.full_precision():
            return info_nce(batch, self.similarity, options)

    def similarity(self, queries: Tensor, candidates: Tensor, present: Tensor) -> Tensor:
        """Minus the volume, for learning.

        Args:
            queries: Shape [n, d].
            candidates: Zero rows where absent, shape [p, N, d].
            present: Shape [p, N], bool.

        Returns:
            Shape [n, N].
        """
        volume = safe_sqrt(squared_volumes(queries, candidates, present)[0])
        return -volume.log() if self.log else -volume
