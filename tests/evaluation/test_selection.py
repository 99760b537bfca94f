"""Which rows a task takes from a store, under every policy for missing modalities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gramcli.errors import UserError
from gramcli.evaluation.selection import select
from gramcli.modalities import parse_task
from gramcli.store.splits import chosen_items, effective_split
from tests.small_stores import make_store

CAPTIONS = (2, 1, 3, 1, 2, 1)
GAPS = {"audio": (1, 3), "video": (3, 4)}


@pytest.fixture
def gappy(tmp_path: Path):
    return make_store(tmp_path / "store", 6, captions=CAPTIONS, without=GAPS)


def everything(store) -> torch.Tensor:
    return torch.arange(len(store.ids))


def test_drop_leaves_out_whoever_lacks_a_modality_and_says_so(gappy) -> None:
    found = select(gappy, parse_task("t2va"), everything(gappy), "drop")
    assert found.candidate_ids == ("item00", "item02", "item05")
    assert found.query_ids == ("item00", "item00", "item02", "item02", "item02", "item05")
    assert [(entry.id, entry.modality, entry.reason) for entry in found.left_out] == [
        ("item01", "audio", "broken file"),
        ("item03", "video", "broken file"),
        ("item03", "audio", "broken file"),
        ("item04", "video", "broken file"),
    ]
    assert found.present.queries is None
    indptr, indices = found.positives
    assert indptr.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert indices.tolist() == [0, 0, 1, 1, 1, 2]


def test_drop_looks_only_at_the_modalities_of_the_task(gappy) -> None:
    assert len(select(gappy, parse_task("t2a"), everything(gappy), "drop").candidate_ids) == 4
    assert select(gappy, parse_task("t2a"), everything(gappy), "drop").left_out[0].id == "item01"


@pytest.mark.parametrize("policy", ["present", "zero"])
def test_present_keeps_items_with_something_on_each_side(gappy, policy: str) -> None:
    found = select(gappy, parse_task("t2va"), everything(gappy), policy)
    assert found.candidate_ids == ("item00", "item01", "item02", "item04", "item05")
    assert [entry.id for entry in found.left_out] == ["item03", "item03"]
    assert found.present.candidates["video"].tolist() == [True, True, True, False, True]
    assert found.present.candidates["audio"].tolist() == [True, False, True, True, True]
    assert found.present.absent_as_zero == (policy == "zero")
    assert not found.candidates["video"][3].any()


def test_error_names_the_first_incomplete_item(gappy) -> None:
    with pytest.raises(UserError, match=r"item 'item01' has no audio \(broken file\), and 3 more"):
        select(gappy, parse_task("t2va"), everything(gappy), "error")


def test_captions_as_candidates_are_several_positives(gappy) -> None:
    found = select(gappy, parse_task("v2t"), everything(gappy), "drop")
    assert found.query_ids == ("item00", "item01", "item02", "item05")
    assert found.candidate_ids == ("item00", "item00", "item01", "item02", "item02", "item02", "item05")
    indptr, indices = found.positives
    assert indptr.tolist() == [0, 2, 3, 6, 7]
    assert indices.tolist() == list(range(7))


def test_text_with_another_modality_repeats_it_for_every_caption(gappy) -> None:
    found = select(gappy, parse_task("ta2v"), everything(gappy), "drop")
    assert found.query_ids == ("item00", "item00", "item02", "item02", "item02", "item05")
    audio = gappy.embeddings("audio")
    assert torch.equal(found.queries["audio"], audio[[0, 0, 2, 2, 2, 5]])
    assert torch.equal(found.queries["text"], gappy.embeddings("text")[[0, 1, 3, 4, 5, 9]])


def test_order_of_the_items_is_the_one_asked_for(gappy) -> None:
    found = select(gappy, parse_task("t2v"), torch.tensor([5, 2, 0]), "drop")
    assert found.candidate_ids == ("item05", "item02", "item00")
    assert found.query_ids == ("item05", "item02", "item02", "item02", "item00", "item00")
    assert found.positives[1].tolist() == [0, 1, 1, 1, 2, 2]
    other = select(gappy, parse_task("t2v"), torch.tensor([0, 2, 5]), "drop")
    assert other.gallery_sha256() != found.gallery_sha256()


def test_items_without_a_caption_are_left_out(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 4, captions=(1, 0, 2, 1))
    for policy in ("drop", "present"):
        found = select(store, parse_task("t2v"), torch.arange(4), policy)
        assert found.candidate_ids == ("item00", "item02", "item03")
        assert [(entry.id, entry.modality) for entry in found.left_out] == [("item01", "text")]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 3, without={"audio": (0, 1, 2)})
    with pytest.raises(UserError, match=r"Task t2a: no item of .* First reason: broken file"):
        select(store, parse_task("t2a"), torch.arange(3), "drop")
    with pytest.raises(UserError, match=r"needs 'depth', which .* does not hold. It holds: text, video, audio"):
        select(store, parse_task("t2d"), torch.arange(3), "drop")
    with pytest.raises(UserError, match="--missing 'skip' is not one of drop, present, zero, error"):
        select(store, parse_task("t2v"), torch.arange(3), "skip")


def test_splits(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 6, splits=["train", "test", "train", "test", "val", None])
    assert effective_split(store, None) == "test"
    assert chosen_items(store, None, None).tolist() == [1, 3]
    assert chosen_items(store, "all", None).tolist() == [0, 1, 2, 3, 4, 5]
    assert chosen_items(store, "train", 1).tolist() == [0]
    with pytest.raises(UserError, match=r"has no split 'tset'\. Did you mean 'test'"):
        chosen_items(store, "tset", None)
    with pytest.raises(UserError, match="--limit must be at least 1; got 0"):
        chosen_items(store, None, 0)


@pytest.mark.parametrize("split", [None, "test"])
def test_one_split_is_everything(tmp_path: Path, split: str | None) -> None:
    store = make_store(tmp_path / "store", 3, splits=[split] * 3)
    assert effective_split(store, None) is None
    assert chosen_items(store, None, None).tolist() == [0, 1, 2]


def labelled(path: Path, labels: list[str | None], captions: int = 1):
    store = make_store(path, len(labels), captions=captions)
    rows = tuple(replace(row, label=label) for row, label in zip(store.rows, labels, strict=True))
    return replace(store, rows=rows)


def test_every_item_of_the_label_answers_when_labels_decide(tmp_path: Path) -> None:
    labels = ["a", "b", None, "a", None, "b", "a"]
    store = labelled(tmp_path / "store", labels, captions=2)
    items = torch.tensor([6, 0, 1, 2, 3, 5])
    found = select(store, parse_task("t2v"), items, "drop", "label")
    indptr, indices = found.positives
    for query, owner in enumerate(found.query_ids):
        own = labels[store.ids.index(owner)]
        wanted = [
            place
            for place, name in enumerate(found.candidate_ids)
            if name == owner or (own is not None and labels[store.ids.index(name)] == own)
        ]
        assert indices[indptr[query] : indptr[query + 1]].tolist() == wanted
    plain = select(store, parse_task("t2v"), items, "drop")
    assert plain.gallery_sha256() != found.gallery_sha256()
    assert plain.positives[1].tolist() == [place for place in range(6) for _ in range(2)]


def test_labels_cannot_decide_where_there_are_none(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 4)
    with pytest.raises(UserError, match="has no labels"):
        select(store, parse_task("t2v"), everything(store), "drop", "label")
