"""Tables fit the terminal they are shown on."""

from __future__ import annotations

import io
import re
from collections import Counter
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


@pytest.mark.parametrize("width", [80, 120, 200])
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
    assert all(any(word in line for line in lines) for word in re.findall(r"\w[\w.]*", method))


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
    table = Table(columns, (row,), frozenset({"run", "task", "protocol"}))
    text = shown(Answer((table,), columns, (), {}), 40)
    assert all(figure in text for figure in ("52.5", "[49.4,55.6]", "1000"))
    lines = text.splitlines()
    starts = [lines[0].index(name) for name in columns]
    pieces = ["".join(line[a:b].strip() for line in lines[2:]) for a, b in pairwise(starts[:3])]
    assert pieces == ["a_long_name_of_a_run.json", "t2va"]


def _crowded():
    """As `gram compare` of seeds: ten columns, most of them figures that cannot break."""
    columns = ("task", "metric", "A", "B", "B - A", "p", "p Holm", "B wins", "A wins", "n")
    values = ("84.3 +- 1.2", "92.0 +- 2.0", "+7.7 [+2.1, +13.2]", "0.002", "<0.001", "18", "3", "100")
    rows = (("t2va", "R@1 *", *values), ("a_long_task_of_someone2va", "a wordy metric", *values))
    return Table(columns, rows, frozenset({"task", "metric"}), "All of it")


def _named():
    columns = ("query", "caption", "rank A", "top 3 of A")
    row = ("item-0001.mp4", "a dog that is\u4e00 red barks at a cat that is not", "1.33", "item-01, item-02, item-03")
    return Table(columns, (row,), frozenset({"query", "caption", "top 3 of A"}))


@pytest.mark.parametrize("width", [*range(40, 131), 200])
@pytest.mark.parametrize("made", [_crowded, _named])
def test_no_character_of_a_table_is_lost_at_any_width(made, width):
    """rich dropped whole columns, headings included, and cut figures without a mark where no layout fitted."""
    table = made()
    lines = shown(Answer((replace(table, title=""),), (), (), {}), width)
    expected = "".join((*table.columns, *(cell for row in table.rows for cell in row)))
    assert Counter("".join(lines.replace("\u2500", "").split())) == Counter("".join(expected.split()))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_figures_are_never_broken(width):
    text = shown(Answer((_crowded(),), (), (), {}), width).split()
    for figure in ("84.3", "92.0", "+7.7", "0.002", "<0.001", "18", "100"):
        assert text.count(figure) == 2


def test_names_break_between_their_parts_before_within_them():
    row = ("all.json", "some_run/of_mine.json", "52.5", "100")
    table = Table(("run", "file", "R@1", "n"), (row,), frozenset({"run", "file"}))
    text = shown(Answer((table,), (), (), {}), 26).split()
    assert text[5:] == ["all.json", "some_", "52.5", "100", "run/of_", "mine.", "json"]
