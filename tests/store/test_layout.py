"""Plans refuse what cannot be stored; manifests refuse what was not written by us."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.store.differences import differences
from gramcli.store.layout import (
    INPUTS,
    MANIFEST,
    Plan,
    PlannedItem,
    failed,
    read_inputs,
    read_manifest,
    seal,
)
from tests.store.examples import make_plan, write


@given(n=st.integers(1, 300), shard_size=st.integers(1, 100))
def test_shards_cover_every_item_once(n: int, shard_size: int) -> None:
    plan = make_plan(n, shard_size=shard_size)
    positions = [position for index in range(plan.n_shards) for position in plan.shard_range(index)]
    assert positions == list(range(n))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": ()}, "no item to store"),
        ({"items": (PlannedItem("a"), PlannedItem("a"))}, "Two items have the id 'a'"),
        ({"items": (PlannedItem("a"), PlannedItem(""))}, "Item number 2 has an empty id"),
        ({"items": (PlannedItem("a\udcff"),)}, r"id 'a\\udcff' is not valid Unicode"),
        ({"items": (PlannedItem("a" * 70_000),)}, "has 70000 characters"),
        ({"shard_size": 0}, "1 to 65536 items; got 0"),
        ({"dims": {"text_start": 3}}, "'text_start' cannot name an embedding"),
        ({"dims": {"a.b": 3}}, "'a.b' cannot name an embedding"),
        ({"dims": {"vas": 0}}, "'vas' has dimension 0"),
    ],
)
def test_impossible_plans(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(**changes)


def _identity(**changes: Any) -> dict[str, Any]:
    return make_plan(**changes).identity()


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"shard_size": 5}, "shard_size was 3, now 5"),
        ({"model": {"id": "hf:x"}}, "model.id was signal, now hf:x"),
        ({"dataset": {"id": "other"}}, "dataset.id was clips, now other"),
        ({"dims": {"text": 4, "video": 9}}, "modalities.video.dim was 3, now 9"),
        ({"n": 8}, "the ids changed"),
        ({"sources": {"media files": "x"}}, r"the media files changed \(a path, size or modification time\)"),
    ],
)
def test_differences_are_named(changes: dict[str, Any], phrase: str, tmp_path: Path) -> None:
    old = read_manifest(write(tmp_path / "s"))
    assert differences(old, _identity()) == []
    with pytest.raises(UserError, match=phrase):
        write(tmp_path / "s", make_plan(**changes))


def _tampered(store: Path, change: Any) -> Path:
    document = json.loads((store / MANIFEST).read_text())
    change(document)
    (store / MANIFEST).write_text(json.dumps(document))
    return store


def test_newer_format(tmp_path: Path) -> None:
    store = _tampered(write(tmp_path / "s"), lambda manifest: manifest.update(format=3))
    with pytest.raises(UserError, match="written by a newer gramcli: format 3, this one reads 2; upgrade"):
        read_manifest(store)
    with pytest.raises(UserError, match="newer gramcli"):
        write(store, overwrite=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["counts"].update(items=6),
        lambda manifest: manifest["modalities"].pop("video"),
        lambda manifest: manifest.update(shards=[]),
        lambda manifest: manifest.pop("content_sha256"),
    ],
)
def test_edited_manifest(change: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"manifest\.json was changed after gram wrote it"):
        read_manifest(_tampered(write(tmp_path / "s"), change))


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"format": 1', "[" * 100_000])
def test_unreadable_manifest(text: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    (store / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is not JSON that can be read"):
        read_manifest(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(model=3), "model must be an object; got a whole number"),
        (lambda manifest: manifest["model"].update(heads=[1]), "model.heads must be an object or null; got a list"),
        (
            lambda manifest: manifest["modalities"].update(video=None),
            "an entry of modalities must be an object",
        ),
        (lambda manifest: manifest["modalities"]["video"].update(dim=0), "an entry of modalities.dim|of at least 1"),
        (lambda manifest: manifest["shards"][0].pop("file"), r"shards\[0\]\.file is missing"),
        (lambda manifest: manifest["shards"].append("x"), "must be an object; got a string"),
        (lambda manifest: manifest.update(complete="yes"), "complete must be true or false; got a string"),
    ],
)
def test_a_forged_manifest_is_refused_with_its_field(change: Any, message: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    manifest = json.loads((store / MANIFEST).read_text())
    del manifest["content_sha256"]
    change(manifest)
    (store / MANIFEST).write_bytes(seal(manifest))
    with pytest.raises(UserError, match=message):
        read_manifest(store)


@pytest.mark.parametrize("number", ["NaN", "1e999", "9" * 5_000])
def test_numbers_that_json_lacks_are_refused_in_a_manifest(number: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    text = (store / MANIFEST).read_text().replace('"shard_size": 3', f'"shard_size": {number}')
    assert number in text
    (store / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is not JSON that can be read"):
        read_manifest(store)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "the document must be a list; got an object"),
        ("[1]", r"must be an object; got a whole number"),
        ("[{}]", "is of 1 items, the store of 7"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"video": NaN}]', "NaN is no number"),
    ],
)
def test_damaged_inputs_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / INPUTS).write_text(text)
    with pytest.raises(UserError, match=message):
        read_inputs(tmp_path, 7)


@pytest.mark.parametrize("text", ["{}", "[]", "3", '{"name": "web app"}', '{"format": true, "plan_sha256": ""}'])
def test_manifest_of_something_else(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match="is not the manifest of an embedding store"):
        read_manifest(tmp_path)


@given(st.text())
def test_reasons_are_one_storable_line(reason: str) -> None:
    status = failed(reason)
    assert status.startswith("failed: ")
    assert len(status.splitlines()) == 1
    assert len(status) <= 508
    status.encode("utf-8")


def test_plan_identity_ignores_how_json_is_spelled() -> None:
    plan = make_plan(model={"id": "x", "sizes": (1, 2)})
    same = Plan(**{**vars(plan), "model": {"sizes": [1, 2], "id": "x"}})
    assert plan.identity() == same.identity()
