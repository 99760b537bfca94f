"""Tables fit the terminal they are shown on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gramcli.report.tables import evaluation_answer
from gramcli.report.terminal import print_answer
from tests.made_results import evaluation, odd_evaluation


def shown(answer, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_answer(console, answer)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, shown(evaluation_answer(evaluation()), width).splitlines())) <= width


def test_wide_terminals_have_one_line_per_row():
    assert "52.5 [49.4, 55.6]" in shown(evaluation_answer(evaluation()), 120)


def test_at_80_columns_the_intervals_stand_below_and_nothing_is_cut():
    text = shown(evaluation_answer(evaluation()), 80)
    assert "[49.4, 55.6]" in text
    assert "52.5 [" not in text
    assert "aggregation_gain" in text
    assert "…" not in text
    assert "t2va cosine" in text


def test_markup_in_names_is_not_interpreted():
    assert "[red]<b>" in shown(evaluation_answer(odd_evaluation()), 80)
