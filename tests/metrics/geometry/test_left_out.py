"""Figures without an item are those of the remaining rows; their intervals hold what that many items show."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry import left_out, neighbours
from gramcli.metrics.geometry.joint import auc, auc_interval, derangements, shuffled_interval
from gramcli.metrics.geometry.modality import potentials, uniformity, uniformity_left_out
from gramcli.metrics.geometry.pair import (
    cka,
    cosines,
    modality_gap,
    modality_gap_chance,
    negative_cosine,
    procrustes,
    procrustes_chance,
    procrustes_interval,
    relative_modality_gap,
)
from gramcli.metrics.geometry.rows import mean_interval
from tests.metrics.geometry.test_modality import rows, unit
from tests.metrics.geometry.test_pair import pair

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def agreement(x: Tensor, y: Tensor) -> float:
    return float(neighbours.mutual_knn(neighbours.nearest(x)[1], neighbours.nearest(y)[1]).mean())


def of_lists(x: Tensor, y: Tensor) -> left_out.LeftOut:
    return left_out.mutual_knn_left_out(neighbours.nearest(x, 11)[1], neighbours.nearest(y, 11)[1])


EXACT: dict[str, tuple[Callable[[Tensor, Tensor], left_out.LeftOut], Callable[[Tensor, Tensor], float]]] = {
    "mutual_knn": (of_lists, agreement),
    "cka": (left_out.cka_left_out, cka),
    "cosine_negative": (lambda x, y: left_out.cosines_left_out(x, y)[0], negative_cosine),
    "cosine_margin": (
        lambda x, y: left_out.cosines_left_out(x, y)[1],
        lambda x, y: float(cosines(x, y).mean()) - negative_cosine(x, y),
    ),
    "relative_modality_gap": (left_out.relative_gap_left_out, relative_modality_gap),
    "uniformity": (lambda x, _: uniformity_left_out(potentials(x)), lambda x, _: uniformity(x)),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("seed", [0, 1])
def test_without_an_item_is_the_figure_of_the_others(name: str, seed: int) -> None:
    x, y = pair(30, 6, seed)
    found, figure = EXACT[name][0](x, y), EXACT[name][1]
    assert found.value == pytest.approx(figure(x, y), abs=1e-12)
    kept = [[k for k in range(30) if k != out] for out in range(30)]
    np.testing.assert_allclose(found.without, [figure(x[k], y[k]) for k in kept], atol=1e-11)


def test_cka_of_two_widths() -> None:
    x, y = pair(12, 5)[0], pair(12, 9)[1]
    kept = [[k for k in range(12) if k != out] for out in range(12)]
    np.testing.assert_allclose(left_out.cka_left_out(x, y).without, [cka(x[k], y[k]) for k in kept], atol=1e-11)


def test_the_squared_gap_is_a_mean_over_pairs() -> None:
    x, y = pair(25, 6)
    z = unit(x) - unit(y)

    def squared(z: np.ndarray) -> float:
        return float((z @ z.T)[~np.eye(len(z), dtype=bool)].mean())

    found = left_out.squared_gap_left_out(x, y)
    assert found.value == pytest.approx(squared(z))
    np.testing.assert_allclose(found.without, [squared(np.delete(z, out, axis=0)) for out in range(25)], atol=1e-12)
    centred = z - z.mean(axis=0)
    products = (centred @ centred.T)[np.triu_indices(25, 1)]
    assert found.of_pairs == pytest.approx(4 * (products**2).sum() / (25 * 24) ** 2)
    low, high = left_out.modality_gap_interval(x, y, modality_gap(x, y))
    assert low <= modality_gap(x, y) <= high


def test_the_gap_by_chance_is_that_of_one_centroid() -> None:
    """The issue's case: 0.144 at n = 100, d = 512, where the truth is 0."""
    found = [modality_gap(rows(100, 512, seed) - 0.0, rows(100, 512, seed + 99)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.141, abs=0.003)
    assert modality_gap_chance(rows(100, 512, 0), rows(100, 512, 99)) == pytest.approx(np.mean(found), abs=0.003)


@pytest.mark.parametrize(("n", "expected"), [(100, 0.094), (1000, 0.85)])
def test_procrustes_by_chance_is_that_of_unrelated_rows(n: int, expected: float) -> None:
    x, y = rows(n, 512, 1), rows(n, 512, 2)
    assert procrustes_chance(x, y) == pytest.approx(procrustes(x, y), abs=0.02)
    assert procrustes_chance(x, y) == pytest.approx(expected, abs=0.05)
    assert procrustes_chance(x, y, seed=1) == procrustes_chance(x, y, seed=1)


def test_procrustes_interval_is_a_jackknife_from_200_items_on() -> None:
    x, y = pair(240, 6)
    kept = [[k for k in range(240) if k != out] for out in range(240)]
    without = np.array([procrustes(x[k], y[k]) for k in kept])
    low, high = procrustes_interval(x, y)
    assert (high - low) / 2 == pytest.approx(
        1.97 * np.sqrt(239 / 240 * ((without - without.mean()) ** 2).sum()), rel=0.03
    )
    assert procrustes_interval(x[:199], y[:199]) is None


def test_an_auc_at_its_end_has_an_interval_that_does_not_end_there() -> None:
    items = torch.arange(40)
    pairs = items.repeat(10), derangements(40, 0).flatten()
    ends = auc_interval(torch.ones(40), torch.zeros(400), items, pairs, higher_is_better=True)
    assert ends[1] == 1
    assert 0.9 < ends[0] < 1
    almost = torch.zeros(400)
    almost[3] = 2.0
    value = auc(torch.ones(40), almost, higher_is_better=True)
    wider = auc_interval(torch.ones(40), almost, items, pairs, higher_is_better=True)
    assert wider[0] < ends[0] < value < wider[1] <= 1
    flipped = auc_interval(torch.zeros(40), torch.ones(400), items, pairs, higher_is_better=False)
    assert flipped == ends


def test_few_items_have_no_interval() -> None:
    x, y = pair(19, 6)
    assert of_lists(x, y).interval() is None
    assert left_out.modality_gap_interval(x, y, 0.5) is None
    assert shuffled_interval(torch.rand(19), (torch.arange(19), torch.arange(19).roll(1))) is None
    with pytest.raises(UserError, match="one shape"):
        left_out.mutual_knn_left_out(torch.zeros(5, 3), torch.zeros(5, 4))


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_geometry", BENCHMARKS / "coverage_geometry.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("setting", ["correlated", "gap"])
def test_intervals_cover(benchmark: ModuleType, setting: str) -> None:
    """A seeded, fast part of benchmarks/coverage_geometry.py: 120 trials, of which a share of 0.95 has sd 0.02."""
    for row in benchmark.cell(setting, 16, 50, seed=0, trials=120):
        most = 1.0 if row["figure"] in {"modality_gap", "cosine_negative"} else 0.995
        assert 0.9 <= row["coverage"] <= most, row


def test_the_mean_over_items_that_share_neighbours_did_not_cover(benchmark: ModuleType) -> None:
    """What was printed for mutual_knn before: independent items. The band above is one it fails."""
    generator = torch.Generator().manual_seed(0)
    drawn = [benchmark.draw("correlated", 50, 16, generator)[:2] for _ in range(150)]
    shares = [neighbours.mutual_knn(*(neighbours.nearest(side)[1] for side in sides)) for sides in drawn]
    truth = float(torch.stack(shares).mean())
    ends = [mean_interval(found, torch.arange(50)) for found in shares]
    assert np.mean([low <= truth <= high for low, high in ends]) < 0.9
