"""Hubness of a ranking: whether few candidates answer many queries."""

from __future__ import annotations

import torch
from torch import Tensor


def occurrence_skewness(best: Tensor, n_candidates: int) -> float:
    """Skewness of the k-occurrences N_k: how often each candidate is among the k best of a query.

    Formula: E[(N_k - mu)^3] / sigma^3 over all candidates. 0 where every candidate is found equally often; above 1
    the ranking has hubs; the largest value is about sqrt(N).

    Args:
        best: The k best candidates of each query, shape [n, k], int64.
        n_candidates: N.

    Returns:
        The skewness; 0 where all counts are equal.

    Source: Radovanovic, Nanopoulos and Ivanovic, Hubs in Space, JMLR 11 (2010), section 2.2.

    Example:
        >>> round(occurrence_skewness(torch.tensor([[0], [0], [0], [1]]), 4), 6)
        0.816497
    """
    counts = torch.bincount(best.flatten(), minlength=n_candidates).double()
    centred = counts - counts.mean()
    spread = centred.square().mean().sqrt()
    return float((centred**3).mean() / spread**3) if float(spread) > 0 else 0.0
