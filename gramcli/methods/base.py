"""What an alignment method is made of, and the pieces most methods share.

A method turns each side's modality vectors into a `Side` once, and the score of a pair is then a
cheap function of the inner products of the two sides' vectors. Scores are ranked by a `key`: a
monotone version of the score where higher is always better, so that ranking knows no direction.

Each key comes in two forms. `keys` is the reference: float64, the same bits for a pair whatever
tile it is computed in. `compare_tile` is fast and in any dtype; `slack` bounds how far its
thresholds may be off, so that a pair is decided by it only when it is certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Unpack

import torch
from torch import Tensor

from gramcli.methods.batch import LossOptions

FusedKind = Literal["product", "volume", "secular"]
"""Epilogues that the GPU kernel of `gramcli.scoring.fused` knows, for one query vector: the key is the product; the
sum of squared products less the candidate's constant; the sign of pmrl's secular function."""


class Compare(Protocol):
    """Tells which keys of a tile [n, N] are above a threshold."""

    def __call__(self, threshold: Tensor) -> Tensor:
        """1 where the key is above the threshold (broadcastable to the tile), else 0, in the tile's dtype.

        Not bool: comparisons that write bool are not vectorised on CPUs and cost ten times as much.
        """

    def superset(self, threshold: Tensor) -> Tensor:
        """Like the call, but allowed to say 1 too often, where that is cheaper."""

    def at(self, i: Tensor, j: Tensor) -> Compare:
        """The same for chosen pairs of the tile, positions [K] each, as a tile [K, 1]."""


@dataclass(frozen=True)
class Side:
    """One side of the comparison, prepared once: k vectors and a few numbers per item.

    Attributes:
        vectors: What enters the cross products, entries in [-1, 1], shape [k, n, d], float64.
        scale: Factor of the key that this side carries alone, shape [n], float64; 1 where none. Never
            negative: a squared volume, or a power of two that keeps the vectors' digits.
        extra: Further per-item numbers of the method, shape [e, n], float64.
        independence: How far each item's own vectors are from linear dependence: the smallest distance of
            one, at unit length, to the span of those before it, shape [n], float64; 1 for a single vector
            and for methods that do not care. What counts as dependent depends on the dtype of the rows.
    """

    vectors: Tensor
    scale: Tensor
    extra: Tensor
    independence: Tensor

    def take(self, rows: Tensor) -> Side:
        """The same side restricted to `rows` (int64), repeated where they repeat."""
        return replace(
            self,
            vectors=self.vectors[:, rows],
            scale=self.scale[rows],
            extra=self.extra[:, rows],
            independence=self.independence[rows],
        )


@dataclass(frozen=True)
class ScreenSide:
    """A side as the fast pass sees it: vectors for the matrix product, constants for the epilogue.

    Attributes:
        vectors: Operand of the product, shape [k, n, d], float64 before rounding to the pass's dtype.
        constants: Per-item numbers of the epilogue, shape [e, n], float64.
    """

    vectors: Tensor
    constants: Tensor


@dataclass(frozen=True)
class TileError:
    """How far a tile's cross products can be from their float64 values.

    Attributes:
        product: Bound on the error of every entry of the product.
        query_scale: Largest `Side.scale` among the tile's queries.
        candidate_scale: Largest `Side.scale` among the tile's candidates.
        roundoff: Unit roundoff of the arithmetic the epilogue runs in.
        size: Largest product there can be: the product of the largest norms of both sides.
        reference: Bound on the error of the reference's own products, of the vectors of `Side` as they are.
    """

    product: float
    query_scale: float
    candidate_scale: float
    roundoff: float
    size: float
    reference: float

    @property
    def scale(self) -> float:
        """Largest factor any key of the tile carries."""
        return self.query_scale * self.candidate_scale


Family = Literal["product", "volume", "secular", "area"]
"""Formulas that `gramcli.scoring.compiled` knows: see there."""


@dataclass(frozen=True)
class Formula:
    """A measure of one vector q against p unit vectors m_k as a function of the raw products c_k = q.m_k, y = A c.

    Attributes:
        family: The key: y_1; |y|^2 - s; the largest root of l - 1 - sum y_k^2 / (l - mu_k), A orthogonal; that of
            `triangle`.
        weights: A, shape [K, p, N], float64; K <= p.
        constants: s [1, N], mu [p, N] rising, or m_1.m_2 [1, N]; [0, N] for the product.
        size: What |y|^2 is compared with, shape [N]: where the squares of A's row sums are many times that, rounding
            of the products is amplified, and the candidate is better scored in another way.
        multiplied: The products are not with the p vectors but with one: their elementwise product, brought to unit
            length.
    """

    family: Family
    weights: Tensor
    constants: Tensor
    size: Tensor
    multiplied: bool = False


class AlignmentMethod(Protocol):
    """One alignment measure: any number of query vectors against any number of candidate vectors.

    Attributes:
        name: As in the catalog.
        higher_is_better: Orientation of the score.
        temperature: The loss's own.
        temperature_learns: Whether a loss can be minimised over its temperature without losing its meaning.
        anchored: Whether the paper contrasts one modality, the anchor, with the others.
    """

    name: str
    higher_is_better: bool
    temperature: float
    temperature_learns: bool
    anchored: bool

    @property
    def fused_kind(self) -> FusedKind | None:
        """What `compare_tile` does for one query vector, where a GPU kernel can do the same; else None."""

    def check(self, r: int, p: int, d: int) -> None:
        """Refuse shapes the measure is not defined for.

        Raises:
            UserError: Too few or too many modalities, or d < r + p where the volume is always 0.
        """

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Prepare unit vectors [k, n, d] (float64, zero rows where not `present` [k, n])."""

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Reference keys from exact products: cross [r, p, n, N] -> [n, N], or [r, p, n] -> [n] row by row."""

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """The measure of one vector against p, for the compiled pass; None where it has no formula there.

        Args:
            gram: Inner products of each candidate's unit vectors, zero where absent, shape [p, p, N], float64.
            present: Which exist, shape [p, N], bool.
        """

    def screens(self, r: int, p: int) -> bool:
        """Whether the fast pass below exists for this split; without it every tile is a reference tile."""

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """The side as the fast pass needs it."""

    def tile_keys(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
        """Keys of a tile from its products [r, p, n, N] and constants [e, n, 1], [e, 1, N]; may overwrite cross."""

    def compare_tile(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Compare:
        """Like `tile_keys`, but only able to tell which keys are above a threshold; may overwrite cross."""

    def slack(self, error: TileError, r: int, p: int) -> float:
        """Bound on |tile key - reference key|, and on the shift of a threshold that `compare_tile` needs."""

    def score(self, keys: Tensor) -> Tensor:
        """The measure's value from its keys, any shape and dtype."""

    def ordered(self, keys: Tensor) -> Tensor:
        """Scores with higher always better, by correctly rounded operations only: what ranks compare exactly.

        Two keys may differ where their scores do not (the square root halves the digits that count).
        """

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """1 where a low-precision key has lost its relative accuracy and is worth computing again, else 0."""

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """What training minimises so that an item's modalities agree and differ from those of other items.

        Args:
            embeddings: Modality to unit rows [B, d]; row i of all is one item. Nothing is normalised here.
            **options: See `gramcli.methods.batch.LossOptions`.

        Returns:
            A scalar in float32 (float64 for float64 rows), under autocast too.

        Raises:
            UserError: Rows that do not fit, or an option the method has no use for.
        """


def spread(query_values: Tensor, candidate_values: Tensor, cross: Tensor) -> tuple[Tensor, Tensor]:
    """Shape per-item numbers [..., n] so that they broadcast against a tile or against matched pairs.

    Args:
        query_values: Numbers per query, shape [..., n].
        candidate_values: Numbers per candidate, shape [..., N] (or [..., n] for pairs).
        cross: Products, shape [r, p, n, N] for a tile, [r, p, n] for pairs.

    Returns:
        Shapes [..., n, 1] and [..., 1, N] for a tile; both unchanged for pairs.
    """
    if cross.dim() == 4:
        return query_values.unsqueeze(-1), candidate_values.unsqueeze(-2)
    return query_values, candidate_values


def greater(x: Tensor, y: Tensor) -> Tensor:
    """1 where x > y, else 0, in the dtype of x, shape of x."""
    out = torch.empty_like(x)
    return torch.gt(x, y, out=out)


@dataclass(frozen=True)
class Above:
    """Compare by the keys themselves, shape [n, N]."""

    keys: Tensor

    def __call__(self, threshold: Tensor) -> Tensor:
        """1 where the key is above the threshold."""
        return greater(self.keys, threshold)

    def superset(self, threshold: Tensor) -> Tensor:
        """The same: one comparison is as cheap as it gets."""
        return greater(self.keys, threshold)

    def at(self, i: Tensor, j: Tensor) -> Above:
        """The same for chosen pairs."""
        return Above(take_pairs(self.keys, i, j))


def take_pairs(tile: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Values of chosen pairs of a tile [n, N], shape [K, 1]; several times as fast as `tile[i, j]`."""
    return tile.flatten().index_select(0, i * tile.shape[1] + j).unsqueeze(-1)


def ones(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of the ones of a 0/1 tile; looks at eight entries at a time, since they are few."""
    width = mask.shape[1]
    small = mask.to(torch.uint8).flatten()
    if small.numel() % 8:
        where = small.nonzero().flatten()
    else:
        word = small.view(torch.int64).nonzero().flatten()
        hit = small.view(-1, 8)[word].nonzero()
        where = word[hit[:, 0]] * 8 + hit[:, 1]
    row = where.div(width, rounding_mode="floor")
    return row, where - row * width


def take_constants(constants: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Constants [e, n, 1] or [e, 1, N] of chosen pairs of the tile, shape [e, K, 1]."""
    row, column = (place if size > 1 else 0 * place for place, size in zip((i, j), constants.shape[1:], strict=True))
    return constants[:, row, column].unsqueeze(-1)


def plain_side(vectors: Tensor, extra: Tensor | None = None) -> Side:
    """A side without scale, whose own vectors may be dependent without harm."""
    n = vectors.shape[1]
    ones = torch.ones(n, dtype=torch.float64, device=vectors.device)
    return Side(vectors, ones, vectors.new_zeros(0, n) if extra is None else extra, ones)
