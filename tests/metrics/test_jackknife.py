"""The jackknife: exact for means, a bias taken away, and never an interval that excludes its own estimate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gramcli.metrics.jackknife import jackknife_interval

NUMBERS = st.lists(st.floats(-100, 100), min_size=2, max_size=30).map(np.array)


@given(NUMBERS)
def test_of_a_mean_it_is_students_interval(x):
    """As scipy's t interval around the mean with its standard error."""
    left_out = (x.sum() - x) / (len(x) - 1)
    error = stats.sem(x)
    expected = (x.mean(), x.mean()) if error == 0 else stats.t.interval(0.95, len(x) - 1, x.mean(), error)
    assert jackknife_interval(x.mean(), left_out) == pytest.approx(expected, abs=1e-6)


def test_the_bias_of_a_plug_in_variance_is_taken_away():
    """Quenouille's example: the variance over n becomes that over n - 1."""
    x = np.random.default_rng(0).normal(size=12)
    left_out = np.array([np.delete(x, k).var() for k in range(len(x))])
    low, high = jackknife_interval(x.var(), left_out)
    assert (low + high) / 2 == pytest.approx(x.var(ddof=1))


@given(NUMBERS, st.floats(-100, 100))
def test_it_holds_its_estimate_and_keeps_the_bounds(x, value):
    low, high = jackknife_interval(value, x, (-100, 100))
    assert -100 <= low <= value <= high <= 100
