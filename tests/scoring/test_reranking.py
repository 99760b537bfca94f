"""Re-ranking against a sort done by hand, and against the papers' own refinement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from gramcli.scoring.positives import read_positives
from gramcli.scoring.ranking import rank_scores
from gramcli.scoring.reranking import rerank


def slow_positions(first: Tensor, second: Tensor, k: int, positives: list[int]) -> list[float]:
    """Rank of each positive in one query's order: the k best by `first`, sorted by `second`, then the rest."""
    order = sorted(range(len(first)), key=lambda j: (-float(first[j]), j))
    inside, outside = order[:k], order[k:]
    found = []
    for j in positives:
        if j in inside:
            above = sum(float(second[x]) > float(second[j]) for x in inside)
            level = sum(float(second[x]) == float(second[j]) for x in inside) - 1
            found.append(1 + above + level / 2)
        else:
            found.append(k + 1 + outside.index(j))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 10**6))
def test_as_sorting_by_hand(n_candidates: int, k: int, seed: int) -> None:
    k = min(k, n_candidates)
    generator = torch.Generator().manual_seed(seed)
    n = 5
    first = torch.rand(n, n_candidates, generator=generator)
    second = torch.randint(0, 4, (n, n_candidates), generator=generator).float() / 3  # ties are common
    chosen = [torch.randperm(n_candidates, generator=generator)[: 1 + i % 2].sort().values for i in range(n)]
    indptr = torch.tensor([0, *[len(one) for one in chosen]]).cumsum(0)
    pairs = read_positives((indptr, torch.cat(chosen)), n, n_candidates)
    raw = rank_scores(first, (indptr, torch.cat(chosen)), every_positive=True)
    shortlist = first.argsort(dim=1, descending=True, stable=True)[:, :k]
    found = rerank(pairs, raw.forward, raw.forward_positions, shortlist, second.gather(1, shortlist))
    for i in range(n):
        positives = chosen[i].tolist()
        mine = found.positions[pairs.query == i].tolist()
        assert mine == slow_positions(first[i], second[i], k, positives)
        others = [j for j in shortlist[i].tolist() if j not in positives]
        inside = [float(second[i, j]) for j in positives if j in shortlist[i].tolist()]
        if inside:
            best = max(inside)
            level = sum(float(second[i, j]) == best for j in others)
            assert found.best[i] == 1 + sum(float(second[i, j]) > best for j in others) + level / 2
            assert found.ties[i] == level
        else:
            assert found.best[i] == max(k + 1, float(raw.forward[i]))
            assert found.ties[i] == 0


@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_as_the_papers_refinement_within_the_shortlist(reference_data: Path, k: int, direction: str) -> None:
    folder = reference_data / "golden"
    if not (folder / "retrieval.safetensors").exists():
        pytest.skip("no reference retrieval results")
    tensors, facts = load_file(folder / "retrieval.safetensors"), json.loads((folder / "retrieval.json").read_text())
    refined, itm = tensors[f"C.refined.k{k}.{direction}"], tensors["C.itm_full"]
    assert facts
    if direction == "backward":
        refined, itm = refined.T, itm.T
    chosen = refined != 0
    k = int(chosen.sum(1).max())
    shortlist = chosen.float().topk(k, dim=1).indices
    n, n_candidates = refined.shape
    for answer in range(n_candidates):
        pairs = read_positives(torch.full((n,), answer), n, n_candidates)
        first = torch.full((n,), float(n_candidates))
        found = rerank(pairs, first, first, shortlist, itm.gather(1, shortlist))
        theirs = 1 + (refined > refined[:, answer : answer + 1]).sum(1)
        inside = chosen[:, answer]
        assert found.best[inside].tolist() == theirs[inside].double().tolist()
        assert bool((found.best[~inside] > k).all())
