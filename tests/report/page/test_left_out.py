"""What a page says of items that no figure covers: what the record shows, and no more."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest

from gramcli.report.answer import Answer
from gramcli.report.page import answer_page, comparison_page, page
from gramcli.results.records import Comparison
from tests.made_results import comparison, evaluation

BARE = replace(evaluation(20), results=(), ranks=())  # nothing of it is drawn, which takes a second
STORE = {"path": "emb", "fingerprint": "f", "items": 300}


def said(text: str) -> str:
    section = re.search(r'<section id="left-out">(.*?)</section>', text, re.DOTALL)
    assert section
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", section[1]).split()))


def evaluated(**facts: Any) -> dict[str, Any]:
    return {"store": STORE, "split": None, "limit": None, "n": 300, **facts}


def compared(provenances: list[dict[str, Any]], n: int = 100) -> Comparison:
    found = comparison()
    rows = tuple(replace(row, n=n) for row in found.rows)
    return replace(found, rows=rows, provenance={"evaluations": provenances})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "Nothing: all 300 items of the store were evaluated, and every one is in the figures."),
        (
            {"split": "test", "n": 100},
            "Evaluated were 100 of the store's 300 items (split test); of these nothing was left out.",
        ),
        (
            {"split": "test", "limit": 50, "n": 50},
            "Evaluated were 50 of the store's 300 items (split test, limit 50); of these nothing was left out.",
        ),
    ],
)
def test_what_was_evaluated_is_named(facts: dict[str, Any], expected: str) -> None:
    text = page(replace(BARE, provenance=evaluated(**facts), left_out=()))
    assert said(text) == f"Left out {expected}"


def test_a_record_that_names_no_items_claims_no_more() -> None:
    text = page(replace(BARE, left_out=()))
    assert said(text) == "Left out Of the items evaluated nothing was left out."


def test_items_that_are_listed_stand_with_what_was_evaluated() -> None:
    text = page(replace(BARE, provenance=evaluated(split="test", n=100)))
    assert "Evaluated were 100 of the store's 300 items (split test)." in said(text)
    assert "clip_7" in said(text)


def test_queries_that_a_comparison_drops_are_counted() -> None:
    tasks = {"t2va": {"queries": 100, "candidates": 100}}
    halves = [evaluated(split="test", n=100, tasks=tasks), evaluated(split="test", limit=50, n=50)]
    found = said(comparison_page(compared(halves, n=50)))
    assert "The comparison of t2va covers 50 of 100 queries." in found
    assert "Evaluated were 100 of the store's 300 items (split test)" in found
    assert "Evaluated were 50 of the store's 300 items (split test, limit 50)" in found
    assert "Nothing" not in found


def test_a_result_that_lists_no_items_does_not_say_that_none_are_missing() -> None:
    told = {"schema": 1, "provenance": {"runs": [evaluated(split="test", n=100)]}, "results": []}
    found = said(answer_page(Answer((), (), (), told), "gram", told["provenance"]))
    assert "Evaluated were 100 of the store's 300 items (split test)." in found
    assert "This result does not list what was left out of it." in found
