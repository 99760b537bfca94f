"""What was decoded is what is recorded: a file that changes after the plan was made fails, whenever it does."""

import os
from pathlib import Path
from typing import Any

import pytest

from gramcli.datasets import Dataset, Item
from gramcli.embedding import reading, writing
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.store import open_store
from tests.media_factory import write_image, write_video, write_wav

CHANGED = "failed: changed while it was embedded"
FILES = {"video": "a.mp4", "audio": "a.wav", "image": "a.png"}


def _write(path: Path, n: int) -> Path:
    if path.suffix == ".mp4":
        return write_video(path, n_frames=4 * n, tone_hz=None)
    return write_wav(path, seconds=0.5 * n) if path.suffix == ".wav" else write_image(path, size=(8 * n, 8))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("modality", list(FILES))
@pytest.mark.parametrize("how", ["renamed", "touched", "in place"])
def test_a_file_that_changes_is_no_longer_the_one_of_the_plan(
    how: str, modality: str, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is replaced before its reader opens it or while it is decoded."""
    path, other = _write(tmp_path / FILES[modality], 1), _write(tmp_path / f"other{FILES[modality]}", 2)
    decoded = reading.Reader._decoded

    def change() -> None:
        if how == "renamed":
            other.replace(path)
        elif how == "touched":
            os.utime(path, ns=(0, 1))
        else:
            path.write_bytes(path.read_bytes() + b"\0")

    def changing(reader: reading.Reader, name: str, where: Path) -> Any:
        if when == "before":
            change()
        found = decoded(reader, name, where)
        if when == "after":
            change()
        return found

    monkeypatch.setattr(reading.Reader, "_decoded", changing)
    dataset = Dataset("made here", "manifest", (Item("one", {modality: path}), Item("text", {}, ("a cat",))))
    summary = write_embeddings(dataset, load_encoder("signal", frames=2), tmp_path / "store", options=EmbedOptions(0))
    assert open_store(tmp_path / "store").status(modality)[0] == CHANGED
    assert [one.reason for one in summary.left_out] == ["changed while it was embedded"]


def test_a_file_replaced_after_the_plan_and_before_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = _write(tmp_path / "a.wav", 1), _write(tmp_path / "b.wav", 2)
    real = writing.StoreWriter.open
    monkeypatch.setattr(writing.StoreWriter, "open", lambda *a, **o: (other.replace(path), real(*a, **o))[1])
    dataset = Dataset("made here", "manifest", (Item("one", {"audio": path}),))
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "store", options=EmbedOptions(0))
    store = open_store(tmp_path / "store")
    assert store.status("audio") == [CHANGED]
    monkeypatch.undo()
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "store", retry_failed=True, options=EmbedOptions(0))
    assert open_store(tmp_path / "store").status("audio") == ["ok"]


def test_a_file_that_is_gone_is_said_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = _write(tmp_path / "a.wav", 1), writing.StoreWriter.open
    monkeypatch.setattr(writing.StoreWriter, "open", lambda *a, **o: (path.unlink(), real(*a, **o))[1])
    dataset = Dataset("made here", "manifest", (Item("one", {"audio": path}),))
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "store", options=EmbedOptions(0))
    assert "file not found" in open_store(tmp_path / "store").status("audio")[0]
