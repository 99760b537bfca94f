"""Splits as people name them: in columns, in folders, in JSON beside media, in annotations and on the command line."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gramcli.cli.main import app
from gramcli.datasets import Dataset, open_dataset
from gramcli.errors import UserError
from gramcli.store.split_names import default_split, meant_split, normal_splits


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path_factory.mktemp("cache")))


def _splits(dataset: Dataset) -> dict[str, str | None]:
    return {item.id: item.split for item in dataset.items}


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (["Test", "Train"], ["test", "train"]),
        (["TESTING", "Training"], ["test", "train"]),
        (["test set", "train_set", "Val-Split"], ["test", "train", "val"]),
        (["tests", "trainings", "validations"], ["test", "train", "val"]),
        (["validate", "valid", "train"], ["val", "val", "train"]),
        ([" test ", "TRAIN_DATA"], ["test", "train"]),
        (["val2", "train"], ["val", "train"]),
        (["val_1", "Val 2", "train"], ["val_1", "Val 2", "train"]),
        (["test1k", "train9k"], ["test", "train"]),
        (["dev", "train", "test"], ["val", "train", "test"]),
        (["dev", "train", "val"], ["dev", "train", "val"]),
        (["eval", "train"], ["test", "train"]),
        (["eval", "train", "test"], ["eval", "train", "test"]),
        (["development", "validation", "evaluation"], ["train", "val", "test"]),
        (["Extra", "extra", "Test"], ["Extra", "Extra", "test"]),
        (["contest", "trainer", "1", "fold 2"], ["contest", "trainer", "1", "fold 2"]),
        (["caf\u00e9", "cafe\u0301"], ["caf\u00e9", "caf\u00e9"]),
        (["Test", "test", "Testing"], ["test", "test", "test"]),
    ],
)
def test_what_names_mean(written: list[str], normal: list[str]) -> None:
    assert normal_splits(written) == dict(zip(written, normal, strict=True))


@pytest.mark.parametrize(
    ("named", "known", "found"),
    [
        ("test", ["Test", "Train"], "Test"),
        ("Testing", ["test", "train"], "test"),
        ("validation", ["val", "train"], "val"),
        ("eval", ["test", "train"], "test"),
        ("eval", ["eval", "test"], "eval"),
        ("val2", ["val1", "train"], None),
        ("val2", ["val", "train"], None),
        ("val 2", ["val2", "val1"], "val2"),
        ("EXTRA", ["extra"], "extra"),
        ("tset", ["test"], None),
        ("test", ["Test", "TEST"], None),
    ],
)
def test_what_a_name_asks_for(named: str, known: list[str], found: str | None) -> None:
    assert meant_split(named, known) == found


def test_several_splits_without_a_test_split_are_listed() -> None:
    assert default_split(["train", "test", None], "s") == "test"
    assert default_split(["test", None], "s") == "test"
    assert default_split(["train", "train"], "s") is None
    assert default_split([None, None], "s") is None
    for splits, listed in ((["train", "val2", "train"], "train 2, val2 1"), (["train", None], "train 1, no split 1")):
        with pytest.raises(UserError, match=rf"s has several splits and none is called 'test' \(items: {listed}\)"):
            default_split(splits, "s")


def test_splits_of_a_manifest_are_normalised_and_said(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("id,video,split\na,a.mp4,Train\nb,b.mp4,Testing\nc,c.mp4,test\nd,d.mp4,\nc,c.mp4,Test\n")
    dataset = open_dataset(str(path))
    assert _splits(dataset) == {"a": "train", "b": "test", "c": "test", "d": None}
    assert dataset.notes == (
        "Names of splits were read as what they mean: 'Train' as 'train', 'Testing' as 'test', 'Test' as 'test'.",
    )
    for named in ("Testing", "test", "TEST"):
        assert [item.id for item in open_dataset(str(path), split=named).items] == ["b", "c"]


def test_a_split_can_be_asked_for_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    rows = [{"id": k, "video": f"{k}.mp4", "split": split} for k, split in enumerate(["train", "val2"])]
    path.write_text(json.dumps(rows))
    assert [item.split for item in open_dataset(str(path), split="val2").items] == ["val"]
    with pytest.raises(UserError, match=r"has no split 'val3'\. Did you mean 'val'\? It has: train, val\."):
        open_dataset(str(path), split="val3")


@pytest.mark.parametrize("column", ["subset", "Partition", "set", "data_split"])
def test_a_column_of_splits_under_another_name_is_read(column: str, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"id,video,{column}\na,a.mp4,training\nb,b.mp4,testing\n")
    dataset = open_dataset(str(path))
    assert _splits(dataset) == {"a": "train", "b": "test"}
    assert f"m.csv: the column '{column}' holds names of splits and was read as 'split'." in dataset.notes[0]
    path.write_text(f"id,video,{column}\na,a.mp4,red\nb,b.mp4,testing\n")
    assert _splits(open_dataset(str(path))) == {"a": None, "b": None}


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("Testing/a.mp4", "Training/b.mp4"), ["test", "train"]),
        (("Test Set/x/y/a.mp4", "train/b.mp4"), ["test", "train"]),
        (("test/a.mp4", "train/b.mp4", "extra/c.mp4"), [None, "test", "train"]),
        (("TRAIN/a.mp4", "val2/b.mp4"), ["train", "val"]),
        (("dog/Train/a.mp4", "dog/Test/b.mp4"), ["test", "train"]),
        (("a/b/dev/1.mp4", "c/eval/2.mp4"), ["val", "test"]),
        (("test/a.mp4", "dog/b.mp4"), [None, None]),
        (("a.mp4", "dog/b.mp4"), [None, None]),
        (("test/cat/a.mp4", "Train/cat/b.mp4", "Train/dog/b.mp4"), ["train", "train", "test"]),
    ],
)
def test_splits_of_folders(names: tuple[str, ...], splits: list[str | None], tmp_path: Path) -> None:
    dataset = open_dataset(str(_touch(tmp_path, *names)))
    assert sorted(map(str, _splits(dataset).values())) == sorted(map(str, splits))
    for name, split in _splits(dataset).items():
        folder = next((part for part in name.split("/") if split and part.lower().startswith(split[:2])), None)
        assert split in (None, "val", "test") or folder


def test_splits_beside_media_are_normalised(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    for name, split in (("a", "Training"), ("b", "TEST"), ("c", None)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"split": split}))
    dataset = open_dataset(str(tmp_path))
    assert _splits(dataset) == {"a": "train", "b": "test", "c": None}
    assert dataset.notes[-1].startswith("Names of splits were read as what they mean: 'Training' as 'train'")


def test_splits_of_a_benchmark_are_normalised(tmp_path: Path) -> None:
    table = "---g-f_I2yQ,1,dog,Testing\n--0PQM4-hqg,30,cat,Training\n"
    _touch(tmp_path, "v/---g-f_I2yQ_000001.mp4")
    (tmp_path / "vggsound.csv").write_text(table)
    for protocol, wanted in (("vggsound-test", ["test"]), ("vggsound-all", ["test", "train"])):
        dataset = open_dataset("vggsound", tmp_path, protocol=protocol)
        assert [item.split for item in dataset.items] == wanted
        assert any("'Testing' as 'test', 'Training' as 'train'" in note for note in dataset.notes)


def _run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_train_items_are_not_evaluated(reference_data: Path, tmp_path: Path) -> None:
    folder = reference_data / "data/faults/split_names"
    dataset = open_dataset(str(folder / "classes"))
    assert [item.split for item in dataset.items] == ["test"] * 4 + ["train"] * 8
    assert {item.label for item in dataset.items} == {"cat", "dog"}
    shutil.copy(folder / "plain.mp4", tmp_path)
    rows = [("a", "Train"), ("b", "Train"), ("c", "Test"), ("d", "Test")]
    lines = [f"{name},plain.mp4,{name},{split}" for name, split in rows]
    (tmp_path / "m.csv").write_text("\n".join(["id,video,caption,split", *lines]))
    assert _run("embed", tmp_path / "m.csv", "-o", tmp_path / "s")[0] == 0
    code, out, err = _run("eval", tmp_path / "s", "--task", "t2v", "--format", "json")
    assert code == 0, err
    assert {row["n"] for row in json.loads(out)["results"]} == {2}
    assert "Evaluated split 'test'" in out + err


def test_what_evaluation_of_a_model_made_of_the_splits_is_said(reference_data: Path) -> None:
    data = reference_data / "data/faults/split_names/classes"
    how = ("--metrics", "classification", "--classifier", "zero-shot", "--format", "json")
    code, out, err = _run("eval", "signal", "--dataset", data, *how)
    assert code == 0, err
    assert {row["n"] for row in json.loads(out)["results"]} == {4}
    assert "Note: Names of splits were read as what they mean: 'Testing' as 'test', 'Training' as 'train'." in err


def test_without_a_test_split_the_splits_are_listed(reference_data: Path, tmp_path: Path) -> None:
    shutil.copy(reference_data / "data/faults/split_names/plain.mp4", tmp_path)
    (tmp_path / "m.csv").write_text("id,video,caption,split\na,plain.mp4,one,train\nb,plain.mp4,two,val2\n")
    assert _run("embed", tmp_path / "m.csv", "-o", tmp_path / "s")[0] == 0
    said = "has several splits and none is called 'test' (items: train 1, val 1). Name one with --split"
    for target in ((tmp_path / "s",), ("signal", "--dataset", tmp_path / "m.csv")):
        code, _, err = _run("eval", *target, "--task", "t2v")
        assert (code, said in " ".join(err.split())) == (2, True), err
    code, out, err = _run("eval", tmp_path / "s", "--task", "t2v", "--split", "all", "--format", "json")
    assert {row["n"] for row in json.loads(out)["results"]} == {2}
