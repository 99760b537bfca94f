"""Measures of two modalities against textbook formulas over all pairs, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import spatial
from scipy.linalg import orthogonal_procrustes
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.pair import (
    alignment,
    cka,
    cosines,
    linear_separability,
    modality_gap,
    negative_cosine,
    procrustes,
    relative_modality_gap,
)
from tests.metrics.geometry.test_modality import unit
from tests.vectors import make_side

ALL = (alignment, cosines, negative_cosine, modality_gap, relative_modality_gap, cka, procrustes, linear_separability)


def pair(n: int = 40, d: int = 7, seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    side = make_side(2, n, d, seed, dtype)
    return side["text"], side["video"] + 0.5


@settings(max_examples=25, deadline=None)
@given(n=st.integers(4, 30), d=st.integers(2, 9), seed=st.integers(0, 999))
def test_sums_are_means_over_all_pairs(n: int, d: int, seed: int) -> None:
    x, y = pair(n, d, seed)
    a, b = unit(x), unit(y)
    apart = ~np.eye(n, dtype=bool)
    np.testing.assert_allclose(alignment(x, y), ((a - b) ** 2).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(cosines(x, y), (a * b).sum(axis=1), atol=1e-9)
    assert negative_cosine(x, y) == pytest.approx((a @ b.T)[apart].mean(), abs=1e-9)
    assert modality_gap(x, y) == pytest.approx(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)), abs=1e-9)
    half = [(1 - cos) / 2 for cos in (a @ b.T, a @ a.T, b @ b.T)]
    across = np.diag(half[0]).mean()
    within = (half[1][apart].sum() + half[2][apart].sum()) / (2 * n * (n - 1))
    assert relative_modality_gap(x, y) == pytest.approx(across / (across + within), abs=1e-9)


def textbook_hsic(K: np.ndarray, L: np.ndarray) -> float:
    n, one = len(K), np.ones(len(K))
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    whole = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    return (np.trace(K @ L) + whole - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3))


@pytest.mark.parametrize("n", [5, 40])
def test_cka_is_the_textbook_s(n: int) -> None:
    x, y = pair(n)[0], pair(n, 11)[1]
    K, L = unit(x) @ unit(x).T, unit(y) @ unit(y).T
    expected = textbook_hsic(K, L) / np.sqrt(textbook_hsic(K, K) * textbook_hsic(L, L))
    assert cka(x, y) == pytest.approx(expected, abs=1e-9)


def test_cka_of_unrelated_rows_is_0_on_average() -> None:
    """The biased estimate would be about 0.4 here: that is what the unbiased one is for."""
    found = [cka(pair(30, 20, seed)[0], pair(30, 20, seed + 100)[0]) for seed in range(40)]
    assert abs(np.mean(found)) < 0.03


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999))
def test_a_rotation_is_no_difference_of_structure(seed: int) -> None:
    x, _ = pair(30, 6, seed, torch.float64)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))).Q
    assert cka(x, x @ turn) == pytest.approx(1, abs=1e-9)
    assert procrustes(x, x @ turn) == pytest.approx(0, abs=1e-9)


def test_procrustes_against_scipy() -> None:
    x, y = pair()
    a, b = (side - side.mean(axis=0) for side in (unit(x), unit(y)))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    turn, nuclear = orthogonal_procrustes(a, b)
    assert procrustes(x, y) == pytest.approx(np.linalg.norm(a @ turn - b) ** 2)
    assert procrustes(x, y) == pytest.approx(procrustes(y, x))
    _, _, disparity = spatial.procrustes(unit(x), unit(y))  # with the best scale: 1 - nuclear^2
    assert 1 - (1 - procrustes(x, y) / 2) ** 2 == pytest.approx(disparity)
    assert nuclear == pytest.approx(1 - procrustes(x, y) / 2)
    wide = torch.cat([y, torch.zeros(len(y), 3)], dim=1)
    assert procrustes(x, wide) == pytest.approx(procrustes(x, y))


@pytest.mark.parametrize("shift", [0.0, 0.15, 5.0])
def test_separability_is_that_of_scikit_learn(shift: float) -> None:
    x, y = pair(53, 12)
    y = y - 0.5 + shift
    a, b = unit(x), unit(y)
    order = torch.randperm(53, generator=torch.Generator().manual_seed(3))
    right = 0
    for part in order.tensor_split(5):
        out = np.isin(np.arange(53), part.numpy())
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1, priors=[0.5, 0.5])
        model.fit(np.concatenate([a[~out], b[~out]]), np.repeat([0, 1], (~out).sum()))
        right += (model.predict(a[out]) == 0).sum() + (model.predict(b[out]) == 1).sum()
    assert linear_separability(x, y, seed=3) == pytest.approx(right / 106)


def test_separability_ends() -> None:
    x, y = pair(200, 6)
    assert linear_separability(x, x) == pytest.approx(0.5)
    apart = torch.tensor([1.0, 0.0]).expand(20, 2), torch.tensor([0.0, 1.0]).expand(20, 2)
    assert linear_separability(*apart) == 1.0
    assert linear_separability(x, y, seed=1) == linear_separability(x, y, seed=1)


def test_closed_forms() -> None:
    x = torch.eye(3)
    assert alignment(x, x).sum() == 0
    assert alignment(x, -x).tolist() == [4, 4, 4]
    assert relative_modality_gap(x, x) == 0
    points = torch.tensor([1.0, 0.0]).expand(4, 2), torch.tensor([0.0, 1.0]).expand(4, 2)
    assert relative_modality_gap(*points) == pytest.approx(1)
    assert modality_gap(*points) == pytest.approx(2**0.5)
    for measure in (relative_modality_gap, cka, procrustes):
        with pytest.raises(UserError, match="undefined"):
            measure(points[0], points[0])


def test_rows_that_are_not_the_same_items() -> None:
    x = torch.eye(6)
    for measure in ALL:
        with pytest.raises(UserError, match="6 and 5 rows"):
            measure(x, x[:5])
    for measure in (alignment, modality_gap, linear_separability):
        with pytest.raises(UserError, match="6 and 4 dimensions"):
            measure(x, torch.ones(6, 4))
    with pytest.raises(UserError, match="cka needs at least 4 rows"):
        cka(x[:3], x[:3])
