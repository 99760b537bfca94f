"""A seeded, fast part of benchmarks/coverage_retrieval.py: every cell stays in its band.

300 data sets: a coverage of 0.95 has a standard deviation of 0.013, so the band begins at 0.915; before, cells near the
edge were at 0.35 to 0.9.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import coverage_retrieval as coverage
from gramcli.metrics.significance import bootstrap_means

TRIALS, LEAST = 300, 0.915


@pytest.mark.parametrize("share", [0.02, 0.4, 0.98])
def test_figures(share):
    cells = list(coverage.figures(TRIALS, 1, sizes=(20, 200), shares=(share,)))
    assert {cell["figure"] for cell in cells} >= {"R@1", "R@10", "MRR", "mAP", "nDCG@10", "recall@10", "MeanR", "MedR"}
    assert [cell for cell in cells if not cell["coverage"] >= LEAST] == []


@pytest.mark.parametrize("share", [0.1, 0.98])
def test_differences_and_their_tests(share):
    cells = list(coverage.differences(TRIALS, 1, sizes=(20, 200), shares=(share,)))
    assert [cell for cell in cells if not cell["coverage"] >= LEAST] == []
    assert [cell for cell in cells if cell.get("size", 0) > 0.085] == []


def test_gains_and_families():
    assert all(cell["coverage"] >= LEAST for cell in coverage.gains(TRIALS, 1))
    assert all(cell["size"] <= 0.085 for cell in coverage.families(TRIALS, 1, n=100))


def test_new_galleries():
    """Over items, also where volumes have hubs; over queries alone it is not."""
    cells = {(cell["figure"], cell["setting"]): cell["coverage"] for cell in coverage.populations(200, 1, sizes=(100,))}
    assert cells["R@1 over items", "new gallery, cosine"] >= 0.92
    assert cells["R@1 over items", "new gallery, volume with hubs"] >= 0.86
    assert cells["R@1 over queries", "new gallery, volume with hubs"] < 0.86


def test_percentiles_of_a_bootstrap_leave_the_band():
    """What these tests would have said of the intervals before."""
    mean, generator = coverage.mean_score(0.98), np.random.default_rng(1)
    truth = coverage.one_answer(mean, 200_000, 1, generator)["MRR"].mean()
    draws = [coverage.one_answer(mean, 50, 1, generator)["MRR"][:, None] for _ in range(100)]
    ends = np.array([bootstrap_means(draw, np.arange(50))[0] for draw in draws])
    assert ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean() < 0.8
