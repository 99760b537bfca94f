"""Hubness of a ranking: whether few candidates answer many queries."""

from __future__ import annotations

import math

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


def binomial_skewness(n: int, p: float) -> float:
    """Skewness of how often something with chance p happens in n trials: (1 - 2 p) / sqrt(n p (1 - p)).

    Args:
        n: Trials.
        p: Above 0 and below 1.

    Example:
        >>> round(binomial_skewness(4, 0.2), 6)
        0.75
    """
    return (1.0 - 2.0 * p) / math.sqrt(n * p * (1.0 - p))


def occurrence_skewness_chance(n_queries: int, n_candidates: int, k: int) -> float | None:
    """What `occurrence_skewness` is when every query ranks the candidates at random.

    Formula: (1 - 2 p) / sqrt(n p (1 - p)), p = k / N: each candidate is among the k best of n queries by chance. It is
    large where few queries meet many candidates.

    Args:
        n_queries: n.
        n_candidates: N.
        k: How many best candidates count.

    Returns:
        None where every candidate is among the best.

    Example:
        >>> [round(occurrence_skewness_chance(n, N, 10), 2) for n, N in ((1000, 1000), (2990, 59800), (59800, 2990))]
        [0.31, 1.41, 0.07]
    """
    return binomial_skewness(n_queries, k / n_candidates) if k < n_candidates else None
