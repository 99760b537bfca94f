"""Volumes, singular values and the papers' figures against numpy, scikit-learn and stored outputs of GRAM's code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from gramcli.errors import UserError
from gramcli.metrics.geometry import joint
from gramcli.metrics.geometry.joint import auc, derangements, eigenvector_uniformity, gramian_value, instances
from gramcli.scoring.scores import score_matrix, score_pairs
from tests.metrics.geometry.test_modality import unit
from tests.vectors import make_side


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_instances_are_those_of_numpy_and_of_the_methods(m: int, dtype: torch.dtype) -> None:
    side = make_side(m, 30, 8, dtype=dtype)
    found = instances(list(side.values()), [torch.arange(30)] * m)
    z = np.stack([unit(x) for x in side.values()], axis=1)
    np.testing.assert_allclose(found.singular_values, np.linalg.svd(z, compute_uv=False), atol=1e-7)
    np.testing.assert_allclose(found.volume, np.sqrt(np.linalg.det(z @ z.transpose(0, 2, 1))), atol=1e-7)
    names = list(side)
    sides = {names[0]: side[names[0]]}, {name: side[name] for name in names[1:]}
    torch.testing.assert_close(found.volume, score_pairs("gram", *sides), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.sigma_1, score_pairs("pmrl", *sides), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.share, score_pairs("pmrl:value=share", *sides), rtol=1e-9, atol=1e-12)
    assert not found.degenerate.any()


def test_closed_forms() -> None:
    eye = torch.eye(4)
    rows = [torch.zeros(1, dtype=torch.int64)] * 3
    upright = instances([eye[:1], eye[1:2], eye[2:3]], rows)
    assert upright.volume.tolist() == [1.0]
    assert upright.share.tolist() == pytest.approx([1 / 3])
    alike = instances([eye[:1], 2 * eye[:1], eye[:1]], rows)
    assert alike.volume.tolist() == [0.0]
    assert alike.sigma_1.tolist() == pytest.approx([3**0.5])
    assert alike.degenerate.tolist() == [True]
    with pytest.raises(UserError, match="2 or more vectors of one dimension"):
        instances([eye], rows[:1])


def test_float32_copies_count_as_degenerate() -> None:
    x = make_side(1, 20, 8, dtype=torch.float32)["text"]
    copies = torch.nn.functional.normalize(x * 1.7)
    assert instances([x, copies], [torch.arange(20)] * 2).degenerate.all()


def test_uniformity_of_directions_knows_no_library_s_sign() -> None:
    side = make_side(3, 40, 6)
    z = np.stack([unit(x) for x in side.values()], axis=1)
    u = np.linalg.svd(z)[2][:, 0]  # right singular vectors of [m, d] are the directions
    u *= np.sign((u * z.sum(axis=1)).sum(axis=1))[:, None]
    found = instances(list(side.values()), [torch.arange(40)] * 3)
    assert eigenvector_uniformity(found.mean_direction) == pytest.approx((u @ u.T).mean(), abs=1e-9)
    assert joint.eigenvalue_max(found.sigma_1) == pytest.approx(np.linalg.svd(z, compute_uv=False)[:, 0].mean())


@pytest.mark.parametrize(("matrix", "letters"), [("volume3", "va"), ("volume4", "vas")])
def test_gramian_value_is_the_stored_one(reference_data: Path, matrix: str, letters: str) -> None:
    tensors = load_file(reference_data / "golden" / "retrieval.safetensors")
    expected = json.loads((reference_data / "golden" / "retrieval.json").read_text())["A.gramian_value"][matrix]
    candidates = {letter: tensors[f"A.feat_{letter}"] for letter in letters}
    value, n = gramian_value({"t": tensors["A.feat_t"]}, candidates)
    assert n == 200
    assert value == pytest.approx(expected, abs=1e-6)


def test_gramian_value_of_many_queries_is_over_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    side = make_side(3, 30, 8)
    queries, candidates = {"text": side["text"]}, {name: side[name] for name in ("video", "audio")}
    least = score_matrix("gram", queries, candidates, dtype=torch.float64).amin(dim=1)
    assert gramian_value(queries, candidates)[0] == pytest.approx(float(least.mean()), abs=1e-6)
    monkeypatch.setattr(joint, "MOST_SCORES", 10 * 30)
    value, n = gramian_value(queries, candidates, seed=4)
    assert n == 10
    assert value == pytest.approx(float(least[joint.subsample(30, 10, 4)].mean()), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20),
    st.booleans(),
)  # fmt: skip
def test_auc_is_that_of_scikit_learn(positive: list[int], negative: list[int], higher: bool) -> None:
    labels = [1] * len(positive) + [0] * len(negative)
    scores = np.array([*positive, *negative]) * (1 if higher else -1)
    found = auc(torch.tensor(positive), torch.tensor(negative), higher_is_better=higher)
    assert found == pytest.approx(roc_auc_score(labels, scores))


@given(n=st.integers(2, 50), seed=st.integers(0, 99))
def test_a_derangement_keeps_nothing_in_place(n: int, seed: int) -> None:
    found = derangements(n, seed)
    assert len(found) == min(10, n - 1)
    assert (found.sort(dim=1).values == torch.arange(n)).all()
    assert (found != torch.arange(n)).all()
    assert all(len(set(column.tolist())) == len(found) for column in found.T)  # no pair of items twice


def test_what_cannot_be_shuffled() -> None:
    with pytest.raises(UserError, match="at least 2 items; got 1"):
        derangements(1, 0)
    with pytest.raises(UserError, match="got 0 matched and 1 mismatched"):
        auc(torch.empty(0), torch.ones(1), higher_is_better=True)
