"""`gram leaderboard`, `gram eval --directions all` and `--pool shared` from the command line."""

from __future__ import annotations

import csv
import json

import pytest

from tests.small_stores import make_store


@pytest.fixture
def runs(gram, tmp_path, monkeypatch):
    """Two evaluations of one store in a folder."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "s", 24)
    (tmp_path / "runs").mkdir()
    for name in ("cosine", "gram"):
        assert gram("eval", "s", "--task", "t2va", "--method", name, "-o", f"runs/{name}.json", "-q").exit_code == 0
    return ["runs/cosine.json", "runs/gram.json"]


def test_a_row_for_each_run_with_what_it_was_measured_under(gram, runs) -> None:
    result = gram("leaderboard", *runs, "--task", "t2va")
    assert result.exit_code == 0
    assert result.stdout.startswith("Group 1: t2va; by R@1")
    heading = result.stdout.splitlines()[1].split()
    assert heading[-4:] == ["n", "gallery", "stage", "protocol"]
    assert "cosine.json" in result.stdout


def test_csv_and_json_have_every_digit(gram, runs) -> None:
    table = list(
        csv.DictReader(gram("leaderboard", *runs, "--format", "csv", "--metric", "MRR", "-q").stdout.splitlines())
    )
    assert {row["task"] for row in table} == {"t2va", "va2t"}
    assert {"group", "letters", "gallery", "MRR", "MRR_low", "MRR_high"} <= set(table[0])
    document = gram.json("leaderboard", *runs, "--task", "t2va")
    assert [row["run"] for row in document["results"]]
    assert len(document["tests"]) == 1
    assert document["metrics"][0] == "R@1"
    assert len(document["provenance"]["runs"]) == 2


@pytest.mark.parametrize("option", ["-o", "--report"])
def test_a_page(gram, runs, tmp_path, option) -> None:
    result = gram("leaderboard", *runs, option, "table.html")
    assert result.exit_code == 0
    assert "Wrote table.html." in result.stderr
    page = (tmp_path / "table.html").read_text()
    assert "cosine.json" in page
    assert "va2t" in page


def test_names_of_runs_are_escaped(gram, runs, tmp_path) -> None:
    bad = tmp_path / "runs" / "<b>&.json"
    bad.write_text((tmp_path / runs[0]).read_text())
    assert gram("leaderboard", *runs, str(bad.relative_to(tmp_path)), "-o", "table.html").exit_code == 0
    page = (tmp_path / "table.html").read_text()
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;.json" in page


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": []}', "\x00"])
def test_foreign_files_are_refused_by_name(gram, runs, tmp_path, content) -> None:
    (tmp_path / "other.json").write_text(content)
    result = gram("leaderboard", *runs, "other.json")
    assert result.exit_code == 1
    assert "other.json" in result.stderr
    assert result.stdout == ""


def test_a_wrong_metric_is_a_wrong_command_line(gram, runs) -> None:
    result = gram("leaderboard", *runs, "--metric", "R@2")
    assert result.exit_code == 2
    assert "Did you mean 'R@" in result.stderr


def test_all_directions_and_a_shared_pool(gram, runs) -> None:
    result = gram("eval", "s", "--directions", "all", "--pool", "shared", "--method", "cosine")
    assert result.exit_code == 0
    assert result.stdout.startswith("R@1 of all directions in per cent, cosine")
    assert "First answers by modality" in result.stdout
    document = gram.json("eval", "s", "--directions", "all", "--method", "cosine")
    assert len(document["provenance"]["directions"]) == 12
    assert len([row for row in document["results"] if row["metric"] == "R@1"]) == 12
    assert json.dumps(document)


def test_a_pool_s_figures_are_in_a_leaderboard(gram, runs) -> None:
    assert gram("eval", "s", "--pool", "shared", "-o", "runs/pool.json", "-q").exit_code == 0
    found = gram.json("leaderboard", "runs/pool.json", "--metric", "share@1:text", "--metric", "R@1")
    assert {row["task"] for row in found["results"]} == {"t2pool", "v2pool", "a2pool"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--directions", "all", "--task", "t2v"), "--directions all names the tasks itself"),
        (("--pool", "shared", "--normalize", "dsl"), "leave --normalize out"),
        (("--pool", "shared", "--metrics", "geometry"), "--pool shared is about retrieval"),
    ],
)
def test_what_does_not_go_together_is_a_wrong_command_line(gram, runs, given, message) -> None:
    result = gram("eval", "s", *given)
    assert result.exit_code == 2
    assert message in result.stderr
