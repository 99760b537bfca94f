"""Intervals of macro_f1 and mean_recall: what they cover, their edges, and the bias that they take off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks import coverage_classes
from gramcli.metrics.class_intervals import _F1, confusion_intervals, effective_wilson, lacking_items
from gramcli.metrics.classification import macro_f1, mean_recall
from gramcli.metrics.significance import wilson_interval


def diagonal(right, wrong=0, classes=4):
    """Every class has `right` items found and the first `wrong` items are taken for the next class."""
    confusion = np.zeros((classes, classes + 1), dtype=int)
    np.fill_diagonal(confusion, right)
    for mistake in range(wrong):
        row = mistake % classes
        confusion[row, row] -= 1
        confusion[row, (row + 1) % classes] += 1
    return confusion


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        pytest.param((50, 500), (0.5, False), id="50 classes, 500 items"),
        pytest.param((309, 1000), (0.9, False), id="309 classes, 1,000 items"),
        pytest.param((10, 40), (0.98, False), id="10 classes, 40 items, nearly all right"),
    ],
)
def test_coverage_where_percentiles_of_resampled_items_missed(size, kind):
    """Percentiles cover macro_f1 in 0.8, 0.1 and 0.6 of these data sets; band: 0.95 less 3 standard errors to 1."""
    found = coverage_classes.single_cell(np.random.default_rng(2), "", size, kind, 400)
    for cell in found:
        assert cell["printed_share"] > 0.95
        assert cell["coverage"] >= 0.917, cell


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 60), st.floats(0, 1))
def test_an_interval_holds_its_figure_and_keeps_to_0_and_1(seed, classes, n, accuracy):
    random = np.random.default_rng(seed)
    confusion = np.zeros((classes, classes + 1), dtype=int)
    truth = random.integers(0, classes, n)
    answers = np.where(random.random(n) < accuracy, truth, random.integers(0, classes + 1, n))
    np.add.at(confusion, (truth, answers), 1)
    for value, interval in zip(
        (macro_f1(confusion), mean_recall(confusion)), confusion_intervals(confusion), strict=True
    ):
        assert bool(interval) is not bool(lacking_items(confusion))
        if interval:
            assert 0 <= interval[0] <= value + 1e-12
            assert value - 1e-12 <= interval[1] <= 1
            assert interval[0] < interval[1]


def test_more_mistakes_lower_both_bounds_without_a_jump():
    found = np.array([confusion_intervals(diagonal(25, wrong)) for wrong in range(0, 101, 4)])
    assert (np.diff(found, axis=0) <= 1e-12).all()
    assert np.abs(np.diff(found, axis=0)).max() < 0.12
    assert found[0, :, 1].tolist() == [1.0, 1.0]
    assert found[-1, :, 0].tolist() == [0.0, 0.0]


def test_of_one_class_an_item_is_worth_an_item():
    confusion = np.array([[30, 10]])
    assert confusion_intervals(confusion)[1] == pytest.approx(wilson_interval(30, 40), abs=0.02)
    assert effective_wilson(0.75, 40) == pytest.approx(wilson_interval(30, 40))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("items", [1, 2, 5, 30])
def test_the_bias_of_f1_over_few_items_is_that_of_its_binomial_sum(share, items):
    hits = np.arange(items + 1)
    mean = float((binom.pmf(hits, items, share) * _F1.value(hits / items)).sum())
    at = np.array(share)
    formula = float(_F1.bend(at) * share * (1 - share) / (items - 1 + _F1.slope(at)))
    assert formula == pytest.approx(mean - float(_F1.value(at)), rel=0.15, abs=1e-4)


def test_too_few_classes_with_items_have_no_interval():
    confusion = np.pad(diagonal(5, classes=8), ((0, 2), (0, 2)))
    assert confusion_intervals(confusion) == (None, None)
    assert lacking_items(confusion) == "of 10 classes 8 have an item, and an interval takes 9"
    confusion[8, 8] = 1
    assert None not in confusion_intervals(confusion)
