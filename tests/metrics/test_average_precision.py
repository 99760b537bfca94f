"""Average precision and its leave-one-out values against scikit-learn, and what the interval of mAP covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from benchmarks import coverage_classes
from gramcli.errors import UserError
from gramcli.metrics.average_precision import (
    average_precisions,
    lacking_positives,
    left_out_precisions,
    mean_average_precision,
)


def test_average_precision_is_scikit_learn_s_with_and_without_ties():
    random = np.random.default_rng(1)
    truth = random.random((200, 9)) < 0.2
    for scores in (random.normal(size=(200, 9)), random.integers(0, 3, (200, 9)).astype(float)):
        value, (low, high) = mean_average_precision(scores, truth)
        assert value == pytest.approx(metrics.average_precision_score(truth, scores, average="macro"))
        assert low < value <= high


def test_a_class_without_items_is_left_out_of_the_mean():
    truth = np.array([[True, False], [False, False]])
    scores = np.array([[0.9, 0.3], [0.1, 0.8]])
    assert mean_average_precision(scores, truth)[0] == 1.0
    assert np.isnan(average_precisions(scores, truth)[1])
    with pytest.raises(UserError, match="none has"):
        mean_average_precision(scores, np.zeros((2, 2), bool))


def test_scores_of_minus_infinity_tie():
    scores = np.array([[-np.inf], [-np.inf], [0.0], [-np.inf]])
    truth = np.array([[True], [False], [False], [False]])
    assert average_precisions(scores, truth).tolist() == [0.25]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=25), st.booleans())
def test_without_each_item_it_is_scikit_learn_s_of_the_others(ranked, distinct):
    scores = np.array([score for score, _ in ranked], dtype=float) + distinct * np.linspace(0, 0.5, len(ranked))
    truth = np.array([positive for _, positive in ranked])
    if not truth.any():
        return
    value, without = left_out_precisions(scores, truth)
    assert value == pytest.approx(metrics.average_precision_score(truth, scores))
    for item in range(len(ranked)):
        others = np.arange(len(ranked)) != item
        expected = metrics.average_precision_score(truth[others], scores[others]) if truth[others].any() else value
        assert without[item] == pytest.approx(expected)


@given(st.integers(0, 10_000), st.integers(8, 40), st.integers(1, 4), st.floats(0, 6))
def test_an_interval_holds_its_figure_and_keeps_to_0_and_1(seed, n, classes, strength):
    random = np.random.default_rng(seed)
    truth = random.random((n, classes)) < 0.5
    truth[:4] = [[True], [True], [False], [False]]
    value, (low, high) = mean_average_precision(random.normal(size=truth.shape) + strength * truth, truth)
    assert 0 <= low <= value <= high <= 1
    assert low < high


@pytest.mark.parametrize("cost", [0.45, 1.5], ids=["a little", "to the end"])
def test_more_mistakes_lower_the_lower_bound_without_a_jump(cost):
    truth = np.arange(100)[:, None] % 2 == 0
    bounds = []
    for moved in range(6):
        scores = truth + np.linspace(0, 0.5, 100)[:, None]
        scores[np.flatnonzero(truth)[:moved]] -= cost
        bounds.append(mean_average_precision(scores, truth)[1])
    lows = np.array([low for low, _ in bounds])
    assert (np.diff(lows) <= 1e-12).all()
    assert np.diff(lows).min() > -0.06
    assert bounds[0][1] == 1.0
    assert 0.8 < lows[0] < 0.95


def test_too_few_classes_with_two_items_have_no_interval():
    truth = np.zeros((30, 20), dtype=bool)
    truth[:2] = True
    assert mean_average_precision(np.random.default_rng(0).normal(size=truth.shape), truth)[1] is not None
    truth[1, :2] = False
    assert lacking_positives(truth) == "of 20 classes 18 have two items or more, and an interval takes 19"
    assert mean_average_precision(np.random.default_rng(0).normal(size=truth.shape), truth)[1] is None


@pytest.mark.parametrize(
    ("strengths", "size"),
    [pytest.param((0.5, 3.0), (5, 200), id="mixed scores"), pytest.param((0.0, 1.0), (20, 1000), id="weak scores")],
)
def test_coverage_where_percentiles_of_resampled_items_missed(strengths, size):
    """Percentiles cover 0.77 and 0.1 of these data sets; band: 0.95 less 3 standard errors to 1."""
    (found,) = coverage_classes.several_cell(np.random.default_rng(1), "", size, strengths, 200)
    assert found["printed_share"] > 0.5
    assert found["coverage"] >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / (200 * found["printed_share"]))
