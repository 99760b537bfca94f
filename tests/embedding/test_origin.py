"""What is behind a store's items is found again, and shown only where it is what was embedded."""

import json
from pathlib import Path

import pytest

from gramcli.datasets import Dataset, Item, open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.origin import ORIGIN, originals, take_origin
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.store import open_store, write_store
from gramcli.store.reader import Store
from tests.media_factory import write_wav

TEXTS = {"one": ["a low tone", "a hum"], "two": ["a high tone"]}


def _manifest(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [
        {"id": name, "audio": write_wav(folder / f"{name}.wav", seconds=0.5, hz=hz).name, "captions": TEXTS[name]}
        for name, hz in (("one", 220.0), ("two", 880.0))
    ]
    path = folder / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    dataset = open_dataset(str(_manifest(tmp_path / "media")))
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "store", options=EmbedOptions(0))
    return open_store(tmp_path / "store")


def test_captions_and_files_are_found(store: Store, tmp_path: Path) -> None:
    found = originals(store)
    assert dict(found.captions) == {0: "a low tone", 1: "a hum", 2: "a high tone"}
    assert found.media == {name: {"audio": tmp_path / f"media/{name}.wav"} for name in TEXTS}
    assert not found.note


def test_what_has_changed_is_not_shown(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "media/items.jsonl"
    path.write_text(path.read_text().replace("a hum", "a ham"))
    write_wav(tmp_path / "media/two.wav", seconds=1.0)
    found = originals(store)
    assert dict(found.captions) == {0: "a low tone", 2: "a high tone"}
    assert list(found.media) == ["one"]
    assert "1 of 3 captions and 1 of 2 files" in found.note


def test_what_is_gone_is_said(store: Store, tmp_path: Path) -> None:
    (tmp_path / "media/items.jsonl").unlink()
    found = originals(store)
    assert (found.captions, found.media) == ({}, {})
    assert "items.jsonl" in found.note


def test_a_moved_dataset_is_found_where_it_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "media").rename(tmp_path / "moved")
    assert "not shown" in originals(store).note
    found = originals(store, str(tmp_path / "moved/items.jsonl"))
    assert (len(found.captions), list(found.media), found.note) == (3, list(TEXTS), "")
    with pytest.raises(UserError, match="nowhere"):
        originals(store, str(tmp_path / "nowhere.jsonl"))


@pytest.mark.parametrize("content", ["", "[]", '{"data": 1}', '{"data": "/dev/stdin", "media_root": "/"}', "\udcff"])
def test_a_damaged_record_costs_only_what_is_shown(store: Store, content: str) -> None:
    (store.path / ORIGIN).write_bytes(content.encode("utf-8", "surrogateescape"))
    found = originals(store)
    assert (found.captions, found.media) == ({}, {})
    assert "not shown" in found.note


def test_a_store_of_some_of_the_items_takes_it_over(store: Store, tmp_path: Path) -> None:
    write_store(
        tmp_path / "seen",
        ids=["two"],
        embeddings={"text": store.embeddings("text").numpy()[2:], "audio": store.embeddings("audio").numpy()[1:]},
        caption_items=[0],
        captions=TEXTS["two"],
        splits=[None],
        labels=[None],
        status={"text": ["ok"], "audio": ["ok"]},
        model=store.manifest["model"],
        dataset=store.manifest["dataset"],
    )
    take_origin(store, tmp_path / "seen")
    found = originals(open_store(tmp_path / "seen"))
    assert dict(found.captions) == {0: "a high tone"}
    assert found.media == {"two": {"audio": tmp_path / "media/two.wav"}}
    assert not found.note


def test_the_record_is_no_part_of_the_store(store: Store, tmp_path: Path) -> None:
    before = store.fingerprint()
    (store.path / ORIGIN).unlink()
    assert open_store(store.path).fingerprint() == before
    assert "ids are shown" in originals(store).note
    dataset = Dataset("made here", "manifest", (Item("one", {}, ("a cat",)),))
    write_embeddings(dataset, load_encoder("signal"), tmp_path / "other", options=EmbedOptions(0))
    assert not (tmp_path / "other" / ORIGIN).exists()
