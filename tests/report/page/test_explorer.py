"""The data of the table of queries: right, small, and safe in a script element."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

from gramcli.report.escaping import script_json
from gramcli.report.page import explorer as module
from gramcli.report.page import page
from gramcli.report.page.contenders import Contender, Contest, contests_of
from gramcli.report.page.explorer import explorer
from gramcli.report.page.material import Material
from gramcli.results.records import RankVector
from tests.made_results import evaluation
from tests.report.page.conftest import hostile_evaluation


def data_of(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


def contest(ids, *ranks, best=(), task="t2v", material=None):
    vectors = [RankVector(task, f"m{k}", tuple(ids), tuple(one), len(ids), best) for k, one in enumerate(ranks)]
    return Contest(task, task, tuple(Contender(v.method, v, {}, material or Material()) for v in vectors))


def test_ranks_answers_and_captions_stand_with_their_query():
    material = Material(
        captions={"a": ["first", "second"], "b": ["third"]}, facts={"a": ("cat", "test"), "b": (None, None)}
    )
    best = (("a", "b"), ("b", "a"), ("b", "c"))
    found = json.loads(explorer([contest("aab", (1, 2.5, math.nan), (3, 2, 1), best=best, material=material)], 0).data)
    (task,) = found["tasks"]
    names = [row[0] for row in found["items"]]
    assert [names[k] for k in task["queries"]] == ["a", "a", "b"]
    assert task["captions"] == [0, 1, 0]
    assert task["ranks"] == [[1, 3], [2.5, 2], [None, 1]]
    assert [[names[k] for k in row[0]] for row in task["best"]] == [["a", "b"], ["b", "a"], ["b", "c"]]
    assert [row[1] for row in task["best"]] == [0, 0, 0]  # the same as the first contender's
    assert found["items"][names.index("a")] == ["a", "cat", "test", ["first", "second"], -1]
    assert found["items"][names.index("c")] == ["c", None, None, [], -1]


@pytest.mark.parametrize(
    ("task", "asks"),
    [("t2v", True), ("ta2v", True), ("v2t", False), ("text2vas", True), ("vas2text", False), ("v2t_maxpool", False),
     ("t2va/t2v", True), ("text@b+video2audio", True)],
)  # fmt: skip
def test_what_asks_is_a_caption_or_an_item(task, asks):
    assert contest("a", (1,), task=task).asks is asks


def test_only_queries_that_all_have_are_compared_in_the_first_one_s_order():
    one, other = contest("abc", (1, 2, 3)).contenders[0], contest("cbd", (7, 8, 9)).contenders[0]
    found = Contest("t2v", "t2v", (one, other), compared=True)
    assert found.queries == (("b", 0), ("c", 0))
    assert [found.rank(1, key) for key in found.queries] == [8, 7]


def test_of_too_many_queries_the_most_changed_stay_and_it_is_said(monkeypatch):
    monkeypatch.setattr(module, "MOST_QUERIES", 100)
    ids = [f"q{k:04d}" for k in range(1000)]
    changed = {k: 500.0 - k for k in range(400, 450)}
    ranks = [changed.get(k, 1.0) for k in range(1000)]
    found = explorer([contest(ids, [1.0] * 1000, ranks)], 0)
    shown = [json.loads(found.data)["items"][k][0] for k in json.loads(found.data)["tasks"][0]["queries"]]
    assert len(shown) == 100
    assert {ids[k] for k in changed} <= set(shown)
    assert shown == sorted(shown)
    (said,) = found.said
    assert said.startswith("Of t2v the table shows 100 of 1,000 queries: the 50 that changed most and others")


def test_text_that_is_too_long_for_a_page_is_sampled():
    ids = [f"q{k}" for k in range(2000)]
    captions = {name: ["word " * 60] * 20 for name in ids}
    material = Material(captions=captions, facts=dict.fromkeys(ids, (None, None)))
    found = explorer([contest(ids, [1.0] * 2000, material=material)], 0)
    assert len(found.data) < module.MOST_TEXT + 1000
    assert "of 2,000 queries" in found.said[0]


def test_nothing_of_the_data_ends_its_element():
    found, material = hostile_evaluation()
    html = page(found, material=material)
    inside = re.search(r'id="data">(.*?)</script>', html, re.S)[1]
    assert not set("<>&\u2028\u2029\u202e\x1b") & set(inside)
    assert len(data_of(html)["items"]) == 40


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "a\u2028b", "&amp;", '"\\'])
def test_data_is_what_it_was(text):
    assert json.loads(script_json({text: [text]})) == {text: [text]}
    assert not re.search(r"[<>&\u2028\u2029]", script_json(text))


@pytest.mark.parametrize("n", [0, 1])
def test_no_query_and_a_single_one(n):
    ranks = tuple(replace(one, query_ids=one.query_ids[:n], ranks=one.ranks[:n]) for one in evaluation(2).ranks)
    html = page(replace(evaluation(2), ranks=ranks), material=Material())
    assert ('id="data"' in html) is bool(n)


def test_queries_that_nobody_answers_have_no_rank():
    ranks = tuple(replace(one, ranks=(math.nan,) * 3) for one in evaluation(3).ranks)
    found = data_of(page(replace(evaluation(3), ranks=ranks), material=Material()))
    assert all(rank is None for task in found["tasks"] for row in task["ranks"] for rank in row)


def test_the_joint_task_is_shown_first():
    found = evaluation(5)
    made = json.loads(explorer(contests_of(found, Material()), 0).data)
    assert made["tasks"][made["first"]]["task"] == "t2va"
