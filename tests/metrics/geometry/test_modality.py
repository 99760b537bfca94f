"""Spectrum, ranks, isotropy and uniformity against numpy, scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.modality import (
    effective_rank,
    isoscore_star,
    mean_norm,
    participation_ratio,
    rankme,
    spectrum,
    uniformity,
)
from gramcli.metrics.geometry.rows import mean_interval, moments, subsample
from tests.vectors import make_side


def rows(n: int = 60, d: int = 9, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return make_side(1, n, d, seed, dtype)["text"]


def unit(x: Tensor) -> np.ndarray:
    wide = x.double().numpy()
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(60, 9), (7, 20)])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spectrum_is_that_of_numpy(shape, centred: bool, dtype: torch.dtype) -> None:
    x = rows(*shape, dtype=dtype)
    z = unit(x)
    expected = np.linalg.svd(z - z.mean(axis=0) if centred else z, compute_uv=False)
    found = spectrum(moments(x), centred=centred)
    assert found.shape == (min(shape),)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-8)


def test_ranks_are_the_textbook_formulas() -> None:
    x = rows()
    z = unit(x)
    centred = np.linalg.svd(z - z.mean(axis=0), compute_uv=False)
    p = centred / centred.sum()
    sigma = spectrum(moments(x), centred=True)
    assert effective_rank(sigma) == pytest.approx(math.exp(-(p * np.log(p)).sum()))
    plain = np.linalg.svd(z, compute_uv=False)
    q = plain / plain.sum() + 1e-7
    assert rankme(spectrum(moments(x), centred=False)) == pytest.approx(math.exp(-(q * np.log(q)).sum()))
    variances = PCA().fit(z).explained_variance_
    assert participation_ratio(sigma) == pytest.approx(variances.sum() ** 2 / (variances**2).sum())


def test_ranks_of_repeated_axes() -> None:
    """c_k copies of axis k: singular values sqrt(c_k), and a centred rank of one less when all c_k are alike."""
    counts = [4, 1, 9]
    x = torch.cat([torch.eye(5)[k].expand(c, 5) for k, c in enumerate(counts)])
    sigma = spectrum(moments(x), centred=False)
    assert sigma.tolist() == pytest.approx([3, 2, 1, 0, 0], abs=1e-7)
    p = np.array([3, 2, 1]) / 6
    assert effective_rank(sigma) == pytest.approx(math.exp(-(p * np.log(p)).sum()))
    simplex = spectrum(moments(torch.eye(5)), centred=True)
    assert effective_rank(simplex) == pytest.approx(4)
    assert participation_ratio(simplex) == pytest.approx(4)


def paper_isoscore_star(covariance: np.ndarray) -> float:
    """The paper's steps one by one: normalised principal components, isotropy defect, rescaling."""
    d = len(covariance)
    components = np.linalg.svd(covariance, compute_uv=False)
    normal = components * np.sqrt(d) / np.linalg.norm(components)
    defect = np.linalg.norm(normal - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    used = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * used - 1) / (d - 1)


@pytest.mark.parametrize("shape", [(60, 9), (7, 20), (500, 2)])
def test_isoscore_star_is_the_paper_s(shape) -> None:
    x = rows(*shape)
    found = isoscore_star(spectrum(moments(x), centred=True), shape[1])
    assert found == pytest.approx(paper_isoscore_star(np.cov(unit(x).T)), abs=1e-9)


def test_isoscore_star_ends() -> None:
    both_ways = torch.cat([torch.eye(4), -torch.eye(4)])
    assert isoscore_star(spectrum(moments(both_ways), centred=True), 4) == pytest.approx(1)
    line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert isoscore_star(spectrum(moments(line), centred=True), 2) == pytest.approx(0)
    with pytest.raises(UserError, match="at least 2 dimensions"):
        isoscore_star(torch.ones(1), 1)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 30), d=st.integers(2, 8), t=st.sampled_from([0.5, 2.0, 50.0]), seed=st.integers(0, 99))
def test_uniformity_is_that_of_scipy_distances(n: int, d: int, t: float, seed: int) -> None:
    x = rows(n, d, seed, torch.float64)
    expected = logsumexp(-t * pdist(unit(x), "sqeuclidean")) - math.log(n * (n - 1) / 2)
    assert uniformity(x, t) == pytest.approx(expected, abs=1e-8)


def test_uniformity_over_several_tiles() -> None:
    x = rows(2500, 6)
    expected = np.log(np.exp(-2 * pdist(unit(x), "sqeuclidean")).mean())
    assert uniformity(x) == pytest.approx(expected, abs=1e-9)
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0)
    assert uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])) == pytest.approx(-8)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0.01, 100))
def test_neither_rotation_nor_length_matters(seed: int, scale: float) -> None:
    x = rows(20, 6, seed, torch.float64)
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))).Q
    first, second = (spectrum(moments(side), centred=True) for side in (x, scale * x @ turn))
    torch.testing.assert_close(first, second, atol=1e-9, rtol=0)
    assert uniformity(x) == pytest.approx(uniformity(scale * x @ turn), abs=1e-9)


def test_mean_norm_is_unknown_for_unit_rows() -> None:
    x = rows()
    assert mean_norm(x) == pytest.approx(float(np.linalg.norm(x.numpy(), axis=1).mean()), rel=1e-6)
    assert mean_norm(torch.nn.functional.normalize(x)) is None


def test_rows_all_alike_have_no_rank() -> None:
    sigma = spectrum(moments(torch.full((5, 3), 0.1)), centred=True)
    for measure in (effective_rank, rankme, participation_ratio):
        with pytest.raises(UserError, match=f"{measure.__name__} is undefined"):
            measure(sigma)


def test_rows_that_no_measure_takes() -> None:
    with pytest.raises(UserError, match="uniformity needs at least 2 rows; got 1"):
        uniformity(torch.ones(1, 3))
    with pytest.raises(UserError, match="row 1 is all zeros"):
        moments(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_subsamples_are_seeded() -> None:
    assert torch.equal(subsample(100, 10, 1), subsample(100, 10, 1))
    assert not torch.equal(subsample(100, 10, 1), subsample(100, 10, 2))
    assert len(subsample(100, 10, 1).unique()) == 10


def test_intervals_of_means_count_items() -> None:
    values = torch.tensor([1.0, 2.0, 4.0, 7.0], dtype=torch.float64)
    half = 3.182446 * float(values.std()) / 2
    assert mean_interval(values, torch.arange(4)) == pytest.approx((3.5 - half, 3.5 + half), abs=1e-5)
    assert mean_interval(values.repeat(3), torch.arange(4).repeat(3)) == pytest.approx(
        (3.5 - half, 3.5 + half), abs=1e-5
    )
    assert mean_interval(values, torch.zeros(4, dtype=torch.int64)) is None
