"""How what a page shows is set against what was printed."""

from __future__ import annotations

import pytest

from tests.docs.pages import matches


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (["a", "b"], "a\nb\n", True),
        (["a"], "a\nb\n", False),
        ([], "", True),
        ([], "a\n", False),
        (["..."], "", True),
        (["a", "...", "c"], "a\nb\nb\nc\n", True),
        (["a", "...", "c"], "a\nc\n", True),
        (["a", "...", "c"], "a\nb\n", False),
        (["...", "b", "..."], "a\nb\nc\n", True),
        (["...", "b", "...", "b"], "a\nb\n", False),
        (["a ... c"], "a b c\n", True),
        (["a ... c"], "a b d\n", False),
        (["a.c"], "abc\n", False),
        ([*["...", "a"] * 20, "z"], "a\n" * 60, False),
    ],
)
def test_cuts_stand_for_anything_and_the_rest_for_itself(shown, printed, fits):
    assert matches(shown, printed) is fits
