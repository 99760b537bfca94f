"""Figures of two modalities without each item in turn, in O(n d^2) and without any n x n matrix: for the jackknife."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.rows import check_same_items, totals, unit, unit_chunks
from gramcli.metrics.jackknife import Interval, jackknife_interval

LEAST: Final = 20
"""Items from which on the coverage of the intervals was measured."""

PAIRED: Final = 1000
"""Rows whose pairs tell how much of the variance of CKA comes from pairs."""

# Of the variance that pairs of items make: their part is skewed, and with all of it taken off coverage fell to 0.90.
_OF_PAIRS: Final = 0.5


@dataclass(frozen=True)
class LeftOut:
    """A figure of all items, and without each.

    Attributes:
        value: Of all items; unbiased where the figure that is printed is not.
        without: Without item j, shape [n], float64.
        of_pairs: Part of the variance that comes from pairs of items, as `gramcli.metrics.jackknife` takes it.
    """

    value: float
    without: Tensor
    of_pairs: float = 0.0

    def interval(self, bounds: Interval = (-math.inf, math.inf)) -> Interval | None:
        """95 % interval of the figure that n items show on average.

        Args:
            bounds: Smallest and largest possible value.

        Returns:
            Lower and upper bound; None for fewer than `LEAST` items, where coverage was not measured, and where the
            figure is undefined without some item.
        """
        if len(self.without) < LEAST or not bool(self.without.isfinite().all()):
            return None
        return jackknife_interval(self.value, self.without.numpy(), bounds, correct_bias=False, of_pairs=self.of_pairs)


def mutual_knn_left_out(a: Tensor, b: Tensor) -> LeftOut:
    """`mutual_knn` without each item: the next neighbour of a list takes the place of an item that is left out.

    Formula: the mean of |N_k^A(i) and N_k^B(i)| / k over the other items, from lists of k + 1; O(n k^2).

    Args:
        a: The k + 1 nearest other items of every item in one modality, shape [n, k + 1], int64.
        b: The same in the other.

    Raises:
        UserError: The shapes differ.

    Example:
        >>> ring = torch.tensor([[1, 2], [2, 3], [3, 0], [0, 1]])
        >>> mutual_knn_left_out(ring, ring).without.tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    if a.shape != b.shape:
        raise UserError("embedding", f"mutual_knn compares lists of one shape; got {list(a.shape)}, {list(b.shape)}.")
    n, k = a.shape[0], a.shape[1] - 1
    inside_a, inside_b = a[:, :k], b[:, :k]
    shared_a = (inside_a.unsqueeze(2) == inside_b.unsqueeze(1)).any(dim=2)  # which of A's neighbours B has too
    shared_b = (inside_b.unsqueeze(2) == inside_a.unsqueeze(1)).any(dim=2)
    next_a = (inside_b == a[:, k:]).any(dim=1, keepdim=True).double()  # the next of A is one of B's
    next_b = (inside_a == b[:, k:]).any(dim=1, keepdim=True).double()
    alike = (a[:, k:] == b[:, k:]).double()
    hits, total = shared_a.sum(dim=1).double(), shared_a.sum().double()
    items = torch.arange(n).unsqueeze(1).expand(n, 2 * k).flatten()
    others = torch.cat([inside_a, inside_b], dim=1).flatten()
    gains_a = torch.where(shared_a, next_a + next_b + alike - 1.0, next_a)
    gains_b = torch.where(shared_b, 0.0, next_b.expand(n, k))
    gains = torch.cat([gains_a, gains_b], dim=1).flatten()
    changes = torch.zeros(n, dtype=torch.float64).index_add_(0, others, gains)
    of_pairs = float(gains @ (gains + _mutual(items, others, gains))) / (n * k) ** 2
    return LeftOut(float(total / (n * k)), (total - hits + changes) / ((n - 1) * k), of_pairs)


def _mutual(items: Tensor, others: Tensor, gains: Tensor) -> Tensor:
    """For every ordered pair of items the gain of the pair the other way round, 0 without."""
    n = int(items.max()) + 1
    used = gains != 0
    keys, order = (items * n + others)[used].sort()
    wanted = others * n + items
    found = torch.searchsorted(keys, wanted).clamp(max=max(len(keys) - 1, 0))
    if not len(keys):
        return torch.zeros_like(gains)
    return torch.where(keys[found] == wanted, gains[used][order][found], 0.0)


def cosines_left_out(x: Tensor, y: Tensor) -> tuple[LeftOut, LeftOut]:
    """`negative_cosine`, and the mean cosine of matched items less it, without each item.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 3.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    check_same_items("cosine_negative", x, y, least=3)
    sum_x, sum_y = totals(x, y)
    n = x.shape[0]
    parts = [(a @ sum_y + b @ sum_x, (a * b).sum(dim=1)) for a, b in unit_chunks(x, y)]
    touching, own = (torch.cat(found) for found in zip(*parts, strict=True))
    across, matched = sum_x @ sum_y, own.sum()
    of_pairs = _OF_PAIRS * _of_pairs(x, y) / (n * (n - 1)) ** 2
    negative = (across - matched) / (n * (n - 1)), (across - touching + own - (matched - own)) / ((n - 1) * (n - 2))
    positive = matched / n, (matched - own) / (n - 1)
    return (
        LeftOut(float(negative[0]), negative[1], of_pairs),
        LeftOut(float(positive[0] - negative[0]), positive[1] - negative[1], of_pairs),
    )


def _of_pairs(x: Tensor, y: Tensor) -> float:
    """Sum over i < j of (u_i . v_j + u_j . v_i)^2, u and v the rows less their means."""
    means = [total / x.shape[0] for total in totals(x, y)]
    scatter = [torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64) for _ in range(3)]
    own = torch.zeros((), dtype=torch.float64)
    for a, b in unit_chunks(x, y):
        u, v = a - means[0], b - means[1]
        for matrix, left, right in zip(scatter, (u, v, u), (u, v, v), strict=True):
            matrix.addmm_(left.T, right)
        own += (u * v).sum(dim=1).square().sum()
    of_x, of_y, across = scatter
    return float((of_x * of_y).sum() + (across * across.T).sum() - 2.0 * own)


def squared_gap_left_out(x: Tensor, y: Tensor) -> LeftOut:
    """The squared modality gap with its bias removed, without each item.

    Formula: mean_{i != j} z_i . z_j, z = x - y, whose expectation is the squared distance of the true centroids;
    |mean z|^2 has tr cov(z) / n more. It can be negative.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 3.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    check_same_items("modality_gap", x, y, least=3)
    n, (first, second) = x.shape[0], totals(x, y)
    found = _mean_product(first - second, [a - b for a, b in unit_chunks(x, y)])
    mean, scatter = (first - second) / n, torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
    fourth = torch.zeros((), dtype=torch.float64)
    for a, b in unit_chunks(x, y):
        z = a - b - mean
        scatter.addmm_(z.T, z)
        fourth += z.square().sum(dim=1).square().sum()
    of_pairs = 2.0 * float(scatter.square().sum() - fourth) / (n * (n - 1)) ** 2
    return replace(found, of_pairs=of_pairs)


def modality_gap_interval(x: Tensor, y: Tensor, printed: float) -> Interval | None:
    """95 % interval of the distance of the true centroids: that of the squared gap, then the root.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 3.
        y: The same items in the other, shape [n, d].
        printed: `modality_gap`, which is larger on average than the true distance; the interval is extended to it.

    Returns:
        Lower and upper bound; None as `LeftOut.interval`.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    squared = squared_gap_left_out(x, y).interval((-math.inf, 4.0))
    if squared is None:
        return None
    low, high = (math.sqrt(max(end, 0.0)) for end in squared)
    return min(low, printed), max(high, printed)


def relative_gap_left_out(x: Tensor, y: Tensor) -> LeftOut:
    """`relative_modality_gap` without each item.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 3.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    check_same_items("relative_modality_gap", x, y, least=3)
    n = x.shape[0]
    distances = torch.cat([(a - b).square().sum(dim=1) for a, b in unit_chunks(x, y)])
    total = distances.sum()
    across = LeftOut(float(total / (4 * n)), (total - distances) / (4 * (n - 1)))
    within = [
        _mean_product(total, [z for (z,) in unit_chunks(side)])
        for side, total in zip((x, y), totals(x, y), strict=True)
    ]
    apart = LeftOut(
        max(0.0, sum(1.0 - side.value for side in within) / 4),
        torch.stack([1.0 - side.without for side in within]).sum(dim=0).clamp(min=0.0) / 4,
    )
    return LeftOut(across.value / (across.value + apart.value), across.without / (across.without + apart.without))


def cka_left_out(x: Tensor, y: Tensor) -> LeftOut:
    """`cka` without each item, exactly.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 5.
        y: The same items in the other, shape [n, e].

    Returns:
        NaN for an item without which the HSIC of a modality with itself is not positive.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    check_same_items("cka", x, y, least=5, one_space=False)
    both, own_x, own_y = (_hsic_left_out(*sides) for sides in ((x, y), (x, x), (y, y)))
    scale = (own_x.without * own_y.without).sqrt()
    scale[(own_x.without <= 0) | (own_y.without <= 0)] = torch.nan
    value = both.value / (own_x.value * own_y.value) ** 0.5
    return LeftOut(value, both.without / scale, _cka_of_pairs(x, y, value))


def _cka_of_pairs(x: Tensor, y: Tensor, value: float) -> float:
    """Variance of CKA from pairs of items, from those of the first rows: all pairs would be an n x n matrix."""
    n, m = x.shape[0], min(x.shape[0], PAIRED)
    kernels = []
    for side in (x, y):
        rows = unit(side[:m])
        rows = rows - rows.mean(dim=0)
        kernels.append((rows @ rows.T).fill_diagonal_(0.0))
    k, l = (kernel / kernel.norm() for kernel in kernels)  # noqa: E741
    second = k * l - value / 2 * (k * k + l * l)
    second = (second - second.sum() / (m * (m - 1))).fill_diagonal_(0.0)
    return 2.0 * float(second.square().sum()) * (m * (m - 1)) / (n * (n - 1))


def _hsic_left_out(x: Tensor, y: Tensor) -> LeftOut:
    """Unbiased HSIC of two linear kernels without each item; the origin is the mean of all items, to which it is blind.

    With rows that sum to 0 and j left out, 1'K1 = 2 k_jj - tr K, and row i of K sums to -(x_i . x_j) - k_ii.
    """
    n = x.shape[0]
    means = [total / n for total in totals(x, y)]
    cross = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    weighted_x, weighted_y = (torch.zeros_like(mean) for mean in means)
    parts = []
    for a, b in unit_chunks(x, y):
        u, v = a - means[0], b - means[1]
        k, l = u.square().sum(dim=1), v.square().sum(dim=1)  # noqa: E741 - K and L of the formula
        cross.addmm_(u.T, v)
        weighted_x += l @ u
        weighted_y += k @ v
        parts.append((k, l))
    k, l = (torch.cat(found) for found in zip(*parts, strict=True))  # noqa: E741
    bent, sums = zip(
        *(
            (((u @ cross) * v).sum(dim=1), u @ weighted_x + v @ weighted_y)
            for u, v in ((a - means[0], b - means[1]) for a, b in unit_chunks(x, y))
        ),
        strict=True,
    )
    turned, loads, diagonal = torch.cat(bent), torch.cat(sums), k @ l
    product = cross.square().sum()
    value = _hsic(n, product - diagonal, k.sum() * l.sum(), diagonal)
    without = _hsic(
        n - 1,
        product - 2.0 * turned - diagonal + 2.0 * k * l,
        (2.0 * k - k.sum()) * (2.0 * l - l.sum()),
        turned + loads + diagonal - 4.0 * k * l,
    )
    return LeftOut(float(value), without)


def _hsic(n: int, product: Tensor, sums: Tensor, row_sums: Tensor) -> Tensor:
    """From tr(K L), (1'K1)(1'L1) and 1'K L1, the diagonals of K and L set to 0."""
    return (product + sums / ((n - 1) * (n - 2)) - 2.0 * row_sums / (n - 2)) / (n * (n - 3))


def _mean_product(total: Tensor, pieces: list[Tensor]) -> LeftOut:
    """Mean of z_i . z_j over i != j, without each row, from the sum of the rows [d] and the rows in pieces."""
    touching = torch.cat([z @ total for z in pieces])
    own = torch.cat([z.square().sum(dim=1) for z in pieces])
    n, whole, squares = len(own), total @ total, own.sum()
    value = float((whole - squares) / (n * (n - 1)))
    return LeftOut(value, (whole - 2.0 * touching + own - (squares - own)) / ((n - 1) * (n - 2)))
