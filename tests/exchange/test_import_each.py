"""`gram import` of files with captions of each item, of members and files of several kinds, and of what is packed."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gramcli import UserError, import_features, open_store
from gramcli.exchange.folding import FoldedRows
from tests.exchange.conftest import Draw


def vectors(name: str) -> np.ndarray:
    return open_store("store").embeddings(name).numpy()


def shard(path: str, members: dict[str, np.ndarray | bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else io.BytesIO()
            if not isinstance(data, bytes):
                np.save(data, content)
                data = data.getvalue()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_text_of_as_many_vectors_as_each_item_has_captions(here: Path, draw: Draw) -> None:
    text = draw(6, 4)
    captions = {"a": ["x"], "b": ["y", "z"], "c": ["p", "q", "r"]}
    parts = dict(zip(captions, np.split(text, [1, 3]), strict=True))
    Path("t.csv").write_text(
        "id,caption\n" + "".join(f"{one},{said}\n" for one, many in captions.items() for said in many)
    )
    shard("x.tar", {f"{one}.text.npy": part for one, part in parts.items()} | {"a.video.npy": draw(4)})
    np.savez("y.npz", text=np.stack([np.pad(x, ((0, 3 - len(x)), (0, 0))) for x in parts.values()]),
             ids=list(parts), text_lengths=[1, 2, 3])  # fmt: skip
    for file in ("x.tar", "y.npz"):
        found = import_features(file, "store", table="t.csv", overwrite=True)
        assert (found.captions, found.texts) == (6, 6)
        assert [row.captions for row in open_store("store").rows] == [1, 2, 3]
        assert np.array_equal(vectors("text"), text)
        assert "taken for the 1 to 3 captions of each item; --time-axis 0 pools it" in " ".join(found.notes)
    assert import_features("x.tar", "other", table="t.csv", time_axis=0).captions == 3
    shard("z.tar", {f"{one}.text.npy": part for one, part in zip("bac", parts.values(), strict=True)})
    assert import_features("z.tar", "third", table="t.csv").captions == 3  # other numbers: tokens


def test_rows_of_captions_are_read_in_any_order(draw: Draw) -> None:
    class Some:
        n, inner, dtype = 3, (None, 4), "float32"
        held = tuple(draw(k, 4) for k in (2, 0, 3))

        def read(self, positions: np.ndarray) -> list[np.ndarray]:
            return [self.held[k] for k in positions.tolist()]

    rows = FoldedRows(Some(), np.array([2, 0, 3]))
    flat = np.concatenate(Some.held)
    for order in ([0, 1, 2, 3, 4], [4, 0], [3], [1, 2], []):
        assert np.array_equal(rows.read(np.array(order, np.int64)).reshape(-1, 4), flat[order])


def test_members_of_a_shard_that_are_not_read_are_named(here: Path, draw: Draw) -> None:
    shard("x.tar", {"a.npy": draw(4), "a.text.pyd": b"x", "b.npy": draw(4), "b.text.pyd": b"x", "a.jpg": b"x"})
    assert "not read: *.text.pyd (2), *.jpg (1)." in " ".join(import_features("x.tar", "store").notes)
    shard("y.tar", {"a.ten": b"x"})
    with pytest.raises(UserError, match=r"holds no features \(.npy, .npz, .pth\) but \*.ten \(1\)"):
        import_features("y.tar", "other")


def test_folders_of_pickles_and_of_tensors(here: Path, draw: Draw) -> None:
    a, b = draw(3, 4), draw(5, 4)
    for folder in ("p", "t", "both"):
        Path(folder).mkdir()
    for name, array in (("a_vggish", a), ("b_vggish", b)):
        Path(f"p/{name}.pkl").write_bytes(pickle.dumps(array))
        torch.save(torch.from_numpy(array), f"t/{name}.pt")
        np.save(f"both/{name}.npy", array)
        Path(f"both/{name}.pkl").write_bytes(pickle.dumps(array))
    for folder in ("p", "t", "both"):
        found = import_features(folder, "store", overwrite=True)
        assert open_store("store").ids == ("a", "b")
        assert np.allclose(vectors("vggish"), [a.mean(axis=0), b.mean(axis=0)])
    assert "2 files of features that are no .npy" in " ".join(found.notes)


def test_pickles_of_all_items_in_a_folder_are_told(here: Path, draw: Draw) -> None:
    Path("p").mkdir()
    Path("p/resnet-avg.pickle").write_bytes(pickle.dumps({"a": draw(4)}))
    with pytest.raises(UserError, match=r"not the array of one item. If it holds all items, name the file itself"):
        import_features("p", "store")


def test_files_inside_of_a_folder_are_named(here: Path) -> None:
    Path("p").mkdir()
    for name in ("a.parquet", "b.parquet", "c.txt"):
        Path("p", name).write_bytes(b"x")
    with pytest.raises(UserError, match=r"It holds 2 .parquet files: name those, p/\*.parquet"):
        import_features("p", "store")


@pytest.mark.parametrize("kind", ["rows", "words"])
def test_packed_arrow_is_refused_before_it_is_unpacked(kind: str, here: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    words = pa.array(["x", "y"])
    table = pa.table({"id": words.dictionary_encode() if kind == "words" else [1, 2], "video": [[1.0], [2.0]]})
    Path("d").mkdir()
    Path("d/state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    for packing, items in ((None, 2), ("zstd", 0), ("lz4", 0)):
        options = pa.ipc.IpcWriteOptions(compression=packing)
        with pa.ipc.new_stream("d/data.arrow", table.schema, options=options) as writer:
            writer.write_table(table)
        if items:
            assert import_features("d", "store").items == items
            continue
        with pytest.raises(UserError, match="is packed, and its columns cannot be read in place"):
            import_features("d", "other")


def test_texts_as_views_are_refused(here: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"id": pa.array(["a", "b"], pa.string_view()), "video": [[1.0], [2.0]]})
    Path("d").mkdir()
    Path("d/state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    with pa.ipc.new_stream("d/data.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match="is of the type string_view"):
        import_features("d", "store")


def test_a_caption_file_of_any_size_is_a_sentence(here: Path, draw: Draw) -> None:
    Path("f").mkdir()
    np.save("f/a.npy", draw(4))
    with Path("f/a.txt").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(UserError, match="is the caption of an item, and cannot be read"):
        import_features("f", "store")


def test_an_array_of_a_list_is_one_items_where_ids_or_modalities_stand_beside_it(here: Path, draw: Draw) -> None:
    steps = [draw(k, 4) for k in (1, 3, 2)]
    wanted = np.stack([one.mean(axis=0) for one in steps])
    held = {"video": steps, "ids": ["a", "b", "c"], "audio": list(draw(3, 5))}
    Path("x.pkl").write_bytes(pickle.dumps(held))
    torch.save({key: [torch.from_numpy(x) for x in one] if key != "ids" else one for key, one in held.items()}, "x.pt")
    for file in ("x.pkl", "x.pt"):
        import_features(file, "store", overwrite=True)
        assert open_store("store").ids == ("a", "b", "c")
        assert np.allclose(vectors("video"), wanted)
        assert np.array_equal(vectors("audio"), np.stack(held["audio"]))
    Path("y.pkl").write_bytes(pickle.dumps({"text": list(draw(4, 5)), "video": steps}))
    with pytest.raises(UserError, match="text has 4 rows for 3 items"):
        import_features("y.pkl", "other")


def test_lists_of_other_keys_are_the_steps_of_items(here: Path, draw: Draw) -> None:
    held = {"v1": list(draw(4, 3)), "v2": list(draw(2, 3))}
    Path("x.pkl").write_bytes(pickle.dumps(held))
    import_features("x.pkl", "store")
    assert open_store("store").ids == ("v1", "v2")
    assert np.allclose(vectors("x"), [np.mean(one, axis=0) for one in held.values()])
    Path("y.pkl").write_bytes(pickle.dumps({"v1": [draw(2, 3), draw(1, 3)], "v2": [draw(2, 3)]}))
    with pytest.raises(UserError, match="v1 has steps of different shapes"):
        import_features("y.pkl", "other")


def test_what_lies_by_columns_in_a_packed_archive_is_read(here: Path, draw: Draw) -> None:
    video = draw(20_000, 4)
    np.savez_compressed("x.npz", video=np.asfortranarray(video), audio=np.asfortranarray(draw(20_000, 3, 2)))
    import_features("x.npz", "store")  # several shards, so that it is read again
    assert np.array_equal(vectors("video"), video)


def test_what_has_no_rows_is_named(here: Path) -> None:
    np.save("video.npy", np.zeros((0, 4), np.float32))
    with pytest.raises(UserError, match="holds no items: it has no rows"):
        import_features("video.npy", "store")


def test_targets_of_several_classes_are_told(here: Path, draw: Draw) -> None:
    torch.save(torch.from_numpy(draw(2, 4)), "features_test.pt")
    torch.save(torch.ones(2, 3), "targets_test.pt")
    found = import_features(".", "store")
    assert "holds [3] numbers for each item, which are no class: left out" in " ".join(found.notes)


def test_whole_numbers_are_spelled_alike_in_lists_and_in_arrays(here: Path, draw: Draw) -> None:
    held = {"video": torch.from_numpy(draw(2, 4)), "ids": [7.0, 9.0], "labels": [1.0, 2.0]}
    torch.save(held, "x.pt")
    torch.save({**held, "ids": torch.tensor([7, 9]), "labels": torch.tensor([1, 2])}, "y.pt")
    for file in ("x.pt", "y.pt"):
        import_features(file, "store", overwrite=True)
        opened = open_store("store")
        assert (opened.ids, opened.labels) == (("7", "9"), ("1", "2"))


def test_a_store_within_the_folder_that_is_read_is_none_of_what_is_read(here: Path, draw: Draw) -> None:
    for name in ("a", "b"):
        np.save(f"{name}.npy", draw(3, 4))
    first = import_features(".", "store").path
    assert import_features(".", "store").path == first  # the same again: nothing changed that was read
    np.save("b.npy", draw(3, 4))
    with pytest.raises(UserError, match="the feature files changed"):
        import_features(".", "store")


def test_a_second_text_is_refused_before_it_is_read(here: Path, draw: Draw) -> None:
    np.save("text.npy", draw(3, 4))
    np.save("video.npy", draw(3, 4))
    with pytest.raises(UserError, match=r"would be 'text@b', a second text. Import it as text .* join: gram join A B:"):
        import_features(["text.npy", "video.npy"], rename={"text": "text@b"}, dry_run=True)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_single_values_beside_arrays_are_left_out(save: Any, here: Path, draw: Draw) -> None:
    save("x.npz", video=draw(3, 4), rate=25.0, model="clip", audio=np.nan, n=3)
    found = import_features("x.npz", "store")
    assert [one.name for one in found.modalities] == ["video"]
    for said in ("rate is no features", "model is no features", "n is no features", "audio is NaN or None"):
        assert said in " ".join(found.notes)


def test_two_columns_of_one_name_are_named(here: Path, draw: Draw) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    column = pa.array(draw(2, 4).tolist())
    pq.write_table(pa.table([pa.array(["a", "b"]), column, column], names=["id", "video", "video"]), "x.parquet")
    with pytest.raises(UserError, match="has two columns called 'video'"):
        import_features("x.parquet", "store")
