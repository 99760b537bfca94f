"""Where a store's items came from: its captions and media are found again, for showing them only.

`origin.json` lies beside the manifest and is no part of the store's identity: it holds absolute paths of one machine.
What is found is held against the digests in the store, so that a changed dataset shows nothing instead of other things.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from gramcli.datasets import Dataset, Item, open_dataset
from gramcli.embedding.reading import identity
from gramcli.errors import UserError
from gramcli.files.reading import read_regular
from gramcli.files.writing import disk_errors, write_atomic
from gramcli.results.schema import Source, read_json
from gramcli.store.layout import INPUTS, canonical, input_digest, read_inputs, text_digest
from gramcli.store.reader import Store, open_store

ORIGIN: Final = "origin.json"


class _Origin(msgspec.Struct):
    """As `gramcli.datasets.items.Origin`, with the folder that paths in the store's digests start from."""

    data: str
    media_root: str
    root: str | None = None
    split: str | None = None
    protocol: str | None = None
    text_only: bool = False


@dataclass(frozen=True)
class Originals:
    """What is behind a store's items, as far as it was found unchanged.

    Attributes:
        captions: Text row of the store -> its text.
        media: Item id -> modality -> its file.
        note: Why something is missing, one sentence; empty where everything was found.
    """

    captions: Mapping[int, str] = field(default_factory=dict)
    media: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    note: str = ""


def write_origin(store: Path, dataset: Dataset) -> None:
    """Write where a dataset was opened from into the folder of its store; nothing where it was made in memory.

    Args:
        store: The store's folder, which the caller is writing.
        dataset: What it holds embeddings of.

    Raises:
        OSError: The disk refuses.
    """
    if dataset.origin is None:
        return
    record = asdict(dataset.origin) | {"media_root": str(dataset.media_root)}
    data = (json.dumps(record, indent=2) + "\n").encode("ascii")
    try:
        same = read_regular(store / ORIGIN, len(data)) == data
    except OSError:
        same = False
    if not same:
        write_atomic(store / ORIGIN, data)


def take_origin(store: Store, output: Path) -> None:
    """Let a finished store of the same items, or of some of them, say that it came from where `store` did.

    Args:
        store: Where the items are from.
        output: The folder of the other store.

    Raises:
        UserError: The disk refuses, or what is to be copied is damaged.
    """
    try:
        origin = read_regular(store.path / ORIGIN)
    except OSError:
        return
    known = dict(zip(store.ids, read_inputs(store.path, len(store.ids)), strict=False))
    with disk_errors(output):
        if known:
            write_atomic(output / INPUTS, canonical([known[name] for name in open_store(output).ids]))
        write_atomic(output / ORIGIN, origin)


def originals(store: Store, data: str | None = None, root: str | Path | None = None) -> Originals:
    """Find the captions and media files behind a store's items.

    Args:
        store: An open store.
        data: Folder, manifest or dataset name to look in; by default where the store was embedded from.
        root: Where that starts from.

    Returns:
        What is there and is what was embedded. Nothing is raised for what is gone or changed: the note says it.

    Raises:
        UserError: `data` was named and cannot be opened.
    """
    if data is not None:
        found = open_dataset(data, None if root is None else Path(root), split="all")
        return _matched(store, found, found.media_root)
    try:
        record = _read(store.path)
        found = open_dataset(
            record.data,
            None if record.root is None else Path(record.root),
            split=record.split,
            protocol=record.protocol,
            text_only=record.text_only,
        )
    except FileNotFoundError:
        return Originals(note=f"{store.path} does not say where its media and captions lie, so ids are shown.")
    except (UserError, OSError) as error:
        return Originals(note=f"What {store.path} was embedded from is not shown: {error}")
    return _matched(store, found, Path(record.media_root))


def _read(store: Path) -> _Origin:
    path = store / ORIGIN
    return read_json(read_regular(path), _Origin, Source(path, "store", "Remove it: nothing else depends on it."))


def _matched(store: Store, dataset: Dataset, media_root: Path) -> Originals:
    items = {item.id: item for item in dataset.items}
    captions = _captions(store, items)
    media = _media(store, items, media_root)
    texts, files = store.manifest["counts"]["captions"], sum(len(one) for one in _recorded(store))
    lost = [
        f"{n - found:,} of {n:,} {what}"
        for what, n, found in (("captions", texts, len(captions)), ("files", files, sum(map(len, media.values()))))
        if found < n
    ]
    note = f"Not shown, for they are gone or are not what was embedded: {' and '.join(lost)}." if lost else ""
    return Originals(captions, media, note)


def _captions(store: Store, items: Mapping[str, Item]) -> dict[int, str]:
    """The texts whose digests are those of the store's rows."""
    digests = store.caption_digests()
    if digests is None:
        return {}
    found, row = {}, 0
    known = digests.tolist()
    for entry in store.rows:
        texts = items[entry.id].captions if entry.id in items else ()
        for k in range(entry.captions):
            if k < len(texts) and text_digest(texts[k]) == known[row + k]:
                found[row + k] = texts[k]
        row += entry.captions
    return found


def _recorded(store: Store) -> list[dict[str, str]]:
    """Per item, modality -> digest of the file that it was embedded from."""
    inputs = read_inputs(store.path, len(store.ids))
    return [{name: one for name, one in entry.items() if name not in ("text", "subtitle")} for entry in inputs]


def _media(store: Store, items: Mapping[str, Item], root: Path) -> dict[str, dict[str, Path]]:
    """The files whose path below the root, size and time are those that were embedded."""
    found = {}
    for name, digests in zip(store.ids, _recorded(store), strict=False):
        media = items[name].media if name in items else {}
        same = {kind: path for kind, path in media.items() if kind in digests and _is(path, root, digests[kind])}
        if same:
            found[name] = same
    return found


def _is(path: Path, root: Path, digest: str) -> bool:
    return path.is_relative_to(root) and input_digest(identity(path, root)) == digest
