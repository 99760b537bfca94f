"""`-o FILE`: the suffix is the form, and one that is none is refused; an option with one value is given once."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest


@pytest.mark.parametrize("suffix", [".pdf", ".xyz", ".parq", ".xlsx"])
@pytest.mark.parametrize("command", [["methods"], ["eval", "STORE"], ["inspect", "STORE"]])
def test_a_foreign_suffix_is_refused(gram, store, tmp_path, suffix, command):
    output = tmp_path / f"out{suffix}"
    result = gram(*[str(store) if word == "STORE" else word for word in command], "-o", output)
    assert result.exit_code == 2
    assert "use one of .txt, .csv, .json, .md, .tex, .html, .parquet" in result.stderr
    assert not output.exists()


def test_known_suffixes_are_written(gram, store, tmp_path):
    forms = {".csv": b"task,", ".json": b"{", ".md": b"|", ".tex": b"\\begin", ".html": b"<!doctype", ".txt": b"Retr"}
    for suffix, start in forms.items():
        path = tmp_path / f"out{suffix}"
        assert gram("eval", store, "--task", "t2v", "--method", "cosine", "-o", path).exit_code == 0
        assert path.read_bytes().lstrip().startswith(start)


def test_parquet_holds_the_rows_of_the_csv(gram, store, tmp_path):
    pytest.importorskip("fastparquet", reason="pandas writes Parquet by a library of its own")
    for name in ("out.parquet", "out.csv"):
        assert gram("eval", store, "--task", "t2v", "--method", "cosine", "-o", tmp_path / name).exit_code == 0
    written, rows = pd.read_parquet(tmp_path / "out.parquet"), pd.read_csv(tmp_path / "out.csv")
    assert list(written.columns) == list(rows.columns)
    assert written.value.tolist() == rows.value.tolist()


def test_a_form_that_is_named_wins_over_any_suffix(gram, store, tmp_path):
    path = tmp_path / "out.xyz"
    assert gram("inspect", store, "--format", "json", "-o", path).exit_code == 0
    assert path.read_text().startswith("{")


@pytest.mark.parametrize(
    "words",
    [
        ["matrix", "STORE", "--method", "cosine", "--method", "gram"],
        ["eval", "STORE", "--split", "test", "--split", "train"],
        ["embed", "clips", "-o", "a", "-o", "b"],
        ["compare", "STORE", "STORE", "--limit", "3", "--limit=4"],
    ],
)
def test_an_option_with_one_value_is_given_once(gram, store, words):
    result = gram(*[str(store) if word == "STORE" else word for word in words])
    assert result.exit_code == 2
    assert "given more than once" in result.stderr


@pytest.mark.parametrize("listing", [["datasets"], ["methods"], ["metrics"]])
def test_every_listing_can_be_parquet(gram, tmp_path, listing):
    """`gram datasets` has cells of several values."""
    pytest.importorskip("fastparquet", reason="pandas writes Parquet by a library of its own")
    result = gram(*listing, "-o", tmp_path / "all.parquet")
    assert result.exit_code == 0, result.output
    assert len(pd.read_parquet(tmp_path / "all.parquet"))


@pytest.mark.parametrize(
    ("option", "file", "said"),
    [("--report", "x.pdf", "the report is an HTML page"), ("--per-query", "x.xlsx", "the queries are a CSV table")],
)
def test_other_outputs_have_their_suffixes(gram, store, tmp_path, option, file, said):
    result = gram("eval", store, "--task", "t2v", "--method", "cosine", option, tmp_path / file)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not (tmp_path / file).exists()


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "a.json", "b.json", "-o", "a.json"],
        ["compare", "x=a.json,b.json", "b.json", "-o", "./b.json"],
        ["compare", "a.json@gram", "b.json", "-o", "linked.json"],
        ["compare", "*.json", "b.json", "-o", "b.json"],
        ["leaderboard", "a.json", "b.json", "--output=b.json"],
        ["eval", "signal", "--dataset", "clips.csv", "-o", "clips.csv"],
        ["eval", "signal", "--dataset", "clips.csv", "--per-query", "clips.csv"],
    ],
)
def test_what_is_read_is_not_written_over(gram, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.json", "clips.csv"):
        (tmp_path / name).write_text(name)
    (tmp_path / "linked.json").symlink_to("a.json")
    result = gram(*words)
    assert result.exit_code == 2
    assert "is read by this command, and would be written over. Name another file." in result.stderr
    assert [(tmp_path / name).read_text() for name in ("a.json", "b.json", "clips.csv")] == [
        "a.json", "b.json", "clips.csv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "STORE", "-o", "STORE/items.csv"],
        ["eval", "STORE", "-o", "STORE/manifest.json"],
        ["score", "STORE", "--keep", "STORE/items.csv"],
        ["score", "STORE", "-o", "STORE/items.csv"],
        ["matrix", "STORE", "--task", "t2v", "--method", "cosine", "-o", "STORE/items.csv"],
        ["matrix", "STORE", "--task", "t2v", "--method", "cosine", "-o", "STORE/shards/00000.safetensors"],
    ],
)
def test_a_part_of_a_store_is_not_written_over(gram, store, tmp_path, words):
    store = shutil.copytree(store, tmp_path / "emb")
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    result = gram(*[word.replace("STORE", str(store)) for word in words])
    assert result.exit_code == 2
    assert "which cannot be read without it. Name another file." in result.stderr
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "STORE", "-o", "none/a.json"],
        ["eval", "STORE", "--report", "none/a.html"],
        ["eval", "STORE", "--per-query", "none/a.csv"],
        ["score", "STORE", "--keep", "none/a.csv"],
        ["compare", "STORE@gram", "STORE@cosine", "-o", "none/a.csv"],
    ],
)
def test_a_folder_that_is_not_there_is_said_before_the_work(gram, store, monkeypatch, words):
    for name in ("evaluation.evaluate.evaluate", "evaluation.score.score", "evaluation.compare.compare"):
        monkeypatch.setattr(f"gramcli.{name}", lambda *_, **__: pytest.fail("worked first"))
    result = gram(*[word.replace("STORE", str(store)) for word in words])
    assert result.exit_code == 1
    assert "could not be written: there is no folder none. Make the folder first." in result.stderr


def test_an_answer_in_a_store_is_written_again(gram, store, tmp_path):
    store = shutil.copytree(store, tmp_path / "emb")
    for _ in range(2):
        assert gram("eval", store, "--task", "t2v", "--method", "cosine", "-o", store / "run.json").exit_code == 0
