"""How often candidates are among the best of a query, beside what chance gives."""

from __future__ import annotations

import math
from typing import Final

import torch

from gramcli.evaluation.pictures.pairs import part_of
from gramcli.evaluation.selection import Selection
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.geometry.rows import subsample
from gramcli.metrics.hubness import occurrence_skewness, occurrence_skewness_chance
from gramcli.results.pictures import Occurrences
from gramcli.scoring.plan import Question, answer

K: Final = 10
MOST_SCORES: Final = 1_000_000
"""Scores beyond which fewer queries ask, of the whole gallery still."""

HUBS: Final = 5


def occurrences(selection: Selection, name: str, method: AlignmentMethod, seed: int) -> Occurrences:
    """Count how often each candidate is among the k best of a query, k = 10 or half the gallery.

    Args:
        selection: Rows of the task.
        name: Of the method, as in results.
        method: The measure.
        seed: Of the choice of queries, where there are too many.

    Raises:
        UserError: As `gramcli.scoring.top_k`.
    """
    n, size = len(selection.query_ids), len(selection.candidate_ids)
    k = min(K, max(1, size // 2))
    chosen = subsample(n, max(1, MOST_SCORES // size), seed)
    queries, candidates, present = part_of(selection, chosen, torch.arange(size))
    asked = Question(method, queries, candidates, present=present, ranks=False, both_directions=False, nearest=k)
    found = answer([asked])[0].nearest_forward
    if found is None:
        raise ValueError("neighbours were asked for")
    best = found.rows
    counts = torch.bincount(best.flatten(), minlength=size)
    hubs = [(selection.candidate_ids[c], int(counts[c])) for c in counts.argsort(descending=True, stable=True)[:HUBS]]
    return Occurrences(
        task=selection.label(),
        method=name,
        k=k,
        n_queries=len(chosen),
        candidates=tuple(torch.bincount(counts).tolist()),
        chance=tuple(size * share for share in binomial(len(chosen), k / size)),
        skewness=occurrence_skewness(best, size),
        skewness_chance=occurrence_skewness_chance(len(chosen), size, k),
        hubs=tuple(hubs),
        note="" if len(chosen) == n else f"{len(chosen):,} of {n:,} queries ask (seed {seed})",
    )


def binomial(n: int, p: float, least: float = 1e-6) -> list[float]:
    """Chances of 0, 1, 2 .. successes in n trials, up to where less than `least` is left.

    Example:
        >>> binomial(2, 0.5)
        [0.25, 0.5, 0.25]
    """
    if p >= 1:
        return [0.0] * n + [1.0]
    found: list[float] = []
    for k in range(n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        found.append(round(math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p)), 12))
        if k > n * p and found[-1] < least:
            break
    return found
