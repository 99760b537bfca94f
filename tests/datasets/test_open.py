"""Finding what `DATA` names, and keeping a part of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gramcli.datasets import DATASETS, Dataset, Item, open_dataset
from gramcli.datasets.catalog import DatasetRow
from gramcli.errors import UserError


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    rows = "\n".join(f"{n},{n}.mp4,{split}" for n, split in enumerate(["train", "train", "test", "train"]))
    (tmp_path / "a.csv").write_text(f"id,video,split\n{rows}\n", encoding="utf-8")
    return str(tmp_path / "a.csv")


def _ids(dataset: Dataset) -> list[str]:
    return [item.id for item in dataset.items]


def test_a_split_and_a_limit_keep_a_part(manifest: str) -> None:
    assert _ids(open_dataset(manifest, split="train")) == ["0", "1", "3"]
    assert _ids(open_dataset(manifest, split="train", limit=2)) == ["0", "1"]
    assert _ids(open_dataset(manifest, limit=99)) == ["0", "1", "2", "3"]


def test_an_unknown_split_lists_the_splits(manifest: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no split 'tset'\. Did you mean 'test'\? It has: test, train\."):
        open_dataset(manifest, split="tset")
    (tmp_path / "b.csv").write_text("id,video\na,b.mp4\n", encoding="utf-8")
    with pytest.raises(UserError, match="Its items name no split"):
        open_dataset(str(tmp_path / "b.csv"), split="test")


def test_a_limit_below_one_is_a_wrong_command_line(manifest: str) -> None:
    with pytest.raises(UserError, match="--limit must be at least 1; got 0") as caught:
        open_dataset(manifest, limit=0)
    assert caught.value.exit_code == 2


def test_what_is_no_dataset_is_said(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "a.parquet").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UserError, match=r"gone\.csv: no such file or folder"):
        open_dataset(str(tmp_path / "gone.csv"))
    with pytest.raises(UserError, match=r"clip\.mp4 is a video file; name a folder, or a manifest \(\.csv, \.tsv"):
        open_dataset(str(tmp_path / "clip.mp4"))
    with pytest.raises(UserError, match=r"a\.parquet is no manifest by its suffix"):
        open_dataset(str(tmp_path / "a.parquet"))
    with pytest.raises(UserError, match=r"pipe\.csv is a pipe or device"):
        open_dataset(str(tmp_path / "pipe.csv"))
    with pytest.raises(
        UserError,
        match=r"'msvrtt' is no folder, manifest file or dataset name\. Did you mean 'msrvtt'\? Known datasets: msrvtt",
    ):
        open_dataset("msvrtt")


def _toy(root: Path) -> Dataset:
    return Dataset("toy", "toy-1", (Item("a", {"video": root / "a.mp4"}),))


def test_a_registered_dataset_opens_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(DATASETS._rows, "toy", DatasetRow("toy", f"{__name__}:_toy"))
    assert open_dataset("toy", tmp_path).items[0].media["video"] == tmp_path / "a.mp4"
    with pytest.raises(UserError, match="needs --root"):
        open_dataset("toy")
    with pytest.raises(UserError, match=r"Did you mean 'toy'\? Known datasets: msrvtt, .*toy\."):
        open_dataset("tooy")


def test_opening_a_dataset_loads_no_decoder() -> None:
    heavy = "{'numpy', 'torch', 'av', 'decord', 'soundfile', 'PIL', 'pandas'}"
    script = f"import sys, gramcli.datasets; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
