"""Tied answers: every figure is its mean over all orders of the tied ones, and lies between the best and the worst."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.metrics.figures import Standing, direction_rows, rank_vector
from gramcli.metrics.retrieval import Tied, average_precision, hit_at, ndcg_at, recall_at, reciprocal_rank
from gramcli.results.records import ResultRow
from gramcli.scoring.ranking import rank_scores
from gramcli.scoring.ties import TIES, placed, placed_positions

LISTS = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6).filter(
    lambda entries: any(right for _, right in entries)
)
"""Scores of a query's candidates, and which are right."""


def figures_of(order: list[bool]) -> dict[str, float]:
    """The figures of one ranked list, from their definitions."""
    places = [place + 1 for place, right in enumerate(order) if right]
    wrong_before = places[0] - 1
    ideal = sum(1 / math.log2(k + 1) for k in range(1, min(len(places), 10) + 1))
    return {
        **{f"R@{k}": float(wrong_before < k) for k in (1, 2, 3)},
        **{f"recall@{k}": sum(place <= k for place in places) / len(places) for k in (1, 2, 3)},
        "MRR": 1 / (wrong_before + 1),
        "rank": wrong_before + 1.0,
        "mAP": sum((k + 1) / place for k, place in enumerate(places)) / len(places),
        "nDCG@10": sum(1 / math.log2(place + 1) for place in places if place <= 10) / ideal,
    }


def expected(entries: list[tuple[int, bool]]) -> dict[str, float]:
    """Means over every order that the scores allow."""
    orders = [
        [entries[k][1] for k in order]
        for order in permutations(range(len(entries)))
        if all(entries[a][0] >= entries[b][0] for a, b in pairwise(order))
    ]
    every = [figures_of(order) for order in orders]
    return {name: sum(one[name] for one in every) / len(every) for name in every[0]}


@settings(max_examples=150, deadline=None)
@given(LISTS)
def test_mean_is_the_mean_over_all_orders(entries: list[tuple[int, bool]]) -> None:
    scores = torch.tensor([[score for score, _ in entries]])
    right = torch.tensor([place for place, (_, is_right) in enumerate(entries) if is_right])
    query, n = torch.zeros(len(right), dtype=torch.int64), 1
    ranks = rank_scores(scores, (torch.tensor([0, len(right)]), right), every_positive=True)
    best = placed(ranks.forward, ranks.forward_ties, ranks.forward_right, "mean")
    tied = Tied(best.wrong, best.right)
    ties = (scores[0][right, None] == scores[0]).sum(dim=1)
    positions, spread = placed_positions(ranks.forward_positions, ties, query, "mean")
    every = (positions, query, n)
    found = {
        **{f"R@{k}": hit_at(best.ranks, k, tied) for k in (1, 2, 3)},
        **{f"recall@{k}": recall_at(*every, k, spread) for k in (1, 2, 3)},
        "MRR": reciprocal_rank(best.ranks, tied),
        "rank": best.ranks,
        "mAP": average_precision(*every, ties=spread),
        "nDCG@10": ndcg_at(*every, 10, spread),
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected(entries), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(LISTS, min_size=1, max_size=4))
def test_every_figure_lies_between_those_of_the_other_rules(lists: list[list[tuple[int, bool]]]) -> None:
    width = max(map(len, lists))
    scores = torch.full((len(lists), width), -1)
    right = []
    for k, entries in enumerate(lists):
        scores[k, : len(entries)] = torch.tensor([score for score, _ in entries])
        right.append([place for place, (_, is_right) in enumerate(entries) if is_right])
    counts = torch.tensor([0, *map(len, right)]).cumsum(0)
    flat = torch.tensor([place for places in right for place in places])
    query = torch.repeat_interleave(torch.arange(len(lists)), counts.diff())
    ranks = rank_scores(scores, (counts, flat), every_positive=True)
    ties = (scores[query, flat, None] == scores[query]).sum(dim=1)
    names = tuple(map(str, range(len(lists))))

    def rows(policy: str) -> list[ResultRow]:
        best = placed(ranks.forward, ranks.forward_ties, ranks.forward_right, policy)
        places, spread = placed_positions(ranks.forward_positions, ties, query, policy)
        vector = rank_vector(("t2v", "cosine"), names, best, width)
        return direction_rows(vector, "raw", Standing(ranks.forward_ties, places, query.numpy(), spread))

    found = [rows(policy) for policy in TIES]
    for mean, optimistic, pessimistic in zip(*found, strict=True):
        low, high = sorted((optimistic.value, pessimistic.value))
        assert low - 1e-9 <= mean.value <= high + 1e-9, mean.metric


def test_an_item_with_one_caption_twice_loses_nothing() -> None:
    scores = torch.eye(3).repeat_interleave(2, dim=1)
    positives = (torch.arange(0, 7, 2), torch.arange(6))
    ranks = rank_scores(scores, positives, every_positive=True)
    query = torch.repeat_interleave(torch.arange(3), 2)
    for policy in TIES:
        positions, spread = placed_positions(ranks.forward_positions, torch.full((6,), 2), query, policy)
        every = (positions, query, 3)
        assert recall_at(*every, 1, spread).tolist() == [0.5] * 3
        assert ndcg_at(*every, 10, spread).tolist() == pytest.approx([1.0] * 3)
        assert average_precision(*every, ties=spread).tolist() == pytest.approx([1.0] * 3)


def test_a_gallery_that_ties_as_a_whole_is_chance() -> None:
    n = 400
    ranks = rank_scores(torch.zeros(n, n))
    best = placed(ranks.forward, ranks.forward_ties, ranks.forward_right, "mean")
    tied = Tied(best.wrong, best.right)
    assert float(hit_at(best.ranks, 10, tied).mean()) == pytest.approx(10 / n)
    assert float(reciprocal_rank(best.ranks, tied).mean()) == pytest.approx(sum(1 / k for k in range(1, n + 1)) / n)
