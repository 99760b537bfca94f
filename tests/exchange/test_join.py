"""`gram join`: every vector under its new name with its item, and every contradiction refused with its first case."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.evaluate import evaluate
from gramcli.exchange import join_stores
from gramcli.exchange.joining import NOT_THERE
from gramcli.exchange.operands import parse_operand
from gramcli.exchange.provenance import same_model
from gramcli.inspection.inspect import inspect
from gramcli.store import Store, open_store
from gramcli.store.rows import StoreRows
from tests.exchange.stores import contents, of_ids, written

IDS = [f"clip {k}" for k in range(8)]


def by_item(store: Store, name: str) -> dict[str, np.ndarray]:
    rows = store.embeddings(name).numpy()
    if not name.startswith("text"):
        return dict(zip(store.ids, rows, strict=True))
    owners = store.caption_items()
    return {name: rows[(owners == k).numpy()] for k, name in enumerate(store.ids)}


def permuted(content: dict[str, Any], order: list[int]) -> dict[str, Any]:
    """The same items in another order."""
    owners, places = content["caption_items"], {old: new for new, old in enumerate(order)}
    rows = sorted(range(len(owners)), key=lambda row: places[int(owners[row])])

    def moved(values: Any) -> list[Any]:
        return [values[k] for k in order]

    captions = content["captions"]
    return content | {
        "ids": moved(content["ids"]),
        "splits": moved(content["splits"]),
        "labels": moved(content["labels"]),
        "embeddings": {
            name: found[rows] if name == "text" else found[order] for name, found in content["embeddings"].items()
        },
        "caption_items": np.array([places[int(owners[row])] for row in rows], dtype=np.int64),
        "captions": None if captions is None else [captions[row] for row in rows],
        "status": {name: moved(found) for name, found in content["status"].items()},
    }


@settings(max_examples=40, deadline=None)
@given(content=contents(), data=st.data())
def test_a_join_holds_every_row_of_both_whatever_their_order(content: dict[str, Any], data: st.DataObject) -> None:
    n = len(content["ids"])
    other = permuted(content, data.draw(st.permutations(range(n)))) | {"shard_size": data.draw(st.integers(1, 5))}
    other["embeddings"] = {name: rows for name, rows in other["embeddings"].items() if name != "text"}
    if not other["embeddings"]:
        return
    other |= {"caption_items": None, "captions": None}
    with tempfile.TemporaryDirectory() as folder:
        a, b = written(Path(folder, "a"), content), written(Path(folder, "b"), other)
        renames = {name: f"{name}_b" for name in b.modalities}
        join_stores(a, (b, renames), output=Path(folder, "joined"))
        found = open_store(Path(folder, "joined"))
        found.verify()
        assert found.ids == a.ids
        assert (found.splits, found.labels) == (a.splits, a.labels)
        assert found.dims == {**a.dims, **{f"{name}_b": dim for name, dim in b.dims.items()}}
        for part, names in ((a, {name: name for name in a.modalities}), (b, renames)):
            status = {new: dict(zip(part.ids, part.status(old), strict=True)) for old, new in names.items()}
            for old, new in names.items():
                assert dict(zip(found.ids, found.status(new), strict=True)) == status[new]
                rows = by_item(part, old)
                for item, row in by_item(found, new).items():
                    np.testing.assert_array_equal(row, rows[item])
        before, after = a.caption_digests(), found.caption_digests()
        assert (before is None and after is None) or torch.equal(before, after)


def test_rows_are_read_where_they_lie(tmp_path: Path) -> None:
    store = written(tmp_path / "s", of_ids(IDS, "text", "video"))
    rows = StoreRows(store)
    for name in ("text", "video"):
        wanted = np.array([7, 0, 3, 3, 4, 5, 0])
        np.testing.assert_array_equal(rows.take(name, wanted), store.embeddings(name).numpy()[wanted])
        whole = np.concatenate([rows.shard(name, k) for k in range(rows.n_shards)])
        np.testing.assert_array_equal(whole, store.embeddings(name).numpy())
    assert rows.take("video", np.zeros(0, np.int64)).shape == (0, 4)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Store, Store]:
    """Eight items by one model, the same backwards by another, of another dimension."""
    a = written(tmp_path / "a", of_ids(IDS, "text", "video"))
    return a, written(tmp_path / "b", of_ids(IDS[::-1], "video", "audio", seed=1, dim=6))


def test_what_was_joined_works_with_everything(two: tuple[Store, Store], tmp_path: Path) -> None:
    summary = join_stores(two[0], f"{two[1].path}:video=video_b", output=tmp_path / "ab")
    assert summary.items == 8
    assert "2 models (model 0, model 1)" in summary.notes[-1]
    store = open_store(tmp_path / "ab")
    assert not store.shared_space
    assert store.dims == {"text": 4, "video": 4, "video_b": 6, "audio": 6}
    parts = store.manifest["model"]["parts"]
    assert [one["fingerprint"] for one in parts] == [one.fingerprint() for one in two]
    assert parts[1]["embeddings"] == {"video_b": "video", "audio": "audio"}
    assert [one["model"]["id"] for one in parts] == ["model 0", "model 1"]
    found = evaluate(store, query="video_b", candidates="audio", methods=["cosine"])
    apart = evaluate(two[1], query="video", candidates="audio", methods=["cosine"])
    ranks = [dict(zip(one.ranks[0].query_ids, one.ranks[0].ranks, strict=True)) for one in (found, apart)]
    assert ranks[0] == ranks[1]
    assert (
        "Of this joined store only text and video; video_b and audio share a space: other scores across modalities "
        "are chance until they are aligned."
    ) in found.notes
    assert compare(f"{tmp_path / 'ab'}@cosine", f"{tmp_path / 'a'}@cosine", tasks=["t2v"]).rows
    assert dict(inspect(store).facts)["model"] == "model 0, model 1"


def test_parts_of_one_model_share_its_space(tmp_path: Path) -> None:
    a = written(tmp_path / "a", of_ids(IDS, "text"))
    b = written(tmp_path / "b", of_ids(IDS, "video"))
    summary = join_stores(a, b, output=tmp_path / "ab")
    assert summary.shared_space
    assert open_store(tmp_path / "ab").manifest["model"]["id"] == "model 0"
    assert open_store(tmp_path / "ab").manifest["dataset"] == a.manifest["dataset"]


def test_the_same_again_is_left_as_it_is_and_another_is_refused(two: tuple[Store, Store], tmp_path: Path) -> None:
    parts = (two[0], (two[1], {"video": "video_b"}))
    join_stores(*parts, output=tmp_path / "ab")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ab").rglob("*") if path.name != ".lock"}
    assert join_stores(*parts, output=tmp_path / "ab").shards_reused == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other = (two[0], (two[1], {"video": "video_c"}))
    with pytest.raises(UserError, match=r"something else.*model\.parts changed") as caught:
        join_stores(*other, output=tmp_path / "ab")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))
    join_stores(*other, output=tmp_path / "ab", overwrite=True)
    assert "video_c" in open_store(tmp_path / "ab").modalities


def test_a_killed_join_resumes_at_the_shard_it_was_at(two: tuple[Store, Store], tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    class Killer:
        def stage(self, label: str, unit: str = "items") -> Any:
            def kill(done: int, total: int, words: str = "") -> None:
                if done == 2:
                    raise KilledError

            return kill

        def say(self, message: str) -> None:
            raise AssertionError(message)

    parts = (two[0], (two[1], {"video": "video_b"}))
    with pytest.raises(KilledError, match=r"^$"):
        join_stores(*parts, output=tmp_path / "ab", watch=Killer())
    assert join_stores(*parts, output=tmp_path / "ab").shards_reused == 2
    join_stores(*parts, output=tmp_path / "whole")
    assert open_store(tmp_path / "ab").fingerprint() == open_store(tmp_path / "whole").fingerprint()


def test_one_name_in_two_stores(two: tuple[Store, Store], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'video' would come from both .*a and .*b; rename .*: .*b:video=video_b$"):
        join_stores(*two, output=tmp_path / "ab")
    assert not (tmp_path / "ab").exists()


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        ({"vidoe": "x"}, "holds no 'vidoe' to rename. Did you mean 'video'"),
        ({"video": "audio"}, "Two embeddings of .* would be called 'audio'"),
        ({"video": "text"}, "'video' of .* has one row for each item, so it cannot be called 'text'"),
        ({"video": "a:b"}, "'a:b' cannot name an embedding"),
        ({"video": "label"}, "'label' cannot name an embedding"),
    ],
)
def test_renames_that_cannot_be(renames: Any, message: str, two: tuple[Store, Store], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        join_stores(two[0], (two[1], {"video": "video_b"} | renames), output=tmp_path / "ab")


def test_operands_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_operand("a:b") == ("a:b", {})
    assert parse_operand("lr:1/x:video=v") == ("lr:1/x", {"video": "v"})
    assert parse_operand("x:a=b/c") == ("x:a=b/c", {})
    Path("x:a=b").mkdir()
    assert parse_operand("x:a=b") == ("x:a=b", {})
    assert parse_operand("x:a=b:a=c") == ("x:a=b", {"a": "c"})
    with pytest.raises(UserError, match="two new names"):
        parse_operand("x:a=b,a=c")


def test_other_items(tmp_path: Path) -> None:
    a = written(tmp_path / "a", of_ids(IDS[:6], "text", "video"))
    b = written(tmp_path / "b", of_ids([*IDS[7:1:-1]], "audio", seed=1))
    with pytest.raises(
        UserError, match=r"a lacks 2 of the 8, such as 'clip 7'; .*b lacks 2 of the 8, such as 'clip 0'"
    ):
        join_stores(a, b, output=tmp_path / "ab")
    some = join_stores(a, b, output=tmp_path / "some", items="intersection")
    assert open_store(tmp_path / "some").ids == tuple(IDS[2:6])
    assert "the 4 items that all have (--items intersection)" in some.notes[0]
    join_stores(a, b, output=tmp_path / "all", items="union")
    found = open_store(tmp_path / "all")
    assert found.ids == (*IDS[:6], "clip 7", "clip 6")
    assert found.status("audio") == [NOT_THERE] * 2 + ["ok"] * 6
    assert found.status("text") == ["ok"] * 6 + [NOT_THERE] * 2
    assert not found.embeddings("audio")[:2].any()
    with pytest.raises(UserError, match="No id is in all"):
        join_stores(a, written(tmp_path / "c", of_ids(["x"], "depth")), output=tmp_path / "o", items="intersection")
    with pytest.raises(UserError, match="--items 'each' is none of"):
        join_stores(a, b, output=tmp_path / "o", items="each")


@pytest.mark.parametrize("what", ["split", "label"])
def test_contradictions_of_splits_and_labels(what: str, tmp_path: Path) -> None:
    a = written(tmp_path / "a", of_ids(IDS, "text", **{f"{what}s": ["one", None] * 4}))
    known = written(tmp_path / "b", of_ids(IDS, "video", **{f"{what}s": [None, "two"] * 4}))
    join_stores(a, known, output=tmp_path / "ab")
    found = open_store(tmp_path / "ab")
    assert (found.splits if what == "split" else found.labels) == ("one", "two") * 4
    other = written(tmp_path / "c", of_ids(IDS, "video", **{f"{what}s": ["one", None, "x", "y"] * 2}))
    with pytest.raises(UserError, match=rf"'clip 2' has the {what} 'one' in .*a and 'x' in .*c, and 1 more differ"):
        join_stores(a, other, output=tmp_path / "ac")


def test_heads_stay_known_by_what_they_saw(tmp_path: Path) -> None:
    model = {
        "id": "heads",
        "shared_space": True,
        "heads": {"dataset": "made", "trained": IDS[:2], "selected": IDS[2:3]},
    }
    a = written(tmp_path / "a", of_ids(IDS, "text", "video", model=model))
    b = written(tmp_path / "b", of_ids(IDS, "audio", seed=1))
    join_stores(a, b, output=tmp_path / "ab")
    with pytest.raises(UserError, match="trained this store's heads"):
        evaluate(tmp_path / "ab", tasks=["t2v"], methods=["cosine"])


@pytest.mark.parametrize("output", ["a", "a/inside"])
def test_an_output_that_is_read(output: str, two: tuple[Store, Store], tmp_path: Path) -> None:
    parts = (two[0], (two[1], {"video": "video_b"}))
    before = two[0].fingerprint()
    with pytest.raises(UserError, match="is read, or lies in it"):
        join_stores(*parts, output=tmp_path / output, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UserError, match="is read, or lies in it"):
        join_stores(*parts, output=tmp_path / "link", overwrite=True)
    open_store(tmp_path / "a").verify()
    assert open_store(tmp_path / "a").fingerprint() == before


def test_a_damaged_shard_is_named(two: tuple[Store, Store], tmp_path: Path) -> None:
    shard = two[1].path / "shards/00001.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"00001.safetensors is damaged: it is not the file that was written"):
        join_stores(two[0], (two[1], {"video": "video_b"}), output=tmp_path / "ab")


def test_one_store_is_too_few(two: tuple[Store, Store], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least two stores"):
        join_stores(two[0], output=tmp_path / "ab")


def test_two_imports_are_never_taken_for_one_model():
    """Files of one name say nothing of what made them: their spaces are not known to be one."""
    model = {"id": "features", "shared_space": True, "imported": {"formats": ["arrays"]}}
    assert not same_model(model, dict(model))
    assert same_model({"id": "a", "shared_space": True}, {"id": "a", "shared_space": True})
