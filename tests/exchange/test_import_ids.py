"""`gram import`: which item a row is of, where files and the user name ids, and ids that are numbers or rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gramcli import UserError, import_features, open_store
from gramcli.store.layout import text_digest
from tests.exchange.conftest import Draw


def rows_of(name: str, ids: str) -> np.ndarray:
    store = open_store("store")
    return store.embeddings(name).numpy()[[store.ids.index(one) for one in ids]]


@pytest.fixture
def mixed(here: Path, draw: Draw) -> np.ndarray:
    """Videos that have the ids c, b, a, and sounds without ids."""
    np.savez("vid.npz", video=draw(3, 4), ids=np.array(list("cba")))
    audio = draw(3, 5)
    np.save("audio.npy", audio)
    return audio


@pytest.mark.parametrize("told", [{"ids": "ids.csv"}, {"table": "ids.csv"}])
def test_rows_without_ids_take_those_the_user_names(told: dict[str, str], mixed: np.ndarray) -> None:
    Path("ids.csv").write_text("id,split\na,test\nb,test\nc,train\n")
    found = import_features(["vid.npz", "audio.npy"], "store", **told)
    assert np.array_equal(rows_of("audio", "abc"), mixed)
    with np.load("vid.npz") as file:
        assert np.array_equal(rows_of("video", "cba"), file["video"])
    assert (found.items, found.ids_from) == (3, "ids.csv")


def test_ids_that_name_more_than_one_file_has(mixed: np.ndarray, draw: Draw) -> None:
    Path("ids.csv").write_text("id\na\nb\nc\nd\n")
    audio = draw(4, 5)
    np.save("audio.npy", audio)
    import_features(["vid.npz", "audio.npy"], "store", ids="ids.csv")
    assert np.array_equal(rows_of("audio", "abcd"), audio)
    assert open_store("store").status("video")[3] == "absent: not in the file"


def test_a_table_of_other_items_of_the_same_number(mixed: np.ndarray) -> None:
    Path("t.csv").write_text("id,split\na,test\nb,test\nd,train\n")
    import_features(["vid.npz", "audio.npy"], "store", table="t.csv")
    assert np.array_equal(rows_of("audio", "abd"), mixed)
    assert set(open_store("store").ids) == set("abcd")


@pytest.mark.parametrize("files", [["vid.npz"], ["vid.npz", "audio.npy"]])
def test_other_ids_than_the_file_has_are_refused(files: list[str], mixed: np.ndarray) -> None:
    Path("ids.csv").write_text("id\nx\ny\nz\n")
    with pytest.raises(UserError, match=r"vid\.npz, video has the item 'c', which --ids does not name"):
        import_features(files, "store", ids="ids.csv")


def test_the_same_ids_in_another_order_are_matched(mixed: np.ndarray) -> None:
    Path("ids.csv").write_text("id\na\nc\nb\n")
    import_features("vid.npz", "store", ids="ids.csv")
    with np.load("vid.npz") as file:
        assert np.array_equal(rows_of("video", "cba"), file["video"])


def test_a_table_of_more_items_leaves_the_order_of_the_file(mixed: np.ndarray) -> None:
    Path("t.csv").write_text("id,split\na,test\nb,test\nc,test\nd,train\n")
    import_features("vid.npz", "store", table="t.csv")
    assert open_store("store").ids == ("c", "b", "a")


def test_labels_of_a_file_without_ids_follow_the_ids_of_the_user(mixed: np.ndarray) -> None:
    Path("ids.csv").write_text("id\na\nb\nc\n")
    np.save("labels.npy", np.array([7, 8, 9]))
    import_features(["vid.npz", "audio.npy", "labels.npy"], "store", ids="ids.csv")
    store = open_store("store")
    assert dict(zip(store.ids, store.labels, strict=True)) == {"a": "7", "b": "8", "c": "9"}


@pytest.mark.parametrize("other", ["cba", "abc"])
def test_two_hdf5_files_with_ids_of_their_own(other: str, here: Path, draw: Draw) -> None:
    h5py = pytest.importorskip("h5py")
    for name, ids in (("video", "abc"), ("audio", other)):
        with h5py.File(f"{name}.h5", "w") as file:
            file[name], file["ids"] = draw(3, 4), list(ids)
    if other == "abc":
        assert import_features(["video.h5", "audio.h5"], "store").items == 3
        return
    with pytest.raises(UserError, match=r"audio\.h5 has the key 'ids' of another file"):
        import_features(["video.h5", "audio.h5"], "store")


def test_text_rows_follow_ids_where_the_table_has_another_order(here: Path, draw: Draw) -> None:
    """A caption each: `--ids` says whose each row is, of text as of video; the table only what it says."""
    text, video = draw(3, 4), draw(3, 4)
    np.save("text.npy", text)
    np.save("video.npy", video)
    Path("ids.txt").write_text("a\nb\nc\n")
    Path("table.csv").write_text("id,caption\nc,a cat\na,an ape\nb,a bee\n")
    found = import_features(["text.npy", "video.npy"], "store", ids="ids.txt", table="table.csv", shared_space="yes")
    assert np.array_equal(rows_of("text", "abc"), text)
    assert np.array_equal(rows_of("video", "abc"), video)
    store = open_store("store")
    digests = store.caption_digests()
    assert digests is not None
    assert digests.tolist() == [text_digest(f"{a} {b}") for a, b in (("an", "ape"), ("a", "bee"), ("a", "cat"))]
    assert found.ids_from == "ids.txt"
