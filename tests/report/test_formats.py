"""Every format parses with the tools people use, and keeps what it was given."""

from __future__ import annotations

import io
import json
import re

import pandas as pd
import pytest

from gramcli.report import Format
from gramcli.report.answer import Answer, Table, metric_text, signed_text, with_interval
from gramcli.report.formats import RENDERERS, render
from gramcli.report.tables import comparison_answer, evaluation_answer
from tests.made_results import comparison, evaluation, odd_evaluation

COLUMNS = ["task", "method", "stage", "metric", "value", "low", "high", "n"]


def test_every_format_has_a_renderer():
    assert set(RENDERERS) == set(Format)


@pytest.mark.parametrize("output_format", list(Format))
@pytest.mark.parametrize("answer", [evaluation_answer(odd_evaluation()), comparison_answer(comparison())])
def test_every_format_ends_in_one_newline_and_holds_no_escapes(output_format, answer):
    text = render(answer, output_format)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    if output_format is not Format.csv:
        assert "\x1b" not in text


def test_csv_has_the_contract_s_columns_at_full_precision():
    frame = pd.read_csv(io.StringIO(render(evaluation_answer(evaluation()), Format.csv)))
    assert list(frame.columns) == COLUMNS
    assert len(frame) == len(evaluation().results)
    found = frame[(frame.task == "va2t") & (frame.method == "cosine") & (frame.metric == "R@1")]
    assert found.value.item() == 0.5123456789
    assert frame[frame.metric == "MedR"].low.isna().all()


def test_csv_leaves_missing_values_empty():
    lines = render(evaluation_answer(odd_evaluation()), Format.csv).splitlines()
    assert lines[1:] == ["t2v,gram,rerank(50),R@1,,,,3", "t2v,gram,raw,R@1,,,,3"]


def test_json_is_one_strict_object():
    document = json.loads(render(evaluation_answer(odd_evaluation()), Format.json), parse_constant=pytest.fail)
    assert document["schema"] == 1
    assert document["results"][0]["value"] is None
    compared = json.loads(render(comparison_answer(comparison()), Format.json))
    assert compared["names"] == ["emb@cosine", "emb@gram"]
    assert compared["results"][0]["p_value"] == 0.0004


def test_markdown_rows_have_as_many_cells_as_the_head():
    answer = Answer((Table(("a", "b|c"), (("x | y", "1"),), frozenset({"a"})),), (), (), {})
    lines = render(answer, Format.markdown).splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert r"x \| y" in lines[2]


def test_markdown_reads_back_as_a_table():
    text = render(evaluation_answer(evaluation()), Format.markdown).split("\n\n", maxsplit=1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert rows[0][:3] == ["task", "method", "R@1"]
    assert rows[2][:3] == ["t2v", "cosine", "41.0 [37.9, 44.1]"]
    assert len(rows) == 2 + 12


def test_every_table_but_the_first_is_told_from_the_others():
    """Groups of a leaderboard are not comparable, and queries are gained or lost: only titles say so."""
    tables = tuple(Table(("a",), (("x",),), frozenset({"a"}), f"Group {k}: 50 % of_it|") for k in (1, 2))
    answer = Answer(tables, (), (), {})
    assert render(answer, Format.latex).splitlines()[0] == r"\begin{tabular}{l}"
    assert "\n\n% Group 2: 50 % of_it|\n\\begin{tabular}" in render(answer, Format.latex)
    assert render(answer, Format.markdown).startswith("| a")
    assert "\n\nGroup 2: 50 % of_it\\|\n\n| a" in render(answer, Format.markdown)


def test_latex_escapes_what_latex_would_read():
    text = render(evaluation_answer(odd_evaluation()), Format.latex)
    assert r"\toprule" in text
    assert r"\&" in text
    assert r"\_\%\$" in text


def test_the_plain_table_has_no_colour_and_no_box_drawing():
    text = render(evaluation_answer(evaluation()), Format.table)
    assert text.isascii()
    assert "|" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert re.search(r"^t2va  gram +57\.5 \[54\.4, 60\.6\] .* \+15\.0 +1000$", text, re.M)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("R@1", 1.0, "100.0"),
        ("R@50", 0.00049, "0.0"),
        ("mAP", 0.5, "0.500"),
        ("MeanR", None, "-"),
        ("MRR", 1 / 3, "0.333"),
    ],
)
def test_figures_as_people_read_them(metric, value, text):
    assert metric_text(metric, value) == text


def test_a_difference_has_its_sign_and_a_missing_one_a_dash():
    assert signed_text("R@1", 0.0) == "+0.0"
    assert signed_text("R@1", float("nan")) == "-"
    assert with_interval("+1.0", "-0.5", "+2.5") == "+1.0 [-0.5, +2.5]"
    assert with_interval("+1.0", "-", "-") == "+1.0"
