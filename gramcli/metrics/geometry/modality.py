"""How one modality fills its space: ranks of its spectrum, isotropy, uniformity, lengths.

The measures of the spectrum take singular values, so that one pass over the rows (`spectrum`) serves all of them.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.left_out import LeftOut
from gramcli.metrics.geometry.rows import Moments, check_rows, unit_chunks

RANKME_EPSILON: Final = 1e-7
UNIT_TOLERANCE: Final = 1e-3
_TILE: Final = 1024


def spectrum(found: Moments, *, centred: bool) -> Tensor:
    """Singular values of the matrix of unit rows, largest first.

    Taken as roots of the eigenvalues of the d x d second moments; those below d eps of their sum are rounding and
    are given as 0; so are all of centred rows that differ by rounding alone.

    Args:
        found: `moments` of the rows.
        centred: Subtract the mean row first.

    Returns:
        Singular values, shape [min(n, d)], float64, not negative.

    Example:
        >>> from gramcli.metrics.geometry.rows import moments
        >>> spectrum(moments(torch.eye(3)), centred=False)
        tensor([1., 1., 1.], dtype=torch.float64)
    """
    if centred and not found.varies:
        return torch.zeros(min(found.n, found.gram.shape[0]), dtype=torch.float64)
    matrix = found.scatter() if centred else found.gram
    d = matrix.shape[0]
    eigenvalues = torch.linalg.eigvalsh(matrix).flip(0)[: min(found.n, d)]
    noise = d * torch.finfo(torch.float64).eps * float(found.gram.trace())
    return torch.where(eigenvalues > noise, eigenvalues, 0.0).sqrt()


def effective_rank(sigma: Tensor) -> float:
    """Exponential of the entropy of the singular values: how many directions the rows use.

    Formula: exp(-sum p_k log p_k), p_k = sigma_k / sum sigma. Range [1, min(n, d)], of centred rows
    [1, min(n - 1, d)]; higher means more directions.

    Args:
        sigma: Singular values, shape [q]. `gram eval` gives those of the centred rows, so that a common offset (a
            cone) does not count as a direction.

    Raises:
        UserError: All singular values are 0.

    Example:
        >>> round(effective_rank(torch.tensor([1.0, 1.0, 0.0])), 6)
        2.0

    Source: Roy and Vetterli, The effective rank, EUSIPCO 2007.
    """
    p = _shares("effective_rank", sigma)
    return float(torch.special.entr(p).sum().exp())


def rankme(sigma: Tensor) -> float:
    """RankMe: the effective rank of rows that are not centred, with a small number added to every share.

    Formula: exp(-sum p_k log p_k), p_k = sigma_k / sum sigma + 1e-7. Range about [1, min(n, d)]; higher means more
    directions (the paper: better downstream accuracy of self-supervised models).

    Args:
        sigma: Singular values of the rows, not centred, shape [min(n, d)], zeros included.

    Raises:
        UserError: All singular values are 0.

    Source: Garrido et al., RankMe, arXiv:2210.02885.
    """
    p = _shares("rankme", sigma) + RANKME_EPSILON
    return float(torch.special.entr(p).sum().exp())


def participation_ratio(sigma: Tensor) -> float:
    """How many principal components carry the variance.

    Formula: (sum lambda_k)^2 / sum lambda_k^2, lambda_k = sigma_k^2 the eigenvalues of the covariance. Range
    [1, min(n - 1, d)]; higher means more components. Large eigenvalues weigh more than in the effective rank.

    Args:
        sigma: Singular values of the centred rows, shape [q].

    Raises:
        UserError: All singular values are 0.

    Source: Gao et al., A theory of multineuronal dimensionality, bioRxiv 214262 (2017).
    """
    p = _shares("participation_ratio", sigma.square())
    return float(1.0 / p.square().sum())


def isoscore_star(sigma: Tensor, d: int) -> float:
    """IsoScore*: how evenly the variance is spread over all d dimensions.

    Formula, lambda the eigenvalues of the covariance: l = sqrt(d) lambda / |lambda|, defect = |l - 1| /
    sqrt(2 (d - sqrt d)), phi = (d - defect^2 (d - sqrt d))^2 / d^2, score = (d phi - 1) / (d - 1). Written out this
    is (participation ratio - 1) / (d - 1). Range [0, 1]: 0 one direction, 1 the same variance in all.

    Note:
        The paper shrinks the covariance of a small batch towards that of a larger sample (its zeta). Here the rows
        are the larger sample, so zeta is 0. With n <= d rows the score is at most (n - 2) / (d - 1).

    Args:
        sigma: Singular values of the centred rows, shape [q], q <= d.
        d: Dimension of the space, at least 2.

    Raises:
        UserError: All singular values are 0, or d < 2.

    Source: Rudman and Eickhoff, Stable Anisotropic Regularization, arXiv:2305.19358; their package IsoScore 2.0.
    """
    if d < 2:
        raise UserError("embedding", f"isoscore_star needs at least 2 dimensions; got {d}.")
    return (participation_ratio(sigma) - 1.0) / (d - 1)


def isoscore_star_chance(n: int, d: int) -> float | None:
    """What `isoscore_star` is on average of n rows drawn from an isotropic normal distribution in d dimensions.

    Formula: (P - 1) / (d - 1), P = (d (n - 1) + 2) / (n + d), the participation ratio that n rows of d independent
    coordinates show; it is 1 only for n far above d. Range [0, 1].

    Args:
        n: Number of rows.
        d: Dimension of the space.

    Returns:
        None for fewer than 2 rows or dimensions, where it is undefined.

    Example:
        >>> round(isoscore_star_chance(100, 64), 3)
        0.598
    """
    return ((d * (n - 1) + 2) / (n + d) - 1.0) / (d - 1) if n > 1 and d > 1 else None


def uniformity(x: Tensor, t: float = 2.0) -> float:
    """How evenly the unit rows cover the sphere: log of the mean Gaussian potential of pairs i != j.

    Formula: log mean_{i != j} exp(-t |x_i - x_j|^2). Range [-4 t, 0]; lower means more uniform; 0 when all rows are
    alike. Rows spread evenly over many dimensions come near -2 t, that is -4.

    Args:
        x: Embeddings, shape [n, d], n >= 2; O(n^2 d), so give at most some 10,000.
        t: Width of the potential.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_rows`.

    Source: Wang and Isola, arXiv:2005.10242; pairs i = j left out.
    """
    return float(_log_mean(potentials(x, t).sum(), x.shape[0]))


def uniformity_left_out(potential: Tensor) -> LeftOut:
    """`uniformity` without each row.

    Args:
        potential: Of every row, as `potentials` gives it, shape [n], n >= 3.
    """
    n, total = len(potential), potential.sum()
    return LeftOut(float(_log_mean(total, n)), _log_mean(total - 2.0 * potential, n - 1))


def potentials(x: Tensor, t: float = 2.0) -> Tensor:
    """Sum of the Gaussian potentials exp(-t |x_i - x_j|^2) between each unit row and all others.

    Args:
        x: Embeddings, shape [n, d], n >= 2; O(n^2 d).
        t: Width of the potential.

    Returns:
        Shape [n], float64.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_rows`.
    """
    check_rows("uniformity", x, least=2)
    z = torch.cat([piece for (piece,) in unit_chunks(x)])
    sums = torch.zeros(len(z), dtype=torch.float64)
    for start in range(0, len(z), _TILE):
        rows = z[start : start + _TILE]
        # |a - b|^2 = 2 - 2 a.b; the columns from `start` on hold every pair once, and this tile's square twice.
        potential = (rows @ z[start:].T).sub_(1.0).mul_(2.0 * t).clamp_(max=0.0).exp_()
        square = potential[:, : len(rows)]
        square[torch.ones_like(square, dtype=torch.bool).tril()] = 0.0
        sums[start : start + len(rows)] += potential.sum(dim=1)
        sums[start:] += potential.sum(dim=0)
    return sums


def _log_mean(total: Tensor, n: int) -> Tensor:
    return (total / (n * (n - 1))).log()


def mean_norm(x: Tensor) -> float | None:
    """Mean length of the rows as they are stored, before any scaling.

    Formula: mean |x_i|. Range (0, inf); a length that differs between items can carry information that directions
    lose.

    Args:
        x: Embeddings, shape [n, d].

    Returns:
        The mean; None when every row has length 1 to within 1e-3: they were normalised before they were stored, and
        what they were before cannot be known.

    Raises:
        UserError: As `gramcli.metrics.geometry.rows.check_rows`.

    Example:
        >>> mean_norm(2 * torch.eye(2)), mean_norm(torch.eye(2))
        (2.0, None)
    """
    check_rows("mean_norm", x)
    lengths = torch.linalg.vector_norm(x, dim=1, dtype=torch.float64)
    if bool(((lengths - 1.0).abs() <= UNIT_TOLERANCE).all()):
        return None
    return float(lengths.mean())


def _shares(measure: str, values: Tensor) -> Tensor:
    total = values.double().sum()
    if not float(total) > 0:
        raise UserError("embedding", f"{measure} is undefined: the rows do not vary.")
    return values.double() / total
