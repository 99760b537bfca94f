"""`gram compare`: one command from two things to a verdict."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.cli.conftest import make_store
from tests.media_factory import write_image


@pytest.fixture
def saved(gram, store):
    """Evaluations of two methods, with their best answers."""
    for method in ("cosine", "gram"):
        done = gram("eval", store, "--task", "t2va", "--method", method, "-o", f"{method}.json", "--quiet")
        assert done.exit_code == 0, done.output
    return gram


def test_the_verdict_comes_first(saved):
    lines = saved("compare", "cosine.json", "gram.json").stdout.splitlines()
    assert lines[:2] == ["A: cosine.json (baseline)", "B: gram.json"]
    assert lines[2].startswith("t2va R@1: ")
    assert lines[3] == ""


@pytest.mark.parametrize("words", [("--format", "csv"), ("-o", "out.json"), ("-o", "out.parquet"), ("-o", "out.csv")])
def test_where_there_is_no_room_for_it_the_verdict_is_said(saved, words):
    assert "t2va R@1: " in saved("compare", "cosine.json", "gram.json", *words).stderr
    assert "t2va R@1: " not in saved("compare", "cosine.json", "gram.json", *words, "--quiet").stderr


def test_json_holds_verdicts_and_queries(saved, store):
    found = saved.json("compare", "cosine.json", f"{store}@gram", "--task", "t2va", "--diff-queries", "3")
    assert [one["task"] for one in found["verdicts"]] == ["t2va"]
    assert {"outcome", "detectable", "sentence"} <= set(found["verdicts"][0])
    assert set(found["changes"][0]) >= {"query", "caption", "text", "rank_a", "rank_b", "best_a", "best_b"}
    assert [{row["method"] for row in side["results"]} for side in found["sides"]] == [{"cosine"}, {"gram"}]
    assert [side["ranks"][0]["method"] for side in found["sides"]] == ["cosine", "gram"]


def test_queries_are_the_rows_of_a_csv(gram, store):
    words = ("compare", f"{store}@cosine", f"{store}@symile", "--task", "t2va", "--diff-queries", "2")
    rows = list(csv.DictReader(io.StringIO(gram(*words, "--format", "csv").stdout)))
    assert {row["change"] for row in rows} <= {"gained", "lost"}
    assert all(row["top1_a"].startswith("clip") for row in rows)


def test_seeds_from_the_command_line(saved):
    for seed in (1, 2, 3):
        make_store(f"s{seed}", seed=seed)
        assert saved("eval", f"s{seed}", "--task", "t2va", "--method", "gram", "-o", f"g{seed}.json").exit_code == 0
    words = ("compare", "cosine.json", "g=g?.json", "--allow-different", "questions", "--allow-different", "gallery")
    found = saved.json(*words)
    assert found["names"] == ["cosine.json", "g"]
    assert {row["seeds_b"] for row in found["results"]} == {3}
    assert "B: g, 3 seeds" in saved(*words).stdout


def test_the_baseline_is_named(saved):
    found = saved.json("compare", "cosine.json", "gram.json", "--baseline", "gram.json")
    assert found["names"] == ["gram.json", "cosine.json"]
    refused = saved("compare", "cosine.json", "gram.json", "--baseline", "span.json")
    assert refused.exit_code == 2
    assert "--baseline span.json is none of the operands. They are: cosine.json, gram.json." in refused.stderr


@pytest.mark.parametrize(
    "option", [("--ties", "mean"), ("--missing", "drop"), ("--relevant", "item"), ("--split", "test")]
)
def test_options_that_ask_the_same_are_taken(saved, option):
    assert saved("compare", "cosine.json", "gram.json", *option).exit_code == 0


@pytest.mark.parametrize(
    "option", [("--ties", "optimistic"), ("--missing", "zero"), ("--normalize", "dsl"), ("--limit", "5")]
)
def test_a_saved_evaluation_asked_otherwise_is_refused_by_name(saved, option):
    refused = saved("compare", "cosine.json", "gram.json", *option)
    assert refused.exit_code == 2
    assert f"{option[0]} {option[1]}: cosine.json was evaluated with" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_models_are_embedded_and_cached(gram, tmp_path):
    (tmp_path / "clips").mkdir()
    lines = ["id,image,caption"]
    for k in range(12):
        write_image(tmp_path / "clips" / f"{k}.png", colour=(20 * k, 200 - 10 * k, 90))
        lines.append(f"clip{k},{k}.png,picture number {k}")
    (tmp_path / "clips" / "all.csv").write_text("\n".join(lines) + "\n")
    words = ("compare", "signal@cosine", "signal@gram", "--dataset", "clips/all.csv", "--task", "t2i")
    result = gram(*words, "--diff-queries", "2")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Embeddings: ") == 2
    assert "(shards written: 0, found: 1)" in result.stderr.splitlines()[-1]
    document = json.loads(gram(*words, "--diff-queries", "2", "--format", "json").stdout)
    assert document["names"] == ["signal@cosine", "signal@gram"]
