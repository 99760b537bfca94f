"""Zero-shot classification by any alignment method: how well each class text aligns with all modalities of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.scores import parts, score_matrix
from gramcli.scoring.screening import EVERYTHING, Presence

_BLOCK = 2048


def zero_shot_blocks(
    method: AlignmentMethod,
    classes: Tensor,
    media: Mapping[str, Tensor],
    *,
    present: Presence = EVERYTHING,
    device: str = "cpu",
) -> Iterator[NDArray[np.float64]]:
    """Score every class text against the modalities of each clip together.

    The axis is the rank of the labels per clip: scores of one clip are compared across classes, never across clips. So
    the part of a volume that a clip carries alone (vol(t, C) = vol(C) dist(t, span C)) is a constant, and `gram` and
    `span` name the same class; and clips with other modalities present can be classified side by side. GRAM's VGGSound
    figures (arXiv:2412.11959) are of this kind; scoring clips per text is retrieval, and another number.

    Args:
        method: Any method that is defined for one text and the modalities of `media`.
        classes: Class vectors [C, d], as from `gramcli.metrics.prompts.class_vectors`.
        media: Modality name to embeddings [n, d].
        present: Which modalities of the clips exist; clips are the candidates.
        device: Where the arithmetic runs.

    Yields:
        Float64 reference scores of consecutive clips, higher better, shape [b, C].

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.

    Note:
        A volume does not see signs: for one modality `gram` takes the class of the largest |cosine|.
    """
    n = next(iter(media.values())).shape[0]
    sign = 1.0 if method.higher_is_better else -1.0
    for part in parts(n, _BLOCK):
        clips = {name: rows[part] for name, rows in media.items()}
        there = Presence(
            present.queries,
            {name: mask[part] for name, mask in present.candidates.items()} if present.candidates else None,
            present.absent_as_zero,
        )
        scores = score_matrix(method, {"text": classes}, clips, present=there, device=device, dtype=torch.float64)
        yield sign * scores.T.numpy()
