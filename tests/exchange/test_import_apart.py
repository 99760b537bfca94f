"""`gram import` keeps apart what is apart: items of several splits, ids of bytes, parts; masks and classes as meant."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli import UserError, import_features, open_store
from tests.exchange.conftest import Draw


def splits_of(store: str = "store") -> dict[str, str | None]:
    opened = open_store(store)
    return dict(zip(opened.ids, opened.splits, strict=True))


def vectors(name: str) -> np.ndarray:
    return open_store("store").embeddings(name).numpy()


def saved(folder: str, columns: dict[str, Any]) -> None:
    """What `datasets.Dataset.save_to_disk` leaves."""
    pa = pytest.importorskip("pyarrow")
    Path(folder).mkdir(parents=True)
    table = pa.table(columns)
    with pa.ipc.new_stream(f"{folder}/data.arrow", table.schema) as writer:
        writer.write_table(table)
    Path(folder, "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))


def saved_splits(folder: str, splits: dict[str, dict[str, Any]]) -> None:
    for split, columns in splits.items():
        saved(f"{folder}/{split}", columns)
    Path(folder, "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))


def test_one_id_in_two_splits_is_two_items(here: Path, draw: Draw) -> None:
    text = draw(5, 4)
    held = {"train": {"text": text[:3], "id": [0, 1, 2]}, "test": {"text": text[3:], "id": [0, 1]}}
    Path("x.pkl").write_bytes(pickle.dumps(held))
    found = import_features("x.pkl", "store")
    wanted = {"train/0": "train", "train/1": "train", "train/2": "train", "test/0": "test", "test/1": "test"}
    assert splits_of() == wanted
    assert np.array_equal(vectors("text"), text)
    assert "the item '0' in more than one split: items are called SPLIT/ID" in " ".join(found.notes)
    saved_splits("d", {key: {"id": one["id"], "text": one["text"].tolist()} for key, one in held.items()})
    import_features("d", "other")
    assert splits_of("other") == wanted


def test_facts_stay_with_items_of_one_id(here: Path, draw: Draw) -> None:
    def part(label: str) -> dict[str, Any]:
        return {"video": draw(1, 4), "id": ["a"], "labels": [label], "raw_text": [f"of {label}"], "text": draw(1, 4)}

    Path("x.pkl").write_bytes(pickle.dumps({"train": part("cat"), "test": part("dog")}))
    assert import_features("x.pkl", "store").texts == 2
    assert open_store("store").labels == ("cat", "dog")


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_modality_that_one_split_lacks_is_absent_there(lacking: str, here: Path, draw: Draw) -> None:
    video = draw(2, 4)
    held = {key: {"id": [f"{key}0", f"{key}1"], "text": draw(2, 4).tolist()} for key in ("train", "test")}
    saved_splits("d", {key: one | ({} if key == lacking else {"video": video.tolist()}) for key, one in held.items()})
    Path("x.pkl").write_bytes(
        pickle.dumps(
            {
                key: {"id": one["id"], "text": np.array(one["text"])} | ({} if key == lacking else {"video": video})
                for key, one in held.items()
            }
        )
    )
    for file in ("d", "x.pkl"):
        import_features(file, "store", overwrite=True)
        opened = open_store("store")
        there = dict(zip(opened.ids, opened.status("video"), strict=True))
        assert [there[one] for one in held[lacking]["id"]] == ["absent: not in the file"] * 2
        assert sum(status == "ok" for status in there.values()) == 2
        assert np.array_equal(vectors("video")[[status == "ok" for status in there.values()]], video)


def test_an_item_of_which_there_is_text_alone_is_an_item(here: Path, draw: Draw) -> None:
    a, b, c, d = draw(4, 4)
    Path("x.pkl").write_bytes(pickle.dumps({"video": {"a": a, "b": b}, "text": {"a": c, "z": d}}))
    found = import_features("x.pkl", "store")
    assert open_store("store").ids == ("a", "b", "z")
    assert open_store("store").status("video") == ["ok", "ok", "absent: not in the file"]
    assert "1 item has text and nothing else, such as 'z'" in " ".join(found.notes)
    Path("y.pkl").write_bytes(pickle.dumps({"video": {"a": a, "b": b}, "text": {"y": c, "z": d}}))
    with pytest.raises(UserError, match="a caption of 'y', which is no item"):
        import_features("y.pkl", "other")


def test_a_table_of_captions_may_name_an_item_of_which_there_is_text_alone(here: Path, draw: Draw) -> None:
    np.savez("x.npz", video=draw(2, 4), ids=["b", "a"])
    np.save("text.npy", draw(3, 4))
    Path("t.csv").write_text("id,caption\na,x\nb,y\nz,q\n")
    import_features(["x.npz", "text.npy"], "store", table="t.csv")
    assert open_store("store").ids == ("a", "b", "z")
    assert open_store("store").status("video")[2] == "absent: not in the file"


@pytest.mark.parametrize("key", ["video_padding_mask", "video_key_padding_mask", "video_pad_mask"])
def test_a_mask_of_padding_means_two_things_and_is_refused(key: str, here: Path, draw: Draw) -> None:
    np.savez("x.npz", video=draw(2, 3, 4), **{key: np.array([[0, 0, 1], [0, 1, 1]])})
    with pytest.raises(UserError, match="some tools write 1 for padding"):
        import_features("x.npz", "store")


def test_keys_of_bytes_are_texts(here: Path, draw: Draw) -> None:
    Path("x.pkl").write_bytes(pickle.dumps({b"a": draw(4), "ä".encode(): draw(4), b"\xe9": draw(4)}))
    import_features("x.pkl", "store")
    assert open_store("store").ids == ("a", "ä", r"\xe9")
    Path("y.pkl").write_bytes(pickle.dumps({b"a": draw(4), "a": draw(4)}))
    with pytest.raises(UserError, match="has the key 'a' twice"):
        import_features("y.pkl", "other")


def test_ids_of_bytes_that_are_no_utf8_stay_apart(here: Path, draw: Draw) -> None:
    np.savez("x.npz", text=draw(2, 4), ids=np.array([b"\xe8", b"\xe9"]))
    import_features("x.npz", "store")
    assert open_store("store").ids == (r"\xe8", r"\xe9")


def test_the_event_of_a_video_of_ave_is_no_background(here: Path) -> None:
    h5py = pytest.importorskip("h5py")
    seconds = np.zeros((3, 10, 29))
    seconds[:, :, 28] = 1
    seconds[0, :3] = np.eye(29)[5]  # three seconds of an event
    seconds[1] = np.eye(29)[7]
    for name, array in (("audio_feature", np.ones((3, 10, 128))), ("labels", seconds)):
        with h5py.File(f"{name}.h5", "w") as file:
            file["avadataset"] = array
    import_features(["audio_feature.h5", "labels.h5"], "store")
    assert open_store("store").labels == ("5", "7", "28")


@pytest.mark.parametrize("lost", ["img_emb/img_emb_1.npy", "text_emb/text_emb_0.npy", "metadata/metadata_2.parquet"])
def test_folders_of_clip_retrieval_with_other_parts_are_refused(lost: str, here: Path, draw: Draw) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for folder in ("img_emb", "text_emb", "metadata"):
        Path(folder).mkdir()
    for k in range(3):
        np.save(f"img_emb/img_emb_{k}.npy", draw(2, 4))
        np.save(f"text_emb/text_emb_{k}.npy", draw(2, 4))
        pq.write_table(pa.table({"image_path": [f"{k}a", f"{k}b"]}), f"metadata/metadata_{k}.parquet")
    assert import_features(".", "store").items == 6
    Path(lost).unlink()
    with pytest.raises(UserError, match=f"has no part {lost.rpartition('_')[2][0]} in {lost.partition('/')[0]}"):
        import_features(".", "other")


def test_columns_that_are_not_read_are_named_and_an_index_of_texts_is_the_ids(here: Path, draw: Draw) -> None:
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    rows = list(draw(2, 4))
    pd.DataFrame({"filename": ["a", "b"], "seconds": [1.0, 2.0], "video": rows}).to_parquet("x.parquet")
    found = import_features("x.parquet", "store")
    assert "were not read: filename (" in " ".join(found.notes)
    assert "seconds (double)." in " ".join(found.notes)
    pd.DataFrame({"video": rows}, index=["a", "b"]).to_parquet("y.parquet")
    assert import_features("y.parquet", "y").notes == ()
    assert open_store("y").ids == ("a", "b")
    pd.DataFrame({"video": rows}, index=[7, 3]).to_parquet("z.parquet")  # rows of a longer table
    import_features("z.parquet", "z")
    assert open_store("z").ids == ("0", "1")


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([b"a", b"\xe9"], ("a", r"\xe9")),
        ([1.0, 2.0], ("1", "2")),
        ([1.5, 2.0], "id holds double, no ids. Save texts or whole numbers"),
        ([1.0, None], "id has no id in row 2. Give every row one"),
        ([True, False], "id holds bool, no ids"),
    ],
)
def test_ids_of_a_table_of_any_kind(ids: list[Any], said: str | tuple[str, ...], here: Path, draw: Draw) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"id": ids, "video": draw(2, 4).tolist()}), "x.parquet")
    if isinstance(said, str):
        with pytest.raises(UserError, match=said):
            import_features("x.parquet", "store")
    else:
        import_features("x.parquet", "store")
        assert open_store("store").ids == said


def test_an_empty_list_is_told_from_a_vector_of_another_length(here: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"id": ["a", "b"], "video": [[], [1.0, 2.0]]}), "x.parquet")
    with pytest.raises(UserError, match="Write null where there is no vector, not an empty list"):
        import_features("x.parquet", "store")
