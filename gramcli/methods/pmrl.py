"""PMRL: the leading singular value of the matrix whose columns are all modality vectors of a pair.

Formula: sigma_1 of [q_1 .. q_r m_1 .. m_p] = sqrt of the largest eigenvalue of its m x m Gram matrix. Higher
is better aligned; range [1, sqrt(m)]: sqrt(m) when all vectors agree (the Gram matrix has rank 1). Any split.

Options: `value=share` gives sigma_1^2 / sum sigma^2 in (0, 1]; `value=softmax` gives the probability
exp(sigma_1 / tau) / sum exp(sigma / tau) that the paper's loss maximises, at temperature `tau`.

Loss: mean_i CE(sigma^i / tau1; the leading one) + mean_i CE(u_i . u_j / tau2 over j; i). The first makes each item's
vectors agree (it needs no negatives and no anchor), the second keeps the items' leading directions u apart. tau1 =
0.05 when fine-tuning, 0.01 in pre-training, tau2 = 0.1. The sign of u is arbitrary in an SVD and changes the second
term: here the sum of its loadings on the modalities is positive. The authors' code takes the sign LAPACK returns,
about half of them against the text, so its values cannot be reproduced elsewhere. Under torch.distributed the second
term contrasts with the items of all ranks, where the authors' contrasts with the rank's own.

Traps: candidates whose own modalities agree have sigma_1 >= sqrt(2) for every query (hubs); the papers'
evaluator never ranks with sigma_1 but with cosines and a re-ranking head; the paper says eigenvalue for
what is a singular value.

How: with one query vector and G_M = U diag(mu) U^T, c = U^T M q, the largest eigenvalue is the largest root of
f(l) = l - 1 - sum_k c_k^2 / (l - mu_k), which increases beyond the largest mu. So sigma_1^2 > L is the sign of
f(L): ranking needs no root. In general the sign is that of the Schur complement of L I - G.

Source: Liu et al., Principled Multimodal Representation Learning, arXiv:2507.17343, eq. 8 to 10 and 12 to 14.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Unpack, get_args

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import (
    Compare,
    Formula,
    FusedKind,
    ScreenSide,
    Side,
    TileError,
    greater,
    spread,
    take_constants,
    take_pairs,
)
from gramcli.methods.batch import LossOptions, gather, items, read_batch
from gramcli.methods.contrast import cross_entropy, temperature_of
from gramcli.methods.linalg import orthonormalise, reproducible_exp, square_root, symmetric_eigenvalues, tree_sum
from gramcli.methods.singular import leading

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = Literal["sigma", "share", "softmax"]

_GUARDS = {torch.float32: (1e-25, 1e-30), torch.float64: (1e-60, 1e-80)}
"""A number added to c^2 and the least L - mu: 0 / 0 becomes huge where L <= mu, and 0 / (L - mu) stays below L - 1
for every L - mu of at least a slack, which is about 1e-4 in float32 and 1e-13 in float64."""

_TILE_SWEEPS = 6


@dataclass(frozen=True)
class Pmrl:
    """Leading singular value; key = sigma_1^2 (or the share, or the softmax probability).

    Attributes:
        value: `sigma`, `share` or `softmax`.
        tau: Temperature of the softmax; the paper trains with 0.05 to 0.1.
    """

    value: Value = "sigma"
    tau: float = 0.1
    name: str = "pmrl"
    higher_is_better: bool = True
    temperature = 0.05
    temperature_learns = False
    anchored = False

    def __post_init__(self) -> None:
        if self.value not in get_args(Value):
            raise UserError("usage", f"pmrl has no value '{self.value}'. Known: {', '.join(get_args(Value))}.")
        if not 0 < self.tau < math.inf:
            raise UserError("usage", f"pmrl needs tau > 0 and finite; got {self.tau}.")

    @property
    def fused_kind(self) -> FusedKind | None:
        """The secular test, where thresholds are of sigma_1^2 itself."""
        return "secular" if self.value == "sigma" else None

    def check(self, r: int, p: int, d: int) -> None:
        """Every split is accepted."""

    def side(self, z: Tensor, present: Tensor) -> Side:
        """The vectors themselves, their Gram matrix (k * k rows of extra) and which are present (k rows)."""
        k, n, _ = z.shape
        gram = torch.ones(k, k, n, dtype=torch.float64, device=z.device)
        for a in range(k):
            # Left out, a vector is a unit on the diagonal; counted as a zero vector, it is a zero there.
            gram[a, a] = (~present[a] | (z[a] != 0).any(dim=-1)).to(torch.float64)
            for b in range(a):
                gram[a, b] = gram[b, a] = tree_sum(z[a] * z[b])
        extra = torch.cat([gram.flatten(0, 1), present.to(torch.float64)])
        return Side(z, torch.ones_like(extra[0]), extra, orthonormalise(z, present)[1].amin(dim=0))

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """Eigenvalues of every pair's Gram matrix by Jacobi rotations in float64."""
        r, p = cross.shape[:2]
        query_extra, candidate_extra = spread(queries.extra, candidates.extra, cross)
        query_block = query_extra[: r * r].reshape(r, r, *query_extra.shape[1:])
        candidate_block = candidate_extra[: p * p].reshape(p, p, *candidate_extra.shape[1:])
        eigenvalues = symmetric_eigenvalues(_bordered(query_block, candidate_block, cross))
        leading = eigenvalues.amax(dim=0)
        if self.value == "sigma":
            return leading
        if self.value == "share":
            return leading / sum(spread(_trace(queries.extra, r), _trace(candidates.extra, p), cross))
        here = [*query_extra[r * r :], *candidate_extra[p * p :]]
        sigma = square_root(eigenvalues.clamp(min=0.0))
        weights = reproducible_exp(((sigma - square_root(leading)) / self.tau).clamp(min=-700.0))
        return 1.0 / _total([weight * mask for weight, mask in zip(weights, here, strict=True)], leading)

    def formula(self, gram: Tensor, present: Tensor) -> Formula | None:
        """The secular function of each candidate's own eigenvalues, for sigma_1 itself."""
        if self.value != "sigma":
            return None
        own = gram.permute(2, 0, 1) + torch.diag_embed((~present).T.to(gram.dtype))
        mu, u = torch.linalg.eigh(own)
        return Formula("secular", u.permute(2, 1, 0).contiguous(), mu.T.contiguous(), torch.ones_like(mu[:, 0]))

    def screens(self, r: int, p: int) -> bool:
        """Not for the softmax probability, which is no function of sigma_1 alone."""
        return self.value != "softmax"

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """Rotate each item's vectors to the eigenvectors of its own Gram matrix."""
        k = side.vectors.shape[0]
        mu, u = torch.linalg.eigh(side.extra[: k * k].reshape(k, k, -1).permute(2, 0, 1))
        vectors = torch.einsum("nka,knd->and", u, side.vectors)
        return ScreenSide(vectors, torch.cat([mu.T, _trace(side.extra, k).unsqueeze(0)]))

    def tile_keys(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
        """The largest eigenvalue of each pair's bordered diagonal matrix, in the tile's dtype."""
        matrix = _bordered(_diagonal(queries[:-1]), _diagonal(candidates[:-1]), cross)
        leading = symmetric_eigenvalues(matrix, _TILE_SWEEPS).amax(dim=0)
        return leading / (queries[-1] + candidates[-1]) if self.value == "share" else leading

    def compare_tile(self, cross: Tensor, queries: Tensor, candidates: Tensor) -> Compare:
        """Sign of the Schur complement of L I - G at the threshold."""
        if cross.shape[0] <= cross.shape[1]:
            small, large = queries, candidates
        else:
            small, large, cross = candidates, queries, cross.transpose(0, 1)
        share = self.value == "share"
        if cross.shape[0] == 1:
            squares = cross[0].square_().add_(_GUARDS[cross.dtype][0])
            return Secular(squares, squares.sum(dim=0), small, large, share)
        return Schur(cross, small, large, share)

    def slack(self, error: TileError, r: int, p: int) -> float:
        """Weyl: an error E of the cross block moves every eigenvalue by at most |E| <= sqrt(rp) e.

        Here e is the tile's error plus the reference's.

        Rounding in the sums of positive terms, in the elimination and in the Jacobi rotations is a
        backward error: the exact answer for a matrix whose entries moved by a few roundoffs of its norm
        m. 128 m^2 roundoffs cover 6 sweeps of m (m - 1) / 2 rotations of 6 m roundoffs each.
        """
        m = r + p
        return float((r * p) ** 0.5 * (error.product + error.reference) + 128 * m * m * error.roundoff)

    def score(self, keys: Tensor) -> Tensor:
        """sigma_1, or the share or probability as it is."""
        return square_root(keys.clamp(min=0.0)) if self.value == "sigma" else keys

    def ordered(self, keys: Tensor) -> Tensor:
        """The score itself."""
        return self.score(keys)

    def fragile(self, keys: Tensor, scale: Tensor) -> Tensor | None:
        """Never: sigma_1 >= 1."""
        return None

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """Alignment term plus regulariser; `temperature` is tau1, `regulariser_temperature` tau2."""
        batch = read_batch(self.name, embeddings, options, ("regulariser_temperature",))
        tau1 = temperature_of(options, self.temperature)
        tau2 = temperature_of({"temperature": options.get("regulariser_temperature")}, 0.1)
        some = batch.present.any(dim=0)
        with batch.full_precision():
            sigma, u = leading(items(batch.vectors, some).transpose(0, 1))
            whole = u
            if len(u) < len(some):
                whole = torch.zeros_like(batch.vectors[0]).index_put((some.nonzero().squeeze(1),), u)
            world = gather(
                whole.unsqueeze(0), some.unsqueeze(0), batch.groups, detach=bool(options.get("detach_gathered"))
            )
            can = world.present[0]
            if not bool(can.any()):
                return batch.vectors.sum() * 0.0
            first = int(can[: world.start].sum())
            rows = torch.arange(first, first + len(u), device=can.device)
            apart = directions_loss(u, items(world.vectors, can)[0], rows, world.groups[can], tau2)
            total = (alignment_loss(sigma, batch.present[:, some].sum(dim=0), tau1) + apart).sum()
            return total * (world.ranks / int(can.sum()))


def alignment_loss(sigma: Tensor, count: Tensor, temperature: float | Tensor) -> Tensor:
    """Cross-entropy of the softmax over each item's singular values, the leading one being right (eq. 12).

    Args:
        sigma: Singular values, largest first, shape [n, m].
        count: How many modalities each item has, shape [n]: further values are those of absent ones.
        temperature: tau1.

    Returns:
        Shape [n].
    """
    beyond = torch.arange(sigma.shape[1], device=sigma.device) >= count.unsqueeze(1)
    logits = sigma / temperature
    return logits.masked_fill(beyond, -math.inf).logsumexp(dim=1) - logits[:, 0]


def directions_loss(
    u: Tensor, everyone: Tensor, own: Tensor, groups: Tensor, temperature: float | Tensor = 0.1
) -> Tensor:
    """Cross-entropy of each leading direction with all of them, its own being right (eq. 14).

    Args:
        u: Directions, shape [n, d].
        everyone: Directions of all items, shape [N, d].
        own: Which of them is each row's own, shape [n].
        groups: Shape [N]; items of one group are not told apart.
        temperature: tau2.

    Returns:
        Shape [n].
    """
    return cross_entropy(u @ everyone.T / temperature, own, groups)


def _trace(extra: Tensor, k: int) -> Tensor:
    """Sum of the squared lengths of the vectors that count, shape [n], from a side's extra [k * k + k, n]."""
    total = torch.zeros_like(extra[0])
    for a in range(k):
        total = total + extra[a * k + a] * extra[k * k + a]
    return total


def _total(terms: list[Tensor], like: Tensor) -> Tensor:
    total = torch.zeros_like(like)
    for term in terms:
        total = total + term
    return total


def _diagonal(values: Tensor) -> Tensor:
    """Planes [k, ...] -> [k, k, ...] with the values on the diagonal."""
    k = values.shape[0]
    out = values.new_zeros(k, *values.shape)
    for a in range(k):
        out[a, a] = values[a]
    return out


def _bordered(query_block: Tensor, candidate_block: Tensor, cross: Tensor) -> Tensor:
    """The Gram matrix [m, m, ...] of each pair from its two blocks and the cross products."""
    r, p = cross.shape[:2]
    matrix = cross.new_empty(r + p, r + p, *cross.shape[2:])
    matrix[:r, :r], matrix[r:, r:] = query_block, candidate_block
    matrix[:r, r:], matrix[r:, :r] = cross, cross.transpose(0, 1)
    return matrix


@dataclass(frozen=True)
class Secular:
    """One vector against p: sigma_1^2 > L where sum_k c_k^2 / (L - mu_k) > L - 1.

    Attributes:
        squares: c_k^2 and the guard's least number, shape [p, n, N].
        total: Their sum over k, shape [n, N].
        small: Constants of the single side, [1 + 1, n, 1] or [1 + 1, 1, N]; the last is how many are present.
        large: mu and the number present of the other side, [p + 1, ...].
        share: Thresholds are of sigma_1^2 / sum sigma^2.
    """

    squares: Tensor
    total: Tensor
    small: Tensor
    large: Tensor
    share: bool

    def __call__(self, threshold: Tensor) -> Tensor:
        """1 where the key is above the threshold."""
        level = threshold * (self.small[-1] + self.large[-1]) if self.share else threshold
        least = _GUARDS[self.total.dtype][1]
        total = torch.zeros_like(self.total)
        for square, mu in zip(self.squares, self.large, strict=False):
            total.addcdiv_(square, (level - mu).clamp_(min=least))
        total.gt_(level - self.small[0])
        return total

    def superset(self, threshold: Tensor) -> Tensor:
        """1 where sum_k c_k^2 > (L - 1)(L - largest mu), as it must be where sigma_1^2 > L > mu."""
        level = threshold * (self.small[-1] + self.large[-1]) if self.share else threshold
        rise = level - self.small[0]
        m = len(self.large) + 1
        margin = 64 * m * m * torch.finfo(self.total.dtype).eps  # rounding of terms of size m^2 below
        largest = self.large[:-1].amax(dim=0)
        needed = (level * rise - margin) - rise.clamp(min=0.0) * largest
        return greater(self.total, needed)

    def at(self, i: Tensor, j: Tensor) -> Secular:
        """The same for chosen pairs."""
        small, large = take_constants(self.small, i, j), take_constants(self.large, i, j)
        chosen = torch.stack([take_pairs(square, i, j) for square in self.squares])
        return Secular(chosen, take_pairs(self.total, i, j), small, large, self.share)


@dataclass(frozen=True)
class Schur:
    """s vectors against p >= s: (L - D) - C (L - M)^-1 C^T has a negative pivot, or L lies below some mu.

    Attributes:
        cross: C, shape [s, p, n, N].
        small: D and the number present of the smaller side, [s + 1, n, 1] or [s + 1, 1, N].
        large: M and the number present of the other side, [p + 1, ...].
        share: Thresholds are of sigma_1^2 / sum sigma^2.
    """

    cross: Tensor
    small: Tensor
    large: Tensor
    share: bool

    def __call__(self, threshold: Tensor) -> Tensor:
        """1 where the key is above the threshold."""
        level = threshold * (self.small[-1] + self.large[-1]) if self.share else threshold
        s, p = self.cross.shape[:2]
        gaps = [level - mu for mu in self.large[:p]]
        result = torch.zeros_like(self.cross[0, 0], dtype=torch.bool)
        for gap in gaps:
            result |= gap <= 0
        least = _GUARDS[self.cross.dtype][1]
        matrix = self._complement([gap.clamp(min=least).reciprocal() for gap in gaps], level)
        for k in range(s):
            result |= matrix[k][k] <= 0
            pivot = matrix[k][k].clamp(min=least)
            for a in range(k + 1, s):
                factor = matrix[a][k] / pivot
                for b in range(k + 1, s):
                    matrix[a][b] = matrix[a][b] - factor * matrix[k][b]
        return result.to(self.cross.dtype)

    def superset(self, threshold: Tensor) -> Tensor:
        """The same as the call."""
        return self(threshold)

    def at(self, i: Tensor, j: Tensor) -> Schur:
        """The same for chosen pairs."""
        small, large = take_constants(self.small, i, j), take_constants(self.large, i, j)
        return Schur(self.cross[:, :, i, j].unsqueeze(-1), small, large, self.share)

    def _complement(self, inverse: list[Tensor], level: Tensor) -> list[list[Tensor]]:
        cross = self.cross
        s, p = cross.shape[:2]
        matrix = [
            [_total([-cross[a, m] * cross[b, m] * inverse[m] for m in range(p)], cross[0, 0]) for b in range(s)]
            for a in range(s)
        ]
        for a in range(s):
            matrix[a][a] = matrix[a][a] + (level - self.small[a])
        return matrix
