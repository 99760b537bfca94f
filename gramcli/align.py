"""Linear heads into one shared space, in closed form: a stand-in until `gram align` trains heads.

Text is whitened and every other modality is mapped onto it by ridge regression. That is the simplest map that makes
an encoder without a shared space comparable; it knows no contrast between items and no method's loss, and what it
learns holds for data like the training split only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gramcli.errors import UserError

TARGET: Final = "text"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearHeads:
    """One affine map per modality into a space they share.

    Attributes:
        means: Training mean of each modality, shape [d].
        matrices: Map of each modality, shape [d, dim].
    """

    means: Mapping[str, Floats]
    matrices: Mapping[str, Floats]

    @property
    def dim(self) -> int:
        """Dimension of the shared space."""
        return int(self.matrices[TARGET].shape[1])

    def apply(self, modality: str, x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Map embeddings of one modality into the shared space.

        Args:
            modality: A key of `matrices`.
            x: Embeddings, shape [n, d].

        Returns:
            Rows of unit length, shape [n, dim]; a row equal to the training mean has no direction
            and becomes the first axis.

        Raises:
            UserError: There is no head for the modality, or `x` does not fit it.
        """
        if modality not in self.matrices:
            raise UserError("embedding", f"No head was fitted for '{modality}'. Fitted: {', '.join(self.matrices)}.")
        d = self.matrices[modality].shape[0]
        if x.ndim != 2 or x.shape[1] != d:
            raise UserError("embedding", f"The head of '{modality}' takes [n, {d}]; got {list(x.shape)}.")
        # einsum, not BLAS: a row must not depend on the other rows or on the number of threads.
        mapped = np.einsum("nd,dk->nk", x.astype(np.float64) - self.means[modality], self.matrices[modality])
        length = np.sqrt((mapped * mapped).sum(axis=1, keepdims=True))
        mapped = np.where(length > 0, mapped, np.eye(1, self.dim))
        return np.asarray(mapped / np.where(length > 0, length, 1.0), dtype=np.float32)


def _check(train: Mapping[str, npt.NDArray[Any]], dim: int, ridge: float) -> None:
    if TARGET not in train or len(train) < 2:
        raise UserError("input", f"Heads need '{TARGET}' and another modality; got {', '.join(train) or 'none'}.")
    if dim < 1 or not ridge > 0:
        raise UserError("usage", f"Heads need dim >= 1 and ridge > 0; got dim {dim}, ridge {ridge}.")
    n = len(train[TARGET])
    for name, rows in train.items():
        if rows.ndim != 2 or len(rows) != n:
            raise UserError(
                "input",
                f"Training rows of '{name}' must be [{n}, d], as many as of '{TARGET}'; got {list(rows.shape)}.",
            )
        if not np.isfinite(rows).all():
            raise UserError("input", f"Training rows of '{name}' hold NaN or infinity: embed those items again.")
    if n < 2:
        raise UserError("input", f"Heads need at least 2 training items that have every modality; got {n}.")


def _decompose(rows: npt.NDArray[Any], ridge: float) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Mean, the SVD of the centred rows (signs fixed), and the ridge scaled by their mean variance."""
    mean = rows.astype(np.float64).mean(axis=0)
    u, s, vt = np.linalg.svd(rows - mean, full_matrices=False)
    largest = np.take_along_axis(vt, np.abs(vt).argmax(axis=1)[:, None], axis=1)
    signs = np.where(largest < 0, -1.0, 1.0)
    return mean, u * signs[:, 0], s, vt * signs, ridge * float((s * s).mean()) + np.finfo(np.float64).tiny


def fit_linear_heads(train: Mapping[str, npt.NDArray[Any]], dim: int = 64, ridge: float = 1.0) -> LinearHeads:
    """Fit one head per modality: whitening for text, ridge regression onto whitened text for the others.

    Args:
        train: Training embeddings by modality, each [n, d] with its own d; row i of every modality is
            the same item. `text` is the target and must be there.
        dim: Dimension of the shared space; at most min(n, d of text) is used.
        ridge: Regularisation of both steps, in units of the mean squared singular value.

    Returns:
        Heads for every modality of `train`.

    Raises:
        UserError: No text, no other modality, fewer than 2 items, shapes that do not fit, or values not finite.

    Example:
        >>> rows = np.eye(4)
        >>> heads = fit_linear_heads({"text": rows, "video": rows[:, ::-1]}, dim=3)
        >>> heads.apply("video", rows).shape
        (4, 3)
    """
    _check(train, dim, ridge)
    means, matrices = {}, {}
    mean, u, s, vt, penalty = _decompose(train[TARGET], ridge)
    scale = 1.0 / np.sqrt(s * s + penalty)
    means[TARGET], matrices[TARGET] = mean, (vt.T * scale)[:, :dim]
    targets = (u * (s * scale))[:, :dim]
    for name in (name for name in train if name != TARGET):
        mean, u, s, vt, penalty = _decompose(train[name], ridge)
        means[name], matrices[name] = mean, (vt.T * (s / (s * s + penalty))) @ (u.T @ targets)
    return LinearHeads(means, matrices)
