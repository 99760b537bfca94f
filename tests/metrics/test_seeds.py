"""Contenders of several seeds: the test holds its size where seeds differ, which a test over queries alone does not."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.metrics.paired import mean_difference
from gramcli.metrics.seeds import seeds_difference

TRIALS = 1000


def two_alike(
    seeds: tuple[int, int], n: int, spread: float, random: np.random.Generator, captions: int = 1
) -> list[np.ndarray]:
    """Hits of two contenders of one training procedure: seeds shift all queries, and each query on its own."""
    item = np.repeat(random.normal(size=n), captions)
    found = []
    for count in seeds:
        own = item + np.repeat(0.3 * random.normal(size=n), captions)
        drawn = spread * random.normal(size=(count, 1)) + 0.4 * random.normal(size=(count, n * captions))
        found.append((own + drawn > 0).astype(float))
    return found


def rejected(seeds: tuple[int, int], n: int, spread: float, captions: int = 1) -> tuple[float, float]:
    """How often equal contenders are told apart: by our test, and by one of the means over queries alone."""
    random, clusters = np.random.default_rng(0), np.repeat(np.arange(n), captions)
    ours, queries = [], []
    for _ in range(TRIALS):
        a, b = two_alike(seeds, n, spread, random, captions)
        ours.append(seeds_difference(a, b, clusters).p_value < 0.05)
        queries.append(mean_difference(a.mean(axis=0), b.mean(axis=0), clusters).p_value < 0.05)
    return float(np.mean(ours)), float(np.mean(queries))


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("seeds", [(2, 2), (3, 3), (5, 5), (3, 8), (1, 5)])
def test_the_size_is_held(seeds: tuple[int, int], spread: float) -> None:
    """0.05 within three standard errors of 1,000 draws."""
    assert rejected(seeds, 300, spread)[0] <= 0.072


def test_queries_alone_would_not_hold_it() -> None:
    ours, queries = rejected((3, 3), 300, 0.2)
    assert ours <= 0.072
    assert queries > 0.3


def test_captions_of_one_item_count_together() -> None:
    assert rejected((3, 3), 60, 0.1, captions=5)[0] <= 0.072


def test_the_interval_holds_the_truth_and_agrees_with_the_test() -> None:
    random, n, covered, agreed = np.random.default_rng(1), 200, [], []
    for _ in range(TRIALS):
        query = 0.2 * random.normal(size=n)
        a, b = (
            0.4 + more + query + 0.02 * random.normal(size=(3, 1)) + 0.1 * random.normal(size=(3, n))
            for more in (0.0, 0.03)
        )
        found = seeds_difference(a, b, np.arange(n))
        covered.append(found.low <= 0.03 <= found.high)
        agreed.append((found.p_value < 0.05) == (not found.low <= 0 <= found.high))
    assert np.mean(covered) >= 0.92
    assert all(agreed)


def test_seeds_that_are_all_alike_are_one() -> None:
    """Without any spread of seeds only queries vary, and the test is that of a single evaluation."""
    random = np.random.default_rng(0)
    a, b = random.random(80), random.random(80)
    one, several = (
        mean_difference(a, b, np.arange(80)),
        seeds_difference(np.tile(a, (3, 1)), np.tile(b, (3, 1)), np.arange(80)),
    )
    assert several.value == pytest.approx(one.value)
    assert several.p_value == pytest.approx(one.p_value, rel=1e-6)
    assert (several.low, several.high) == pytest.approx((one.low, one.high), rel=1e-6)


def test_more_seeds_tell_more() -> None:
    random, lengths = np.random.default_rng(0), []
    for count in (2, 4, 16):
        ends = [seeds_difference(*two_alike((count, count), 200, 0.2, random), np.arange(200)) for _ in range(50)]
        lengths.append(float(np.mean([one.high - one.low for one in ends])))
    assert lengths == sorted(lengths, reverse=True)


def test_nothing_is_known_of_one_item_and_nothing_differs_where_nothing_does() -> None:
    alone = seeds_difference(np.zeros((2, 3)), np.ones((2, 3)), np.zeros(3, np.int64))
    assert (alone.low, alone.high, alone.p_value) == (-1.0, 1.0, 1.0)
    same = seeds_difference(np.zeros((2, 30)), np.zeros((2, 30)), np.arange(30))
    assert (same.value, same.p_value) == (0.0, 1.0)
    assert same.low < 0 < same.high
