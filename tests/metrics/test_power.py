"""The difference that could have been seen: drawn anew at just that size, the test finds it four times in five."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.metrics.paired import mean_difference, share_difference
from gramcli.metrics.power import POWER, detectable_mean, detectable_share
from gramcli.metrics.seeds import detectable_seeds, seeds_difference

TRIALS = 500


def found(p_values: list[float], level: float = 0.05) -> float:
    return float(np.mean(np.array(p_values) < level))


def hits_that_differ(n: int, differing: float) -> tuple[np.ndarray, np.ndarray]:
    """As many gained as lost."""
    d = round(n * differing)
    a, b = np.zeros(n), np.zeros(n)
    b[: (d + 1) // 2], a[(d + 1) // 2 : d] = 1, 1
    return a, b


@pytest.mark.parametrize("level", [0.05, 0.05 / 4])
@pytest.mark.parametrize(("n", "differing"), [(60, 0.3), (300, 0.03), (300, 0.4), (1000, 0.1)])
def test_shares(n: int, differing: float, level: float) -> None:
    size = detectable_share(*hits_that_differ(n, differing), np.arange(n), level)
    assert size is not None
    random, share = np.random.default_rng(0), max(differing, size)
    p_values = []
    for _ in range(TRIALS):
        draw = random.random(n)
        a, b = (draw >= (share + size) / 2) & (draw < share), draw < (share + size) / 2
        p_values.append(share_difference(a * 1.0, b * 1.0, np.arange(n)).p_value)
    assert found(p_values, level) == pytest.approx(POWER, abs=0.06)


def test_shares_of_items_with_several_captions() -> None:
    """Captions of an item gain or lose together: as many items must, not as many captions."""
    items, captions = 100, 5
    a, b = (np.repeat(one, captions) for one in hits_that_differ(items, 0.3))
    clusters = np.repeat(np.arange(items), captions)
    size = detectable_share(a, b, clusters)
    assert size == pytest.approx(detectable_share(*hits_that_differ(items, 0.3), np.arange(items)), abs=0.02)
    assert size > 1.5 * detectable_share(a, b, np.arange(items * captions))


def test_means() -> None:
    n, random = 200, np.random.default_rng(0)
    gains = 0.3 * random.normal(size=n)
    size = detectable_mean(np.full(n, 0.5), 0.5 + gains - gains.mean(), np.arange(n))
    assert size is not None
    p_values = [
        mean_difference(np.full(n, 0.5), 0.5 + size + gains.std() * random.normal(size=n), np.arange(n)).p_value
        for _ in range(TRIALS)
    ]
    assert found(p_values) == pytest.approx(POWER, abs=0.06)


def test_means_over_seeds() -> None:
    n, seeds, random = 200, 4, np.random.default_rng(0)

    def drawn(shift: float) -> list[np.ndarray]:
        query = 0.1 * random.normal(size=n)
        return [
            0.5 + more + query + 0.03 * random.normal(size=(seeds, 1)) + 0.1 * random.normal(size=(seeds, n))
            for more in (0.0, shift)
        ]

    sizes = [detectable_seeds(*drawn(0.0), np.arange(n)) for _ in range(100)]
    size = float(np.sqrt(np.mean(np.square(sizes))))  # a few seeds know their own spread but roughly
    p_values = [seeds_difference(*drawn(size), np.arange(n)).p_value for _ in range(TRIALS)]
    assert found(p_values) == pytest.approx(POWER, abs=0.08)


def test_fewer_queries_see_less_and_one_item_sees_nothing() -> None:
    sizes = [detectable_share(*hits_that_differ(n, 0.2), np.arange(n)) for n in (50, 200, 5000)]
    assert sizes == sorted(sizes, reverse=True)
    assert detectable_share(np.zeros(3), np.ones(3), np.zeros(3, np.int64)) is None
    assert detectable_share(np.zeros(3), np.zeros(3), np.arange(3)) is None
    assert detectable_mean(np.zeros(3), np.ones(3), np.zeros(3, np.int64)) is None
    assert detectable_seeds(np.zeros((2, 3)), np.ones((2, 3)), np.zeros(3, np.int64)) is None


def test_a_million_queries_are_summed_in_a_moment() -> None:
    n = 1_000_000
    assert detectable_share(*hits_that_differ(n, 0.2), np.arange(n)) == pytest.approx(2.8 * (0.2 / n) ** 0.5, rel=0.02)
