"""A saved result becomes a page again; what is behind it is shown only where it still is what was evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.score import score
from gramcli.report.page import scores_page, write_report
from gramcli.report.page.answering import answers_of
from gramcli.report.page.contenders import contests_of
from gramcli.report.page.material import material_of
from gramcli.report.page.saved import write_with_notes
from gramcli.results.comparisons import comparison_from
from gramcli.results.documents import load_evaluation, read_document, strict
from tests.report.page.test_explorer import data_of


@pytest.fixture
def saved(measured, tmp_path: Path) -> Path:
    """Its JSON, without the answers."""
    path = tmp_path / "run.json"
    path.write_text(replace(measured, ranks=tuple(replace(one, best=()) for one in measured.ranks)).to_json())
    return path


def test_a_saved_evaluation_is_the_page_it_would_have_been(real_page: str, saved: Path) -> None:
    assert write_report(saved) == saved.with_suffix(".html")
    assert saved.with_suffix(".html").read_text() == real_page


def test_answers_are_kept_in_json_where_they_were_asked_for(measured, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text(measured.to_json())
    assert load_evaluation(tmp_path / "kept.json").ranks == measured.ranks
    assert "best" not in json.loads(replace(measured, ranks=()).to_json())


def test_answers_that_are_ranked_again_are_those_that_were_kept(measured) -> None:
    material = material_of(measured.provenance)
    bare = replace(measured, ranks=tuple(replace(one, best=()) for one in measured.ranks))
    for kept, again in zip(contests_of(measured, material), contests_of(bare, material), strict=True):
        for one, other in zip(kept.contenders, again.contenders, strict=True):
            assert dict(answers_of(one)) == dict(answers_of(other))


def test_a_store_that_is_gone_or_another_is_said(measured, embedded: Path, tmp_path: Path) -> None:
    gone = material_of({"store": {"path": str(tmp_path / "gone"), "fingerprint": "x"}})
    assert gone.store is None
    assert "does not exist" in gone.notes[0]
    other = material_of(
        {**measured.provenance, "store": {"path": str(embedded), "fingerprint": "0" * 64}, "dataset": {}}
    )
    assert "its fingerprint differs" in other.notes[0]
    assert not other.captions
    assert "names no store" in material_of({}).notes[0]


def test_media_that_moved_are_named(embedded: Path, measured, tmp_path: Path) -> None:
    shutil.copytree(embedded, tmp_path / "store")
    shutil.copytree(embedded.parent / "data", tmp_path / "moved")
    (tmp_path / "store" / "origin.json").unlink()
    found = evaluate(tmp_path / "store", tasks=["t2v"], methods=["gram"], split="all")
    (tmp_path / "run.json").write_text(found.to_json())
    _, notes = write_with_notes(tmp_path / "run.json", output=tmp_path / "a.html")
    assert "does not say where its media and captions lie" in (tmp_path / "a.html").read_text()
    assert ["does not say where its media and captions lie" in note for note in notes] == [True]
    write_report(tmp_path / "run.json", output=tmp_path / "b.html", dataset=str(tmp_path / "moved" / "manifest.csv"))
    assert all(row[3] for row in data_of((tmp_path / "b.html").read_text())["items"])
    with pytest.raises(UserError, match="nowhere"):
        write_report(tmp_path / "run.json", dataset=str(tmp_path / "nowhere.csv"))


def test_a_comparison_is_read_back(embedded: Path, tmp_path: Path) -> None:
    found = compare(f"{embedded}@cosine", f"{embedded}@gram", tasks=["t2va"], split="all")
    (tmp_path / "c.json").write_text(found.to_json())
    read = comparison_from(read_document(tmp_path / "c.json"), tmp_path / "c.json")
    told = [(one.provenance, one.results, one.ranks) for one in read.sides]
    assert told == [(strict(one.provenance), one.results, one.ranks) for one in found.sides]
    document = json.loads(found.to_json())
    old = {name: value for name, value in document.items() if name != "sides"}
    (tmp_path / "c.json").write_text(json.dumps(old))
    html = write_report(tmp_path / "c.json").read_text()
    assert "B - A" in html
    assert "an older gram wrote it" in html
    with pytest.raises(UserError, match="--dataset is for the items of an evaluation"):
        write_report(tmp_path / "c.json", dataset="clips")


def test_the_page_of_scores_shows_what_the_worst_say(embedded: Path) -> None:
    found = score(embedded, tasks=["t2va"])
    worst = found.scores[0].ids[found.scores[0].worst(1)[0]]
    text = material_of(found.provenance).captions[worst][0]
    assert text
    assert f"<td>{text}</td>" in scores_page(found)


def test_any_other_result_is_shown_as_it_stands(tmp_path: Path) -> None:
    rows = [{"id": "<b>", "score": 0.123456, "flag": True, "none": None}]
    (tmp_path / "s.json").write_text(json.dumps({"schema": 1, "results": rows, "notes": ["odd"]}))
    html = write_report(tmp_path / "s.json").read_text()
    assert "<td>&lt;b&gt;</td>" in html
    assert "0.1235" in html
    assert "odd" in html


@pytest.mark.parametrize(
    ("text", "said"), [("[1]", "no result of gram"), ("{", "JSON"), ('{"schema": 1}', "no result")]
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=said):
        write_report(tmp_path / "x.json")


GAIN = {"task": "t2va", "method": "gram", "any": {"task": "t2v", "method": "gram", "R@1": 0.5}, "pairs": []}
PAIR = {"task": "t2v", "method": "gram", "R@1": 0.5, "difference": 0.1, "low": 0.0, "high": 0.2}


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        ({"gains": 1}, "gains must be a list"),
        ({"gains": [{**GAIN, "any": "x"}]}, r"gains\[0\].any must be an object"),
        ({"gains": [{**GAIN, "pairs": None}]}, r"gains\[0\].pairs must be a list"),
        ({"gains": [{**GAIN, "pairs": [None]}]}, r"gains\[0\].pairs\[0\] must be an object"),
        ({"gains": [{**GAIN, "pairs": [{**PAIR, "low": "x"}]}]}, r"pairs\[0\].low must be a number"),
        ({"tasks": {"t2v": "x"}}, "tasks must be an object; got a string"),
        ({"tasks": {"t2v": {"left_out": "<b>"}}}, "left_out must be a whole number"),
        ({"directions": [{"task": "t2v", "query": 1, "candidates": []}]}, r"directions\[0\].query must be a list"),
    ],
)
def test_what_an_evaluation_says_of_itself_is_checked(measured, tmp_path: Path, provenance, said: str) -> None:
    document = json.loads(measured.to_json())
    document["provenance"] |= provenance
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=said):
        write_report(tmp_path / "x.json")


def test_a_gain_without_an_interval_is_shown_without_one(measured, tmp_path: Path) -> None:
    document = json.loads(measured.to_json())
    for gain in document["provenance"]["gains"]:
        for pair in gain["pairs"]:
            del pair["low"], pair["difference"]
    (tmp_path / "x.json").write_text(json.dumps(document))
    assert "over each pair" in write_report(tmp_path / "x.json").read_text()


@pytest.mark.parametrize("evaluations", [3, "x", {"a": 1}, [None], ["x"]])
def test_what_a_comparison_says_of_its_evaluations_is_checked(tmp_path: Path, evaluations) -> None:
    document = {"schema": 1, "names": ["a", "b"], "results": [], "provenance": {"evaluations": evaluations}}
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="evaluations"):
        write_report(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ([{"results": [], "ranks": []}], "do not fit each other"),
        ([{"results": [], "ranks": []}] * 3, "do not fit each other"),
        ([{"results": []}] * 2, "ranks"),
        ([{"results": [], "ranks": [{"task": "t2v", "method": "gram", "query_ids": ["a"], "ranks": [3.0],
                                     "n_candidates": 2}]}] * 2, "a rank of 3 among 2"),
    ],
)  # fmt: skip
def test_what_a_comparison_says_of_its_sides_is_checked(tmp_path: Path, sides, said: str) -> None:
    document = {"schema": 1, "names": ["a", "b"], "results": [], "provenance": {"evaluations": [{}, {}]}}
    (tmp_path / "x.json").write_text(json.dumps(document | {"sides": sides}))
    with pytest.raises(UserError, match=said):
        write_report(tmp_path / "x.json")


@pytest.mark.parametrize("seeds", ["", 3, {"a": "x"}, {"a": None}])
def test_what_a_comparison_says_of_its_seeds_is_checked(tmp_path: Path, seeds) -> None:
    document = {"schema": 1, "names": ["a", "b"], "results": [], "provenance": {"seeds": seeds}}
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="seeds"):
        write_report(tmp_path / "x.json")


@pytest.mark.parametrize(
    "odd", [{"results": 5}, {"notes": None}, {"left_out": [1]}, {"left_out": 1}, {"provenance": 1}]
)
def test_what_any_other_result_says_is_checked(tmp_path: Path, odd) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"schema": 1, "results": [{"id": "a"}], **odd}))
    with pytest.raises(UserError, match=next(iter(odd))):
        write_report(tmp_path / "x.json")
