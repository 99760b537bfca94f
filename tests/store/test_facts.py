"""A seal is no signature: whoever can write a manifest can seal it, so names, counts and ranges are checked."""

import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gramcli.errors import UserError
from gramcli.store import open_store
from gramcli.store.layout import read_manifest, seal
from tests.store.examples import write

Manifest = dict[str, Any]


def _forge(store: Path, change: Callable[[Manifest], object]) -> None:
    manifest = read_manifest(store)
    change(manifest)
    (store / "manifest.json").write_bytes(seal(manifest))


def _forge_items(store: Path, change: Callable[[list[list[str]]], object]) -> None:
    rows = list(csv.reader(io.StringIO((store / "items.csv").read_text(), newline="")))
    change(rows)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    (store / "items.csv").write_text(text.getvalue())
    _forge(store, lambda m: m.update(items_sha256=hashlib.sha256(text.getvalue().encode()).hexdigest()))


def _named(name: str) -> Callable[[Manifest], object]:
    def change(manifest: Manifest) -> None:
        found = Path(name)
        size = found.stat().st_size if found.is_file() else 1
        manifest["shards"][1] = {"file": name, "bytes": size, "sha256": "0" * 64}

    return change


@pytest.mark.parametrize(
    "change",
    [
        *map(_named, ["/etc/passwd", "../outside", "shards/../../outside", "shards/00000.safetensors", "shards/2", ""]),
        lambda m: m["shards"].pop(),
        lambda m: m["shards"].append(m["shards"][0]),
        lambda m: m.update(shards={}),
        lambda m: m.update(shards=[1, 2, 3]),
        lambda m: m.update(shard_size=0),
        lambda m: m.update(shard_size=2),
        lambda m: m.update(counts={}),
        lambda m: m["counts"].update(items=10**15),
        lambda m: m["shards"][0].update(bytes=-1),
        lambda m: m["shards"][0].update(sha256=None),
    ],
)
def test_shards_of_other_names_and_numbers(change: Callable[[Manifest], object], tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    (tmp_path / "outside").write_text("mine")
    _forge(store, change)
    with pytest.raises(
        UserError,
        match=r"manifest\.json(?:: .* (?:must|is missing)| is not what gram wrote: its shards are not)",
    ) as caught:
        open_store(store)
    assert "Delete" not in caught.value.message and "or delete" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["counts"].update(captions=7), "it counts 7 captions, and items.csv has 6"),
        (lambda m: m["modalities"]["video"].update(rows=8), "what it says of 'video' does not fit"),
        (lambda m: m["modalities"]["video"].update(present=7), "what it says of 'video' does not fit"),
        (lambda m: m["modalities"]["text"].update(dim=-1), r"modalities\[\*\]\.dim must be a whole number of"),
        (lambda m: m["modalities"]["text"].pop("dim"), r"modalities\[\*\]\.dim is missing"),
        (lambda m: m["modalities"].update(video=3), "an entry of modalities must be an object"),
    ],
)
def test_counts_that_lie(change: Callable[[Manifest], object], message: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    _forge(store, change)
    with pytest.raises(UserError, match=rf"manifest\.json(?: is not what gram wrote)?: {message}"):
        open_store(store)


def _set(row: int, column: int, text: str) -> Callable[[list[list[str]]], object]:
    return lambda rows: rows[row].__setitem__(column, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(2, 0, "item 0"), "two items have the id 'item 0'"),
        (_set(2, 0, ""), "an item has no id"),
        (_set(2, 3, "1"), "the text of item 'item 1' cannot be rows 1 to 1, as it begins at 0"),
        (_set(2, 3, "-1"), r"near line 3: '-1' is no number of rows"),
        (_set(3, 4, "0"), "the text of item 'item 2' cannot be rows 1 to 0"),
        (_set(3, 4, "9" * 5000), r"near line 4: '9{20}' is no number of rows"),
        (_set(3, 4, "0x9"), r"near line 4: '0x9' is no number of rows"),
        (_set(1, 5, "perhaps"), "it has the status 'perhaps'"),
        (_set(2, 5, "absent"), "item 'item 1' has 1 rows of text, which its status does not allow"),
        (lambda rows: rows.pop(), "it counts 7 items, and items.csv has 6"),
        (_set(0, 6, "vidoe"), "its columns are not the modalities"),
    ],
)
def test_items_that_lie(change: Callable[[list[list[str]]], object], message: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    _forge_items(store, change)
    with pytest.raises(UserError, match=message):
        open_store(store)


def _swap_captions(rows: list[list[str]]) -> None:
    """Give item 1 the two captions of item 2, and item 2 the one of item 1."""
    rows[2][4] = rows[3][3] = "2"


def test_text_ranges_that_fit_but_are_of_other_items(tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    _forge_items(store, _swap_captions)
    with pytest.raises(UserError, match=r"its rows of text are not those of the items that items\.csv names"):
        open_store(store).caption_items()
    with pytest.raises(UserError, match=r"00000\.safetensors is damaged: it says of its items what items"):
        open_store(store).verify()


@pytest.mark.parametrize("change", [_set(1, 0, "another"), _set(2, 1, "val"), _set(1, 2, "cat")])
def test_verify_compares_items_with_their_shards(change: Callable[[list[list[str]]], object], tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    open_store(store).verify()
    _forge_items(store, change)
    with pytest.raises(UserError, match=r"00000\.safetensors is damaged: its content does not fit the items"):
        open_store(store).verify()


@pytest.mark.parametrize("linked", ["shard", "folder"])
def test_nobody_is_told_to_delete_what_a_link_leads_to(linked: str, tmp_path: Path) -> None:
    store = write(tmp_path / "s")
    inside = store / "shards" / "00001.safetensors" if linked == "shard" else store / "shards"
    outside = inside.rename(tmp_path / "outside")
    inside.symlink_to(outside)
    shard = store / "shards" / "00001.safetensors"
    shard.write_bytes(b"\xff" * shard.stat().st_size)
    with pytest.raises(UserError, match=r"is damaged: .* Restore it from a copy, or write the store anew"):
        open_store(store).embeddings("video")


def test_nobody_is_told_to_delete_a_folder_with_some_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="is not JSON that can be read") as caught:
        open_store(tmp_path)
    assert "Delete" not in caught.value.message and "or delete" not in caught.value.message
