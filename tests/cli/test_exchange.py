"""`gram join` and `gram export` as they are typed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gramcli.exchange import restore
from gramcli.store import open_store
from tests.cli.conftest import make_store


@pytest.fixture
def two(gram, tmp_path):
    """Two stores of the same items by different seeds."""
    make_store(tmp_path / "a", splits=["train"] * 12 + ["val"] * 4 + ["test"] * 8)
    make_store(tmp_path / "b", seed=1, splits=["train"] * 12 + ["val"] * 4 + ["test"] * 8)
    return gram


def test_join_then_everything(two):
    found = two.json("join", "a", "b:text=text@video_b,video=video_b,audio=audio_b", "-o", "ab")
    assert found["items"] == 24
    assert found["parts"] == {"a": ["text", "video", "audio"], "b": ["text@video_b", "video_b", "audio_b"]}
    assert two("inspect", "ab", "--verify").exit_code == 0
    rows = two.json("eval", "ab", "--query", "text", "--candidates", "video_b", "--method", "cosine")["results"]
    apart = two.json("eval", "b", "--task", "t2v", "--method", "cosine")["results"]
    assert [row["value"] for row in rows] == [row["value"] for row in apart]
    aligned = two("align", "ab", "-o", "heads", "--loss", "cosine", "--epochs", "1", "--dim", "4")
    assert aligned.exit_code == 0, aligned.output
    assert two("compare", "ab@cosine", "ab@gram", "--task", "t2va").exit_code == 0


def test_names_that_collide_are_said_with_the_command_that_works(two):
    result = two("join", "a", "b", "-o", "ab")
    assert result.exit_code == 2
    meant = result.stderr.split("such as: ")[1].strip()
    assert two("join", "a", meant, "-o", "ab").exit_code == 0


def test_join_of_other_items(two, tmp_path):
    store = open_store(tmp_path / "a")
    from gramcli.store import write_store

    write_store(
        tmp_path / "c", ids=store.ids[:5], splits=store.splits[:5], labels=store.labels[:5],
        embeddings={"depth": np.ones((5, 3), np.float32)}, caption_items=None, status={},
        model={"id": "c"}, dataset={"id": "made"},
    )  # fmt: skip
    result = two("join", "a", "c", "-o", "ac")
    assert result.exit_code == 2
    assert "c lacks 19 of the 24, such as 'clip05'" in result.stderr
    shown = two("join", "a", "c", "-o", "ac", "--items", "intersection")
    assert shown.exit_code == 0
    assert "the 5 items that all have" in shown.output
    assert two("join", "a", "c", "-o", "all", "--items", "union").exit_code == 0
    assert two.json("inspect", "all")["counts"][3] == {
        "modality": "depth",
        "dim": 3,
        "ok": 5,
        "absent": 19,
        "failed": 0,
    }


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.h5", "a.parquet", "a.csv"])
def test_export_and_back(two, tmp_path, name):
    found = two.json("export", "a", "-o", name)
    assert found["files"] == {name: (tmp_path / name).stat().st_size}
    assert restore(name, "again") == found["fingerprint"] == open_store("a").fingerprint()


def test_export_of_a_run(two):
    found = two.json("export", "a", "-o", "run.trec", "--qrels", "q.trec", "--task", "t2va", "--method", "gram")
    assert (found["queries"], found["candidates"], found["depth"]) == (8, 8, 8)
    assert len(Path("run.trec").read_text().splitlines()) == 64
    assert Path("q.trec").read_text().splitlines()[0] == "clip16 0 clip16 1"
    named = two("export", "a", "-o", "run.txt", "--to", "trec", "--task", "t2va", "--method", "gram", "--split", "all")
    assert named.exit_code == 0
    assert Path("run.txt").read_text().startswith("clip00#0 Q0 ")


def test_a_run_names_who_is_left_out(gram, gappy_store):
    result = gram("export", gappy_store, "-o", "run.trec", "--task", "t2a", "--split", "all")
    assert result.exit_code == 3
    assert "clip.mp3 does not decode" in result.stdout


def test_a_table_with_everything(two):
    words = ("--project", "pca", "--task", "v2t", "--method", "cosine", "--top", "3", "--split", "all")
    result = two("export", "a", "-o", "a.csv", *words)
    assert result.exit_code == 0
    with Path("a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]][-5:] == ["x", "y", "rank", "neighbors", "gram"]
    assert sum(bool(row["rank"]) for row in rows) == 24


def test_an_evaluation_says_which_store_to_export(two):
    two("eval", "a", "--task", "t2v", "--method", "gram", "-o", "e.json")
    result = two("export", "e.json", "-o", "run.trec")
    assert result.exit_code == 2
    meant = result.stderr.split("Export its store: gram ")[1].split()
    assert two(*meant).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "x.npz", "--half"), "--half is for checkpoints"),
        (("-o", "x.npz", "--qrels", "q"), "--qrels goes with a run"),
        (("-o", "x.npz", "--top", "3"), "--top is about a task"),
        (("-o", "x.trec"), "name it, such as --task t2v"),
        (("-o", "x.trec", "--task", "t2v", "--project", "pca"), "--project adds to a table"),
        (("-o", "x.trec", "--query", "text"), "--candidates is missing"),
        (("-o", "x.npz", "--task", "t2v"), "npz has none. Write .parquet"),
        (("-o", "x.pkl"), "a store is exported by its suffix: .npz, .safetensors, .h5, .parquet, .csv"),
        (("-o", "x", "--to", "npy"), "Unknown format 'npy'. Did you mean 'npz'"),
        (("-o", "a/x.npz"), "the store that is read"),
        (("-o", "x.trec", "--task", "t2v", "--missing", "present"), "use drop"),
    ],
)
def test_options_that_do_not_go_together(two, words, message):
    result = two("export", "a", *words)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("join", "ax:video=v:w", "b", "-o", "ab"), "ax:video=v:w does not exist"),
        (("join", "stores", "b", "-o", "ab"), "gram join stores/c stores/d b -o ab"),
        (("join", "b", "stores/cc:video=v", "-o", "ab"), "Did you mean: gram join b stores/c:video=v -o ab"),
        (("export", "stores", "-o", "x.npz"), "gram export stores/c -o x.npz, or gram export stores/d -o x.npz"),
        (("export", "stores/cc", "-o", "x.npz"), "Did you mean: gram export stores/c -o x.npz"),
    ],
)
def test_stores_that_are_elsewhere(two, tmp_path, words, meant):
    make_store(tmp_path / "stores" / "c")
    make_store(tmp_path / "stores" / "d")
    result = two(*words)
    assert result.exit_code in {1, 2}
    assert meant in result.stderr


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "a.h5", "a.parquet", "a.csv"])
def test_import_of_an_export(two, name):
    two("export", "a", "-o", name)
    looked = two.json("import", name, "--dry-run")
    assert (looked["formats"], looked["items"], looked["path"]) == (["export"], 24, None)
    assert [one["name"] for one in looked["modalities"]] == ["text", "video", "audio"]
    found = two.json("import", name, "-o", "again")
    assert found["notes"] == [f"The store that was exported, of fingerprint {open_store('a').fingerprint()}."]
    assert open_store("again").fingerprint() == open_store("a").fingerprint()
    for option in (("--pool", "max"), ("--ids", "x.csv"), ("--rename", "video=v"), ("--shared-space", "no")):
        result = two("import", name, "-o", "other", *option)
        assert result.exit_code == 2
        assert f"{option[0]}: {name} is an export of a store" in result.stderr


def test_import_of_a_folder_of_one_file_each(two):
    two("export", "a", "-o", "files", "--per-modality", "--to", "parquet")
    assert two("import", "files", "-o", "again").exit_code == 0
    assert open_store("again").fingerprint() == open_store("a").fingerprint()
    alone = two.json("import", "files/video.parquet", "-o", "video")
    assert "text, audio are in other files" in alone["notes"][0]
    np.savez("more.npz", depth=np.ones((24, 3), np.float32))
    mixed = two("import", "files/video.parquet", "more.npz", "-o", "mixed")
    assert mixed.exit_code == 2
    assert "files/video.parquet is an export of a store; import it by itself" in mixed.stderr
