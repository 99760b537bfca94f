"""`gram report` and `--report`: one page from every verb, and how it says it was made."""

from __future__ import annotations

import json
from pathlib import Path

from tests.report.page.test_explorer import data_of


def test_a_saved_evaluation_becomes_a_page_beside_it(gram, store):
    assert gram("eval", store, "--task", "t2va", "-o", "run.json").exit_code == 0
    done = gram("report", "run.json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Wrote run.html." in done.stderr
    html = Path("run.html").read_text()
    assert f"gram eval {store} --task t2va -o run.json" in html
    assert {task["task"] for task in data_of(html)["tasks"]} == {"t2va", "va2t"}
    foreign = gram("report", "run.json", "-o", "page.pdf")
    assert foreign.exit_code == 2
    assert "-o page.pdf: the report is an HTML page" in foreign.stderr
    assert "does not exist" in gram("report", "nothing.json").stderr


def test_how_it_was_made_is_recorded_and_compared_with_nothing(gram, store, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    first = gram.json("eval", store, "--task", "t2v", "--method", "gram")
    made = first["provenance"]["made"]
    assert made == {
        "date": "1970-01-01T00:00:00+00:00",
        "command": f"gram eval {store} --task t2v --method gram --format json",
        "commit": None,
    }
    Path("a.json").write_text(json.dumps(first))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    Path("b.json").write_text(json.dumps(gram.json("eval", store, "--task", "t2v", "--method", "gram")))
    assert gram("compare", "a.json", "b.json").exit_code == 0


def test_a_comparison_has_a_page_with_the_answers_of_both(gram, store):
    done = gram("compare", f"{store}@cosine", f"{store}@gram", "--task", "t2va", "--report", "c.html", "-o", "c.json")
    assert done.exit_code == 0
    html = Path("c.html").read_text()
    assert "<h2>Verdict</h2>" in html
    (first, *_) = data_of(html)["tasks"]
    assert first["short"] == ["A", "B"]
    assert all(answers == 0 or len(answers) == 5 for row in first["best"] for answers in row)
    assert gram("report", "c.json", "-o", "again.html").exit_code == 0
    again = Path("again.html").read_text()
    assert "<h2>Verdict</h2>" in again
    assert data_of(again) == data_of(html)  # ranks, answers and captions of both sides


def test_a_training_has_a_page_with_its_curves(gram, store):
    done = gram(
        "align", store, "-o", "heads", "--loss", "cosine", "--epochs", "3", "--val-split", "test", "--report", "h.html"
    )
    assert done.exit_code == 0, done.output
    html = Path("h.html").read_text()
    assert "Training by the cosine loss" in html
    assert "<svg" in html


def test_evaluations_with_a_page_keep_their_answers(gram, store):
    found = gram.json("eval", store, "--task", "t2v", "--method", "gram", "--report", "r.html")
    assert all(len(best) == 5 for vector in found["ranks"] for best in vector["best"])
    assert "best" not in gram.json("eval", store, "--task", "t2v", "--method", "gram")["ranks"][0]
