"""`gram import` of tables, HDF5 and shards: files written by pyarrow, pandas, h5py, webdataset and torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli import UserError, import_features, open_store
from gramcli.exchange.catalog import FORMATS
from tests.exchange.conftest import Draw

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
wds = pytest.importorskip("webdataset")


def stored(name: str, store: str = "store") -> np.ndarray:
    return open_store(store).embeddings(name).numpy()


def facts_table(draw: Draw, kind: str = "list", n: int = 6) -> tuple[object, np.ndarray]:
    video = draw(n, 4)
    column = pa.array(video.tolist(), pa.list_(pa.float32(), *([4] if kind == "fixed" else [])))
    if kind == "large":
        column = column.cast(pa.large_list(pa.float32()))
    names = [f"i{k}" for k in range(n)]
    table = {
        "video_id": names,
        "embedding": column,
        "caption": [f"text {k}" for k in range(n)],
        "split": ["train", "test"] * (n // 2),
        "label": ["dog", "cat", None] * (n // 3),
    }
    return pa.table(table), video


@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
def test_a_list_column_of_parquet(kind: str, here: Path, draw: Draw) -> None:
    table, video = facts_table(draw, kind)
    pq.write_table(table, "video.parquet", row_group_size=4)
    found = import_features("video.parquet", "store")
    assert (found.formats, found.items, found.texts, found.splits) == (("parquet",), 6, 6, {"train": 3, "test": 3})
    assert (found.labelled, found.labels) == (4, 2)
    assert np.array_equal(stored("video"), video)


def test_parts_of_a_table_and_rows_without_a_vector(here: Path, draw: Draw) -> None:
    first, second = draw(3, 4), draw(2, 4)
    pq.write_table(pa.table({"id": ["a", "b", "c"], "audio": [*first.tolist()[:2], None]}), "0.parquet")
    pq.write_table(pa.table({"id": ["d", "e"], "audio": second.astype(np.float64).tolist()}), "1.parquet")
    found = import_features(["0.parquet", "1.parquet"], "store")
    assert found.modalities[0].absent == {"null": 1}
    assert np.array_equal(stored("audio")[[0, 1, 3, 4]], np.concatenate([first[:2], second]))


def test_a_row_for_each_item_and_modality(here: Path, draw: Draw) -> None:
    pandas = pytest.importorskip("pandas")
    video, text = draw(3, 4), draw(3, 5)
    rows = [{"id": f"i{k}", "split": "test", "modality": name, "vector": list(found[k])}
            for k in range(3) for name, found in (("video", video), ("text", text))]  # fmt: skip
    pandas.DataFrame(rows).to_parquet("long.parquet")
    import_features("long.parquet", "store")
    assert np.array_equal(stored("video"), video)
    assert np.array_equal(stored("text"), text)


def test_what_clip_retrieval_writes(here: Path, draw: Draw) -> None:
    image, text = draw(5, 4).astype(np.float16), draw(5, 4).astype(np.float16)
    for folder in ("img_emb", "text_emb", "metadata"):
        Path("emb", folder).mkdir(parents=True)
    for part, rows in enumerate((slice(0, 3), slice(3, 5))):
        np.save(f"emb/img_emb/img_emb_{part}.npy", image[rows])
        np.save(f"emb/text_emb/text_emb_{part}.npy", text[rows])
        names = [f"{k}.jpg" for k in range(5)][rows]
        table = pa.table({"image_path": names, "caption": [f"about {one}" for one in names]})
        pq.write_table(table, f"emb/metadata/metadata_{part}.parquet")
    found = import_features("emb", "store")
    assert (found.formats, found.shared_space, found.texts) == (("clip-retrieval",), True, 5)
    assert open_store("store").ids[3] == "3.jpg"
    assert np.array_equal(stored("image"), image.astype(np.float32))
    assert np.array_equal(stored("text"), text.astype(np.float32))


def save_to_disk(folder: Path, table: object) -> None:
    """What `datasets.Dataset.save_to_disk` leaves: a stream of batches, and who it is."""
    folder.mkdir(parents=True)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        for batch in table.to_batches(max_chunksize=4):
            out.write_batch(batch)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "f", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def test_a_dataset_on_disk_and_one_of_splits(here: Path, draw: Draw) -> None:
    table, video = facts_table(draw)
    save_to_disk(Path("one"), table)
    import_features("one", "store")
    assert np.array_equal(stored("one"), video)
    table = table.drop_columns(["split"])
    for split, rows in (("train", table.slice(0, 4)), ("test", table.slice(4))):
        save_to_disk(Path("many", split), rows)
    Path("many/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    found = import_features("many", "other")
    assert (found.formats, found.splits, found.texts) == (("hf-dataset",), {"train": 4, "test": 2}, 6)
    assert np.array_equal(stored("many", "other"), video)


@pytest.mark.parametrize("packed", [{}, {"compression": "gzip", "chunks": (2, 4)}])
def test_plain_datasets_of_hdf5(packed: Mapping[str, object], here: Path, draw: Draw) -> None:
    video, text = draw(6, 4), draw(6, 4)
    with h5py.File("all.h5", "w") as file:
        group = file.create_group("features")
        group.create_dataset("video", data=video, **packed)
        group.create_dataset("text", data=text, **packed)
        group["ids"] = [f"i{k}" for k in range(6)]
    found = import_features("all.h5", "store")
    assert (found.formats, found.ids_from) == (("hdf5",), "ids of all.h5")
    assert np.array_equal(stored("video"), video)
    assert open_store("store").ids[5] == "i5"


def test_a_dataset_for_each_item_of_hdf5(here: Path, draw: Draw) -> None:
    held = {f"v{k}": draw(k + 1, 4) for k in range(12)}
    with h5py.File("i3d.h5", "w") as file:
        for name, array in held.items():
            file[name] = array
    found = import_features("video=i3d.h5", "store", pool="max")
    assert (found.items, found.modalities[0].shape) == (12, (12, None, 4))
    order = open_store("store").ids
    assert np.array_equal(stored("video"), np.stack([held[one].max(0) for one in order]))


def test_a_group_for_each_item_of_hdf5(here: Path, draw: Draw) -> None:
    held = {f"v{k}": {"rgb": draw(3, 4), "flow": draw(2, 6)} for k in range(10)}
    with h5py.File("i3d.h5", "w") as file:
        for name, arrays in held.items():
            for key, array in arrays.items():
                file[f"{name}/{key}"] = array
    found = import_features("i3d.h5", dry_run=True)
    assert {one.name: (one.dim, one.ok) for one in found.modalities} == {"rgb": (4, 10), "flow": (6, 10)}


def test_files_as_mmt_has_them(here: Path, draw: Draw) -> None:
    for name in ("video0", "video1"):
        path = Path("msrvtt", *name[-3:], f"{name}.h5")
        path.parent.mkdir(parents=True)
        with h5py.File(path, "w") as file:
            file["features.rgb"] = draw(3, 4)
            file["features_t.rgb"] = draw(3, 2)
            file["features.vggish"] = draw(2, 5) if name == "video0" else np.full((2, 5), np.nan)
            for k, words in enumerate((["a", "dog"], ["it", "barks"])):
                file[f"raw_captions.{k}"] = words
    found = import_features("msrvtt", "store")
    assert (found.formats, found.items, found.texts, found.shared_space) == (("mmt",), 2, 4, False)
    absent = {one.name: dict(one.absent) for one in found.modalities}
    assert absent == {"rgb": {}, "vggish": {"all NaN": 1}}


def test_sequences_of_the_cmu_sdk(here: Path, draw: Draw) -> None:
    for root, name, dim in (("COVAREP", "COVAREP.csd", 74), ("FACET 4.2", "FACET.csd", 35)):
        with h5py.File(name, "w") as file:
            for video in ("abc[0]", "abc[1]", "xyz[0]"):
                features = draw(4, dim)
                features[2] = -np.inf
                file[f"{root}/data/{video}/features"] = features
                file[f"{root}/data/{video}/intervals"] = np.zeros((4, 2))
            file[f"{root}/metadata/root name"] = json.dumps(root)
    found = import_features(["COVAREP.csd", "FACET.csd"], "store")
    assert (found.formats, found.items) == (("csd",), 3)
    assert [(one.name, one.dim, one.ok) for one in found.modalities] == [("COVAREP", 74, 3), ("FACET_4_2", 35, 3)]
    assert open_store("store").ids == ("abc[0]", "abc[1]", "xyz[0]")


def test_files_of_ave(here: Path, draw: Draw) -> None:
    video, audio, labels = draw(5, 10, 7, 7, 6), draw(5, 10, 128), np.zeros((5, 10, 29), int)
    for k in range(5):
        labels[k, 2:8, k] = 1
    for name, key, data in (
        ("visual_feature", "avadataset", video),
        ("audio_feature", "avadataset", audio),
        ("labels", "avadataset", labels),
        ("train_order", "order", [0, 2, 4]),
        ("test_order", "order", [1, 3]),
    ):
        with h5py.File(f"{name}.h5", "w") as file:
            file[key] = data
    found = import_features(sorted(here.glob("*.h5")), "store")
    assert (found.formats, found.splits, found.labels) == (("ave",), {"train": 3, "test": 2}, 5)
    assert np.allclose(stored("video"), video.mean((1, 2, 3)), rtol=1e-4, atol=1e-6)
    assert np.allclose(stored("audio"), audio.mean(1), rtol=1e-4, atol=1e-6)


def test_shards_that_webdataset_writes(here: Path, draw: Draw) -> None:
    held = {f"{k:05d}": (draw(4), draw(3, 5)) for k in range(6)}
    with wds.ShardWriter("feats-%03d.tar", maxcount=4, verbose=0) as sink:
        for key, (video, audio) in held.items():
            sink.write({
                "__key__": key, "video.npy": video, "audio.pth": torch.from_numpy(audio), "txt": f"clip {key}",
                "json": {"label": "dog", "split": "test"},
            })  # fmt: skip
    found = import_features(sorted(here.glob("*.tar")), "store")
    assert (found.formats, found.items, found.texts, found.splits) == (("webdataset",), 6, 6, {"test": 6})
    assert np.array_equal(stored("video"), np.stack([video for video, _ in held.values()]))
    wanted = [audio.mean(0) for _, audio in held.values()]
    assert np.allclose(stored("audio"), wanted, rtol=1e-5, atol=1e-6)


def test_shards_of_archives_and_of_clip_video_encode(here: Path, draw: Draw) -> None:
    with wds.TarWriter("a.tar") as sink:
        for k in range(3):
            sink.write({"__key__": f"k{k}", "npz": {"video": draw(4), "audio": draw(5)}, "cls": k % 2})
    found = import_features("a.tar", dry_run=True)
    assert ([one.name for one in found.modalities], found.labels) == (["video", "audio"], 2)
    with wds.TarWriter("00000_clip_embeddings.tar") as sink:
        for k in range(3):
            sink.write({"__key__": f"{k:05d}", "npy": draw(k + 1, 8), "txt": "words", "mp4": b"not read"})
    found = import_features("video=00000_clip_embeddings.tar", dry_run=True)
    assert [(one.name, one.shape) for one in found.modalities] == [("video", (3, None, 8))]


def test_features_of_clip_benchmark(here: Path, draw: Draw) -> None:
    Path("ViT-B-32").mkdir()
    for split, n in (("train", 4), ("val", 2), ("test", 3)):
        torch.save(torch.from_numpy(draw(n, 6)), f"ViT-B-32/features_{split}.pt")
        torch.save(torch.arange(n) % 2, f"ViT-B-32/targets_{split}.pt")
    found = import_features("ViT-B-32", "store")
    assert (found.formats, found.splits, found.labels) == (("clip-benchmark",), {"train": 4, "val": 2, "test": 3}, 2)


def mteb_cache(folder: Path, texts: list[str], vectors: np.ndarray) -> None:
    """What `mteb.models.cache_wrappers` leaves: raw numbers that are longer than what is used."""
    folder.mkdir()
    index = {hashlib.sha256(text.encode()).hexdigest(): k for k, text in enumerate(texts)}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "dimension").write_text(str(vectors.shape[1]))
    room = np.memmap(folder / "vectors.npy", dtype="float32", mode="w+", shape=(100, vectors.shape[1]))
    room[: len(texts)] = vectors
    room.flush()


def test_the_cache_of_mteb_by_its_texts(here: Path, draw: Draw) -> None:
    texts = ["a dog barks", "it rains", "a cat"]
    vectors = draw(3, 8)
    mteb_cache(Path("query"), texts, vectors)
    Path("mine.txt").write_text("it rains\na bird\na dog barks\n")
    found = import_features("query", "store", texts="mine.txt")
    assert (found.formats, found.items, found.modalities[0].ok) == (("mteb",), 3, 2)
    assert found.modalities[0].absent == {"not in the cache": 1}
    renamed = import_features("query", texts="mine.txt", rename={"text": "words"}, dry_run=True)
    assert renamed.modalities[0].absent == {"not in the cache": 1}
    assert np.array_equal(stored("text"), vectors[[1, 0]])
    Path("mine.csv").write_text("id,caption\nv1,it rains\nv2,a cat\nv1,a dog barks\n")
    import_features("query", "other", texts="mine.csv")
    assert np.array_equal(stored("text", "other"), vectors[[1, 0, 2]])
    with pytest.raises(UserError, match="Say whose you want: --texts FILE"):
        import_features("query", "none")


def test_a_cache_that_an_older_mteb_hashed(here: Path, draw: Draw) -> None:
    mteb_cache(Path("query"), ["a dog"], draw(1, 8))
    Path("mine.txt").write_text("a dog\n")
    index = Path("query/index.json")
    index.write_text(json.dumps({"12345678901234567890": 0}))
    with pytest.raises(UserError, match=r"no sha256: it was written by an MTEB before 2\.26"):
        import_features("query", "store", texts="mine.txt")
    index.write_text(json.dumps({"0" * 64: 0}))
    with pytest.raises(UserError, match=r"before 2\.26, which hashed otherwise, or of other texts"):
        import_features("query", "store", texts="mine.txt")


def test_every_format_says_what_it_is() -> None:
    for row in FORMATS:
        assert callable(FORMATS.load(row.name))
        assert row.needs in {"", "pyarrow", "h5py"}
        assert row.summary.endswith(".")


def test_a_library_that_is_not_installed(here: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    pq.write_table(pa.table({"v": draw(2, 3).tolist()}), "video.parquet")
    with h5py.File("video.h5", "w") as file:
        file["video"] = draw(2, 3)
    for name in ("pyarrow", "pyarrow.parquet", "h5py"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, package in (("video.parquet", "pyarrow"), ("video.h5", "h5py")):
        with pytest.raises(UserError, match=rf"needs the package {package}: pip install 'gramcli\[io\]'"):
            import_features(name, "store")


@pytest.mark.parametrize(("first", "second"), [(4, 8), (8, 4), (-1, 8), (4, -1)])
def test_parts_of_different_dimensions_are_refused(first: int, second: int, here: Path, draw: Draw) -> None:
    for name, size, dim in (("0", first, 4 if first < 0 else first), ("1", second, 8 if second < 0 else second)):
        column = pa.array(draw(4, dim).tolist(), pa.list_(pa.float32(), size))
        pq.write_table(pa.table({"id": [f"{name}{k}" for k in range(4)], "video": column}), f"{name}.parquet")
    with pytest.raises(UserError, match=r"has vectors of \d and of \d dimensions"):
        import_features(["0.parquet", "1.parquet"], "store")


def test_parts_of_different_precision_lose_none(here: Path, draw: Draw) -> None:
    numbers = draw(2, 4)
    for name, kind, row in (("0", pa.float16(), numbers[0].astype(np.float16)), ("1", pa.float32(), numbers[1])):
        column = pa.FixedSizeListArray.from_arrays(pa.array(row, kind), 4)
        pq.write_table(pa.table({"id": [name], "video": column}), f"{name}.parquet")
    import_features(["0.parquet", "1.parquet"], "store")
    assert np.array_equal(stored("video")[1], numbers[1])


def test_lists_of_numbers_for_captions_are_left_out_with_a_note(here: Path, draw: Draw) -> None:
    captions = [[1, 2], [3], None]
    table = pa.table({"id": list("abc"), "video": pa.array(draw(3, 4).tolist()), "captions": captions})
    pq.write_table(table, "v.parquet")
    found = import_features("v.parquet", "store")
    assert found.texts == 0
    assert any("captions holds list<" in note for note in found.notes)
