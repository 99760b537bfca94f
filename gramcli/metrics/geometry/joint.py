"""How the vectors of all modalities of an item agree: volume, leading singular value, spectrum, direction.

An instance is the m vectors of one item, or of a query and another item's candidate side: its matrix is [m, d].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.linalg import DEPENDENT
from gramcli.metrics.geometry.left_out import LEAST
from gramcli.metrics.geometry.rows import subsample, t_95, unit
from gramcli.scoring.scores import score_tiles
from gramcli.scoring.screening import EVERYTHING, Presence

MOST_SCORES: Final = 100_000_000
"""Scores that `gramian_value` computes at most: beyond, it looks at fewer queries and still at the whole gallery."""

SHUFFLES: Final = 10
"""Derangements that mismatched instances come from."""

MOST_SHUFFLED: Final = 100_000
"""Mismatched instances beyond which there are fewer derangements, down to two."""

_MOST_EFFECTIVE: Final = 4.0  # items of an AUC near 1 or 0 per item: unrelated scores make 3 of the matched alone
_CHUNK_NUMBERS: Final = 1 << 19


@dataclass(frozen=True)
class Instances:
    """What many instances of m unit vectors look like.

    Attributes:
        volume: Of the parallelotope of the vectors, in [0, 1], shape [n], float64.
        singular_values: Of the matrix [m, d], largest first, shape [n, m], float64; their squares sum to m.
        degenerate: Whether the vectors are linearly dependent as far as their dtype can tell, shape [n], bool.
        mean_direction: Mean of the leading directions, shape [d], float64; see `eigenvector_uniformity`.
    """

    volume: Tensor
    singular_values: Tensor
    degenerate: Tensor
    mean_direction: Tensor

    @property
    def sigma_1(self) -> Tensor:
        """Leading singular value, in [1, sqrt(m)], shape [n]; higher means closer to one direction."""
        return self.singular_values[:, 0]

    @property
    def share(self) -> Tensor:
        """sigma_1^2 / sum sigma^2 in [1 / m, 1], shape [n]; 1 when all vectors are alike (rank 1)."""
        squares = self.singular_values.square()
        return squares[:, 0] / squares.sum(dim=1)


def instances(vectors: Sequence[Tensor], rows: Sequence[Tensor]) -> Instances:
    """Volume, singular values and leading direction of every instance, in float64 and in pieces.

    Volumes come from a QR, not from the determinant or the eigenvalues: they keep their digits near 0. Lower volume
    and higher sigma_1 mean better aligned.

    Args:
        vectors: One tensor [rows, d] per modality, m of them, any length of rows; a zero row stays zero.
        rows: For each modality, the row of every instance, shape [n], int64.

    Returns:
        The figures of n instances.

    Raises:
        UserError: Fewer than two modalities, or unequal dimensions.

    Example:
        >>> one = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
        >>> instances(one, [torch.tensor([0])] * 2).volume
        tensor([0.8000], dtype=torch.float64)

    Source: Cicchetti et al., arXiv:2412.11959, eq. 4 (volume); Liu et al., arXiv:2507.17343, eq. 8 (sigma_1).
    """
    if len(vectors) < 2 or len({x.shape[1] for x in vectors}) > 1:
        shapes = ", ".join(str(list(x.shape)) for x in vectors)
        raise UserError("embedding", f"An instance needs 2 or more vectors of one dimension; got {shapes}.")
    d = vectors[0].shape[1]
    step = max(1, _CHUNK_NUMBERS // (d * len(vectors)))
    coarsest = max(torch.finfo(x.dtype).eps for x in vectors)
    resolution = DEPENDENT if coarsest <= torch.finfo(torch.float64).eps else 4 * coarsest
    parts, total = [], torch.zeros(d, dtype=torch.float64)
    for start in range(0, len(rows[0]), step):
        z = torch.stack([unit(x[r[start : start + step]]) for x, r in zip(vectors, rows, strict=True)])
        lengths = _residual_lengths(z)
        sigma, direction = _leading(z)
        total += direction.sum(dim=0)
        parts.append((lengths.prod(dim=1), sigma, lengths.amin(dim=1) <= resolution))
    volume, sigma, degenerate = (torch.cat(found) for found in zip(*parts, strict=True))
    return Instances(volume, sigma, degenerate, total / len(rows[0]))


def _residual_lengths(z: Tensor) -> Tensor:
    """Length of each vector of instances [m, n, d] less its projection on those before it: |R_kk| of a QR, [n, m]."""
    m, _, d = z.shape
    if m > d:
        return torch.zeros(z.shape[1], m, dtype=z.dtype)
    r = torch.linalg.qr(z.permute(1, 2, 0), mode="r").R
    lengths = r.diagonal(dim1=1, dim2=2).abs()
    return torch.where(lengths > DEPENDENT, lengths, 0.0)


def _leading(z: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values [n, m], largest first, and leading direction [n, d] of instances [m, n, d]."""
    gram = torch.einsum("and,bnd->nab", z, z)
    eigenvalues, weights = torch.linalg.eigh(gram)
    top = weights[..., -1]
    top = top * torch.where(top.sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    direction = torch.einsum("na,and->nd", top, z)
    length = torch.linalg.vector_norm(direction, dim=1, keepdim=True)
    return eigenvalues.flip(1).clamp(min=0.0).sqrt(), direction / torch.where(length > 0, length, 1.0)


def eigenvector_uniformity(mean_direction: Tensor) -> float:
    """PMRL's figure of how much the leading directions of different items agree.

    Formula: mean_{i, j} u_i . u_j = |mean u|^2, i = j included, u_i the leading left singular vector of item i's
    d x m matrix. Range [0, 1]; lower means directions spread over the sphere.

    Note:
        The sign of a singular vector is arbitrary and the paper's code keeps whatever the library returns, so that
        its value is arbitrary too. Here u_i points to the side of the sum of its item's vectors: u_i . sum_k z_k >= 0.
        Where sigma_1 = sigma_2 the direction itself is arbitrary.

    Args:
        mean_direction: `Instances.mean_direction`, shape [d].

    Source: `eigenvector_uniformity` in the logs of Xiaohao-Liu/PMRL; arXiv:2507.17343.
    """
    return float(mean_direction.square().sum())


def eigenvalue_max(sigma_1: Tensor) -> float:
    """PMRL's `eigenvalue_max`: the mean leading SINGULAR value of the matched instances.

    Formula: mean sigma_1 of [q, m_1 .. m_p]. Range [1, sqrt(m)]; higher means better aligned. No eigenvalue: that
    would be sigma_1^2.

    Args:
        sigma_1: Leading singular values of matched instances, shape [n].

    Source: `eigenvalue_max` in the logs of Xiaohao-Liu/PMRL; arXiv:2507.17343.
    """
    return float(sigma_1.mean())


def gramian_value(
    queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor], *, present: Presence = EVERYTHING, seed: int = 0
) -> tuple[float, int]:
    """GRAM's `gramian_value`: mean over the queries (texts) of the smallest volume in the gallery.

    Formula: mean_i min_j vol(q_i, M_j). Range [0, 1]; lower means some candidate is close to each query, whether
    it is the right one or not. It is no volume of matched items (`volume_positive`), and it falls as the gallery grows.

    Args:
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [N, d].
        present: Which modalities exist.
        seed: Of the choice of queries where n N is above 1e8; the gallery is never thinned.

    Returns:
        The mean, and over how many queries it was taken.

    Raises:
        UserError: As `gramcli.scoring.score_matrix` of `gram`.

    Source: `gramian_value` in evaluation of ispamm/GRAM; arXiv:2412.11959.
    """
    n, N = (next(iter(side.values())).shape[0] for side in (queries, candidates))
    chosen = subsample(n, max(1, MOST_SCORES // N), seed)
    few = {name: x[chosen] for name, x in queries.items()}
    masks = None if present.queries is None else {name: mask[chosen] for name, mask in present.queries.items()}
    least = torch.full((len(chosen),), torch.inf, dtype=torch.float64)
    seen = Presence(masks, present.candidates, present.absent_as_zero)
    for tile in score_tiles("gram", few, candidates, present=seen):
        least[tile.rows] = torch.minimum(least[tile.rows], tile.scores.double().amin(dim=1))
    return float(least.mean()), len(chosen)


def derangements(n: int, seed: int) -> Tensor:
    """Cyclic permutations of the items, no two of which send an item to the same place, and none to its own.

    Args:
        n: Number of items, at least 2.
        seed: Of the permutations.

    Returns:
        Shape [s, n], int64, s at most `SHUFFLES`; entry i of a row is never i.

    Raises:
        UserError: n < 2: there is nothing to shuffle with.

    Example:
        >>> derangements(2, seed=0)
        tensor([[1, 0]])
    """
    if n < 2:
        raise UserError("embedding", f"Shuffled negatives need at least 2 items; got {n}.")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    count = min(SHUFFLES, n - 1, max(2, MOST_SHUFFLED // n))
    found = torch.empty(count, n, dtype=torch.int64)
    for step in range(count):
        found[step, order] = order.roll(-1 - step)
    return found


def auc(positive: Tensor, negative: Tensor, *, higher_is_better: bool) -> float:
    """Chance that a matched instance scores better than a mismatched one; ties count half.

    Formula: P(s+ > s-) + P(s+ = s-) / 2 (Mann and Whitney's U over n+ n-). Range [0, 1]: 0.5 chance, 1 parted.

    Args:
        positive: Scores of matched instances, shape [n].
        negative: Scores of mismatched instances, shape [k].
        higher_is_better: Orientation of the score.

    Raises:
        UserError: One of them is empty.

    Example:
        >>> auc(torch.tensor([0.1, 0.2]), torch.tensor([0.2, 0.9]), higher_is_better=False)
        0.875

    Source: Mann and Whitney (1947); Hanley and McNeil, Radiology 143 (1982).
    """
    n, k = len(positive), len(negative)
    if not n or not k:
        raise UserError("embedding", f"An AUC needs scores of both kinds; got {n} matched and {k} mismatched.")
    from scipy import stats  # noqa: PLC0415 - takes as long as half of torch

    ranks = stats.rankdata(np.concatenate([positive.double().numpy(), negative.double().numpy()]))
    share = float((ranks[:n].sum() - n * (n + 1) / 2) / (n * k))
    return share if higher_is_better else 1.0 - share


def auc_interval(
    positive: Tensor, negative: Tensor, owners: Tensor, pairs: tuple[Tensor, Tensor], *, higher_is_better: bool
) -> tuple[float, float] | None:
    """95 % interval of `auc` over items: an item speaks as a match, and on both sides of its mismatches.

    Args:
        positive: Scores of matched instances, shape [n].
        negative: Scores of mismatched instances, shape [k].
        owners: Item of each matched instance, whole numbers from 0, shape [n].
        pairs: Items of the query and of the candidate of each mismatched instance, each shape [k].
        higher_is_better: Orientation of the score.

    Returns:
        A score interval of the effective number of items, which narrows towards 1 without ending there; None for
        fewer than `gramcli.metrics.geometry.left_out.LEAST` items.

    Source: placement values of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); Wilson (1927).
    """
    own, others = (scores if higher_is_better else -scores for scores in (positive, negative))
    of_own, of_others = _placements(own, others), 1.0 - _placements(others, own)
    share = float(of_own.mean())
    found = roles_error([(of_own - share, owners)], [(of_others - share, rows) for rows in pairs])
    if found is None:
        return None
    error, n = found
    z = t_95(n - 1) ** 2
    most = _MOST_EFFECTIVE * n
    effective = min(share * (1.0 - share) / error**2, most) if error > 0 else most
    middle = (share + z / (2 * effective)) / (1 + z / effective)
    half = math.sqrt(z * (share * (1.0 - share) / effective + z / (4 * effective**2))) / (1 + z / effective)
    return min(middle - half, share), max(middle + half, share)


def shuffled_interval(values: Tensor, pairs: tuple[Tensor, Tensor]) -> tuple[float, float] | None:
    """95 % interval of the mean over mismatched instances, each of which two items share.

    Args:
        values: Of mismatched instances, shape [k].
        pairs: Items of the query and of the candidate of each, whole numbers from 0, each shape [k].

    Returns:
        Lower and upper bound; None for fewer than `gramcli.metrics.geometry.left_out.LEAST` items.
    """
    mean = float(values.mean())
    found = roles_error([(values - mean, rows) for rows in pairs])
    if found is None:
        return None
    half = t_95(found[1] - 1) * found[0]
    return mean - half, mean + half


def roles_error(*groups: list[tuple[Tensor, Tensor]]) -> tuple[float, int] | None:
    """Standard error of a sum of means to which an item contributes in several roles, and the number of items.

    Args:
        *groups: For each mean the deviations from it and the item of each, once for every role.

    Returns:
        None for fewer than `gramcli.metrics.geometry.left_out.LEAST` items.
    """
    n = 1 + max(int(items.max()) for roles in groups for _, items in roles)
    sums, seen = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.bool)
    for deviations, items in (role for roles in groups for role in roles):
        sums.index_add_(0, items, deviations.double() / len(deviations))
        seen[items] = True
    n = int(seen.sum())
    if n < LEAST:
        return None
    return math.sqrt(float(sums.square().sum()) * n / (n - 1)), n


def _placements(scores: Tensor, others: Tensor) -> Tensor:
    """Share of the others that each score beats, ties half, shape of the scores."""
    ordered, scores = others.double().sort().values, scores.double().contiguous()
    below, up_to = (torch.searchsorted(ordered, scores, right=right) for right in (False, True))
    return (below + up_to).double() / (2 * len(ordered))
