"""The manifest of what is kept: `gram embed` reads it, and it holds what was not flagged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gramcli
from gramcli.datasets import open_dataset
from gramcli.datasets.generated import generate_dataset
from gramcli.embedding.origin import Originals, originals
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.exchange.kept import check_manifest_path, write_kept
from gramcli.store import open_store
from tests.small_stores import make_store

N = 24


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A store of generated clips, which says where they lie."""
    folder = tmp_path_factory.mktemp("kept")
    data = open_dataset(str(generate_dataset(folder / "data", N, 0)))
    write_embeddings(data, load_encoder("signal"), folder / "emb")
    return open_store(folder / "emb")


def flagging(store, places, **asked):
    """What `gram score` finds, but with the flags of the rows named."""
    found = gramcli.score(store, "t2a", "cosine", split="all", **asked)
    (one,) = found.scores
    flags = np.isin(np.arange(len(one)), places)
    return replace(found, scores=(replace(one, columns={**one.columns, "flagged": flags}),))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_it_is_read_by_embed(embedded, tmp_path, suffix):
    aligned = make_store(tmp_path / "s", N)
    assert aligned.ids != embedded.ids
    found = replace_ids(flagging(aligned, [3, 7]), embedded)
    said = write_kept(tmp_path / f"clean{suffix}", embedded, found)
    assert said == [f"Wrote {tmp_path / f'clean{suffix}'}: 22 of 24 items."]
    kept, whole = (open_dataset(one) for one in (str(tmp_path / f"clean{suffix}"), originals_of(embedded)))
    assert kept.items == tuple(one for k, one in enumerate(whole.items) if k not in (3, 7))
    gramcli.embed(tmp_path / f"clean{suffix}", output=tmp_path / "again", workers=0)
    again = open_store(tmp_path / "again")
    assert again.ids == tuple(one for k, one in enumerate(embedded.ids) if k not in (3, 7))
    assert np.array_equal(again.embeddings("audio"), np.delete(embedded.embeddings("audio").numpy(), [3, 7], axis=0))


def replace_ids(found, store):
    (one,) = found.scores
    return replace(found, scores=(replace(one, ids=store.ids),))


def originals_of(store):
    import json

    return json.loads((store.path / "origin.json").read_text())["data"]


def test_captions_that_are_flagged_go_and_an_item_with_its_last(tmp_path):
    store = make_store(tmp_path / "s", 30, captions=[2, 1, *[1] * 28])
    texts = {k: f'[text] {k}, "quoted"\nand more' for k in range(31)}
    behind = Originals(texts, {name: {"video": Path(f"/media/{name}.mp4")} for name in store.ids})
    found = flagging(store, [0, 2], per="caption")
    for suffix in (".csv", ".jsonl"):
        write_kept(tmp_path / f"k{suffix}", store, found, behind)
        kept = {one.id: one.captions for one in open_dataset(str(tmp_path / f"k{suffix}")).items}
        assert list(kept) == [name for k, name in enumerate(store.ids) if k != 1]
        assert [" ".join(one.split()) for one in kept["item00"]] == ['[text] 1, "quoted" and more']


def test_ids_alone_are_said_to_be_no_manifest(tmp_path):
    store = make_store(tmp_path / "s", 30, without={"audio": [29]})
    said = write_kept(tmp_path / "k.csv", store, flagging(store, [0]))
    assert (tmp_path / "k.csv").read_text().splitlines() == ["id", *(f"item{k:02d}" for k in range(1, 30))]
    assert said[1:] == [
        "1 items lack a modality of the task: they were not judged, and are kept.",
        "The manifest holds ids without files, and is no manifest that `gram embed` reads.",
        f"{store.path} does not say where its media and captions lie, so ids are shown.",
    ]


def test_nothing_left_and_foreign_suffixes_are_refused(tmp_path):
    store = make_store(tmp_path / "s", 30)
    with pytest.raises(UserError, match="nothing to keep"):
        write_kept(tmp_path / "k.csv", store, flagging(store, range(30)))
    with pytest.raises(UserError, match=r"ends in \.csv or \.jsonl"):
        check_manifest_path(tmp_path / "k.parquet")
    assert originals(store).note
