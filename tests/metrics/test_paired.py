"""Paired differences: published values, tests and intervals that agree, and what is no difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from gramcli.metrics.paired import Difference, mean_difference, share_difference

COUNTS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 40)).filter(lambda found: sum(found) > 0)


def pairs_of(wins: int, losses: int, same: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits of A and of B."""
    b = np.repeat([1.0, 0.0, 1.0], [wins, losses, same])
    return np.repeat([0.0, 1.0, 1.0], [wins, losses, same]), b


def test_tango_s_interval_of_a_published_table() -> None:
    """Airway hyper-responsiveness of 21 children: 7 against 1; -0.517 to -0.026 (Fagerland et al. 2014, table 5).

    Theirs is of the normal distribution: of the level at which Student's t of 20 degrees reaches as far.
    """
    a, b = pairs_of(1, 7, 13)
    normal = share_difference(a, b, np.arange(21), level=1 - 2 * stats.t.sf(stats.norm.ppf(0.975), 20))
    assert (normal.low, normal.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert share_difference(a, b, np.arange(21)).p_value == pytest.approx(2 * stats.t.sf(6 / np.sqrt(8), 20))


@given(COUNTS)
def test_tango_s_interval_solves_its_equation(counts: tuple[int, int, int]) -> None:
    """The restricted likelihood maximised by scipy instead of in closed form."""
    wins, losses, same = counts
    n = sum(counts)
    if n == 1:
        return
    found = share_difference(*pairs_of(*counts), np.arange(n))
    for end, sign in ((found.low, 1), (found.high, -1)):
        if abs(end) > 0.99:
            continue

        def unlikely(lost: float, end: float = end) -> float:
            terms = ((wins, lost + end), (losses, lost), (same, 1 - 2 * lost - end))
            return -sum(count * np.log(max(share, 1e-300)) for count, share in terms if count)

        least = max(0.0, -end)
        within = (least, (1 - end) / 2)
        lost = optimize.minimize_scalar(unlikely, bounds=within, method="bounded", options={"xatol": 1e-12}).x
        score = (wins - losses - n * end) / np.sqrt(n * (2 * lost + end - end * end))
        assert score == pytest.approx(sign * stats.t.ppf(0.975, n - 1), abs=2e-3)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2**16)), min_size=2, max_size=30), st.booleans())
def test_interval_and_test_agree(items: list[tuple[int, int]], hits: bool) -> None:
    clusters = np.repeat(np.arange(len(items)), [size for size, _ in items])
    rng = np.random.default_rng([seed for _, seed in items])
    drawn = rng.random((2, len(clusters)))
    a, b = (drawn < [[0.3], [0.6]]) * 1.0 if hits else drawn**3
    compared = share_difference if hits else mean_difference
    found = compared(a, b, clusters)
    assert found.low <= found.value <= found.high
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
    other = compared(b, a, clusters)
    assert (other.low, other.high, other.p_value) == pytest.approx((-found.high, -found.low, found.p_value), abs=1e-9)


def test_four_wins_of_fifty_and_no_loss() -> None:
    """Once +8.0 [+2.0, +16.0] beside p = 0.125; five wins are told apart, four just not."""
    four, five = (share_difference(*pairs_of(wins, 0, 50 - wins), np.arange(50)) for wins in (4, 5))
    assert four.low < 0 < five.low
    assert four.p_value == pytest.approx(2 * stats.t.sf(2, 49))
    assert five.p_value < 0.05 < four.p_value


@pytest.mark.parametrize("n", [2, 4, 5, 8, 10, 16, 20])
@pytest.mark.parametrize("compared", [share_difference, mean_difference])
def test_size_where_every_query_differs(n: int, compared: Callable[..., Difference]) -> None:
    """Exact: every number of wins, all differences as large as they can be."""
    size = 0.0
    for wins in range(n + 1):
        a = np.repeat([0.0, 1.0], [wins, n - wins])
        size += stats.binom.pmf(wins, n, 0.5) * (compared(a, 1 - a, np.arange(n)).p_value < 0.05)
    assert size <= 0.05


def test_nothing_is_known_of_one_item() -> None:
    for compared in (share_difference, mean_difference):
        found = compared(np.zeros(5), np.ones(5), np.zeros(5, dtype=np.int64))
        assert (found.low, found.high, found.p_value) == (-1.0, 1.0, 1.0)


def test_small_gains_everywhere_are_found() -> None:
    """B is one place better for every one of 200 queries, from ranks 5 to 59."""
    ranks = np.random.default_rng(0).integers(5, 60, 200).astype(float)
    assert mean_difference(1 / ranks, 1 / (ranks - 1), np.arange(200)).p_value < 0.05


def test_ends_are_differences_that_can_be() -> None:
    found = mean_difference(np.zeros(5), np.ones(5), np.arange(5))
    assert -1 <= found.low <= found.high <= 1


def test_no_difference_is_no_certainty() -> None:
    """R@1 and MRR of the same four queries: neither is known to differ by nothing."""
    same = np.array([1.0, 0.5, 1.0, 1.0])
    for found in (share_difference(same, same, np.arange(4)), mean_difference(same, same, np.arange(4))):
        assert found.p_value == 1.0
        assert found.low < -0.2
        assert found.high > 0.2


def test_sums_that_are_zero_but_for_rounding_are_no_difference() -> None:
    """Two captions that swap their ranks: 1/3 + 1/7 - 1/7 - 1/3 is not 0 in floating point for many orders."""
    rng = np.random.default_rng(0)
    ranks = rng.integers(1, 40, size=(200, 5)).astype(float)
    a, b = 1 / ranks, 1 / rng.permuted(ranks, axis=1)
    clusters = np.repeat(np.arange(200), 5)
    assert (np.bincount(clusters, weights=(b - a).ravel()) != 0).any()
    found = mean_difference(a.ravel(), b.ravel(), clusters)
    assert (found.value, found.p_value) == (0.0, 1.0)


def test_items_whose_captions_change_together_count_once() -> None:
    a, b = pairs_of(9, 3, 30)
    alone = share_difference(a, b, np.arange(42))
    five = share_difference(np.repeat(a, 5), np.repeat(b, 5), np.repeat(np.arange(42), 5))
    assert (five.low, five.high, five.p_value) == pytest.approx((alone.low, alone.high, alone.p_value))
