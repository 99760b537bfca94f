"""Scores and ranks against the outputs of the papers' own code, stored in the reference data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from gramcli.metrics.retrieval import hit_at
from gramcli.scoring.ranking import RankOptions, Ranks, rank, rank_scores
from gramcli.scoring.scores import score_matrix, score_pairs

LETTERS = ("t", "v", "a", "s", "d")
SIZES = [(B, d) for B in (4, 17) for d in (8, 64)]


@pytest.fixture(scope="module")
def retrieval(reference_data: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    folder = reference_data / "golden"
    return load_file(folder / "retrieval.safetensors"), json.loads((folder / "retrieval.json").read_text())


@pytest.fixture(scope="module")
def losses(reference_data: Path) -> dict[str, Tensor]:
    return load_file(reference_data / "golden" / "losses.safetensors")


def case_sides(tensors: dict[str, Tensor], case: str, matrix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Features behind a stored matrix; B2 is B with texts and videos permuted."""
    letters = {"cos_tv": "v", "volume3": "va", "volume4": "vas"}[matrix]
    source = case[0]
    texts = tensors[f"{source}.feat_t"]
    videos = {letter: tensors[f"{source}.feat_{letter}"] for letter in letters}
    if case == "B2":
        texts = texts[tensors["B2.text_perm"]]
        videos = {letter: x[tensors["B2.video_perm"]] for letter, x in videos.items()}
    return {"t": texts}, videos


def case_positives(tensors: dict[str, Tensor], details: dict[str, Any], case: str) -> Tensor:
    ids, texts = details[f"{case[0]}.ids"], details[f"{case[0]}.ids_txt"]
    if case == "B2":
        ids = [ids[k] for k in tensors["B2.video_perm"].tolist()]
        texts = [texts[k] for k in tensors["B2.text_perm"].tolist()]
    return torch.tensor([ids.index(name) for name in texts])


def check_figures(found: Tensor, expected: dict[str, Any]) -> None:
    """0-based golden ranks, fractions, and torch's lower median."""
    assert (found - 1).tolist() == expected["ranks"]
    for k in (1, 5, 10):
        assert float(hit_at(found, k).mean()) == pytest.approx(expected[f"r{k}"], abs=1e-12)
    assert float(found.median()) == expected["median_rank_1based"]
    assert float(found.double().mean()) == pytest.approx(expected["mean_rank_1based"], rel=1e-6)
    direction = expected["direction"]
    percent = [round(float(hit_at(found, k).mean()) * 100, 1) for k in (1, 5, 10)]
    assert "/".join(map(str, percent)) == expected["official"][f"{direction}_recall"]


CASES = [("A", "cos_tv"), ("A", "volume3"), ("A", "volume4"), ("B", "cos_tv"), ("B", "volume3"), ("B2", "cos_tv")]


@pytest.mark.parametrize(("case", "matrix"), [case for case in CASES if case[0] != "B2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_are_the_stored_ones(retrieval, case: str, matrix: str, dtype: torch.dtype) -> None:
    tensors, _ = retrieval
    method = "cosine" if matrix == "cos_tv" else "gram"
    scores = score_matrix(method, *case_sides(tensors, case, matrix), dtype=dtype)
    torch.testing.assert_close(scores.float(), tensors[f"{case}.{matrix}"], rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("case", "matrix"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ranks_are_those_of_the_papers_code(retrieval, case: str, matrix: str, dtype: torch.dtype) -> None:

    tensors, details = retrieval
    method = "cosine" if matrix == "cos_tv" else "gram"
    positives = case_positives(tensors, details, case)
    options = RankOptions(dtype=dtype, tile=(128, 101))
    ranks = rank(method, *case_sides(tensors, case, matrix), positives, options=options)
    check_figures(ranks.forward, details["cases"][f"{case}.{matrix}.forward"])
    check_figures(ranks.backward, details["cases"][f"{case}.{matrix}.backward"])


@pytest.mark.parametrize(("case", "matrix"), [case for case in CASES if case[0] != "B2"])
def test_ranks_of_the_stored_matrices(retrieval, case: str, matrix: str) -> None:
    tensors, details = retrieval
    scores, positives = tensors[f"{case}.{matrix}"], case_positives(tensors, details, case)
    higher = matrix == "cos_tv"
    forward = rank_scores(scores, positives, higher_is_better=higher)
    check_figures(forward.forward, details["cases"][f"{case}.{matrix}.forward"])
    check_figures(backward_of(scores, positives, higher).forward, details["cases"][f"{case}.{matrix}.backward"])


def backward_of(scores: Tensor, positives: Tensor, higher: bool) -> Ranks:
    order = positives.argsort(stable=True)
    counts = torch.bincount(positives, minlength=scores.shape[1])
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return rank_scores(scores.T, (indptr, order), higher_is_better=higher)


def test_transposed_volumes_and_the_mean_of_row_minima(retrieval) -> None:
    tensors, details = retrieval
    ranks = rank_scores(tensors["A.volume4"].T, higher_is_better=False)
    check_figures(ranks.forward, details["cases"]["A.volume4_transposed.forward"])
    for matrix, expected in details["A.gramian_value"].items():
        scores = score_matrix("gram", *case_sides(tensors, "A", matrix))
        assert float(scores.amin(1).mean()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["C.refined.k1", "C.refined.k3", "C.refined.k8"])
def test_ties_among_non_candidates_take_the_middle_of_what_the_papers_code_could_print(retrieval, name: str) -> None:
    tensors, details = retrieval
    positives = torch.tensor([details["C.ids"].index(text) for text in details["C.ids_txt"]])
    scores = tensors[f"{name}.forward"]
    ranks = rank_scores(scores, positives)
    half = ranks.forward_ties / 2
    official = torch.tensor(details["cases"][f"{name}.forward"]["ranks"]) + 1
    assert bool((ranks.forward - half <= official).all())
    assert bool((official <= ranks.forward + half).all())
    untied = ranks.forward_ties == 0
    assert untied.any()
    assert torch.equal(ranks.forward[untied].double(), official[untied].double())


def test_hand_made_ties(retrieval) -> None:
    tensors, details = retrieval
    for name in ("D.ties", "D.zeros"):
        ranks = rank_scores(tensors[name])
        half = ranks.forward_ties / 2
        official = torch.tensor(details["cases"][f"{name}.forward"]["ranks"]) + 1
        assert bool(((ranks.forward - official).abs() <= half).all())


def loss_vectors(losses: dict[str, Tensor], B: int, d: int, k: int, dtype: torch.dtype) -> list[Tensor]:
    return [losses[f"B{B}.d{d}.k{k}.x_{letter}"].to(dtype) for letter in LETTERS[:k]]


@pytest.mark.parametrize(("B", "d"), SIZES)
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_volumes_of_the_loss_files(losses, B: int, d: int, k: int) -> None:
    prefix = f"B{B}.d{d}.k{k}"
    text, *others = loss_vectors(losses, B, d, k, torch.float64)
    queries, candidates = {"t": text}, dict(zip(LETTERS[1:], others, strict=False))
    scores = score_matrix("gram", queries, candidates, dtype=torch.float64)
    torch.testing.assert_close(scores, losses[f"{prefix}.f64.volume"], rtol=0, atol=1e-9)
    narrow = [{key: x.float() for key, x in side.items()} for side in (queries, candidates)]
    fast = score_matrix("gram", *narrow)
    torch.testing.assert_close(fast, losses[f"{prefix}.f32.volume"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("B", "d"), SIZES)
def test_areas_of_the_loss_files_are_twice_the_squared_area(losses, B: int, d: int) -> None:
    prefix = f"B{B}.d{d}.k3"
    text, video, audio = loss_vectors(losses, B, d, 3, torch.float64)
    queries, candidates = {"t": text}, {"v": video, "a": audio}
    scores = score_matrix("triangle:squared=true", queries, candidates, dtype=torch.float64)
    torch.testing.assert_close(scores, losses[f"{prefix}.f64.triangle_area"], rtol=0, atol=1e-9)
    plain = score_matrix("triangle", queries, candidates, dtype=torch.float64)
    torch.testing.assert_close(2 * plain**2, scores, rtol=1e-12, atol=1e-15)
    narrow = [{key: x.float() for key, x in side.items()} for side in (queries, candidates)]
    fast = score_matrix("triangle:squared=true", *narrow)
    torch.testing.assert_close(fast, losses[f"{prefix}.f32.triangle_area"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("B", "d"), SIZES)
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_singular_values_of_the_loss_files(losses, B: int, d: int, k: int) -> None:
    prefix = f"B{B}.d{d}.k{k}"
    for dtype, name, tolerance in ((torch.float64, "f64", 1e-9), (torch.float32, "f32", 1e-5)):
        vectors = loss_vectors(losses, B, d, k, dtype)
        sigma = losses[f"{prefix}.{name}.pmrl_singular_values"].double()
        queries, candidates = {"t": vectors[0]}, dict(zip(LETTERS[1:], vectors[1:], strict=False))
        expected = {
            "pmrl": sigma[:, 0],
            "pmrl:value=share": sigma[:, 0] ** 2 / (sigma**2).sum(1),
            "pmrl:value=softmax,tau=0.05": torch.softmax(sigma / 0.05, 1)[:, 0],
        }
        for method, values in expected.items():
            slope = 20 if "softmax" in method else 1
            found = score_pairs(method, queries, candidates)
            torch.testing.assert_close(found, values, rtol=0, atol=slope * tolerance)


@pytest.mark.parametrize(("B", "d"), SIZES)
def test_pmrl_softmax_is_what_the_intra_loss_maximises(losses, B: int, d: int) -> None:
    text, *others = loss_vectors(losses, B, d, 4, torch.float64)
    share = score_pairs("pmrl:value=softmax,tau=0.05", {"t": text}, dict(zip(LETTERS[1:], others, strict=False)))
    expected = losses[f"B{B}.d{d}.k4.f64.pmrl_intra"].item()
    assert -share.log().mean().item() == pytest.approx(expected, abs=1e-9)
