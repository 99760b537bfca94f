"""`gram import` of arrays, folders and pickles: files written by numpy, safetensors, torch and pickle."""

from __future__ import annotations

import csv
import json
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from gramcli import UserError, import_features, open_store
from gramcli.store.layout import text_digest
from tests.exchange.conftest import Draw

IDS = [f"clip{k}" for k in range(5)]


def stored(path: Path, name: str) -> np.ndarray:
    return open_store(path).embeddings(name).numpy()


@pytest.mark.parametrize("kind", ["npz", "npz compressed", "safetensors", "pt", "pt legacy", "pickle"])
def test_one_file_of_arrays_gives_the_same_bits_whatever_wrote_it(kind: str, here: Path, draw: Draw) -> None:
    arrays = {"text": draw(5, 8), "video": draw(5, 8), "audio": draw(5, 3)}
    path = here / "features"
    if kind == "npz":
        np.savez(path.with_suffix(".npz"), **arrays)
    elif kind == "npz compressed":
        np.savez_compressed(path.with_suffix(".npz"), **arrays)
    elif kind == "safetensors":
        save_file(arrays, path.with_suffix(".safetensors"))
    elif kind == "pickle":
        path.with_suffix(".pkl").write_bytes(pickle.dumps(arrays))
    else:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        torch.save(tensors, path.with_suffix(".pt"), _use_new_zipfile_serialization=kind == "pt")
    (written,) = here.iterdir()
    found = import_features(written, "store", shared_space=True)
    assert (found.items, found.ids_from, found.shared_space) == (5, "by row", True)
    for name, array in arrays.items():
        assert np.array_equal(stored(Path("store"), name), array)
    assert open_store("store").shared_space


def test_one_file_a_modality_with_ids_of_a_column(here: Path, draw: Draw) -> None:
    clip, text = draw(5, 8), draw(5, 8)
    np.save("clip.npy", clip)
    np.save("text.npy", text)
    Path("items.csv").write_text("row,youtube,split\n" + "".join(f"{k},{one},x\n" for k, one in enumerate(IDS)))
    found = import_features(["video=clip.npy", "text.npy"], "store", ids="items.csv:youtube")
    assert found.ids_from == "items.csv:youtube"
    assert open_store("store").ids == tuple(IDS)
    assert np.array_equal(stored(Path("store"), "video"), clip)


@pytest.mark.parametrize("written", ["ids.txt", "ids.json", "ids.csv"])
def test_ids_of_every_form(written: str, here: Path, draw: Draw) -> None:
    np.save("video.npy", draw(5, 8))
    lines = {"ids.txt": "\n".join(IDS), "ids.json": json.dumps(IDS), "ids.csv": "\n".join(["id", *IDS])}
    Path(written).write_text(lines[written])
    import_features("video.npy", "store", ids=written)
    assert open_store("store").ids == tuple(IDS)


def test_half_precision_is_widened_exactly(here: Path, draw: Draw) -> None:
    half = torch.from_numpy(draw(5, 8)).bfloat16()
    torch.save({"video": half}, "a.pt")
    save_torch_file({"video": half}, "b.safetensors")
    np.save("audio.npy", half.float().numpy().astype(np.float16))
    import_features("a.pt", "a")
    import_features("b.safetensors", "b")
    import_features("audio.npy", "c")
    assert np.array_equal(stored(Path("a"), "video"), half.float().numpy())
    assert np.array_equal(stored(Path("b"), "video"), half.float().numpy())
    assert np.array_equal(stored(Path("c"), "audio"), half.float().numpy().astype(np.float16).astype(np.float32))


def test_other_byte_order_and_column_order(here: Path, draw: Draw) -> None:
    numbers = draw(5, 8)
    np.save("video.npy", numbers.astype(">f4"))
    np.save("audio.npy", np.asfortranarray(numbers.astype(np.float64)))
    import_features(["video.npy", "audio.npy"], "store")
    assert np.array_equal(stored(Path("store"), "video"), numbers)
    assert np.array_equal(stored(Path("store"), "audio"), numbers)


def test_holes_are_absent_and_never_a_zero_vector(here: Path, draw: Draw) -> None:
    video, audio = draw(5, 8), draw(5, 4, 3)
    video[1], video[2], video[3] = 0, np.nan, -np.inf
    video[4, 0] = np.nan
    audio[0] = np.nan
    np.savez("all.npz", video=video, audio=audio)
    found = import_features("all.npz", "store")
    wanted = {"all zeros": 1, "all NaN": 1, "all -inf": 1, "a value that is NaN": 1}
    assert found.modalities[0].absent == wanted
    assert found.modalities[1].absent == {"all NaN": 1}
    store = open_store("store")
    said = [f"absent: {why}" for why in wanted]
    assert store.status("video") == ["ok", *said]
    assert store.present("video").tolist() == [True, False, False, False, False]


def test_time_is_pooled_over_what_is_there(here: Path, draw: Draw) -> None:
    audio = draw(2, 4, 3)
    audio[0, 2:] = 0  # padding
    audio[1, 0] = np.nan
    audio[1, 1] = -np.inf
    np.savez("all.npz", audio=audio)
    for how, wanted in {
        "mean": [audio[0, :2].mean(0), audio[1, 2:].mean(0)],
        "max": [audio[0, :2].max(0), audio[1, 2:].max(0)],
        "first": [audio[0, 0], audio[1, 2]],
        "last": [audio[0, 1], audio[1, 3]],
    }.items():
        import_features("all.npz", how, pool=how)
        assert np.allclose(stored(Path(how), "audio"), wanted, rtol=1e-6, atol=0)


def test_another_axis_of_time(here: Path, draw: Draw) -> None:
    audio = draw(3, 7, 5)  # [n, d, T]
    np.save("audio.npy", audio)
    found = import_features("audio.npy", "store", time_axis=1)
    assert (found.modalities[0].dim, found.modalities[0].time_axis) == (7, 1)
    assert np.allclose(stored(Path("store"), "audio"), audio.mean(2), rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match="has 2 axes for an item, and --time-axis 2 is none of them"):
        import_features("audio.npy", "other", time_axis=2)


@pytest.mark.parametrize("count", [3, 12])
@pytest.mark.parametrize("kind", ["pkl", "npz", "h5", "folder"])
def test_items_whose_last_axis_is_time(kind: str, count: int, here: Path, draw: Draw) -> None:
    items = {f"vid{k:02}": draw(6, 2 + k % 4) for k in range(count)}  # [d, T]
    path = Path(f"features.{kind}")
    if kind == "pkl":
        path.write_bytes(pickle.dumps(items))
    elif kind == "npz":
        np.savez(path, **items)
    elif kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for name, array in items.items():
                file[name] = array
    else:
        path.mkdir()
        for name, array in items.items():
            np.save(path / f"{name}.npy", array)
    found = import_features(path, "store", time_axis=1)
    assert (found.items, [one.dim for one in found.modalities]) == (count, [6])
    assert open_store("store").ids == tuple(items)
    name = found.modalities[0].name
    assert np.allclose(stored(Path("store"), name), [one.mean(1) for one in items.values()], rtol=1e-5, atol=1e-6)
    if kind == "folder" or count > 8:
        with pytest.raises(UserError, match=r"has items of 2 and of 3 dimensions\..*time, say --time-axis 1; else"):
            import_features(path, dry_run=True)


def test_modalities_that_are_named_are_no_items_of_time(here: Path, draw: Draw) -> None:
    for k in range(10):
        np.save(f"x{k}.npy", draw(6, 2 + k % 4))
    named = [f"expert{k}=x{k}.npy" for k in range(10)]
    for time_axis in (0, 1):
        found = import_features(named, dry_run=True, time_axis=time_axis)
        assert (found.items, len(found.modalities)) == (6, 10)
    np.savez("three.npz", text=draw(6, 4), video=draw(6, 5))
    assert len(import_features("three.npz", dry_run=True, time_axis=1).modalities) == 2


def test_several_captions_for_an_item_in_any_order(here: Path, draw: Draw) -> None:
    text, video = draw(4, 6), draw(2, 6)
    np.save("text.npy", text)
    np.save("video.npy", video)
    with Path("table.csv").open("w", newline="") as file:
        rows = [("a", "test", "dog", "one"), ("b", "train", "cat", "two"), ("a", "test", "dog", "three")]
        csv.writer(file).writerows([("video_id", "split", "label", "caption"), *rows, ("b", "train", "cat", "four")])
    found = import_features(["text.npy", "video.npy"], "store", table="table.csv")
    assert (found.captions, found.texts, found.splits, found.labels) == (4, 4, {"test": 1, "train": 1}, 2)
    store = open_store("store")
    assert store.caption_items().tolist() == [0, 0, 1, 1]
    assert np.array_equal(store.embeddings("text").numpy(), text[[0, 2, 1, 3]])
    wanted = [text_digest(one) for one in ("one", "three", "two", "four")]
    assert store.caption_digests().tolist() == wanted
    assert (store.splits, store.labels) == (("test", "train"), ("dog", "cat"))


def test_a_caption_without_features_is_left_out_of_its_item(here: Path, draw: Draw) -> None:
    text = draw(4, 6)
    text[1], text[2:] = np.nan, 0
    np.savez("all.npz", text=text, video=draw(2, 6), ids=["a", "b"], ids_txt=["a", "a", "b", "b"])
    import_features("all.npz", "store")
    store = open_store("store")
    assert store.status("text") == ["ok", "absent: all zeros"]
    assert store.caption_items().tolist() == [0]


def test_what_gram_gathers(here: Path, draw: Draw) -> None:
    text, video, audio = (torch.from_numpy(draw(n, 4)) for n in (6, 3, 3))
    torch.save(
        {"feat_t": text, "feat_v": video, "feat_a": audio, "ids": IDS[:3], "ids_txt": [*IDS[:3], *IDS[:3]]}, "eval.pt"
    )
    found = import_features("eval.pt", "store")
    assert (found.formats, found.items, found.captions, found.shared_space) == (("gram",), 3, 6, True)
    assert [one.name for one in found.modalities] == ["text", "video", "audio"]
    assert open_store("store").caption_items().tolist() == [0, 0, 1, 1, 2, 2]


def test_a_folder_as_video_features_writes_it(here: Path, draw: Draw) -> None:
    Path("out").mkdir()
    held = {f"v{k}": draw(k + 1, 8) for k in range(4)}
    for name, array in held.items():
        np.save(f"out/{name}_clip.npy", array)
        np.save(f"out/{name}_fps.npy", np.array(25.0))
        np.save(f"out/{name}_timestamps_ms.npy", np.arange(len(array)) * 40.0)
    np.save("out/v1_vggish.npy", draw(2, 3))
    found = import_features("out", "store", rename={"clip": "video", "vggish": "audio"})
    assert [(one.name, one.shape, one.ok) for one in found.modalities] == [
        ("video", (4, None, 8), 4),
        ("audio", (1, 2, 3), 1),
    ]
    assert found.modalities[1].absent == {"not in the file": 3}
    assert open_store("store").ids == tuple(held)
    wanted = [array.mean(0) for array in held.values()]
    assert np.allclose(stored(Path("store"), "video"), wanted, rtol=1e-5, atol=1e-6)


def test_a_folder_as_howto100m_writes_it(here: Path, draw: Draw) -> None:
    Path("s3d").mkdir()
    for name in ("-abc_12", "x_y_z", "q"):
        np.save(f"s3d/{name}.npy", draw(3, 8).astype(np.float16))
    found = import_features("video=s3d", "store")
    assert open_store("store").ids == ("-abc_12", "q", "x_y_z")
    assert [one.name for one in found.modalities] == ["video"]


@pytest.mark.parametrize("from_format", [None, "folder"])
def test_two_folders_are_each_a_modality(from_format: str | None, here: Path, draw: Draw) -> None:
    clip, sound = draw(3, 8), draw(3, 5)
    for folder, rows in (("clip4", clip), ("aud", sound)):
        Path(folder).mkdir()
        for k, row in enumerate(rows):
            np.save(f"{folder}/item{k}.npy", row)
    with pytest.raises(UserError, match=r"are each of the format 'folder'.*Write NAME=clip4 NAME=aud") as caught:
        import_features(["clip4", "aud"], dry_run=True, from_format=from_format)
    assert "--from" not in str(caught.value)
    import_features(["video=clip4", "audio=aud"], "store", from_format=from_format)
    assert np.array_equal(stored(Path("store"), "video"), clip)
    assert np.array_equal(stored(Path("store"), "audio"), sound)


def test_a_folder_of_a_file_for_each_modality(here: Path, draw: Draw) -> None:
    arrays = {"text": draw(4, 8), "video": draw(4, 8), "audio": draw(4, 5)}
    Path("features").mkdir()
    for name, array in arrays.items():
        np.save(f"features/{name}.npy", array)
    found = import_features("features", "store")
    assert (found.formats, found.items) == (("arrays",), 4)
    for name, array in arrays.items():
        assert np.array_equal(stored(Path("store"), name), array)
    np.save("features/ids.npy", np.array(["a", "b", "c", "d"]))
    assert import_features("features", "other").items == 4
    assert open_store("other").ids == ("a", "b", "c", "d")
    np.save("features/clip0.npy", draw(4, 8))  # no modality's name: files are items
    Path("features/ids.npy").unlink()
    Path("features/audio.npy").unlink()
    assert import_features("features", dry_run=True).formats == ("folder",)


def test_a_folder_is_of_items_where_the_user_says_so(here: Path, draw: Draw) -> None:
    Path("features").mkdir()
    for name in ("text", "video"):
        np.save(f"features/{name}.npy", draw(4, 8))
    for files, said in ((["clip=features"], None), (["features"], "folder")):
        found = import_features(files, dry_run=True, from_format=said)
        assert (found.formats, found.items) == (("folder",), 2)


def test_captions_that_clip_video_encode_leaves_beside(here: Path, draw: Draw) -> None:
    Path("enc").mkdir()
    for k in range(3):
        np.save(f"enc/{k:05d}.npy", draw(4, 8))
        Path(f"enc/{k:05d}.txt").write_text(f"clip {k}")
        Path(f"enc/{k:05d}.json").write_text("{}")
    found = import_features("enc", dry_run=True)
    assert (found.items, found.texts) == (3, 3)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles_of_every_protocol(protocol: int, here: Path, draw: Draw) -> None:
    held = OrderedDict((name, draw(k + 1, 6)) for k, name in enumerate(IDS))
    held["clip3"] = np.full((2, 6), np.nan, np.float32)
    Path("s3d.pkl").write_bytes(pickle.dumps(held, protocol=protocol))
    found = import_features("s3d.pkl", "store")
    assert (found.formats, found.modalities[0].name, found.modalities[0].absent) == (("pickle",), "s3d", {"all NaN": 1})
    there = [0, 1, 2, 4]
    wanted = [held[IDS[k]].mean(0) for k in there]
    assert np.allclose(stored(Path("store"), "s3d")[there], wanted, rtol=1e-5, atol=1e-6)


def mmsa(draw: Draw, n: int, split: str) -> dict[str, object]:
    lengths = [1 + k % 3 for k in range(n)]
    return {
        "vision": draw(n, 5, 4),
        "audio": draw(n, 3, 2).astype(np.float64),
        "text": draw(n, 5, 6),
        "text_bert": np.zeros((n, 3, 5)),
        "raw_text": np.array([f"{split} {k}" for k in range(n)], dtype=object),
        "id": np.array([f"{split}$_${k}" for k in range(n)]),
        "annotations": ["Positive" if k % 2 else "Negative" for k in range(n)],
        "regression_labels": draw(n),
        "audio_lengths": lengths,
        "vision_lengths": np.array(lengths),
    }


def test_splits_as_mmsa_pickles_them(here: Path, draw: Draw) -> None:
    splits = {split: mmsa(draw, n, split) for split, n in (("train", 4), ("valid", 2), ("test", 3))}
    splits["test"]["audio"][1] = -np.inf
    Path("mosi.pkl").write_bytes(pickle.dumps(splits))
    found = import_features("mosi.pkl", "store")
    assert (found.items, found.captions, found.texts, found.labels) == (9, 9, 9, 2)
    assert found.splits == {"train": 4, "val": 2, "test": 3}
    assert {one.name: one.absent for one in found.modalities} == {"text": {}, "video": {}, "audio": {"all -inf": 1}}
    video = np.concatenate([splits[split]["vision"] for split in splits])
    lengths = np.concatenate([splits[split]["vision_lengths"] for split in splits])
    wanted = [rows[:n].mean(0) for rows, n in zip(video, lengths, strict=True)]
    assert np.allclose(stored(Path("store"), "video"), wanted, rtol=1e-5, atol=1e-6)
    assert open_store("store").ids[4] == "valid$_$0"


def test_splits_as_multibench_pickles_them(here: Path, draw: Draw) -> None:
    splits = {
        split: {"vision": draw(n, 5, 4), "audio": draw(n, 5, 2), "text": draw(n, 5, 6), "labels": draw(n, 1, 1),
                "id": np.array([[f"{split}{k}", "0", "1"] for k in range(n)], dtype=object)[:, :1]}
        for split, n in (("train", 4), ("valid", 2), ("test", 3))
    }  # fmt: skip
    Path("mosi.pkl").write_bytes(pickle.dumps(splits))
    found = import_features("mosi.pkl", "store")
    assert (found.items, found.labelled, found.splits) == (9, 0, {"train": 4, "val": 2, "test": 3})
    assert any("are no classes" in note for note in found.notes)


def test_experts_as_mmt_pickles_them(here: Path, draw: Draw) -> None:
    held = {
        "rgb": {"fixed_seg": {"a": draw(3, 6), "b": draw(4, 6)}, "avg": {"a": draw(6), "b": draw(6)}},
        "vggish": {"fixed_seg": {"a": draw(2, 4), "b": float("nan")}},
    }
    Path("experts.pkl").write_bytes(pickle.dumps(held))
    found = import_features("experts.pkl", "store")
    assert [(one.name, one.shape, dict(one.absent)) for one in found.modalities] == [
        ("rgb", (2, None, 6), {}),
        ("vggish", (2, 2, 4), {"all NaN": 1}),
    ]


def test_files_as_collaborative_experts_has_them(here: Path, draw: Draw) -> None:
    features = defaultdict(list, {"a": draw(6), "b": draw(6), "c": float("nan")})
    Path("resnet-avg.pickle").write_bytes(pickle.dumps(features))
    Path("raw-captions.pkl").write_bytes(pickle.dumps({"a": [["a", "dog"], ["it", "barks"]], "b": [["rain"]]}))
    found = import_features(["resnet-avg.pickle", "raw-captions.pkl"], "store")
    assert (found.items, found.texts, found.modalities[0].name) == (3, 3, "resnet")
    assert found.modalities[0].absent == {"all NaN": 1}


def test_items_of_several_files_are_matched_by_id(here: Path, draw: Draw) -> None:
    first, second = {"a": draw(6), "b": draw(6)}, {"c": draw(4), "b": draw(4)}
    Path("rgb.pkl").write_bytes(pickle.dumps(first))
    np.savez("sound.npz", audio=np.stack(list(second.values())), ids=list(second))
    import_features(["rgb.pkl", "sound.npz"], "store")
    store = open_store("store")
    assert store.ids == ("a", "b", "c")
    assert store.status("rgb")[2] == store.status("audio")[0] == "absent: not in the file"
    assert np.array_equal(store.embeddings("audio").numpy()[1], second["b"])


@pytest.mark.parametrize(
    ("arrays", "more", "said"),
    [
        ({"video": (5, 4), "audio": (4, 4)}, {}, "audio has 4 rows for 5 items"),
        ({"video": (2, 4)}, {"ids": ["a", "a"]}, "several rows of the item 'a'"),
        ({"video": (3, 4), "text": (5, 4)}, {}, "text has 5 rows for 3 items. Say whose each is: --table"),
        (
            {"video": (2, 4), "text": (2, 4)},
            {"ids": ["a", "b"], "ids_txt": ["a", "c"]},
            "a caption of 'c', which is no",
        ),
        ({"video": (2, 0)}, {}, "vectors of no dimensions"),
        ({"video": (2,)}, {}, "holds no features"),
    ],
)
def test_contradictions_end_in_one_sentence(
    arrays: dict[str, tuple[int, ...]], more: dict[str, list[str]], said: str, here: Path, draw: Draw
) -> None:
    np.savez("all.npz", **{name: draw(*shape) for name, shape in arrays.items()}, **more)
    with pytest.raises(UserError, match=said):
        import_features("all.npz", "store")
    assert not Path("store").exists()


def test_ids_that_come_twice_or_too_few(here: Path, draw: Draw) -> None:
    np.save("video.npy", draw(3, 4))
    Path("ids.txt").write_text("a\nb\na\n")
    with pytest.raises(UserError, match=r"names the item 'a' twice, in rows 1 and 3"):
        import_features("video.npy", "store", ids="ids.txt")
    Path("ids.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match="has 3 rows for 2 items"):
        import_features("video.npy", "store", ids="ids.txt")
    Path("ids.csv").write_text("name,clip\nx,a\n")
    with pytest.raises(UserError, match=r"no column 'clp'. Did you mean 'clip'\?"):
        import_features("video.npy", "store", ids="ids.csv:clp")


def test_labels_that_contradict(here: Path, draw: Draw) -> None:
    np.savez("all.npz", video=draw(2, 4), ids=["a", "b"], labels=["dog", "cat"])
    Path("table.csv").write_text("id,label\na,dog\nb,bird\n")
    with pytest.raises(UserError, match="Item 'b' has two labels, 'cat' and 'bird'"):
        import_features("all.npz", "store", table="table.csv")


def test_a_run_that_was_stopped_resumes(here: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    from gramcli.exchange import assemble

    monkeypatch.setattr(assemble, "_SHARD_BYTES", 64 * 4 * 8)
    np.save("video.npy", draw(200, 8))

    class Stop:
        def stage(self, *_: object) -> object:
            def tell(done: int, _total: int) -> None:
                if done >= 128:
                    raise KeyboardInterrupt

            return tell

        def say(self, _: str) -> None:
            return

    with pytest.raises(KeyboardInterrupt):
        import_features("video.npy", "store", watch=Stop())
    kept = {path.name: path.stat().st_mtime_ns for path in Path("store/shards").iterdir()}
    assert len(kept) == 2
    found = import_features("video.npy", "store")
    assert found.items == found.modalities[0].ok == 200
    assert all(Path("store/shards", name).stat().st_mtime_ns == time for name, time in kept.items())
    with pytest.raises(UserError, match="something else"):
        import_features("video.npy", "store", shared_space=True)
    import_features("video.npy", "store", shared_space=True, overwrite=True)


def test_a_finished_import_is_left_as_it_is(here: Path, draw: Draw) -> None:
    np.savez("features.npz", text=draw(5, 8), video=draw(5, 8))
    first = import_features("features.npz", "store", shared_space=True)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path("store").rglob("?*.*")}
    assert import_features("features.npz", "store", shared_space=True) == first
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in Path("store").rglob("?*.*")} == before


def test_files_of_a_folder_that_changed_are_noticed(here: Path, draw: Draw) -> None:
    Path("clips").mkdir()
    for k in range(3):
        np.save(f"clips/item{k}.npy", draw(4))
    import_features("clips", "store")
    np.save("clips/item1.npy", draw(4))
    with pytest.raises(UserError, match="the feature files changed"):
        import_features("clips", "store")


def test_members_that_are_stored_and_packed_lie_side_by_side(here: Path, draw: Draw) -> None:
    video, audio = draw(300, 16), draw(300, 16)
    np.save("video.npy", video)
    np.save("audio.npy", audio)
    with zipfile.ZipFile("both.npz", "w") as archive:
        archive.write("video.npy", compress_type=zipfile.ZIP_STORED)
        archive.write("audio.npy", compress_type=zipfile.ZIP_DEFLATED)
    import_features("both.npz", "store", ids=None)
    assert np.array_equal(stored(Path("store"), "video"), video)
    assert np.array_equal(stored(Path("store"), "audio"), audio)
