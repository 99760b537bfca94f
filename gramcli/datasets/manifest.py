"""A manifest as a dataset: one row per item, or per caption of it."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gramcli.datasets.columns import MEDIA, columns_of, meant
from gramcli.datasets.items import Dataset, Item, with_own_sound
from gramcli.datasets.names import Finder, composed, spelled_out
from gramcli.datasets.tables import Row, read_rows
from gramcli.datasets.values import captions, cell_captions, read_annotation, scalar
from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.store.split_names import normal_splits, split_notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TO_EMBED_TEXTS: Final = "To embed texts without media all the same, add --text-only"


def read_manifest(path: Path, root: Path | None = None, *, text_only: bool = False) -> Dataset:
    """Read a manifest (.csv, .tsv, .json, .jsonl).

    Columns: id, and any of video, audio, image, depth, caption, subtitle, label, split; names that
    circulating datasets use for them (video_id, desc, ...) are understood. Several captions are a JSON list
    or repeated rows. A row with a video and no audio takes the video's own sound. Where an `id` numbers the captions
    and a `video_id` names what they describe, the latter names the items. Splits get their normal names, and files are
    found under another Unicode form or case of their names.

    Args:
        path: The manifest.
        root: Folder that media paths start from; the manifest's own by default.
        text_only: Accept items that name no media.

    Returns:
        Items in the order their ids first come. A media file that is not there is kept: reading it will say so.

    Raises:
        UserError: Unreadable or malformed, no rows, no ids, an empty id, rows of one id that contradict, nothing
            to read in any row, an item without media, or a folder named as media.
    """
    raw, text = read_annotation(path)
    notes: list[str] = []
    rows = read_rows(path, text, notes)
    if not rows:
        raise UserError("input", f"{shown(path)} holds no rows; write one per item, with an id.")
    columns = columns_of(path, rows, notes)
    splits = normal_splits(_told(rows, columns.get("split")))
    reader = _Reader(columns, (root or path.parent).absolute(), splits, Finder())
    items: dict[str, tuple[Item, Row, str]] = {}
    texts: dict[str, list[str]] = {}
    for row in rows:
        item, written = reader.item(row)
        _check_alike(items.setdefault(item.id, (item, row, written)), item, row, written)
        texts.setdefault(item.id, []).extend(item.captions)
    items = {k: (replace(item, captions=tuple(texts[k])), row, written) for k, (item, row, written) in items.items()}
    _check_media(path, [(item, row) for item, row, _ in items.values()], columns, notes, text_only=text_only)
    found = tuple(item for item, *_ in items.values())
    notes += [*split_notes(splits), *reader.finder.notes(shown(path)), *_repeated_media(path, found)]
    name = f"{path.resolve().parent.name}/{path.name}".lstrip("/")
    digest = hashlib.sha256(raw).hexdigest()
    return Dataset(name, "manifest", found, digest, tuple(notes), splits=splits)


def _told(rows: Iterable[Row], column: str | None) -> list[str]:
    """What a column says, where it says something."""
    told = (scalar(row.values.get(column), column, row.where) for row in rows if column)
    return [value for value in told if value is not None]


@dataclass(frozen=True)
class _Reader:
    """Makes items of rows.

    Attributes:
        columns: Our column names to the file's.
        base: Folder that paths start from.
        splits: Names of splits as written, to what they mean.
        finder: Finds files under other spellings.
    """

    columns: Mapping[str, str]
    base: Path
    splits: Mapping[str, str]
    finder: Finder

    def item(self, row: Row) -> tuple[Item, str]:
        """Return the item of a row, and its id as it is written.

        Raises:
            UserError: An empty id, a value of another kind, an address or a folder as media.
        """

        def value(name: str) -> str | None:
            """One cell of the row, None where it is empty."""
            column = self.columns.get(name)
            return None if column is None else scalar(row.values.get(column), column, row.where)

        identity = value("id")
        if identity is None:
            raise UserError("input", f"{row.where} has an empty id; give every item one.")
        told = row.values.get(self.columns["caption"]) if "caption" in self.columns else None
        media, unreadable = self._media({name: named for name in MEDIA if (named := value(name))}, row.where)
        label, split = value("label"), value("split")
        item = Item(
            id=composed(identity),
            media=media,
            captions=cell_captions(told, row.where) if row.is_table and told is not None else captions(told, row.where),
            subtitle=value("subtitle"),
            label=label and composed(label),
            split=split and self.splits[split],
            unreadable=unreadable,
        )
        return item, identity

    def _media(self, named: Mapping[str, str], where: str) -> tuple[dict[str, Path], dict[str, str]]:
        media, unreadable = {}, {}
        for name, file in named.items():
            path = _path(file, name, where, self.base)
            try:
                media[name] = self.finder.find(path)
            except UserError as error:
                unreadable[name] = error.message
        if "video" in unreadable and "audio" not in named:
            unreadable["audio"] = unreadable["video"]
        return with_own_sound(media), unreadable


def _path(named: str, modality: str, where: str, base: Path) -> Path:
    if "://" in named:
        raise UserError("input", f"{where}: {modality} is the address {named}; download it and name the file.")
    path = base / named
    try:
        is_folder = path.is_dir()
    except OSError:  # a name too long or a link that leads to itself: the reader reports it for this item
        is_folder = False
    if is_folder:
        raise UserError("input", f"{where}: {modality} '{named}' is a folder; name a file.")
    return path


def _check_alike(known: tuple[Item, Row, str], item: Item, row: Row, written: str) -> None:
    """Refuse a repeated row that differs from its item's first in another field than the caption.

    Raises:
        UserError: It does.
    """
    first, place, before = known
    for name in ("media", "subtitle", "label", "split"):
        old, new = getattr(first, name), getattr(item, name)
        if old != new:
            field = _differing(first.media, item.media) if name == "media" else name
            alike = f" ({spelled_out(before, written)} are one id)" if before != written else ""
            message = f"{row.where} repeats the id '{item.id}' of {place.where} with another {field}{alike}"
            raise UserError("input", f"{message}; make the ids differ, or the rows agree in all but the caption.")


def _differing(old: Mapping[str, Path], new: Mapping[str, Path]) -> str:
    return next(name for name in MEDIA if old.get(name) != new.get(name))


def _check_media(
    path: Path, items: Sequence[tuple[Item, Row]], columns: Mapping[str, str], notes: list[str], *, text_only: bool
) -> None:
    """Refuse items that name no media, unless they are wanted."""
    without = [(item, row) for item, row in items if not item.media and not item.unreadable]
    if not without:
        return
    n = len(without)
    if text_only:
        count = "1 item names" if n == 1 else f"{n:,} items name"
        notes.append(f"{count} no media: texts alone, as --text-only allows.")
        return
    item, row = without[0]
    there = [ours for ours in columns if row.values.get(columns[ours]) not in (None, "")]
    hint = meant([name for name in row.values if name and name not in columns.values()], there)
    if n == len(items) and not set(MEDIA) & columns.keys():
        names = ", ".join(dict.fromkeys(name for _, row in items for name in row.values if name))
        message = f"{shown(path)} names no media (columns: {names}); add a column 'video', 'audio', 'image' or 'depth'"
    else:
        more = f", nor do {n - 1:,} others" if n > 1 else ""
        message = f"{row.where}: the item '{item.id}' names no media{more}; name a file, or remove the row"
    raise UserError("input", f"{message}.{hint} {_TO_EMBED_TEXTS}.")


def _repeated_media(path: Path, items: Iterable[Item]) -> list[str]:
    """Say which media files several items name: such items answer each other's queries as well as their own."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in items:
        for name in MEDIA:
            if item.has_file(name):
                owners[name, os.path.normpath(item.media[name])].append(item.id)
    shared = {key: ids for key, ids in owners.items() if len(ids) > 1}
    if not shared:
        return []
    (name, file), ids = next(iter(shared.items()))
    n = len({one for found in shared.values() for one in found})
    files = "1 media file is" if len(shared) == 1 else f"{len(shared):,} media files are"
    return [
        f"{shown(path)}: {files} named by several ids, {n:,} items in all; for instance {name} "
        f"{shown(Path(Path(file).name))} by "
        f"{', '.join(ids[:3])}. Such items cannot be told apart: give rows of one file one id."
    ]
