"""Neighbours against scikit-learn; hubness, dimension and agreement against scipy, a second fit and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import skew
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors

from gramcli.errors import UserError
from gramcli.metrics.geometry.neighbours import (
    hubness,
    hubness_chance,
    intrinsic_dimension,
    mutual_knn,
    mutual_knn_chance,
    nearest,
)
from tests.metrics.geometry.test_modality import rows, unit


@pytest.mark.parametrize(("n", "k"), [(900, 10), (12, 10), (11, 10), (30, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbours_are_those_of_scikit_learn(n: int, k: int, dtype: torch.dtype) -> None:
    x = rows(n, 8, dtype=dtype)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(unit(x))
    expected, indices = search.kneighbors()  # without the point itself
    distances, found = nearest(x, k)
    np.testing.assert_allclose(distances.numpy(), expected, atol=1e-7)
    assert np.array_equal(found.numpy(), indices)


def test_a_copy_is_a_neighbour_and_the_row_itself_is_not() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.1, 1.0]])
    distances, found = nearest(x, 1)
    assert found.flatten().tolist() == [2, 3, 0, 1]
    assert distances[0] == 0
    assert distances[1] > 0
    with pytest.raises(UserError, match="at least 5 rows; got 4"):
        nearest(x, 4)


def test_hubness_is_the_skewness_of_scipy() -> None:
    _, found = nearest(rows(400, 30), 10)
    counts = np.bincount(found.flatten().numpy(), minlength=400)
    assert hubness(found) == pytest.approx(skew(counts))


def test_hubness_of_a_star_and_of_a_ring() -> None:
    """Nine rows whose neighbour is row 0, whose own is row 1: counts 9, 1 and eight 0."""
    star = torch.tensor([[1], *[[0]] * 9])
    assert hubness(star) == pytest.approx(skew([9, 1, *[0] * 8]))
    with pytest.raises(UserError, match="equally often"):
        hubness(torch.tensor([[1], [2], [0]]))


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_dimension_of_a_sphere(dimension: int) -> None:
    generator = torch.Generator().manual_seed(dimension)
    flat = torch.randn(4000, dimension + 1, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q[: dimension + 1]
    found = intrinsic_dimension(nearest(flat @ turn, 2)[0])
    assert found == pytest.approx(dimension, rel=0.06)


def test_dimension_is_the_slope_of_a_second_fit() -> None:
    distances, _ = nearest(rows(500, 6), 2)
    mu = np.sort((distances[:, 1] / distances[:, 0]).numpy())
    kept = 450
    cumulative = np.arange(1, kept + 1) / 500
    fit = LinearRegression(fit_intercept=False).fit(np.log(mu[:kept, None]), -np.log(1 - cumulative))
    assert intrinsic_dimension(distances) == pytest.approx(fit.coef_[0])


def test_copies_are_left_out_of_the_dimension() -> None:
    x = rows(300, 6)
    alone, _ = nearest(x, 2)
    with_copies = torch.cat([alone, torch.zeros(50, 2, dtype=torch.float64)])
    assert intrinsic_dimension(with_copies) == intrinsic_dimension(alone)
    with pytest.raises(UserError, match="undefined for 0 rows"):
        intrinsic_dimension(torch.zeros(9, 2))


def test_mutual_neighbours_against_sets() -> None:
    x, y = rows(80, 6, 1), rows(80, 6, 2)
    (_, a), (_, b) = nearest(x, 10), nearest(y, 10)
    expected = [len(set(i) & set(j)) / 10 for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    assert mutual_knn(a, b).tolist() == pytest.approx(expected)
    assert mutual_knn(a, a).tolist() == [1.0] * 80
    with pytest.raises(UserError, match="one shape"):
        mutual_knn(a, b[:, :3])


def test_chance_is_what_unrelated_modalities_reach() -> None:
    found = [
        float(mutual_knn(nearest(rows(200, 8, seed), 10)[1], nearest(rows(200, 8, seed + 50), 10)[1]).mean())
        for seed in range(5)
    ]
    assert np.mean(found) == pytest.approx(mutual_knn_chance(200, 10), abs=0.01)


def test_copies_decide_nothing_by_their_order() -> None:
    """Three hundred silent clips of a thousand: the first ten of them were hubs of 9.3, and two modalities agreed."""
    x, y = rows(1000, 64, 1), rows(1000, 64, 2)
    silent = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:300]
    x[silent], y[silent] = x[silent[0]].clone(), y[silent[0]].clone()
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    for rearranged in (
        torch.arange(1000),
        order,
        silent.sort().values.tolist() + [k for k in range(1000) if k not in silent],
    ):
        (_, a), (_, b) = nearest(x[rearranged], 10, seed=0), nearest(y[rearranged], 10, seed=1)
        assert hubness(a) < 1
        assert float(mutual_knn(a, b).mean()) == pytest.approx(0.7 * 10 / 999 + 0.3 * 10 / 299, abs=0.005)
        assert (a != torch.arange(1000).unsqueeze(1)).all()


def test_rows_that_do_not_vary_have_no_neighbours() -> None:
    with pytest.raises(UserError, match="10 neighbours is undefined: the rows do not vary"):
        nearest(torch.nn.functional.normalize(torch.ones(20, 7) * torch.arange(1, 21)[:, None]), 10)


@pytest.mark.parametrize(("n", "k"), [(200, 10), (1000, 10), (50, 5)])
def test_hubness_by_chance_is_that_of_random_lists(n: int, k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(200):
        scores = torch.rand(n, n, generator=generator).fill_diagonal_(-1)
        found.append(hubness(scores.topk(k, dim=1).indices))
    assert np.mean(found) == pytest.approx(hubness_chance(n, k), abs=4 * np.std(found) / 200**0.5)
    assert hubness_chance(k + 1, k) is None
