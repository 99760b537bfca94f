"""Scores of matched and mismatched pairs, and how well a method parts them."""

from __future__ import annotations

import torch
from torch import Tensor

from gramcli.evaluation.pictures.histograms import histogram
from gramcli.evaluation.pictures.pairs import (
    Pairs,
    matched_pairs,
    mismatched_pairs,
    part_of,
    sample_text,
)
from gramcli.evaluation.selection import Selection
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.geometry.joint import auc, auc_interval
from gramcli.results.pictures import ScoreDistribution
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.screening import open_sides


def score_distribution(selection: Selection, name: str, method: AlignmentMethod, seed: int) -> ScoreDistribution:
    """Distributions of a method's float64 scores over matched and mismatched pairs, and their AUC.

    Args:
        selection: Rows of the task.
        name: Of the method, as in results.
        method: The measure.
        seed: Of the sample, where there are more pairs than `gramcli.evaluation.pictures.pairs` takes.

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.
    """
    own, others = matched_pairs(selection, seed), mismatched_pairs(selection, seed)
    matched, mismatched = (_scores(selection, method, pairs) for pairs in (own, others))
    both = torch.cat([matched, mismatched])
    low, high = float(both.min()), float(both.max())
    area, interval = None, None
    if len(mismatched):
        better = method.higher_is_better
        area = auc(matched, mismatched, higher_is_better=better)
        interval = auc_interval(matched, mismatched, own.items[0], others.items, higher_is_better=better)
    return ScoreDistribution(
        task=selection.label(),
        method=name,
        higher_is_better=method.higher_is_better,
        matched=histogram(matched, low, high),
        mismatched=histogram(mismatched, low, high),
        auc=area,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        negatives=sample_text(others, "mismatched", seed),
    )


def _scores(selection: Selection, method: AlignmentMethod, pairs: Pairs) -> Tensor:
    """Reference scores of pairs; each side is opened with the rows that take part only."""
    rows, where = torch.unique(pairs.query, return_inverse=True)
    columns, across = torch.unique(pairs.candidate, return_inverse=True)
    if not len(rows):
        return torch.zeros(0, dtype=torch.float64)
    queries, candidates, present = part_of(selection, rows, columns)
    q, c = open_sides(method, queries, candidates, present=present)
    return method.score(pair_keys(method, q, c, where, across))
