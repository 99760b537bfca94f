"""Labels of a store, its folds, and what may not be in two of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli.errors import UserError
from gramcli.evaluation.labels import check_leakage, copied_rows, fold, read_labels, split_label
from gramcli.store import open_store, write_store
from gramcli.store.splits import chosen_items


def labelled_store(path: Path, labels, splits=None, rows=None):
    n = len(labels)
    video = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32) if rows is None else rows
    write_store(
        path,
        ids=[f"item{k}" for k in range(n)],
        splits=splits or [None] * n,
        labels=labels,
        embeddings={"video": video},
        caption_items=None,
        status={"video": ["ok" if row.any() else "absent" for row in video]},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return open_store(path)


@pytest.mark.parametrize(
    ("label", "names"),
    [
        (None, ()),
        ("dog", ("dog",)),
        ("playing_bass__guitar ", ("playing bass guitar",)),
        ("rain|wind; rain ;", ("rain", "wind")),
        ("vehicle horn, car horn", ("vehicle horn, car horn",)),
    ],
)
def test_a_label_is_one_class_or_several(label, names):
    assert split_label(label) == names


def test_labels_of_a_store(tmp_path):
    found = read_labels(labelled_store(tmp_path / "s", ["dog", None, "cat_flap|dog", "bee"]))
    assert found.classes == ("bee", "cat flap", "dog")
    assert found.members.tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert found.several
    assert found.labelled(torch.tensor([1, 2, 3])).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([None, None], "No item of made has a label. Put the media into a folder per class"),
        (["dog", "dog"], "Every label of .* is 'dog'"),
        (["hot_dog", "hot dog", "cat"], "'hot dog' and 'hot_dog' .* are one class name"),
        (["Dog|rain", "dog", "cat"], "'Dog' and 'dog' .* are one class name"),
    ],
)
def test_labels_that_cannot_be(tmp_path, labels, message):
    with pytest.raises(UserError, match=message):
        read_labels(labelled_store(tmp_path / "s", labels))


def test_folds_follow_the_splits(tmp_path):
    splits = ["train", "train", "val", "test", "test", "validation", "train"]
    store = labelled_store(tmp_path / "s", ["a", "b", "a", "b", None, "b", None], splits)
    labels = read_labels(store)
    folds, left_out = fold(store, labels, chosen_items(store, None, None))
    assert folds.tested.tolist() == [3]
    assert folds.train.tolist() == [0, 1]
    assert folds.validation.tolist() == [2, 5]
    assert [(entry.id, entry.modality, entry.reason) for entry in left_out] == [("item4", "label", "no label")]
    for split in ("train", "all"):
        assert not len(fold(store, labels, chosen_items(store, split, None))[0].train)
    on_validation, _ = fold(store, labels, chosen_items(store, "val", None))
    assert on_validation.validation is None  # what is tested chooses nothing
    with pytest.raises(UserError, match="No item to be evaluated has a label"):
        fold(store, labels, torch.tensor([4]))


def test_leakage_by_id_and_by_file():
    check_leakage({"a": {"video": "1"}}, {"b": {"audio": "1"}, "c": {}})
    with pytest.raises(UserError, match="same id is fitted on and tested: 'b', 'c', 'd' and 1 more"):
        check_leakage({name: {} for name in "bcde"}, {name: {} for name in "abcde"})
    with pytest.raises(UserError, match=r"same media file .*: 'b' and 'a'"):
        check_leakage({"a": {"video": "1", "audio": "1"}}, {"b": {"video": "1", "audio": "1"}})


def test_one_file_under_two_ids_is_leakage(tmp_path):
    from PIL import Image

    from gramcli.datasets import open_dataset
    from gramcli.embedding.options import EmbedOptions
    from gramcli.embedding.writing import write_embeddings
    from gramcli.encoders import load_encoder

    for name in "xy":
        Image.fromarray(np.full((32, 32, 3), ord(name), np.uint8)).save(tmp_path / f"{name}.png")
    rows = ["id,image,label,split", "a,x.png,dog,train", "b,y.png,cat,test", "c,x.png,dog,test"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    encoder = load_encoder("signal")
    write_embeddings(open_dataset(str(tmp_path / "m.csv")), encoder, tmp_path / "s", options=EmbedOptions(workers=0))
    store = open_store(tmp_path / "s")
    with pytest.raises(UserError, match="same media file is fitted on and tested: 'c' and 'a'"):
        fold(store, read_labels(store), chosen_items(store, None, None))


def test_copies_under_another_name_are_counted(tmp_path):
    rows = np.array([[1, 0], [0, 1], [1, 0], [0, 0], [0, 0]], dtype=np.float32)
    store = labelled_store(tmp_path / "s", ["a", "b", "a", "b", "a"], rows=rows)
    assert copied_rows(store, "video", torch.tensor([0, 3]), torch.tensor([1, 2, 4])) == 1
