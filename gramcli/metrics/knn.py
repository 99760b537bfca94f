"""The k-nearest-neighbour classifier by cosine, exact, without holding the train x test matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.scoring.scores import parts
from gramcli.scoring.topk import top_k

_SHORT_OF_A_VOTE = 0.49
_BLOCK = 4096


def knn_blocks(
    train: Tensor, train_classes: NDArray[np.bool_], tested: Tensor, k: int = 10, *, device: str = "cpu"
) -> Iterator[NDArray[np.float64]]:
    """Score classes by the votes of the k train items of highest cosine.

    Uniform votes (Cover & Hart 1967, doi:10.1109/TIT.1967.1053964); classes of equal votes are ordered by the summed
    cosine of their voters, and classes of equal sums tie. Train items of one cosine are taken in their order, so that
    the answer does not depend on tile, threads or device. scikit-learn's `KNeighborsClassifier` gives equal votes to
    the class that sorts first instead.

    Args:
        train: Rows [N, d], any length; cosines are taken in float64.
        train_classes: Which train items have which class, shape [N, C].
        tested: Rows [n, d].
        k: How many neighbours; all of them where the train split holds fewer.
        device: Where the fast pass runs; it does not change the answer.

    Yields:
        Votes of consecutive items, shape [b, C], plus a share below one half that orders equal votes; 0 for a class
        that no neighbour has.

    Raises:
        UserError: k is below 1, or a row is zero or not finite.
    """
    if k < 1:
        raise UserError("usage", f"--knn must be at least 1; got {k}.")
    k = min(k, len(train))
    cosines, rows = (x.numpy() for x in top_k("cosine", {"tested": tested}, {"train": train}, k, device=device))
    for part in parts(len(tested), _BLOCK):
        votes = np.zeros((part.stop - part.start, train_classes.shape[1]))
        sums = np.zeros_like(votes)
        for cosine, row in zip(cosines[part].T, rows[part].T, strict=True):
            votes += train_classes[row]
            sums += cosine[:, None] * train_classes[row]
        yield votes + _SHORT_OF_A_VOTE * sums / (k + 1)


def joined(rows: list[Tensor]) -> Tensor:
    """Concatenate modalities, each at unit length: the cosine of the result is the mean of theirs.

    Args:
        rows: One tensor [n, d_m] per modality, no row zero.

    Returns:
        Shape [n, sum of d_m], float32; a single modality as it is.
    """
    if len(rows) == 1:
        return rows[0]
    return torch.cat([(x.double() / x.double().norm(dim=1, keepdim=True)).float() for x in rows], dim=1)
