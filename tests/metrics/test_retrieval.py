"""Figures from positions against scikit-learn, torchmetrics and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score
from torchmetrics.functional import retrieval as theirs

from gramcli.metrics.retrieval import average_precision, hit_at, ndcg_at, recall_at, reciprocal_rank
from gramcli.scoring.ranking import rank_scores

N_QUERIES, N_CANDIDATES = 25, 40


@pytest.fixture(scope="module")
def problem():
    """Scores without ties, one to six positives a query, and everything computed from them."""
    generator = torch.Generator().manual_seed(4)
    scores = torch.stack([torch.randperm(N_CANDIDATES, generator=generator) for _ in range(N_QUERIES)])
    scores = scores.float() + 1.0  # torchmetrics leaves out scores of 0
    relevant = torch.zeros(N_QUERIES, N_CANDIDATES, dtype=torch.bool)
    for row in relevant:
        count = int(torch.randint(1, 7, (1,), generator=generator))
        row[torch.randperm(N_CANDIDATES, generator=generator)[:count]] = True
    query, candidate = relevant.nonzero(as_tuple=True)
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(query).cumsum(0)])
    ranks = rank_scores(scores, (indptr, candidate), every_positive=True)
    return scores, relevant, query, ranks


def test_average_precision(problem) -> None:
    scores, relevant, query, ranks = problem
    found = average_precision(ranks.forward_positions, query, N_QUERIES)
    cut = average_precision(ranks.forward_positions, query, N_QUERIES, k=1)
    for i in range(N_QUERIES):
        assert found[i].item() == pytest.approx(average_precision_score(relevant[i].numpy(), scores[i].numpy()))
        assert found[i].item() == pytest.approx(float(theirs.retrieval_average_precision(scores[i], relevant[i])))
    first = relevant.gather(1, scores.argmax(1, keepdim=True)).flatten()
    assert torch.equal(cut, first.double() / relevant.sum(1))


@pytest.mark.parametrize("k", [1, 3, 10, 40])
def test_ndcg_recall_and_hits(problem, k: int) -> None:
    scores, relevant, query, ranks = problem
    ndcg = ndcg_at(ranks.forward_positions, query, N_QUERIES, k)
    recall = recall_at(ranks.forward_positions, query, N_QUERIES, k)
    hits = hit_at(ranks.forward, k)
    for i in range(N_QUERIES):
        assert ndcg[i].item() == pytest.approx(ndcg_score(relevant[i : i + 1].numpy(), scores[i : i + 1].numpy(), k=k))
        target = scores[i], relevant[i]
        assert ndcg[i].item() == pytest.approx(float(theirs.retrieval_normalized_dcg(*target, top_k=k)), abs=1e-6)
        assert recall[i].item() == pytest.approx(float(theirs.retrieval_recall(*target, top_k=k)), abs=1e-6)
        assert hits[i].item() == float(theirs.retrieval_hit_rate(*target, top_k=k))


def test_reciprocal_rank(problem) -> None:
    scores, relevant, _, ranks = problem
    found = reciprocal_rank(positives_first(ranks, relevant))
    for i in range(N_QUERIES):
        assert found[i].item() == pytest.approx(
            float(theirs.retrieval_reciprocal_rank(scores[i], relevant[i])), abs=1e-6
        )


def positives_first(ranks, relevant: torch.Tensor) -> torch.Tensor:
    """The best positive's rank counts no other positive, so it is its rank in the full ranking."""
    query = relevant.nonzero(as_tuple=True)[0]
    best = torch.full((len(relevant),), torch.inf, dtype=torch.float64)
    best = best.scatter_reduce(0, query, ranks.forward_positions.double(), "amin")
    assert torch.equal(best, ranks.forward.double())
    return best


def test_ties_take_the_middle_of_their_range() -> None:
    ranks = rank_scores(torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0]]), torch.tensor([0, 1]))
    assert ranks.forward.tolist() == [2.0, 1.5]
    assert hit_at(ranks.forward, 1).tolist() == [0.0, 0.0]
    assert hit_at(ranks.forward, 2).tolist() == [1.0, 1.0]


def test_query_without_positives_is_undefined_not_zero() -> None:
    positions, query = torch.tensor([1.0, 2.0]), torch.tensor([0, 2])
    for values in (
        average_precision(positions, query, 3),
        recall_at(positions, query, 3, 5),
        ndcg_at(positions, query, 3, 5),
    ):
        assert values.isnan().tolist() == [False, True, False]


def test_perfect_ranking_is_one_whatever_the_cut() -> None:
    positions, query = torch.arange(1, 8).double(), torch.zeros(7, dtype=torch.int64)
    assert average_precision(positions, query, 1).item() == 1.0
    for k in (1, 5, 7, 20):
        assert ndcg_at(positions, query, 1, k).item() == pytest.approx(1.0, abs=1e-15)
        assert recall_at(positions, query, 1, k).item() == pytest.approx(min(k, 7) / 7)
    np.testing.assert_allclose(average_precision(positions, query, 1, k=3), 3 / 7)


def test_positions_and_halves_are_float64() -> None:
    """float32 holds no half beyond 2^23: a rank of 9,000,000.5 would be rounded."""
    ranks = rank_scores(torch.zeros(2, 3), torch.tensor([0, 1]), every_positive=True)
    assert ranks.forward.dtype in (torch.int64, torch.float64)
    assert ranks.forward_positions.dtype == torch.float64
