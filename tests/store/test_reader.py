"""What was written is read; what was damaged is named."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from gramcli.errors import UserError
from gramcli.store import open_store
from gramcli.store.layout import read_inputs
from tests.store.examples import DIMS, MODEL, captions_of, content_of, make_plan, write


@pytest.mark.parametrize("name", ["items.csv", "inputs.json"])
def test_a_table_of_gigabytes_is_not_read(tmp_path: Path, name: str) -> None:
    """Seven items do not fill three gigabytes, whatever stands in them."""
    write(tmp_path / "s")
    with (tmp_path / "s" / name).open("ab") as file:
        file.truncate(3 * 2**30)
    tracemalloc.start()
    with pytest.raises(UserError, match=rf"{name} cannot be read \(it is larger than 1 MiB"):
        open_store(tmp_path / "s").embeddings("video") if name == "items.csv" else read_inputs(tmp_path / "s", 7)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_everything_comes_back(tmp_path: Path) -> None:
    plan = make_plan()
    store = open_store(write(tmp_path / "s"))
    assert store.ids == tuple(item.id for item in plan.items)
    assert store.splits == (None, "train", None, "train", None, "train", None)
    assert store.labels[:2] == ("label 0", "label 1")
    assert (store.modalities, store.dims, store.shared_space) == (("text", "video"), DIMS, False)
    assert store.caption_items().tolist() == [i for i in range(7) for _ in range(captions_of(i))]
    assert store.status("video")[4] == "failed: it, is\nbroken"
    assert store.present("video").tolist() == [True] * 4 + [False] + [True] * 2
    assert store.present("text").tolist() == [captions_of(i) > 0 for i in range(7)]
    video = np.concatenate([content_of(plan, index).embeddings["video"] for index in range(3)])
    video[4] = 0
    assert torch.equal(store.embeddings("video"), torch.from_numpy(video))
    text = np.concatenate([content_of(plan, index).embeddings["text"] for index in range(3)])
    assert torch.equal(store.embeddings("text"), torch.from_numpy(text))
    assert store.embeddings("text").dtype == torch.float32
    assert store.manifest["counts"] == {"items": 7, "captions": 6}


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    prints = [
        open_store(write(tmp_path / name, make_plan(n, model=model, sources=sources))).fingerprint()
        for name, n, model, sources in (
            ("a", 7, MODEL, {}),
            ("same media, touched", 7, MODEL, {"media files": "x"}),
            ("fewer items", 6, MODEL, {}),
            ("other model", 7, {"id": "other"}, {}),
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_unknown_modality(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"s holds no 'vidio'\. Did you mean 'video'\? It holds: text, video"):
        open_store(write(tmp_path / "s")).embeddings("vidio")


def test_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist\. Write one with: gram embed"):
        open_store(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not an embedding store"):
        open_store(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file is not an embedding store"):
        open_store(tmp_path / "file")
    with pytest.raises(UserError, match=r"x cannot be opened \(File name too long\)"):
        open_store(tmp_path / ("x" * 300))
    with pytest.raises(UserError, match="x could not be written: File name too long"):
        write(tmp_path / ("x" * 300))


def _poison(path: Path) -> None:
    tensors = load_file(path)
    tensors["video"][0] = np.nan
    save_file(tensors, path, {"gram": "{}" + " " * (path.stat().st_size - 500)})


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _load_all(store: Path) -> None:
    opened = open_store(store)
    for name in opened.modalities:
        opened.embeddings(name)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "is missing. Run the command that wrote the store again: only this shard is redone"),
        (lambda path: os.truncate(path, 100), "is damaged: it has 100 bytes of"),
        (lambda path: path.write_bytes(b""), "is damaged: it has 0 bytes of"),
        (lambda path: path.write_bytes(b"\xff" * path.stat().st_size), "is damaged: .*[Hh]eader"),
        (_flip, "is damaged: it is not the file that was written"),
    ],
)
def test_damaged_shard(harm: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    harm(store / "shards" / "00001.safetensors")
    with pytest.raises(UserError, match="00001.safetensors " + message):
        _load_all(store)


@pytest.mark.parametrize(
    "harm",
    [lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b""), _flip, _poison],
)
def test_writer_refuses_damaged_shards_until_they_are_deleted(harm: Callable[[Path], None], tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    shard = store / "shards" / "00001.safetensors"
    whole = shard.read_bytes()
    harm(shard)
    with pytest.raises(UserError, match=r"00001\.safetensors is damaged: .* Delete this file and run the command"):
        write(store)
    shard.unlink()
    write(store)
    assert shard.read_bytes() == whole


def test_vectors_that_are_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gramcli.store.shards._check_finite", lambda *_: None)
    plan = make_plan(1)
    poisoned = content_of(plan, 0)
    poisoned.embeddings["video"][0] = np.nan
    monkeypatch.setattr("tests.store.examples.content_of", lambda *_: poisoned)
    with pytest.raises(UserError, match=r"00000\.safetensors is damaged: 'video' has a value that is not finite"):
        _load_all(write(tmp_path / "s", plan))


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("id,split\n")])
def test_damaged_items(harm: Callable[[Path], None], tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    harm(store / "items.csv")
    with pytest.raises(UserError, match=r"items\.csv (cannot be read|was changed).*rebuilt from the shards"):
        open_store(store)
    write(store)
    open_store(store)
