"""Intervals and tests against scipy, numpy and hand-worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gramcli.metrics.significance import (
    bootstrap_interval,
    bootstrap_means,
    holm,
    weighted_mean,
    weighted_median,
    wilson_interval,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (550, 1000), (3, 7)])
def test_wilson_interval_is_the_closed_form(hits: int, n: int) -> None:
    z, share = stats.norm.ppf(0.975), hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = wilson_interval(hits, n)
    assert (low, high) == pytest.approx((max(0, centre - half), min(1, centre + half)), abs=1e-12)
    assert 0 <= low <= share <= high <= 1


@pytest.mark.parametrize("n", [1, 2, 3, 20, 77, 884, 1000])
def test_wilson_interval_is_scipys_to_the_last_bit(n: int) -> None:
    for hits in {0, 1, n // 3, n // 2, n - 1, n}:
        found = stats.binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
        assert wilson_interval(hits, n) == (found.low, found.high)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=12))
def test_weighted_median_is_numpys_of_the_repeated_values(pairs: list[tuple[int, int]]) -> None:
    values, weights = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if weights.sum() == 0:
        weights[0] = 1.0
    found = weighted_median(values, weights[None])
    repeated = np.repeat(values, weights.astype(int))
    assert found.tolist() == [np.median(repeated)]
    assert weighted_mean(values, weights[None])[0] == pytest.approx(repeated.mean())


def test_bootstrap_agrees_with_resampling_by_index() -> None:
    rng = np.random.default_rng(1)
    values = rng.exponential(size=300)
    draws = values[rng.integers(0, 300, size=(4000, 300))]
    for statistic, slow in ((weighted_mean, draws.mean(1)), (weighted_median, np.median(draws, axis=1))):
        found = bootstrap_interval(values, np.arange(300), statistic)
        np.testing.assert_allclose(found, np.percentile(slow, [2.5, 97.5]), rtol=0.04)


@pytest.mark.parametrize("n", [7, 400, 2500])
def test_intervals_of_several_figures_are_those_of_each_alone(n: int) -> None:
    rng = np.random.default_rng(5)
    values, clusters = rng.exponential(size=(n, 3)), np.sort(rng.integers(0, max(1, n // 2), size=n))
    clusters = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    together = bootstrap_means(values, clusters)
    for column, bounds in zip(values.T, together, strict=True):
        assert bootstrap_interval(column, clusters) == pytest.approx(tuple(bounds), rel=1e-12)
    other = np.zeros(n, dtype=np.int64)  # what was kept for one grouping says nothing about another
    assert bootstrap_interval(values[:, 0], other) == pytest.approx((values[:, 0].mean(),) * 2)


def test_bootstrap_interval_is_as_wide_as_the_normal_one() -> None:
    values = np.random.default_rng(2).normal(size=1000)
    low, high = bootstrap_interval(values, np.arange(1000))
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(1000), rel=0.1)
    assert low < values.mean() < high
    assert bootstrap_interval(values, np.arange(1000)) == (low, high)


def test_five_copies_of_each_query_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(3).normal(size=200)
    alone = bootstrap_interval(values, np.arange(200))
    copied = bootstrap_interval(np.repeat(values, 5), np.repeat(np.arange(200), 5))
    as_if_independent = bootstrap_interval(np.repeat(values, 5), np.arange(1000))
    assert copied == pytest.approx(alone)
    assert as_if_independent[1] - as_if_independent[0] < 0.6 * (alone[1] - alone[0])


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(4)
    wilson = [wilson_interval(int(hits), 80) for hits in rng.binomial(80, 0.3, size=400)]
    assert 0.92 <= np.mean([low <= 0.3 <= high for low, high in wilson]) <= 0.98
    bootstraps = [bootstrap_interval(rng.normal(size=80), np.arange(80), seed=seed) for seed in range(150)]
    assert 0.88 <= np.mean([low <= 0 <= high for low, high in bootstraps]) <= 0.99


def test_one_cluster_or_constant_values_have_no_width() -> None:
    assert bootstrap_interval(np.array([1.0, 3.0]), np.array([0, 0])) == (2.0, 2.0)
    assert bootstrap_interval(np.ones(10), np.arange(10)) == (1.0, 1.0)


def test_holm_by_hand() -> None:
    """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 is 0.02, 0.03, 0.06, 0.04; never falling gives 0.06 last."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
