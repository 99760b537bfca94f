"""Classification figures against scikit-learn, and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from gramcli.errors import UserError
from gramcli.metrics.average_precision import average_precisions
from gramcli.metrics.class_intervals import confusion_intervals
from gramcli.metrics.classification import (
    TIED,
    Outcomes,
    confusion_matrix,
    macro_f1,
    mean_recall,
    multi_label_rows,
    outcomes,
    single_label_rows,
    stacked,
    top_accuracy,
)
from gramcli.metrics.intervals import plus_four_of
from gramcli.metrics.significance import wilson_interval


def made(n: int, c: int, seed: int = 0, strength: float = 1.0):
    random = np.random.default_rng(seed)
    truth = random.integers(0, c, n)
    scores = random.normal(size=(n, c))
    scores[np.arange(n), truth] += strength
    return scores, truth


@pytest.mark.parametrize("c", [2, 7, 40])
def test_figures_are_those_of_scikit_learn(c):
    scores, truth = made(300, c)
    found = outcomes([scores[:100], scores[100:]], truth)
    predicted = scores.argmax(axis=1)
    confusion = confusion_matrix(found)
    assert top_accuracy(found) == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert mean_recall(confusion) == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
    np.testing.assert_array_equal(confusion[:, :-1], metrics.confusion_matrix(truth, predicted, labels=range(c)))
    assert not confusion[:, -1].any()
    if c > 5:
        top5 = metrics.top_k_accuracy_score(truth, scores, k=5, labels=range(c))
        assert top_accuracy(found, 5) == pytest.approx(top5)


def test_classes_that_never_occur_count_as_in_scikit_learn():
    truth, predicted = np.array([0, 0, 3, 3, 5]), np.array([0, 2, 3, 0, 5])
    confusion = confusion_matrix(Outcomes(truth, predicted, np.ones(5), 8))
    assert macro_f1(confusion) == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert mean_recall(confusion) == pytest.approx(
        metrics.recall_score(truth, predicted, labels=[0, 3, 5], average="macro")
    )


def test_a_tie_at_the_top_is_no_hit_wherever_the_class_stands():
    scores = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1], [0.2, 0.2, 0.2], [0.9, 0.1, 0.1]])
    found = outcomes([scores], np.array([0, 1, 0, 0]))
    assert found.ranks.tolist() == [1.5, 1.5, 2.0, 1.0]
    assert found.predicted.tolist() == [TIED, TIED, TIED, 0]
    assert top_accuracy(found) == 0.25
    assert confusion_matrix(found).tolist() == [[1, 0, 0, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert macro_f1(confusion_matrix(found)) == pytest.approx((2 / (2 + 2) + 0) / 2)


@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_the_order_of_classes_and_items_plays_no_part(seed, order):
    random = np.random.default_rng(seed)
    scores, truth = random.integers(0, 4, (30, 5)).astype(float), random.integers(0, 5, 30)
    shuffled = random.permutation(30)
    place = np.argsort(order)
    once = outcomes([scores], truth)
    again = outcomes([scores[shuffled][:, order]], place[truth[shuffled]])
    assert np.array_equal(once.ranks[shuffled], again.ranks)
    a, b = confusion_matrix(once), confusion_matrix(again)
    assert macro_f1(a) == pytest.approx(macro_f1(b))
    assert mean_recall(a) == pytest.approx(mean_recall(b))
    for one, other in zip(confusion_intervals(a), confusion_intervals(b), strict=True):
        assert one == pytest.approx(other)
    np.testing.assert_allclose(
        average_precisions(scores, np.eye(5, dtype=bool)[truth])[order],
        average_precisions(scores[shuffled][:, order], np.eye(5, dtype=bool)[place[truth[shuffled]]]),
    )


def test_rows_name_their_figures():
    scores, truth = made(60, 8)
    rows = single_label_rows("va2class", "gram", outcomes([scores], truth))
    assert [row.metric for row in rows] == ["accuracy", "top5", "macro_f1", "mean_recall"]
    assert all(row.n == 60 and row.low <= row.value <= row.high for row in rows)
    few = single_label_rows("v", "probe", outcomes([scores[:, :4]], truth % 4))
    assert "top5" not in {row.metric for row in few}
    (row,) = multi_label_rows("v", "probe", scores, np.eye(8, dtype=bool)[truth])
    assert (row.metric, row.n) == ("mAP", 60)


def test_nothing_wrong_still_has_an_interval():
    truth = np.arange(40) % 4
    rows = {row.metric: row for row in single_label_rows("v", "probe", outcomes([np.eye(4)[truth]], truth))}
    assert rows["macro_f1"].value == rows["mean_recall"].value == rows["macro_f1"].high == 1.0
    assert rows["mean_recall"].low == pytest.approx(wilson_interval(40, 40)[0])  # each item is worth an item
    assert rows["accuracy"].low == plus_four_of(np.ones(40), np.arange(40))[0]
    assert rows["mean_recall"].low == pytest.approx(rows["macro_f1"].low, abs=0.01)


def test_too_few_classes_with_items_give_figures_without_interval():
    truth = np.repeat(np.arange(8), 5)
    rows = {row.metric: row for row in single_label_rows("v", "probe", outcomes([np.eye(10)[truth]], truth))}
    assert [(rows[name].low, rows[name].high) for name in ("macro_f1", "mean_recall")] == [(None, None)] * 2
    assert rows["accuracy"].low is not None
    (row,) = multi_label_rows("v", "probe", np.eye(3), np.eye(3, dtype=bool))
    assert (row.value, row.low, row.high) == (1.0, None, None)


def test_refusals():
    with pytest.raises(UserError, match="is NaN"):
        outcomes([np.array([[np.nan, 1.0]])], np.array([0]))
    with pytest.raises(UserError, match="got 1 for 2 items"):
        outcomes([np.array([[0.0, 1.0]])], np.array([0, 1]))
    with pytest.raises(UserError, match="got 0 for 0"):
        outcomes([], np.array([], dtype=np.int64))
    with pytest.raises(UserError, match="needs items"):
        stacked([])
