"""Intervals of single figures: textbook values, no edge, and what they hold of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gramcli.metrics.figures import interval_of
from gramcli.metrics.intervals import median_interval, median_of, plus_four, plus_four_of, student_quantile

SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=12)


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (20, 20), (1, 50), (49, 50), (550, 1000), (2, 7)])
def test_of_independent_hits_it_is_agresti_and_coull_s_with_student_s_t(hits: int, n: int) -> None:
    z = 1.959963984540054
    total = n + z * z
    share = (hits + z * z / 2) / total
    half = stats.t.ppf(0.975, total - 1) * np.sqrt(share * (1 - share) / total)
    values = np.repeat([1.0, 0.0], [hits, n - hits])
    assert plus_four_of(values, np.arange(n)) == pytest.approx((max(0, share - half), min(1, share + half)), abs=2e-4)


@pytest.mark.parametrize("n", [1, 2, 5, 50, 1000])
def test_one_more_hit_never_lowers_an_end(n: int) -> None:
    ends = np.array([plus_four_of(np.repeat([1.0, 0.0], [k, n - k]), np.arange(n)) for k in range(n + 1)])
    assert (np.diff(ends, axis=0) >= -1e-12).all()


def test_the_last_miss_lowers_no_end_where_items_have_five_captions() -> None:
    """250 of 250 hits, then one caption, two of one item, a whole item that miss."""
    clusters = np.repeat(np.arange(50), 5)
    lower = []
    for missed in (0, 1, 2, 5):
        values = np.ones(250)
        values[:missed] = 0
        lower.append(plus_four_of(values, clusters)[0])
    assert lower == sorted(lower, reverse=True)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_it_holds_the_mean_of_any_figures_of_any_items(sizes: list[int], seed: int) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(seed)
    columns = [rng.random(len(clusters)), rng.integers(0, 2, len(clusters)), np.ones(len(clusters)), 0.3 + 0 * clusters]
    values = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    for (low, high), mean in zip(plus_four(values, clusters), values.mean(axis=0), strict=True):
        assert 0 <= low <= mean + 1e-12
        assert mean - 1e-12 <= high <= 1


def test_equal_captions_count_once() -> None:
    values = (np.random.default_rng(0).random(40) < 0.4).astype(float)
    alone = plus_four_of(values, np.arange(40))
    assert plus_four_of(np.repeat(values, 5), np.repeat(np.arange(40), 5)) == pytest.approx(alone)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_the_interval_of_a_median_holds_it(ranks: list[int]) -> None:
    values = np.array(ranks, dtype=float)
    low, high = median_interval(values, np.arange(len(values)))
    assert low <= np.median(values) <= high
    assert {low, high} <= set(ranks) | {float(np.median(values))}


def test_what_a_gallery_fixes_has_no_interval() -> None:
    used = {"R@5": np.ones(4), "R@1": np.array([1.0, 0.0, 1.0, 1.0]), "MeanR": np.array([1.0, 2.0, 1.0, 1.0])}
    assert set(interval_of(used, np.arange(4), 5)) == {"R@1", "MeanR"}
    low, high = interval_of(used, np.arange(4), 5)["MeanR"]
    assert 1 <= low <= 1.25 <= high <= 5


@pytest.mark.parametrize("degrees", [4.0, 7.5, 30.0, 1000.0])
def test_student_s_quantile_is_scipy_s(degrees: float) -> None:
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=4e-4)


@pytest.mark.parametrize(("share", "n"), [(0.49, 20), (0.49, 100), (0.48, 50), (0.46, 20)])
def test_coverage_of_a_median_with_much_at_one_rank(share: float, n: int) -> None:
    """Nearly half of the ranks are 1, the median is 2: once 0.87 to 0.9."""
    generator = np.random.default_rng(0)
    ranks = np.where(generator.random((600, n)) < share, 1, 2 + generator.geometric(0.2, (600, n)) - 1).astype(float)
    ends = np.array([median_interval(row, np.arange(n)) for row in ranks])
    assert ((ends[:, 0] <= 2) & (ends[:, 1] >= 2)).mean() >= 0.93


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 12])
def test_coverage_of_few_queries_is_exact(n: int) -> None:
    ends = np.array([plus_four_of(np.repeat([1.0, 0.0], [k, n - k]), np.arange(n)) for k in range(n + 1)])
    for share in np.linspace(0.01, 0.99, 99):
        held = (ends[:, 0] <= share) & (share <= ends[:, 1])
        assert stats.binom.pmf(np.arange(n + 1), n, share)[held].sum() >= 0.94


@given(st.lists(st.integers(1, 9).map(lambda k: k / 2), min_size=1, max_size=12))
def test_the_median_is_numpy_s(values: list[float]) -> None:
    assert median_of(np.array(values)) == np.median(values)
