"""Regularised generalised CCA (MAXVAR): the linear baseline without a contrastive loss, in closed form.

Minimises sum_k |G - X_k W_k|^2 + r n |W_k|^2 over W_k and over G with orthonormal columns: G holds the leading
eigenvectors of sum_k X_k (X_k^T X_k + r n I)^-1 X_k^T.

Source: Kettenring, Canonical analysis of several sets of variables, Biometrika 58 (1971); ridge after Tenenhaus and
Tenenhaus, Psychometrika 76 (2011).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from gramcli.heads.model import Heads

Floats = NDArray[np.float64]


def fit_gcca(
    views: Mapping[str, Floats], dim: int, ridge: float, power: float = 0.0
) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """Fit one linear map per view.

    Args:
        views: Name -> rows [n, d_k]; row i of all is one item.
        dim: Columns of G.
        ridge: r, in units of the standardised features' variance.
        power: Columns are weighted by their eigenvalue over the number of views, to this power.

    Returns:
        Means [d_k] and maps [d_k, dim] by view, and the eigenvalues / number of views, [dim], in [0, 1].
    """
    n = len(next(iter(views.values())))
    total, means, solved = np.zeros((n, n)), {}, {}
    for name, rows in views.items():
        means[name] = rows.mean(axis=0)
        x = rows - means[name]
        solved[name] = np.linalg.solve(x.T @ x + ridge * n * np.eye(x.shape[1]), x.T)
        total += x @ solved[name]
    values, vectors = np.linalg.eigh(total / len(views))
    share, leading = values[::-1][:dim], vectors[:, ::-1][:, :dim]
    return means, {name: (solved[name] @ leading) * share.clip(0) ** power for name in views}, share


def gcca_heads(views: Mapping[str, Floats], dim: int, ridge: float, power: float) -> Heads:
    """The same as heads, so that everything after training is shared with `gram align`; features standardised."""
    scale = {name: np.where(rows.std(axis=0) > 1e-9, rows.std(axis=0), 1.0) for name, rows in views.items()}
    means, maps, _ = fit_gcca({name: rows / scale[name] for name, rows in views.items()}, dim, ridge, power)
    tensors = {}
    for name in views:
        found = {
            "mean": means[name] * scale[name],
            "scale": scale[name],
            "weight0": maps[name].T,
            "bias0": np.zeros(dim),
        }
        tensors |= {f"{name}/{key}": torch.from_numpy(np.ascontiguousarray(one)).float() for key, one in found.items()}
    return Heads({name: rows.shape[1] for name, rows in views.items()}, dim, 0, tensors)
