"""`gram import`: items without features, numbers that are ids or lengths, and captions, in arrays and pickles."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli import UserError, import_features, open_store
from gramcli.results.imports import Imported
from tests.exchange.conftest import Draw

HOLES = {"float": float("nan"), "scalar": np.array(np.nan), "one": np.array([np.nan]), "list": [float("nan")]}
HUGE = 10**6000


def pickled(value: Any, name: str = "resnet.pkl") -> Imported:
    Path(name).write_bytes(pickle.dumps(value))
    return import_features(name, "store", overwrite=True)


@pytest.mark.parametrize("steps", [(), (5,)])
@pytest.mark.parametrize("n", [4, 20])
@pytest.mark.parametrize("hole", [*HOLES, "none"])
def test_an_item_without_features_is_absent(hole: str, n: int, steps: tuple[int, ...], here: Path, draw: Draw) -> None:
    if hole == "none" and n == 4 and steps:
        pytest.skip("of a few arrays of one length, None says not that they are items")
    items: dict[str, Any] = {f"v{k}": draw(*steps, 6) for k in range(n)}
    items["v1"] = HOLES.get(hole)
    pickled(items)
    store = open_store("store")
    assert store.ids == tuple(items)
    assert store.modalities == ("resnet",)
    assert [status for status in store.status("resnet") if status != "ok"] == ["absent: all NaN"]


def test_an_item_without_features_of_an_expert(here: Path, draw: Draw) -> None:
    rgb = {"a": draw(4), "b": float("nan"), "c": draw(4)}
    pickled({"rgb": {"avg": rgb}, "ocr": {"avg": {"a": draw(3), "b": np.array(np.nan), "c": draw(3)}}})
    store = open_store("store")
    assert store.ids == ("a", "b", "c")
    assert [store.status(name)[1] for name in ("rgb", "ocr")] == ["absent: all NaN"] * 2


def test_unsigned_ids_stay_as_they_are(here: Path, draw: Draw) -> None:
    ids = [2**63 + 5, 1, 2**64 - 1]
    np.savez("u.npz", video=draw(3, 4), ids=np.array(ids, np.uint64))
    import_features("u.npz", "store")
    assert open_store("store").ids == tuple(map(str, ids))
    pickled({"id": [2**62 + 1, -1, 2**53 + 1], "video": draw(3, 4)})
    assert open_store("store").ids == tuple(map(str, [2**62 + 1, -1, 2**53 + 1]))


@pytest.mark.parametrize("odd", [1.5, np.nan, np.inf])
def test_ids_with_fractions_are_refused(odd: float, here: Path, draw: Draw) -> None:
    np.savez("u.npz", video=draw(2, 4), ids=np.array([1.0, odd]))
    with pytest.raises(UserError, match=r"u\.npz, ids holds (1\.5|nan|inf), which is no whole number"):
        import_features("u.npz", "store")


@pytest.mark.parametrize("kind", [">f2", ">f4", ">f8"])
def test_floats_of_the_other_byte_order(kind: str, here: Path, draw: Draw) -> None:
    video = draw(3, 4).astype(kind)
    pickled({"id": ["a", "b", "c"], "video": video})
    assert np.array_equal(open_store("store").embeddings("video").numpy(), video.astype(np.float32))
    h5py = pytest.importorskip("h5py")
    with h5py.File("v.h5", "w") as file:
        file["video"] = video
    import_features("v.h5", "h5")
    assert np.array_equal(open_store("h5").embeddings("video").numpy(), video.astype(np.float32))


@pytest.mark.parametrize("kind", ["U", "S", "O"])
def test_ids_that_are_rows_of_texts_are_joined(kind: str, here: Path, draw: Draw) -> None:
    splits = {
        split: {"vision": draw(2, 4), "id": np.array([[split, "0.0", "4.2"], [split, "4.2", "7"]], dtype=kind)}
        for split in ("train", "test")
    }
    found = pickled(splits)
    assert open_store("store").ids == ("train_0.0_4.2", "train_4.2_7", "test_0.0_4.2", "test_4.2_7")
    assert any("joined by '_'" in note for note in found.notes)


def test_an_expert_that_is_a_single_nan_in_hdf5(here: Path, draw: Draw) -> None:
    h5py = pytest.importorskip("h5py")
    Path("mmt").mkdir()
    ocr = draw(3, 2, 4)
    for k in range(3):
        with h5py.File(f"mmt/v{k}.h5", "w") as file:
            file["features.ocr"] = np.nan if k == 1 else ocr[k]
            file["features.rgb"] = draw(4)
    import_features("mmt", "store")
    store = open_store("store")
    assert (store.ids, store.status("ocr")) == (("v0", "v1", "v2"), ["ok", "absent: all NaN", "ok"])
    assert np.allclose(store.embeddings("ocr").numpy()[2], ocr[2].mean(0), rtol=1e-5)


@pytest.mark.parametrize("count", [2, 8])
def test_lengths_of_other_items_are_refused(count: int, here: Path, draw: Draw) -> None:
    np.savez("l.npz", video=draw(4, 5, 3), video_lengths=np.arange(count))
    with pytest.raises(UserError, match=rf"l\.npz, video_lengths has {count} lengths for 4 items"):
        import_features("l.npz", "store")


def test_lengths_of_one_split_count_there(here: Path, draw: Draw) -> None:
    train, test = draw(2, 5, 3), draw(2, 5, 3)
    pickled({"train": {"vision": train, "vision_lengths": [1, 2]}, "test": {"vision": test}})
    wanted = [train[0, 0], train[1, :2].mean(0), *test.mean(1)]
    assert np.allclose(open_store("store").embeddings("video").numpy(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "held",
    [
        {HUGE: 1, "a": 2},
        {"x": {HUGE: 1}},
        {"video": 0, "labels": [HUGE, 1, 2]},
        {"video": 0, "labels": [float("inf"), 1, 2]},
        {"video": 0, "id": [HUGE, 1, 2]},
        {"video": 0, "video_lengths": [10**30, 1, 2]},
        {"video": 0, "video_lengths": [HUGE, 1, 2]},
        {"video": 0, "video_lengths": 3},
    ],
)
def test_numbers_beyond_measure_are_named(held: dict[Any, Any], here: Path, draw: Draw) -> None:
    if "video" in held:
        held = held | {"video": draw(3, 2, 4)}
    with pytest.raises(UserError, match=r"resnet\.pkl.* (number|length|lengths)"):
        pickled(held)


def test_several_captions_of_an_item_stay_several(here: Path, draw: Draw) -> None:
    items = {"id": list("abc"), "video": draw(3, 4)}
    found = pickled(items | {"raw_text": [["a dog", "a cat"], ["x y", "z"], ["q"]]})
    assert found.texts == 5
    assert pickled(items | {"raw_text": [["a", "dog"], ["x"], ["q", "r"]]}).texts == 3
    assert pickled(items | {"raw_text": [[["a", "dog"], ["b"]], [["c"]], []]}).texts == 3
    del items["id"]
    assert pickled(items | {"raw_text": [["a dog", "a cat"], ["x y", "z"], ["q"]]}).texts == 5


def test_labels_by_id_are_numbers_or_texts(here: Path, draw: Draw) -> None:
    labels = {"a": np.array([3]), "b": np.array(4), "c": 5, "d": float("nan")}
    pickled({"video": {one: draw(4) for one in "abcd"}, "labels": labels})
    assert open_store("store").labels == ("3", "4", "5", None)
    with pytest.raises(UserError, match=r"resnet\.pkl.* number"):
        pickled({"video": {one: draw(4) for one in "abcd"}, "labels": labels | {"d": HUGE}})


@pytest.mark.parametrize("value", [3, "abc", {"a": 1}, [[HUGE], 1, 2], [[[HUGE]], [1], [2]]])
@pytest.mark.parametrize("key", ["id", "raw_text", "labels", "video_lengths", "ids_txt"])
def test_values_that_are_no_list_end_in_a_sentence(key: str, value: Any, here: Path, draw: Draw) -> None:
    with pytest.raises(UserError, match=r"resnet\.pkl"):
        pickled({"video": draw(3, 4), "text": draw(3, 4), key: value})


def test_rows_of_another_file_take_the_ids_of_the_user(here: Path, draw: Draw) -> None:
    Path("vid.pkl").write_bytes(pickle.dumps({one: draw(4) for one in "cba"}))
    text = draw(3, 5)
    np.save("text.npy", text)
    Path("ids.csv").write_text("id\na\nb\nc\n")
    import_features(["vid.pkl", "text.npy"], "store", ids="ids.csv")
    store = open_store("store")
    assert store.ids == ("a", "b", "c")
    assert np.array_equal(store.embeddings("text").numpy(), text)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_labels_of_nothing_are_none(shape: tuple[int, ...], here: Path, draw: Draw) -> None:
    found = pickled({"id": list("abc"), "video": draw(3, 4), "labels": np.zeros(shape)})
    assert (found.items, found.labelled) == (3, 0)


def test_splits_without_features_end_in_a_sentence(here: Path) -> None:
    split = {"rgb": {"a": float("nan")}}
    with pytest.raises(UserError, match=r"resnet\.pkl holds no features in train"):
        pickled({"train": split, "test": split})
