"""The HTML page is whole, escaped and needs no network."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gramcli.report.page import page
from gramcli.report.page.cards import best_per_task
from gramcli.report.page.provenance import provenance_table
from gramcli.report.plots.style import INK
from gramcli.results.records import RankVector, ResultRow
from tests.made_results import comparison, evaluation, figures, odd_evaluation
from tests.report.plots.drawn import forest_plot, recall_curves

VOID = {"meta", "link", "br", "img", "path", "use", "rect", "hr"}


class Outline(HTMLParser):
    """Collects tags that stay open and every attribute that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [value for name, value in attributes if name in {"src", "href", "data", "action"} and value]

    def handle_startendtag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in {"src", "href"} and value]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"h1", "h2"}:
            self.headings.append(data)


def outline(html):
    found = Outline()
    found.feed(html)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def whole_page():
    return page(evaluation(50), comparison(), remarks=("Heads are a stand-in.",))


def test_the_page_has_every_part(whole_page):
    headings = outline(whole_page).headings
    assert headings[1:] == [
        "Results", "Comparison", "Query by query", "In pictures", "Further tables", "Notes", "Left out", "Provenance",
    ]  # fmt: skip
    for text in (
        "Heads are a stand-in.",
        "model signal",
        "clips/annotations.json",
        "clip_7",
        "torch",
        "0.4 % of ranks",
    ):
        assert text in whole_page
    assert whole_page.count("<svg") >= 4
    assert len(whole_page) < 3_000_000


def test_nothing_is_loaded_from_anywhere(whole_page):
    assert all(load.startswith("#") for load in outline(whole_page).loads)
    assert "@import" not in whole_page
    assert not re.search(r"url\((?!#)", whole_page)
    assert re.findall(r"<script[^>]*>", whole_page) == ['<script type="application/json" id="data">', "<script>"]


def test_text_is_escaped():
    html = page(odd_evaluation(), title="<i>&")
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert "&lt;i&gt;&amp;" in html
    assert "\x1b" not in html
    html.encode("utf-8")


def test_a_page_without_figures_or_comparison_is_still_whole():
    empty = replace(evaluation(), results=(), ranks=(), left_out=(), notes=())
    html = page(empty)
    assert outline(html).headings[1:] == ["Results", "Left out", "Provenance"]
    assert "Of the items evaluated nothing was left out." in html


def test_the_page_is_the_same_every_time(whole_page):
    assert page(evaluation(50), comparison(), remarks=("Heads are a stand-in.",)) == whole_page


def test_cards_show_the_best_method_of_each_task():
    cards = best_per_task((*figures("t2v", "cosine", 0.2), *figures("t2v", "gram", 0.3), *figures("v2t", "gram", 0.1)))
    assert [(card.task, card.method, card.value, card.interval) for card in cards] == [
        ("t2v", "gram", "30.0", "26.9 to 33.1"),
        ("v2t", "gram", "10.0", "6.9 to 13.1"),
    ]


def test_a_card_names_every_method_that_shares_the_best_figure():
    cards = best_per_task((*figures("t2v", "cosine", 0.3), *figures("t2v", "gram", 0.3), *figures("t2v", "pmrl", 0.2)))
    assert [card.method for card in cards] == ["cosine, gram"]


def test_figures_take_the_page_s_ink_and_font():
    svg = forest_plot(evaluation().results)
    assert INK not in svg
    assert "currentColor" in svg
    assert "<text" in svg


def test_labels_are_not_read_as_formulas_or_markup():
    svg = forest_plot(tuple(figures("$x_1$<b>", "gram", 0.5)))
    assert "$x_1$&lt;b&gt;" in svg


def test_figures_without_data_are_empty():
    assert forest_plot(()) == ""
    assert forest_plot(odd_evaluation().results) == ""
    assert recall_curves(()) == ""


def test_a_single_query_and_candidate_can_be_drawn():
    assert recall_curves((RankVector("t2v", "gram", ("a",), (1.0,), 1),)).startswith("<svg")


def test_queries_that_nobody_answers_are_not_misses():
    whole = recall_curves((RankVector("v2t", "gram", ("a",), (1.0,), 5),))
    assert recall_curves((RankVector("v2t", "gram", ("a", "b"), (1.0, math.nan), 5),)) == whole


def test_more_tasks_than_panels_say_so():
    ranks = tuple(RankVector(f"task{i}", "gram", ("a", "b"), (1.0, 2.0), 2) for i in range(8))
    assert "The first 6 of 8 tasks." in page(replace(evaluation(), ranks=ranks))


def test_long_lists_and_tables_of_the_provenance_stay_in_the_json():
    told = {"classes": [f"class {k}" for k in range(25)], "confusion": [{"task": "v", "truth": [0] * 999}]}
    rows = dict(provenance_table({"classification": told}).rows)
    assert rows["classification.classes"].endswith("class 19, and 5 more in the JSON")
    assert rows["classification.confusion"] == "1 table, in the JSON"


def test_classifiers_have_a_drawing():
    row = ResultRow("v", "probe", "raw", "accuracy", 0.9, 0.8, 0.95, 40)
    found = page(replace(evaluation(), results=(row,), ranks=()))
    assert "Accuracy of every classifier" in found
    assert "R@1 of every task" not in found
