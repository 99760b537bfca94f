"""Pages of comparisons say at each part what it is over: all seeds, or the first."""

from __future__ import annotations

import re
from dataclasses import replace

from gramcli.evaluation.comparison import compare_evaluations
from gramcli.report.page import comparison_page
from gramcli.report.page.provenance import provenance_table
from gramcli.results.records import Comparison, Evaluation, Questions, RankVector, ResultRow

FIRST = "this is the first seed alone"


def seeds(method: str, every: list[list[float]]) -> list[Evaluation]:
    found = []
    for ranks in every:
        names = tuple(f"q{k}" for k in range(len(ranks)))
        hit = sum(rank == 1 for rank in ranks) / len(ranks)
        row = ResultRow("t2v", method, "raw", "R@1", hit, hit / 2, (1 + hit) / 2, len(ranks))
        asked = Questions("t2v", names, "gallery", "items", "items")
        vector = RankVector("t2v", method, names, tuple(ranks), 20)
        found.append(Evaluation({}, (row,), (), (vector,), questions=(asked,)))
    return found


def compared(n: int) -> Comparison:
    a = [[1.0, 2, 3, 1] * 5, [1.0, 1, 3, 2] * 5][:n]
    b = [[1.0, 1, 2, 1] * 5, [2.0, 1, 1, 1] * 5][:n]
    return compare_evaluations([seeds("cosine", a), seeds("gram", b)], ["A", "B"])


def captions(text: str) -> list[str]:
    return re.findall("<figcaption>(.*?)</figcaption>", text)


def test_of_several_seeds_each_figure_and_the_queries_say_that_they_show_the_first() -> None:
    text = comparison_page(compared(2))
    told = [FIRST in one for one in captions(text)]
    differences = [one.startswith("Differences of") for one in captions(text)]
    assert told == [not one for one in differences]
    assert any(told)
    queries = text.split('<section id="queries">')[1].split("</section>")[0]
    assert FIRST in queries.split('<div id="explorer">')[0]


def test_a_single_seed_needs_no_word_on_seeds() -> None:
    assert FIRST not in comparison_page(compared(1))


def test_a_saved_comparison_says_why_it_shows_no_queries() -> None:
    text = comparison_page(replace(compared(1), sides=()))
    queries = text.split('<section id="queries">')[1].split("</section>")[0]
    assert "holds no ranks" in queries
    assert "explorer" not in queries


def test_the_provenance_of_several_evaluations_is_spread_out() -> None:
    store = {"path": "emb", "fingerprint": "abc"}
    parts = [{"store": store, "model": {"heads": {"sha256": digest}}} for digest in ("one", "two")]
    rows = dict(provenance_table({"evaluations": parts, "made": {"date": "today"}}).rows)
    assert rows == {
        "evaluations.store.path": "emb",
        "evaluations.store.fingerprint": "abc",
        "evaluations.1.model.heads.sha256": "one",
        "evaluations.2.model.heads.sha256": "two",
        "made.date": "today",
    }


def test_the_subtitle_names_the_models_of_both_sides() -> None:
    parts = [{"model": {"id": name}, "split": "test"} for name in ("cosine heads", "gram heads")]
    text = comparison_page(replace(compared(1), provenance={"evaluations": parts}))
    assert '<p class="subtitle">model cosine heads against gram heads, split test</p>' in text
