"""`gram embed` looks at its first batches: it warns of an encoder that is not sound, and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gramcli import evaluate
from gramcli.datasets import open_dataset
from gramcli.embedding import glance
from gramcli.embedding.embed import embed
from gramcli.embedding.glance import Glance
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.errors import UserError
from gramcli.exchange.joining import join_stores
from gramcli.heads.files import save_heads
from gramcli.heads.model import new_heads
from gramcli.inspection.inspect import describe_store
from gramcli.store import open_store
from gramcli.store.writer import StoreWriter
from tests.embedding.test_accounting import _shards
from tests.encoders.soundness import faulty
from tests.media_factory import write_wav

N = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sounds of different pitch, with captions of different length."""
    made = tmp_path / "clips"
    made.mkdir()
    for number in range(N):
        write_wav(made / f"{number}.wav", seconds=0.2 + 0.1 * number)
        (made / f"{number}.txt").write_text(" ".join(["a word"] * (1 + 2 * number)))
    return made


def notes_of(folder: Path, tmp_path: Path, encoder: Any, **how: Any) -> list[str]:
    summary = embed(folder, tmp_path / "store", model=encoder, workers=0, **how)
    assert summary.exit_code == 0
    return [note for note in summary.notes if "gram doctor" in note or "unit length" in note]


class AnyRandom(faulty.Plain):
    def raw(self, inputs: Any) -> dict[str, Any]:
        found = super().raw(inputs)
        if "text" in found:
            found["text"] = found["text"] + np.random.default_rng().uniform(0, 5, found["text"].shape)
        return found


@pytest.mark.parametrize(
    ("make", "start", "why"),
    [
        (faulty.PaddingLeaks, "text: an item's vector differs from itself", "a row depends on its batch"),
        (AnyRandom, "text: an item's vector differs from itself", "one input gives another vector each time"),
        (faulty.NotNormalised, "text: rows are not of unit length", ""),
    ],
)
def test_a_fault_is_a_note_and_never_a_failure(folder, tmp_path, make, start, why):
    notes = notes_of(folder, tmp_path, make())
    found = next(note for note in notes if note.startswith(start))
    assert why in found


def test_items_that_come_one_by_one_are_looked_at_in_pairs(folder, tmp_path):
    class Batchwise(faulty.Plain):
        def raw(self, inputs: Any) -> dict[str, Any]:
            found = super().raw(inputs)
            return {
                name: rows + rows.max(axis=0) * (len(rows) > 1) * np.arange(faulty.D) for name, rows in found.items()
            }

    notes = notes_of(folder, tmp_path, Batchwise(), batch_size=1)
    assert {note.partition(":")[0] for note in notes} == {"text", "audio"}
    assert all("a row depends on its batch. See: gram doctor batchwise" in note for note in notes)


@pytest.mark.parametrize("make", [faulty.Plain, faulty.Fused, faulty.Batched])
def test_what_is_sound_has_no_note(folder, tmp_path, make):
    assert notes_of(folder, tmp_path, make()) == []


@pytest.mark.parametrize("make", [faulty.Plain, faulty.PaddingLeaks])
def test_the_store_does_not_depend_on_it(folder, tmp_path, monkeypatch, make):
    embed(folder, tmp_path / "with", model=make(), workers=0, batch_size=2)
    monkeypatch.setattr(Glance, "look", lambda *_: None)
    embed(folder, tmp_path / "without", model=make(), workers=0, batch_size=2)
    assert _shards(tmp_path / "with") == _shards(tmp_path / "without")


class Counting(faulty.Plain):
    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def encode(self, inputs: Any) -> dict[str, Any]:
        self.rows += len(next(iter(inputs.values())))
        return super().encode(inputs)


@pytest.mark.parametrize(("items", "looked"), [(49, 0), (50, 1), (10_000, 1)])
def test_it_takes_two_in_a_hundred_items_at_most(items, looked):
    encoder = Counting()
    look = Glance(encoder, items)
    texts = ["a", "b c", "d e f"]
    for _ in range(5):
        look.look({"text": texts}, faulty.Plain().encode({"text": texts}), seconds=30.0)
    assert encoder.rows == looked


def test_what_takes_no_time_is_always_looked_at():
    encoder = Counting()
    Glance(encoder, 3).look({"text": ["a", "b"]}, faulty.Plain().encode({"text": ["a", "b"]}), seconds=glance._SOON / 2)
    assert encoder.rows == 1


def test_what_is_raised_by_a_look_is_let_be(folder, tmp_path):
    class Fussy(faulty.Plain):
        def encode(self, inputs: Any) -> dict[str, Any]:
            if "text" in inputs and len(inputs["text"]) < N:
                raise ZeroDivisionError("a batch of one has no variance")
            return super().encode(inputs)

    assert notes_of(folder, tmp_path, Fussy()) == []


def test_a_part_in_bfloat16_is_judged_by_its_rounding(folder):
    """A composite tells what its encoders are under `encoders`."""

    class Parts(faulty.Plain):
        def describe(self, modalities: Any = None) -> dict[str, Any]:
            return {**super().describe(modalities), "encoders": {"text": {"precision": "bf16"}, "audio": {}}}

        def encode(self, inputs: Any) -> dict[str, Any]:
            found = super().encode(inputs)
            if len(found.get("text", ())) > 1:
                found["text"] = faulty.unit(found["text"] + 0.01 * np.eye(faulty.D)[:1])
            return found

    seen = Glance(Parts(), 1000)
    texts = ["a b c", "d e"]
    seen.look({"text": texts}, Parts().encode({"text": texts}), 0.0)
    assert seen.found == {}


def test_whoever_gets_the_store_is_told(folder, tmp_path):
    embed(folder, tmp_path / "store", model=faulty.PaddingLeaks(), workers=0)
    store = open_store(tmp_path / "store")
    (said,) = store.findings.values()
    assert said.startswith("text: an item's vector differs from itself")
    for opened in (tmp_path / "store", shutil.copytree(tmp_path / "store", tmp_path / "copy")):
        found = evaluate(opened, tasks=["t2a"], methods=["cosine"])
        assert f"Found while it was embedded: {said}" in found.notes
        assert f"Found while it was embedded: {said}" in describe_store(open_store(opened)).notes


def test_a_store_made_of_others_keeps_what_was_found_of_what_it_took(folder, tmp_path):
    embed(folder, tmp_path / "store", model=faulty.PaddingLeaks(), workers=0)
    embed(folder, tmp_path / "sound", model=faulty.Plain(), workers=0)
    (said,) = open_store(tmp_path / "store").findings.values()
    store, sound = tmp_path / "store", tmp_path / "sound"
    for parts in ((store, f"{sound}:text=text@b,audio=audio_b"), (f"{sound}:text=text@b,audio=audio_b", store)):
        join_stores(*parts, output=tmp_path / "joined", overwrite=True)
        assert list(open_store(tmp_path / "joined").findings.values()) == [said]
    heads = new_heads({name: open_store(store).embeddings(name) for name in ("text", "audio")}, 4, 0, torch.Generator())
    plan = {"plan": {"loss": "gram"}, "dataset": {"id": "clips"}, "trained": ["0"], "selected": []}
    save_heads(tmp_path / "heads", heads, {**plan, "model": open_store(store).manifest["model"]})
    embed(store, tmp_path / "seen", model=f"heads:{tmp_path / 'heads'}", from_store=store)
    assert list(open_store(tmp_path / "seen").findings.values()) == [said]


def test_it_is_no_part_of_the_store_s_identity(folder, tmp_path):
    path = tmp_path / "store"
    first = embed(folder, path, model=faulty.PaddingLeaks(), workers=0, batch_size=2)
    files = {name: (path / name).read_bytes() for name in ("manifest.json", "items.csv", "inputs.json", "notes.json")}
    print_ = open_store(path).fingerprint()
    (path / "notes.json").unlink()
    assert open_store(path).fingerprint() == print_
    assert open_store(path).findings == {}
    (path / "notes.json").write_bytes(files["notes.json"])
    again = embed(folder, path, model=faulty.PaddingLeaks(), workers=0, batch_size=2)
    assert (again.shards_reused, again.notes) == (1, first.notes), "a run repeated says the same"
    assert {name: (path / name).read_bytes() for name in files} == files
    embed(folder, path, model=faulty.Plain(), workers=0, overwrite=True)
    assert not (path / "notes.json").exists()
    embed(folder, tmp_path / "sound", model=faulty.Plain(), workers=0)
    assert not (tmp_path / "sound" / "notes.json").exists()


def test_a_run_that_is_resumed_keeps_what_was_found(folder, tmp_path, monkeypatch):
    path = tmp_path / "store"

    write = StoreWriter.write_shard

    def stopped(writer: StoreWriter, index: int, content: Any) -> None:
        assert (path / "notes.json").exists(), "no shard is ever there without it"
        if index == 1:
            raise KeyboardInterrupt
        write(writer, index, content)

    def run() -> tuple[str, ...]:
        how = EmbedOptions(workers=0, shard_size=2)
        return write_embeddings(open_dataset(str(folder)), faulty.PaddingLeaks(), path, options=how).notes

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(StoreWriter, "write_shard", stopped)
        run()
    monkeypatch.setattr(Glance, "look", lambda *_: None)
    assert any("differs from itself" in note for note in run())
    assert open_store(path).findings


def test_a_damaged_file_is_a_sentence(folder, tmp_path):
    embed(folder, tmp_path / "store", model=faulty.Plain(), workers=0)
    for data in (b"{", b"[1]", b'{"a": 1}'):
        (tmp_path / "store" / "notes.json").write_bytes(data)
        with pytest.raises(UserError, match=r"notes\.json.*Remove it: no figure depends on it"):
            evaluate(tmp_path / "store", tasks=["t2a"], methods=["cosine"])
