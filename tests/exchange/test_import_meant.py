"""What the arrays of users mean: captions of an item, masks, repeated rows, names, trees of folders, models."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli import UserError, compare, import_features, open_store
from gramcli.exchange import join_stores
from tests.exchange.conftest import Draw

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def vectors(name: str, store: str = "store") -> np.ndarray:
    return open_store(store).embeddings(name).numpy()


def table_of(counts: dict[str, int], path: str = "table.csv") -> None:
    with Path(path).open("w", newline="") as file:
        rows = [(one, f"{one} says {k}") for one, n in counts.items() for k in range(n)]
        csv.writer(file).writerows([("id", "caption"), *rows])


def said(notes: tuple[str, ...], words: str) -> bool:
    return any(words in one for one in notes)


def test_as_many_captions_as_the_table_has_of_each_item(here: Path, draw: Draw) -> None:
    text = draw(4, 3, 5)
    text[2, 1] = np.nan
    np.save("text.npy", text)
    np.save("video.npy", draw(4, 5))
    table_of({"b": 3, "a": 3, "d": 3, "c": 3})
    found = import_features(["text.npy", "video.npy"], "store", table="table.csv")
    assert (found.captions, found.texts, found.modalities[0].time_axis) == (11, 12, None)
    assert said(found.notes, "3 captions of each item")
    kept = np.delete(text.reshape(12, 5), 7, axis=0)
    assert np.array_equal(vectors("text"), kept)
    assert np.array_equal(open_store("store").caption_items().numpy(), [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3])


def test_captions_of_items_follow_ids_that_stand_in_another_order(here: Path, draw: Draw) -> None:
    text = draw(3, 2, 5)
    np.savez("x.npz", text=text, video=draw(3, 5), ids=["a", "b", "c"])
    table_of({"c": 2, "a": 2, "b": 2})
    import_features("x.npz", "store", table="table.csv")
    store = open_store("store")
    assert store.ids == ("a", "b", "c")
    assert np.array_equal(vectors("text"), text.reshape(6, 5))
    assert store.caption_digests() is not None


@pytest.mark.parametrize("how", ["--time-axis", "counts", "lengths"])
def test_tokens_stay_tokens(how: str, here: Path, draw: Draw) -> None:
    text = draw(4, 3, 5)
    lengths = {"text_lengths": [3, 2, 1, 3]} if how == "lengths" else {}
    np.savez("x.npz", text=text, video=draw(4, 5), **lengths)
    table_of({"a": 3, "b": 3, "c": 3, "d": 2 if how == "counts" else 3})
    time_axis = 0 if how == "--time-axis" else None
    found = import_features("x.npz", "store", table="table.csv", time_axis=time_axis)
    assert (found.captions, found.modalities[0].time_axis) == (4, 0)


def test_masks_say_which_steps_count(here: Path, draw: Draw) -> None:
    text, video = draw(3, 5), draw(3, 4, 5)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    np.savez("x.npz", sequence_output=text, visual_output=video, video_mask=mask)
    found = import_features("x.npz", "store")
    assert [one.name for one in found.modalities] == ["text", "video"]
    assert np.allclose(vectors("video")[:2], [video[0, :2].mean(0), video[1].mean(0)], rtol=1e-6)
    assert open_store("store").status("video")[2] == "absent: no time steps"


def test_masks_with_gaps_and_an_axis_of_one(here: Path, draw: Draw) -> None:
    video = draw(2, 4, 5)
    mask = np.array([[[0, 1, 0, 1]], [[1, 1, 1, 1]]], bool)
    np.savez("x.npz", visual_output=video, video_mask=mask)
    import_features("x.npz", "store")
    assert np.allclose(vectors("video"), [video[0, [1, 3]].mean(0), video[1].mean(0)], rtol=1e-6)


@pytest.mark.parametrize("mask", [np.ones((2, 3)), np.full((2, 4), 2), np.array([[1, 1, np.nan, 1]] * 2)])
def test_masks_that_are_none_are_refused(mask: np.ndarray, here: Path, draw: Draw) -> None:
    np.savez("x.npz", visual_output=draw(2, 4, 5), video_mask=mask)
    with pytest.raises(UserError, match="video_mask"):
        import_features("x.npz", "store")


@pytest.mark.parametrize("groups", [2, 100])
def test_equal_rows_of_an_item_are_one(groups: int, here: Path, draw: Draw) -> None:
    video, text = draw(3, 4), draw(6, 4)
    ids = ["a", "a", "b", "c", "c", "c"]
    rows = {"id": ids, "caption": list("uvwxyz"), "video": video[[0, 0, 1, 2, 2, 2]].tolist(), "text": text.tolist()}
    pq.write_table(pa.table(rows), "long.parquet", row_group_size=groups)
    found = import_features("long.parquet", "store")
    assert (found.items, found.captions, found.texts) == (3, 6, 6)
    assert said(found.notes, "3 rows that repeat")
    assert np.array_equal(vectors("video"), video)
    rows["video"][4][0] += 1
    pq.write_table(pa.table(rows), "other.parquet")
    with pytest.raises(UserError, match="has several rows of the item 'c' that differ"):
        import_features("other.parquet", "other")


@pytest.mark.parametrize("kind", ["column", "steps", "long"])
def test_a_cell_that_is_null_is_called_so(kind: str, here: Path, draw: Draw) -> None:
    values = draw(3, 4).tolist() if kind != "steps" else draw(3, 2, 4).tolist()
    values = [values[0], None, values[2]]
    nested = pa.list_(pa.float32()) if kind != "steps" else pa.list_(pa.list_(pa.float32()))
    more = {"modality": ["video"] * 3} if kind == "long" else {}
    name = "vector" if kind == "long" else "video"
    pq.write_table(pa.table({"id": ["a", "b", "c"], **more, name: pa.array(values, nested)}), "x.parquet")
    found = import_features("x.parquet", "store")
    assert found.modalities[0].absent == {"null": 1}
    assert open_store("store").status("video") == ["ok", "absent: null", "ok"]


@pytest.mark.parametrize(
    ("stem", "meant"), [("text3", "text"), ("text3d", "text"), ("t_nan", "text"), ("vid1", "video")]
)
def test_a_name_that_is_nearly_one_is_said(stem: str, meant: str, here: Path, draw: Draw) -> None:
    np.save(f"{stem}.npy", draw(4, 5))
    np.save("audio.npy", draw(4, 5))
    words = (
        f"'{stem}' was taken for a modality of its own. If it is {meant}, write {meant}=FILE or --rename {stem}={meant}"
    )
    found = import_features([f"{stem}.npy", "audio.npy"], "store")
    assert said(found.notes, words)
    assert not said(import_features([f"{stem}={stem}.npy", "audio.npy"], dry_run=True).notes, "of its own")
    np.save(f"{stem}.npy", draw(6, 5))
    with pytest.raises(UserError, match=f"'{stem}' was taken for a modality of its own"):
        import_features([f"{stem}.npy", "audio.npy"], "store")


def test_the_folder_below_that_is_meant_is_named(here: Path, draw: Draw) -> None:
    leaf = Path("cb/ViT-B-32/laion")
    leaf.mkdir(parents=True)
    torch.save(torch.from_numpy(draw(3, 4)), leaf / "features_test.pt")
    torch.save(torch.tensor([0, 1, 0]), leaf / "targets_test.pt")
    with pytest.raises(UserError, match=f"Its folder {leaf} is of the format 'clip-benchmark': name that"):
        import_features("cb", dry_run=True)
    assert said(import_features(leaf, dry_run=True).notes, "taken for images")


def test_facts_of_a_shard_that_disagree_are_refused(here: Path, draw: Draw) -> None:
    wds = pytest.importorskip("webdataset")
    held = {"__key__": "a", "video.npy": draw(4), "cls": 1, "json": {"label": 1, "class": "dog"}}
    with wds.TarWriter("x.tar") as out:
        out.write(held)
    assert import_features("x.tar", "store").labels == 1
    with wds.TarWriter("y.tar") as out:
        out.write(held | {"json": {"label": 2}})
    with pytest.raises(UserError, match=r"gives the item 'a' the label '[12]', and another member '[12]'"):
        import_features("y.tar", "other")


def imported(name: str, draw: Draw, dim: int = 4, **more: object) -> None:
    np.save(f"{name}.npy", draw(5, dim))
    import_features(f"{name}.npy", name, **more)


def test_imports_of_one_named_model_share_its_space(here: Path, draw: Draw) -> None:
    for name in ("text", "video"):
        imported(name, draw, model="CLIP4Clip", shared_space=True)
    found = join_stores("text", "video", output="both")
    assert found.shared_space is True
    store = open_store("both")
    assert store.shared_space and store.manifest["model"]["id"] == "CLIP4Clip"


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({"shared_space": True}, {"shared_space": True}, None),
        ({"model": "a", "shared_space": True}, {"shared_space": True}, None),
        ({"model": "a", "shared_space": True}, {"model": "a"}, None),
        ({"model": "a"}, {"model": "a"}, None),
        ({"model": "a", "shared_space": True}, {"model": "b", "shared_space": True}, False),
        ({"model": "a", "shared_space": True}, {"model": "a", "shared_space": False}, False),
        ({"shared_space": True}, {"shared_space": True, "dim": 6}, False),
    ],
)
def test_what_is_not_known_of_imports_is_not_known_of_their_join(
    first: dict[str, object], second: dict[str, object], shared: bool | None, here: Path, draw: Draw
) -> None:
    imported("text", draw, **first)  # type: ignore[arg-type]
    imported("video", draw, **second)  # type: ignore[arg-type]
    found = join_stores("text", "video", output="both")
    assert found.shared_space is shared
    assert open_store("both").space_unknown == (shared is None)
    if shared is None:
        assert said(found.notes, "--model NAME")


def test_a_comparison_of_two_imports_says_how_to_name_their_items(here: Path, draw: Draw) -> None:
    for name in ("one", "two"):
        np.savez(f"{name}.npz", text=draw(5, 4), video=draw(5, 4))
        import_features(f"{name}.npz", name, shared_space=True)
        import_features(f"{name}.npz", f"{name}_named", shared_space=True, dataset="clips", model=name)
    with pytest.raises(UserError, match="import both with --dataset NAME"):
        compare("one", "two", tasks=["t2v"])
    assert compare("one_named", "two_named", tasks=["t2v"]).rows


def test_a_dataset_of_many_names_is_read_once_and_items_are_not_kept_open(here: Path, draw: Draw) -> None:
    h5py = pytest.importorskip("h5py")
    from gramcli.exchange.hdf5 import tree_of

    with h5py.File("x.h5", "w") as file:
        file["video"], file["again"] = draw(3, 4), draw(3, 4)
        file["one"] = np.array(["a", "b", "c"], h5py.string_dtype())
        file["other"] = file["one"]
    tree = tree_of(Path("x.h5"))
    assert tree["one"] is tree["other"] and tree["one"] == ["a", "b", "c"]
    assert h5py.h5f.get_obj_count(types=h5py.h5f.OBJ_DATASET) == 0
    assert tree["video"].read(np.arange(3)).shape == (3, 4)


def test_much_that_was_never_written_is_refused_whatever_number_of_objects_hold_it(here: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File("x.h5", "w") as file:
        for k in range(40):
            file.create_dataset(f"v{k}", (4096, 512), "f4", chunks=(64, 512))
    with pytest.raises(UserError, match="as no features do"):
        import_features("x.h5", dry_run=True)


@pytest.mark.parametrize("dry_run", [False, True])
def test_infinity_and_single_values_that_are_left_out_are_counted(dry_run: bool, here: Path, draw: Draw) -> None:
    video, audio = draw(3, 4, 5), draw(3, 4, 5)
    video[0, 1] = np.inf
    video[1, 2, 3] = np.inf
    video[2, 0, 0] = np.nan
    audio[0, 3] = -np.inf
    audio[1, 3] = 0
    np.savez("x.npz", video=video, audio=audio)
    notes = import_features("x.npz", None if dry_run else "store", dry_run=dry_run).notes
    assert said(notes, "video: 2 time steps hold infinity, which was left out.")
    assert said(notes, "video: 1 time step lacks single values (NaN or -inf), left out of their dimensions alone.")
    assert not said(notes, "audio:")


def test_what_a_join_did_not_know_the_next_does_not_know(here: Path, draw: Draw) -> None:
    for name in ("text", "video", "audio"):
        imported(name, draw, shared_space=True)
    join_stores("text", "video", output="both")
    assert join_stores("both", "audio", output="all").shared_space is None
