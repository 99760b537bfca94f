"""The k best candidates of every query, exact, without holding the matrix."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.asked import Question
from gramcli.scoring.checks import check_cutoff
from gramcli.scoring.plan import answer
from gramcli.scoring.ranks import RankOptions
from gramcli.scoring.scores import as_method
from gramcli.scoring.screening import EVERYTHING, Presence, open_sides


def top_k(
    method: str | AlignmentMethod,
    queries: Mapping[str, Tensor],
    candidates: Mapping[str, Tensor],
    k: int,
    *,
    present: Presence = EVERYTHING,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """The k best candidates of each query, best first, by their float64 reference scores.

    Args:
        method: Name (options after a colon) or method.
        queries: Modality name to embeddings, each shape [n, d].
        candidates: Modality name to embeddings, each shape [N, d].
        k: How many, at most N.
        present: Which modalities exist.
        device: Where the fast pass runs.
        dtype: What the vectors are rounded to in it, float32 by default; it does not change the answer.

    Returns:
        Scores, shape [n, k], float64, and candidate rows, shape [n, k], int64; exact ties by row.

    Raises:
        UserError: k is no whole number from 1 to N; otherwise as `gramcli.scoring.score_matrix`.
    """
    chosen, how = as_method(method), RankOptions(device=device, dtype=dtype)
    open_sides(chosen, queries, candidates, present=present, device=device)
    k = check_cutoff(k, len(next(iter(candidates.values()))))
    asked = Question(
        chosen, queries, candidates, present=present, ranks=False, both_directions=False, nearest=k, in_order=True
    )
    found = answer([asked], how)[0].nearest_forward
    if found is None or found.keys is None:
        raise ValueError("neighbours were asked for, in order")
    return chosen.score(found.keys), found.rows
