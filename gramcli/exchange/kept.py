"""A manifest of a store's items without those that were flagged, which `gram embed` reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from gramcli.embedding.origin import Originals, originals
from gramcli.errors import UserError
from gramcli.files.owned import refuse_owned
from gramcli.files.writing import replacing
from gramcli.results.scores import Scores
from gramcli.store.reader import Store, open_store
from gramcli.store.splits import chosen_items

MEDIA: Final = ("video", "audio", "image", "depth")
_PIECE: Final = 10_000
Row = dict[str, Any]


def check_manifest_path(path: Path) -> None:
    """Refuse a suffix that is no manifest's, before any work is done.

    Raises:
        UserError: It is another one.
    """
    if path.suffix.lower() not in _FORMS:
        raise UserError("usage", f"--keep {path}: a manifest ends in {' or '.join(_FORMS)}.")


def write_kept(path: Path, store: str | Path | Store, found: Scores, behind: Originals | None = None) -> list[str]:
    """Write the items that were asked for without the flagged ones.

    Of captions that were scored one by one, the flagged ones are left out, and an item with its last. An item that was
    not scored, for it lacks a modality, was not judged and is kept.

    Args:
        path: The manifest, .csv or .jsonl.
        store: What was scored.
        found: What was found of it.
        behind: Captions and media of the items; None looks for them where the store says it was made from.

    Returns:
        What was written, and what is not in it, one sentence each.

    Raises:
        UserError: Another suffix, or the file cannot be written.
    """
    check_manifest_path(path)
    refuse_owned(path)
    opened = store if isinstance(store, Store) else open_store(store)
    behind = originals(opened) if behind is None else behind
    kept = _Kept(opened, found, behind)
    rows = list(kept.rows())
    if not rows:
        raise UserError("input", f"--keep {path}: every item was flagged, so there is nothing to keep.")
    try:
        with replacing(path.resolve()) as file:
            _FORMS[path.suffix.lower()](file, rows)
    except OSError as error:
        raise UserError(
            "failed", f"--keep {path} could not be written: {error.strerror}. Name another file."
        ) from error
    return [f"Wrote {path}: {len(rows):,} of {kept.asked:,} items.", *kept.notes(rows)]


class _Kept:
    """The items that stay."""

    def __init__(self, store: Store, found: Scores, behind: Originals) -> None:
        self._store, self._behind = store, behind
        split, limit = found.provenance["split"], found.provenance["limit"]
        self._places = chosen_items(store, split, limit).tolist()
        self.asked = len(self._places)
        self._captions = {
            int(row) for one in found.scores if one.texts is not None for row in one.texts[one.columns["flagged"]]
        }
        self._by_item = all(one.texts is None for one in found.scores)
        self._flagged = found.flagged if self._by_item else frozenset[str]()
        scored = {name for one in found.scores for name in one.ids}
        self._unscored = sum(store.ids[k] not in scored for k in self._places)

    def rows(self) -> Iterator[Row]:
        """One row per item that stays."""
        starts, first = [], 0
        for entry in self._store.rows:
            starts.append(first)
            first += entry.captions
        for k in self._places:
            entry = self._store.rows[k]
            texts = range(starts[k], starts[k] + entry.captions)
            left = [row for row in texts if row not in self._captions]
            if entry.id in self._flagged or (texts and not left):
                continue
            yield self._row(entry.id, entry.label, entry.split, left)

    def _row(self, name: str, label: str | None, split: str | None, texts: Sequence[int]) -> Row:
        media = self._behind.media.get(name, {})
        row: Row = {"id": name}
        for kind in MEDIA:
            if kind in media and not (kind == "audio" and media[kind] == media.get("video")):
                row[kind] = str(media[kind])
        captions = [self._behind.captions[k] for k in texts if k in self._behind.captions]
        return row | ({"caption": captions} if captions else {}) | _named(label=label, split=split)

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """What the manifest lacks."""
        said = []
        if self._unscored:
            said.append(f"{self._unscored:,} items lack a modality of the task: they were not judged, and are kept.")
        if not any(kind in row for row in rows for kind in MEDIA):
            said.append("The manifest holds ids without files, and is no manifest that `gram embed` reads.")
        if self._behind.note:
            said.append(self._behind.note)
        if "subtitle" in self._store.modalities:
            said.append("Subtitles are not in the manifest: add them by id.")
        return said


def _named(**values: str | None) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def _csv(file: IO[bytes], rows: Sequence[Row]) -> None:
    """A table of the columns that any row has; several captions, or one that looks like a list, are a JSON list."""
    names = [name for name in ("id", *MEDIA, "caption", "label", "split") if any(name in row for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    for piece in _pieces(rows):
        writer.writerows({**row, **({"caption": _cell(row["caption"])} if "caption" in row else {})} for row in piece)
        file.write(text.getvalue().encode("utf-8"))
        text.seek(0)
        text.truncate()


def _cell(captions: Sequence[str]) -> str:
    alone = captions[0] if len(captions) == 1 else "["
    return json.dumps(captions, ensure_ascii=False) if alone.lstrip().startswith("[") else alone


def _jsonl(file: IO[bytes], rows: Sequence[Row]) -> None:
    for piece in _pieces(rows):
        file.write("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in piece).encode("ascii"))


def _pieces(rows: Sequence[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while piece := list(islice(waiting, _PIECE)):
        yield piece


_FORMS: Final[Mapping[str, Callable[[IO[bytes], Sequence[Row]], None]]] = {".csv": _csv, ".jsonl": _jsonl}
