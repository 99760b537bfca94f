"""Compact letter displays: a shared letter means exactly that nothing separates two."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.metrics.letters import compact_letters


def shares(display: tuple[str, ...], i: int, j: int) -> bool:
    words = [set(text.split()) if " " in text or text.isdigit() else set(text) for text in (display[i], display[j])]
    return bool(words[0] & words[1])


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_every_pattern_of_a_few_is_said_exactly(n: int) -> None:
    pairs = list(combinations(range(n), 2))
    for pattern in range(2 ** len(pairs)):
        separated = {pair for k, pair in enumerate(pairs) if pattern >> k & 1}
        display = compact_letters(n, separated)
        assert all(display)
        assert all(shares(display, *pair) == (pair not in separated) for pair in pairs)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_patterns_of_many_are_said_exactly(data: st.DataObject) -> None:
    n = data.draw(st.integers(5, 12))
    pairs = list(combinations(range(n), 2))
    separated = data.draw(st.sets(st.sampled_from(pairs)))
    display = compact_letters(n, separated)
    assert all(shares(display, *pair) == (pair not in separated) for pair in pairs)


def test_no_letter_is_within_another() -> None:
    rng = np.random.default_rng(0)
    pairs = list(combinations(range(9), 2))
    for _ in range(50):
        display = compact_letters(9, {pair for pair in pairs if rng.random() < 0.4})
        letters = sorted(set("".join(display)))
        members = [{k for k, text in enumerate(display) if letter in text} for letter in letters]
        assert not any(one <= other for a, one in enumerate(members) for b, other in enumerate(members) if a != b)


def test_the_best_has_an_a_and_the_order_of_a_pair_does_not_matter() -> None:
    assert compact_letters(3, [(2, 0), (0, 1)]) == ("a", "b", "b")
    assert compact_letters(4, []) == ("a",) * 4
    assert compact_letters(0, []) == ()


def test_beyond_the_alphabet_letters_are_numbers() -> None:
    n = 60
    display = compact_letters(n, list(combinations(range(n), 2)))
    assert display == tuple(str(k + 1) for k in range(n))
