"""Measures made of nearest neighbours: hubs, intrinsic dimension, agreement of two neighbourhoods.

`nearest` finds the neighbours once; the measures take what it returns.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.rows import check_rows, check_varies, unit_chunks
from gramcli.metrics.hubness import binomial_skewness

NEIGHBOURS: Final = 10
_SPARE: Final = 6
_BELOW_NOISE: Final = 1e-6  # of float32 cosines, which is what the spare candidates are for
_TILE: Final = 512


def nearest(x: Tensor, k: int = NEIGHBOURS, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The k nearest other rows of every row, by Euclidean distance of the unit rows.

    Candidates are found in float32, k + 6 of them, and ordered by float64 distances; equal distances by row, except
    that copies are taken in an order drawn anew for every row: a hundred silent clips would else all have the first
    ten of them as neighbours. A row is never its own neighbour, but a copy of it is. Distances that the rows' dtype
    cannot tell from 0 are 0.

    Args:
        x: Embeddings, shape [n, d], n > k; O(n^2 d) time, so give at most some 10,000.
        k: How many neighbours.
        seed: Of the order of copies; give two modalities different ones, or they agree on it.

    Returns:
        Distances, shape [n, k], float64, rising; rows, shape [n, k], int64.

    Raises:
        UserError: n <= k, rows that do not vary, or as `gramcli.metrics.geometry.rows.check_rows`.

    Example:
        >>> nearest(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), k=1)[1].flatten()
        tensor([1, 0, 1])
    """
    check_rows(f"A search for {k} neighbours", x, least=k + 1)
    check_varies(f"A search for {k} neighbours", x)
    z = torch.cat([piece for (piece,) in unit_chunks(x)])
    narrow, n = z.float(), len(z)
    kept = min(k + _SPARE, n - 1)
    copies, generator = _copies(x), torch.Generator().manual_seed(seed)
    alike = 4 * torch.finfo(x.dtype).eps
    distances, rows = torch.empty(n, k, dtype=torch.float64), torch.empty(n, k, dtype=torch.int64)
    for start in range(0, n, _TILE):
        part = slice(start, min(start + _TILE, n))
        cosines = narrow[part] @ narrow.T
        own = torch.arange(part.start, part.stop)
        cosines[torch.arange(len(own)), own] = -torch.inf
        drawn = torch.zeros_like(cosines) if len(copies) else None
        if drawn is not None:
            drawn[:, copies] = torch.rand(len(own), len(copies), generator=generator)
            cosines += _BELOW_NOISE * drawn
        found = cosines.topk(kept, dim=1).indices.sort(dim=1).values
        if drawn is not None:
            found = found.gather(1, drawn.gather(1, found).argsort(dim=1, stable=True))
        exact = torch.linalg.vector_norm(z[found] - z[part].unsqueeze(1), dim=2)
        exact[exact <= alike] = 0.0
        ordered = exact.sort(dim=1, stable=True)
        distances[part] = ordered.values[:, :k]
        rows[part] = found.gather(1, ordered.indices[:, :k])
    return distances, rows


def _copies(x: Tensor) -> Tensor:
    """Rows that occur more than once, int64."""
    _, kind, counts = torch.unique(x, dim=0, return_inverse=True, return_counts=True)
    several: Tensor = counts[kind] > 1
    return several.nonzero().flatten()


def hubness(neighbours: Tensor) -> float:
    """Skewness of the k-occurrence: whether a few rows are among the nearest neighbours of many.

    Formula: N_i = how often row i is a neighbour; mean (N - mean N)^3 / sd(N)^3. 0 when the counts are symmetric;
    higher means hubs, and rows that are nobody's neighbour. Range (-inf, inf).

    Args:
        neighbours: The k nearest other rows of every row, shape [n, k], int64; k is 10 in `gram eval`.

    Raises:
        UserError: Every row occurs equally often: the skewness is undefined.

    Source: Radovanovic et al., Hubs in Space, JMLR 11 (2010).
    """
    counts = torch.bincount(neighbours.flatten(), minlength=len(neighbours)).double()
    centred = counts - counts.mean()
    variance = centred.square().mean()
    if float(variance) == 0:
        raise UserError("embedding", "hubness is undefined: every row is a neighbour equally often.")
    return float(centred.pow(3).mean() / variance.pow(1.5))


def hubness_chance(n: int, k: int = NEIGHBOURS) -> float | None:
    """What `hubness` is on average when every row draws its k neighbours at random.

    Formula: (1 - 2 p) / sqrt((n - 1) p (1 - p)), p = k / (n - 1): the skewness of a binomial count. Range
    (-inf, inf).

    Args:
        n: Number of rows.
        k: Neighbours of each.

    Returns:
        None where every row is a neighbour of every other.

    Example:
        >>> round(hubness_chance(1001), 4)
        0.3115
    """
    return binomial_skewness(n - 1, k / (n - 1)) if n > k + 1 else None


def intrinsic_dimension(distances: Tensor, discard: float = 0.1) -> float:
    """TwoNN: dimension of the manifold that the rows lie on, from the distances of the two nearest neighbours.

    Formula: mu = r_2 / r_1 has the distribution 1 - mu^-d; the slope through the origin of -log(1 - F(mu)) against
    log mu, over all but the largest tenth of the mu. Range (0, inf); higher means a manifold of more dimensions.
    Estimates above 20 or so are too small unless n is very large.

    Args:
        distances: To the nearest and the second nearest other row, shape [n, 2 or more]. Rows with r_1 = 0 have a
            copy among the others and are left out.
        discard: Share of the largest mu that the fit leaves out.

    Raises:
        UserError: Fewer than 3 rows without a copy, or r_1 = r_2 everywhere.

    Source: Facco et al., Estimating the intrinsic dimension of datasets by a minimal neighborhood information,
    Scientific Reports 7 (2017), 12140.
    """
    used = distances[distances[:, 0] > 0]
    logs = (used[:, 1] / used[:, 0]).log().sort().values
    n = len(logs)
    kept = min(int(n * (1.0 - discard)), n - 1)
    if kept < 2 or float(logs[kept - 1]) == 0:
        raise UserError("embedding", f"intrinsic_dimension is undefined for {n} rows that have no copy among the rest.")
    x, y = logs[:kept], -torch.log1p(-torch.arange(1, kept + 1, dtype=torch.float64) / n)
    return float((x @ y) / (x @ x))


def mutual_knn(a: Tensor, b: Tensor) -> Tensor:
    """Share of the k nearest neighbours that two modalities agree on, for every item.

    Formula: |N_k^A(i) and N_k^B(i)| / k. Range [0, 1]; higher means more similar neighbourhoods; unrelated modalities
    reach k / (n - 1) on average (`mutual_knn_chance`).

    Args:
        a: Neighbours of every item in one modality, shape [n, k], int64.
        b: The same in the other.

    Returns:
        Shares, shape [n], float64.

    Raises:
        UserError: The shapes differ.

    Example:
        >>> mutual_knn(torch.tensor([[1, 2]]), torch.tensor([[3, 1]]))
        tensor([0.5000], dtype=torch.float64)

    Source: Huh et al., The Platonic Representation Hypothesis, arXiv:2405.07987, without its maximum over layers.
    """
    if a.shape != b.shape:
        raise UserError("embedding", f"mutual_knn compares lists of one shape; got {list(a.shape)}, {list(b.shape)}.")
    shared = (a.unsqueeze(2) == b.unsqueeze(1)).sum(dim=(1, 2))
    return shared.double() / a.shape[1]


def mutual_knn_chance(n: int, k: int = NEIGHBOURS) -> float:
    """What `mutual_knn` is on average when the modalities have nothing to do with each other: k / (n - 1).

    Example:
        >>> mutual_knn_chance(1001)
        0.01
    """
    return k / (n - 1)
