"""Two groups: what is flagged holds the false discovery rate, whatever the share, the strength and the shape."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.metrics.two_groups import split_groups

RATE, ROUNDS = 0.1, 15
ALIGNED = {
    "close": lambda draw, n: draw.normal(3, 1, n),
    "apart": lambda draw, n: draw.normal(6, 1.5, n),
    "wide": lambda draw, n: draw.normal(4, 2, n),
    "skewed to the left": lambda draw, n: 5 - draw.gumbel(0, 1, n),
    "with a floor": lambda draw, n: draw.gamma(2, 2, n),
    "the same": lambda draw, n: draw.normal(0.5, 1, n),
}


def simulated(shape, share, n, rounds=ROUNDS):
    """False discovery proportion and power of each round."""
    found = []
    for seed in range(rounds):
        draw = np.random.default_rng([seed, n])
        k = round(share * n)
        values = np.concatenate([draw.normal(size=k), ALIGNED[shape](draw, n - k)])
        flagged = split_groups(values, draw.normal(size=3000)).q_values(values) <= RATE
        found.append((flagged[k:].sum() / max(1, flagged.sum()), flagged[:k].mean() if k else 0.0))
    return np.array(found)


@pytest.mark.parametrize("share", [0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("shape", ALIGNED)
def test_the_false_discovery_rate_is_held(shape, share):
    proportions = simulated(shape, share, 300)[:, 0]
    error = proportions.std() / np.sqrt(len(proportions))
    assert proportions.mean() <= RATE + 2 * error


@pytest.mark.parametrize(("middle", "share"), [(1.0, 0), (1.0, 0.05), (1.5, 0)])
def test_the_false_discovery_rate_is_held_where_aligned_items_are_of_two_qualities(middle, share):
    """The lower ones fit better than mismatched ones, and their shape is not that of these: nothing is claimed."""
    proportions, unlike = [], []
    for seed in range(3):
        draw = np.random.default_rng([seed, 5])
        k = round(share * 1000)
        low = draw.normal(middle, 1.3, 300)
        values = np.concatenate([draw.normal(size=k), low, draw.normal(8, 2, 700 - k)])
        groups = split_groups(values, draw.normal(size=3000))
        flagged = groups.q_values(values) <= RATE
        proportions.append(flagged[k:].sum() / max(1, flagged.sum()))
        unlike.append(groups.unlike)
    assert np.mean(proportions) <= RATE
    assert any(unlike)


@pytest.mark.parametrize("shape", ["close", "apart", "skewed to the left"])
def test_mismatched_items_are_known_for_what_they_are(shape):
    draw = np.random.default_rng(3)
    values = np.concatenate([draw.normal(size=200), ALIGNED[shape](draw, 800)])
    assert not split_groups(values, draw.normal(size=3000)).unlike


def test_what_stands_apart_is_found():
    assert simulated("apart", 0.05, 500, 6)[:, 1].mean() >= 0.7
    assert simulated("apart", 0.2, 500, 6)[:, 1].mean() >= 0.85


def test_the_share_is_bounded_from_below():
    draw = np.random.default_rng(0)
    values = np.concatenate([draw.normal(size=100), draw.normal(6, 1, 900)])
    groups = split_groups(values, draw.normal(size=3000))
    assert 0.05 <= groups.share <= groups.likeliest <= 0.13


def test_worse_values_never_have_larger_q():
    draw = np.random.default_rng(1)
    values = np.concatenate([draw.normal(size=40), draw.normal(5, 1, 400), [-8.0, -30.0]])
    groups = split_groups(values, draw.normal(size=3000))
    order = np.argsort(values)
    assert (np.diff(groups.q_values(values)[order]) >= 0).all()
    assert (np.diff(groups.p_values(values)[order]) >= 0).all()
    assert (groups.q_values(values)[-2:] <= RATE).all()


@pytest.mark.parametrize("values", [np.zeros(50), np.repeat([0.0, 5.0], [5, 95]), np.full(30, -4.0)])
def test_values_that_tie_are_no_trouble(values):
    groups = split_groups(values, np.random.default_rng(0).normal(size=3000))
    assert np.isfinite(groups.q_values(values)).all()


def test_a_score_with_an_end_is_no_other_case():
    """Groups are told apart on the scale of the known one: a monotone change of all values changes little."""
    draw = np.random.default_rng(2)
    values = np.concatenate([draw.normal(size=40), draw.normal(5, 1, 400)])
    known = draw.normal(size=3000)
    plain = split_groups(values, known).q_values(values) <= RATE
    bent = [np.exp(one / 3) for one in (values, known)]
    changed = split_groups(*bent).q_values(bent[0]) <= RATE
    assert (plain != changed).sum() <= 4
