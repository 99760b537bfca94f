"""Long rows become one line per task, method and stage; further metrics have a table of their own."""

from __future__ import annotations

from dataclasses import replace

from gramcli.report.tables import comparison_answer, evaluation_answer
from gramcli.results.records import LeftOut, ResultRow
from gramcli.results.wording import p_text
from tests.made_results import comparison, evaluation, figures


def test_one_line_per_task_and_method():
    headline = evaluation_answer(evaluation()).tables[0]
    assert headline.columns == ("task", "method", "R@1", "R@5", "R@10", "MedR", "MeanR", "MRR", "gain", "n")
    assert len(headline.rows) == 12
    assert headline.rows[7] == (
        *("t2va", "gram", "57.5 [54.4, 60.6]", "77.5 [74.4, 80.6]", "87.5 [84.4, 90.6]"),
        *("1.0", "12.3", "0.632", "+15.0", "1000"),
    )  # fmt: skip


def test_the_stage_is_shown_only_when_there_is_more_than_raw():
    rows = (*figures("t2v", "gram", 0.4), *figures("t2v", "gram", 0.5, stage="rerank(50)"))
    headline = evaluation_answer(replace(evaluation(), results=rows)).tables[0]
    assert headline.columns[:3] == ("task", "method", "stage")
    assert [row[2] for row in headline.rows] == ["raw", "rerank(50)"]


def test_metrics_without_a_place_in_the_headline_have_their_own_table():
    further = evaluation_answer(evaluation()).tables[1]
    assert further.columns == ("task", "method", "tie_rate %")
    assert ("t2v", "cosine", "0.4") in further.rows


def test_every_metric_of_an_unknown_name_is_shown():
    rows = (ResultRow("t2v", "gram", "raw", "uniformity", -2.5, None, None, 9),)
    answer = evaluation_answer(replace(evaluation(), results=rows, left_out=()))
    assert [table.rows for table in answer.tables] == [(("t2v", "gram", "-2.500"),)]


def test_a_tie_rate_of_nothing_is_not_worth_a_table():
    rows = (*figures("t2v", "gram", 0.4), ResultRow("t2v", "gram", "raw", "tie_rate", 0.0, None, None, 9))
    assert len(evaluation_answer(replace(evaluation(), results=rows, left_out=())).tables) == 1


def test_lines_of_one_task_stand_together():
    rows = [*figures("t2v", "cosine", 0.1), *figures("v2t", "cosine", 0.1), *figures("t2v", "gram", 0.2)]
    headline = evaluation_answer(replace(evaluation(), results=tuple(rows))).tables[0]
    assert [row[:2] for row in headline.rows] == [("t2v", "cosine"), ("t2v", "gram"), ("v2t", "cosine")]


def test_a_gain_without_interval_is_in_the_headline_only():
    rows = (*figures("t2va", "gram", 0.1), ResultRow("t2va", "gram", "raw", "aggregation_gain", -0.1, None, None, 9))
    answer = evaluation_answer(replace(evaluation(), results=rows, left_out=()))
    assert [table.rows[0][8] for table in answer.tables] == ["-10.0"]


def test_at_most_ten_left_out_items_are_listed():
    lost = tuple(LeftOut(f"clip{i}", "audio", "broken") for i in range(12))
    table = evaluation_answer(replace(evaluation(), left_out=lost)).tables[-1]
    assert len(table.rows) == 10
    assert table.title.startswith("Left out: 12 items, the first 10 entries here")


def test_no_table_for_what_is_not_there():
    nothing = replace(evaluation(), results=(), left_out=())
    assert evaluation_answer(nothing).tables == ()


def test_a_comparison_names_both_sides_and_its_test():
    answer = comparison_answer(comparison())
    assert answer.tables[0].title.startswith("A: emb@cosine (baseline)   B: emb@gram")
    cells = ("t2va", "R@1", "47.5", "52.5", "+5.0 [+2.1, +7.9]", "<0.001", "0.002", "80", "30", "1000")
    assert answer.tables[0].rows[0] == cells
    assert answer.tables[0].rows[1][4:6] == ("-1.0", "-")
    assert answer.notes[0].startswith("B wins, A wins (wins, losses in CSV and JSON)")
    assert answer.notes[1] == "p of R@1: McNemar, exact."


def test_one_table_per_pair():
    rows = comparison().rows
    third = replace(rows[0], b="emb@pmrl")
    answer = comparison_answer(replace(comparison(), rows=(*rows, third)))
    assert [len(table.rows) for table in answer.tables] == [2, 1]


def test_small_p_values_are_not_rounded_to_zero():
    assert p_text(0.0) == "<0.001"
    assert p_text(1.0) == "1.000"
