"""How two modalities of the same items lie to each other: alignment, gap, similarity of structure, separability.

Row i of both sides is the same item. Every measure makes one pass over the rows in float64, O(n d^2) at most.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.rows import (
    check_same_items,
    check_varies,
    directions_vary,
    moments,
    t_95,
    totals,
    unit_chunks,
)

SHRINKAGE: Final = 0.1
FOLDS: Final = 5
_PERMUTATIONS: Final = 3
_LEAST_PROCRUSTES: Final = 200
_LEAST_RIDGE: Final = 1e-12  # modalities that are single points have no covariance at all


def cosines(x: Tensor, y: Tensor) -> Tensor:
    """Cosine of each item's two vectors, in [-1, 1]; higher means closer.

    Args:
        x: Embeddings of one modality, shape [n, d].
        y: The same items in the other, shape [n, d].

    Returns:
        Cosines, shape [n], float64.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.

    Example:
        >>> cosines(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([0.6000], dtype=torch.float64)
    """
    check_same_items("cosines", x, y)
    return torch.cat([(a * b).sum(dim=1) for a, b in unit_chunks(x, y)])


def alignment(x: Tensor, y: Tensor) -> Tensor:
    """Squared distance of each item's two unit vectors; its mean is the alignment.

    Formula: mean |x_i - y_i|^2 (alpha = 2), which is 2 - 2 cos. Range [0, 4]; lower means better aligned.

    Args:
        x: Embeddings of one modality, shape [n, d].
        y: The same items in the other, shape [n, d].

    Returns:
        Squared distances, shape [n], float64.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Wang and Isola, arXiv:2005.10242, with the two modalities as the positive pair.
    """
    check_same_items("alignment", x, y)
    return torch.cat([(a - b).square().sum(dim=1) for a, b in unit_chunks(x, y)])


def negative_cosine(x: Tensor, y: Tensor) -> float:
    """Mean cosine of vectors of different items, over all n (n - 1) ordered pairs.

    Formula: mean_{i != j} x_i . y_j, from the sums of the rows. Range [-1, 1]; lower means better separated.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 2.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.
    """
    check_same_items("negative_cosine", x, y, least=2)
    total_x, total_y = totals(x, y)
    n = x.shape[0]
    return float((total_x @ total_y - cosines(x, y).sum()) / (n * (n - 1)))


def modality_gap(x: Tensor, y: Tensor) -> float:
    """Distance of the two centroids of unit rows, which are not scaled to unit length again.

    Formula: |mean x - mean y|. Range [0, 2]; lower means a smaller gap, 0 none.

    Args:
        x: Embeddings of one modality, shape [n, d].
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Liang et al., Mind the Gap, arXiv:2203.02053.
    """
    check_same_items("modality_gap", x, y)
    total_x, total_y = totals(x, y)
    return float((total_x - total_y).norm() / x.shape[0])


def modality_gap_chance(x: Tensor, y: Tensor) -> float:
    """What `modality_gap` shows of n items whose modalities have one and the same true centroid.

    Formula: sqrt(tr cov(x - y) / n), the root of the mean of the squared gap then. Range [0, 2].

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 2.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.

    Example:
        >>> round(modality_gap_chance(torch.eye(2), -torch.eye(2)), 6)
        1.414214
    """
    check_same_items("modality_gap_chance", x, y, least=2)
    n = x.shape[0]
    total_x, total_y = totals(x, y)
    spread = float(alignment(x, y).sum()) - float((total_x - total_y).square().sum()) / n
    return math.sqrt(max(spread, 0.0) / (n * (n - 1)))


def relative_modality_gap(x: Tensor, y: Tensor) -> float:
    """RMG: distance of matched items against distances within the modalities.

    Formula, d = (1 - cos) / 2: a = mean d(x_i, y_i), w = sum_{i != j} (d(x_i, x_j) + d(y_i, y_j)) / (2 n (n - 1));
    a / (a + w). Range [0, 1]; lower means a smaller gap: 0 when matched items coincide, 1 when each modality is a
    point apart from the other.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 2.
        y: The same items in the other, shape [n, d].

    Raises:
        UserError: All vectors are alike (0 / 0), or as `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Schrodi et al., Two Effects, One Trigger, arXiv:2404.07983.
    """
    check_same_items("relative_modality_gap", x, y, least=2)
    if not directions_vary(x, y):
        raise UserError("embedding", "relative_modality_gap is undefined: all vectors are alike.")
    n = x.shape[0]
    across = float(alignment(x, y).mean()) / 4
    # Over i != j the cosines sum to |sum x|^2 - n.
    within = sum(1.0 - float((total @ total - n) / (n * (n - 1))) for total in totals(x, y)) / 4
    within = max(within, 0.0)
    return across / (across + within)


def cka(x: Tensor, y: Tensor) -> float:
    """Linear centred kernel alignment with the unbiased estimate of HSIC: similarity of structure up to rotation.

    Formula, K and L the inner products of the rows with their diagonals set to 0:
    HSIC(K, L) = (tr(K L) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2 (1'K L1) / (n-2)) / (n (n-3));
    HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)). Range up to 1; about 0, perhaps below, for unrelated modalities;
    higher means more similar. The dimensions may differ. No n x n matrix is formed.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 4.
        y: The same items in the other, shape [n, e].

    Raises:
        UserError: A modality whose own HSIC is not positive, or as `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Kornblith et al., arXiv:1905.00414; Song et al., JMLR 13 (2012).
    """
    check_same_items("cka", x, y, least=4, one_space=False)
    check_varies("cka", x, y)
    left, right = ((side, total / x.shape[0]) for side, total in zip((x, y), totals(x, y), strict=True))
    both, own_x, own_y = _hsic(left, right), _hsic(left, left), _hsic(right, right)
    if not (own_x > 0 and own_y > 0):
        raise UserError("embedding", "cka is undefined: so few rows of a modality vary too little to estimate it.")
    return both / math.sqrt(own_x * own_y)


def _hsic(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> float:
    """Unbiased HSIC of two linear kernels of rows less their means; centring changes nothing but rounding."""
    (x, mean_x), (y, mean_y) = left, right
    n = x.shape[0]
    cross = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    diagonal = torch.zeros((), dtype=torch.float64)  # sum of k_ii l_ii, which tr(K L) and 1'K L1 both shed
    trace_x, trace_y = torch.zeros_like(diagonal), torch.zeros_like(diagonal)
    for a, b in unit_chunks(x, y):
        u, v = a - mean_x, b - mean_y
        k, own = u.square().sum(dim=1), v.square().sum(dim=1)
        cross.addmm_(u.T, v)
        diagonal += k @ own
        trace_x += k.sum()
        trace_y += own.sum()
    # Centred rows sum to 0, so K1 is minus its diagonal: 1'K1 = -trace, 1'K L1 = sum k_ii l_ii.
    product = cross.square().sum() - diagonal
    whole = trace_x * trace_y / ((n - 1) * (n - 2))
    return float((product + whole - 2.0 * diagonal / (n - 2)) / (n * (n - 3)))


def procrustes(x: Tensor, y: Tensor) -> float:
    """What is left between two modalities after the best rotation: squared Procrustes distance.

    Formula: min_R |X R - Y|^2 = 2 - 2 |X'Y|_*, rows centred, each matrix scaled to Frobenius norm 1, R orthogonal,
    |.|_* the sum of singular values. Range [0, 2]; lower means more similar: 0 when a rotation and a common scale
    turn one modality into the other. Symmetric; the dimensions may differ (the smaller is padded with zeros).

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 2.
        y: The same items in the other, shape [n, e].

    Raises:
        UserError: A modality whose rows are all alike, or as `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Williams et al., Generalized Shape Metrics on Neural Representations, arXiv:2110.14739.
    """
    check_same_items("procrustes", x, y, least=2, one_space=False)
    check_varies("procrustes", x, y)
    cross, squares, _ = _centred_products(x, y)
    return max(0.0, 2.0 - 2.0 * float(torch.linalg.svdvals(cross).sum() / squares.prod().sqrt()))


def procrustes_interval(x: Tensor, y: Tensor) -> tuple[float, float] | None:
    """95 % interval of the `procrustes` that n items show on average, by the infinitesimal jackknife.

    Args:
        x: Embeddings of one modality, shape [n, d].
        y: The same items in the other, shape [n, e].

    Returns:
        Lower and upper bound; None for fewer than 200 items, where it covers too little.

    Raises:
        UserError: As `procrustes`.

    Source: Efron, Jackknife-after-bootstrap, JRSS B 54 (1992), section 3; the derivative of the sum of singular values
    U S V' of M in the direction D is tr(V U' D).
    """
    value = procrustes(x, y)
    n = x.shape[0]
    if n < _LEAST_PROCRUSTES:
        return None
    cross, squares, (mean_x, mean_y) = _centred_products(x, y)
    left, sigma, right = torch.linalg.svd(cross, full_matrices=False)
    pulls = []
    for a, b in unit_chunks(x, y):
        u, v = a - mean_x, b - mean_y
        own = u.square().sum(dim=1) / squares[0] + v.square().sum(dim=1) / squares[1]
        pulls.append(((u @ left) * (v @ right.T)).sum(dim=1) / sigma.sum() - own / 2)
    scale = 2.0 * sigma.sum() / squares.prod().sqrt()
    half = t_95(n - 1) * float(scale * (torch.cat(pulls).square().sum() * n / (n - 1)).sqrt())
    return max(0.0, value - half), min(2.0, value + half)


def _centred_products(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Cross products of the centred rows [d, e], their sums of squares [2], and the means."""
    mean_x, mean_y = (total / x.shape[0] for total in totals(x, y))
    cross = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64)
    squares = torch.zeros(2, dtype=torch.float64)
    for a, b in unit_chunks(x, y):
        u, v = a - mean_x, b - mean_y
        cross.addmm_(u.T, v)
        squares += torch.stack([u.square().sum(), v.square().sum()])
    return cross, squares, (mean_x, mean_y)


def procrustes_chance(x: Tensor, y: Tensor, *, seed: int = 0) -> float:
    """What `procrustes` is when the items of one modality are shuffled: its mean over three seeded permutations.

    Formula: mean of `procrustes`(x, y[order]). Range [0, 2]; with few items in many dimensions far below 2, because a
    rotation finds agreement by chance.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= 2.
        y: The same items in the other, shape [n, e].
        seed: Of the permutations.

    Raises:
        UserError: As `procrustes`.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(x.shape[0], generator=generator) for _ in range(_PERMUTATIONS)]
    return sum(procrustes(x, y[order]) for order in orders) / _PERMUTATIONS


def linear_separability(x: Tensor, y: Tensor, *, folds: int = FOLDS, seed: int = 0) -> float:
    """Cross-validated accuracy of telling the two modalities apart by a hyperplane.

    Linear discriminant analysis in closed form with equal priors. Formula: w = S^-1 (mean x - mean y), threshold half
    way, S the pooled covariance shrunk by a tenth towards tr(S) / d I. Both vectors of an item are in one fold. Range
    [0, 1]: 0.5 chance (no linear gap), 1 a hyperplane parts them; lower means a smaller gap.

    Args:
        x: Embeddings of one modality, shape [n, d], n >= folds.
        y: The same items in the other, shape [n, d].
        folds: Parts that are left out in turn.
        seed: Of the parts.

    Returns:
        Share of the 2 n vectors that are told rightly; one that lies on the hyperplane counts half.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_same_items`.

    Source: Hastie et al., The Elements of Statistical Learning, section 4.3; shrinkage as in scikit-learn's
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).
    """
    check_same_items("linear_separability", x, y, least=folds)
    if not directions_vary(x, y):
        raise UserError("embedding", "linear_separability is undefined: all vectors are alike.")
    order = torch.randperm(x.shape[0], generator=torch.Generator().manual_seed(seed))
    parts = order.tensor_split(folds)
    left = [moments(x[part]) for part in parts]
    right = [moments(y[part]) for part in parts]
    right_count = 0.0
    for out, part in enumerate(parts):
        n = x.shape[0] - len(part)
        sums, scatter = [], torch.zeros_like(left[0].gram)
        for side in (left, right):
            total = torch.stack([found.total for k, found in enumerate(side) if k != out]).sum(dim=0)
            sums.append(total)
            for found in (found for k, found in enumerate(side) if k != out):
                scatter += found.gram
            scatter -= torch.outer(total, total) / n
        w, threshold = _discriminant(sums[0] / n, sums[1] / n, scatter / (2 * n))
        for held_out, sign in ((x[part], 1.0), (y[part], -1.0)):
            for (z,) in unit_chunks(held_out):
                right_count += float((0.5 * (1.0 + (sign * (z @ w - threshold)).sign())).sum())
    return right_count / (2 * x.shape[0])


def _discriminant(mean_x: Tensor, mean_y: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Normal of the hyperplane, pointing to x, and the threshold half way between the means."""
    d = len(mean_x)
    ridge = SHRINKAGE * covariance.trace() / d + _LEAST_RIDGE
    shrunk = (1.0 - SHRINKAGE) * covariance + ridge * torch.eye(d, dtype=torch.float64)
    w = torch.linalg.solve(shrunk, mean_x - mean_y)
    return w, w @ (mean_x + mean_y) / 2
