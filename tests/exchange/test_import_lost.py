"""`gram import` loses nothing and mixes nothing up without a word: keys, owners, texts, classes, files, steps."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli import UserError, import_features, open_store
from tests.exchange.conftest import Draw


def vectors(name: str) -> np.ndarray:
    return open_store("store").embeddings(name).numpy()


def test_two_keys_of_one_text_are_refused(here: Path, draw: Draw) -> None:
    held = {1: draw(4), "1": draw(4), "2": draw(4)}
    Path("x.pkl").write_bytes(pickle.dumps(held))
    torch.save({key: torch.from_numpy(value) for key, value in held.items()}, "x.pt")
    for file in ("x.pkl", "x.pt"):
        with pytest.raises(UserError, match="has the key '1' twice"):
            import_features(file, "store")


@pytest.mark.parametrize("ids", [[2, 0, 1], [10, 30, 20]])
def test_whole_numbers_in_ids_txt_are_ids_where_ids_are_whole_numbers(ids: list[int], here: Path, draw: Draw) -> None:
    text = draw(3, 4)
    features = {"feat_t": torch.from_numpy(text), "feat_v": torch.from_numpy(draw(3, 4))}
    torch.save({**features, "ids": torch.tensor(ids), "ids_txt": torch.tensor(ids)}, "x.pt")
    import_features("x.pt", "store")
    assert open_store("store").ids == tuple(map(str, ids))
    assert np.array_equal(vectors("text"), text)


def test_numbers_of_rows_are_rows_where_ids_are_names(here: Path, draw: Draw) -> None:
    text = draw(3, 4)
    np.savez("x.npz", text=text, video=draw(2, 4), ids=["a", "b"], text_item=[1, 0, 1])
    import_features("x.npz", "store")
    assert np.array_equal(vectors("text"), text[[1, 0, 2]])


@pytest.mark.parametrize(("pool", "kept"), [("first", [1, 8, 3]), ("last", [7, 8, 6])])
def test_the_first_and_last_value_are_those_that_are_there(pool: str, kept: list[float], here: Path) -> None:
    nan, low = np.nan, -np.inf
    steps = np.array([[[1, nan, 3], [4, 8, 6], [7, low, nan], [0, 0, 0]]], np.float32)
    np.save("video.npy", steps)
    import_features("video.npy", "store", pool=pool)
    assert vectors("video").tolist() == [kept]


def test_a_step_of_nan_and_zeros_is_no_step(here: Path) -> None:
    np.save("video.npy", np.array([[[2, 4], [np.nan, 0]], [[np.nan, 0], [0, np.nan]]], np.float32))
    import_features("video.npy", "store")
    assert vectors("video").tolist() == [[2, 4], [0, 0]]
    assert open_store("store").status("video")[1] == "absent: nothing but NaN, -inf and zeros"


def test_lengths_beyond_the_steps_are_said_and_negative_ones_refused(here: Path, draw: Draw) -> None:
    np.savez("x.npz", video=draw(3, 4, 5), video_lengths=[4, 9, 2])
    assert "1 of 3 lengths is more than its 4 steps, such as 9" in " ".join(import_features("x.npz", "store").notes)
    np.savez("y.npz", video=draw(3, 4, 5), video_lengths=[4, -1, 2])
    with pytest.raises(UserError, match="holds the length -1"):
        import_features("y.npz", "other")


def test_files_of_a_folder_that_are_not_read_are_counted(here: Path, draw: Draw) -> None:
    Path("clips/more").mkdir(parents=True)
    np.save("clips/a.npy", draw(4))
    np.savez("clips/b.npz", draw(4))
    torch.save(torch.zeros(4), "clips/c.pt")
    np.save("clips/more/d.npy", draw(4))
    Path("clips/a.txt").write_text("a caption")
    (note,) = [one for one in import_features("clips", "store").notes if "not read" in one]
    assert "2 files of features that are no .npy, such as 'b.npz'" in note
    assert "1 folder, such as 'more'" in note


def test_captions_that_a_table_replaces_are_said(here: Path, draw: Draw) -> None:
    np.savez("x.npz", text=draw(2, 4), video=draw(2, 4), ids=["a", "b"], raw_text=["one dog", "two cats"])
    Path("x.csv").write_text("id,caption\na,one dog\nb,no cats\n")
    found = import_features("x.npz", "store", table="x.csv")
    assert (
        "x.csv has other captions than the features of 1 item, such as 'b': those of x.csv were taken." in found.notes
    )


def test_steps_of_texts_that_were_pooled_are_said(here: Path, draw: Draw) -> None:
    np.savez("x.npz", text=draw(2, 5, 4), video=draw(2, 6, 4))
    (note,) = [one for one in import_features("x.npz", "store").notes if "captions" in one]
    assert "text" in note and "tokens" in note


def test_texts_of_hdf5_keep_their_rows(here: Path, draw: Draw) -> None:
    h5py = pytest.importorskip("h5py")
    words = np.array([["a dog", "a cat"], ["one", "two"], ["x", "y"]], dtype=object)
    with h5py.File("x.h5", "w") as file:
        file["video"], file["text"] = draw(3, 4), draw(6, 4)
        file.create_dataset("ids", data=[[f"v{k}", "0.0"] for k in range(3)], dtype=h5py.string_dtype())
        file.create_dataset("raw_text", data=words, dtype=h5py.string_dtype())
    found = import_features("x.h5", "store")
    assert open_store("store").ids == ("v0_0.0", "v1_0.0", "v2_0.0")
    assert (found.texts, found.captions) == (6, 6)


def test_more_text_rows_than_ids_need_to_be_told_apart(here: Path, draw: Draw) -> None:
    text = draw(6, 4)
    np.savez("x.npz", text=text, video=draw(3, 4), ids=["a", "b", "c"])
    with pytest.raises(UserError, match="text has 6 rows for 3 items"):
        import_features("x.npz", "store")
    Path("x.csv").write_text("id,caption\n" + "".join(f"{one},{one} {k}\n" for one in "abc" for k in range(2)))
    assert import_features("x.npz", "store", table="x.csv").captions == 6
    assert np.array_equal(vectors("text"), text)
