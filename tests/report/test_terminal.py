"""Tables fit the terminal they are shown on."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from rich.console import Console

from gramcli.report.answer import Answer, Table
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
    assert "gain" in text
    assert "…" not in text
    assert "t2va cosine" in text


def test_markup_in_names_is_not_interpreted():
    assert "[red]<b>" in shown(evaluation_answer(odd_evaluation()), 80)


@pytest.mark.parametrize("method", ["centroid:weights=query,tau=0.05", "pmrl:value=softmax"])
def test_names_never_break_within_a_word(method):
    rows = tuple(replace(row, method=method) for row in evaluation().results)
    lines = shown(evaluation_answer(replace(evaluation(), results=rows)), 80).splitlines()
    pieces = re.split(r"(?<=[:,])", method)
    assert all(any(piece in line.split() for line in lines) for piece in pieces)


def test_long_names_stay_whole_beside_sentences():
    table = Table(
        ("measure", "a", "reading"),
        (
            (
                "relative_modality_gap_of_something",
                "0.355",
                "lower: a smaller gap between the two of them, on the whole",
            ),
        ),
        frozenset({"measure", "reading"}),
    )
    assert "relative_modality_gap_of_something" in shown(Answer((table,), (), (), {}), 60)


def test_names_break_before_a_figure_is_cut():
    """A column that cannot be broken was cut where the window was too narrow for all of them, figures too."""
    columns = ("run", "task", "protocol", "R@1", "n")
    row = ("a_long_name_of_a_run.json", "t2va", "msrvtt-1k-av@1", "52.5 [49.4, 55.6]", "1000")
    table = Table(columns, (row,), frozenset({"run", "task", "protocol"}), breaks=frozenset({"run", "protocol"}))
    text = shown(Answer((table,), columns, (), {}), 40)
    assert all(figure in text for figure in ("52.5", "[49.4,55.6]", "1000"))
    lines = text.splitlines()
    starts = [lines[0].index(name) for name in columns]
    pieces = ["".join(line[a:b].strip() for line in lines[2:]) for a, b in pairwise(starts[:3])]
    assert pieces == ["a_long_name_of_a_run.json", "t2va"]
