"""A manifest as a dataset: one row per item, or per caption of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from gramcli.datasets.items import Dataset, Item, with_own_sound
from gramcli.datasets.tables import Row, read_rows
from gramcli.datasets.values import captions, cell_captions, read_annotation, scalar
from gramcli.errors import UserError
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MEDIA: Final = ("video", "audio", "image", "depth")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    # Our name first; then the names circulating datasets use. Compared in lower case.
    "id": ("id", "video_id", "videoid", "clip_id", "image_id"),
    "video": ("video", "video_path"),
    "audio": ("audio", "audio_path"),
    "image": ("image", "image_path"),
    "depth": ("depth", "depth_path"),
    "caption": ("caption", "captions", "desc", "sentence", "text", "encap"),
    "subtitle": ("subtitle", "asr", "subs"),
    "label": ("label",),
    "split": ("split",),
}
# Names that do not say enough to be understood, and what is probably meant by them.
_ALIKE: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("path", "file", "filename", "file_name", "filepath", "file_path", "media"), ("video", "audio")),
    **dict.fromkeys(("clip", "mp4"), ("video",)),
    **dict.fromkeys(("sound", "wav"), ("audio",)),
    **dict.fromkeys(("picture", "frame"), ("image",)),
    **dict.fromkeys(("texts", "description", "sentences", "title", "query", "prompt"), ("caption",)),
    **dict.fromkeys(("class", "class_name", "category", "target", "tag", "tags"), ("label",)),
    **dict.fromkeys(("subset", "fold", "partition"), ("split",)),
    **dict.fromkeys(("name", "key", "uid", "youtube_id"), ("id",)),
}


def read_manifest(path: Path, root: Path | None = None) -> Dataset:
    """Read a manifest (.csv, .tsv, .json, .jsonl).

    Columns: id, and any of video, audio, image, depth, caption, subtitle, label, split; names that
    circulating datasets use for them (video_id, desc, ...) are understood. Several captions are a JSON list
    or repeated rows. A row with a video and no audio takes the video's own sound.

    Args:
        path: The manifest.
        root: Folder that media paths start from; the manifest's own by default.

    Returns:
        Items in the order their ids first come. A media file that is not there is kept: reading it will say so.

    Raises:
        UserError: Unreadable or malformed, no rows, no ids, an empty id, rows of one id that contradict, nothing
            to read in any row, or a folder named as media.
    """
    raw, text = read_annotation(path)
    notes: list[str] = []
    rows = read_rows(path, text, notes)
    if not rows:
        raise UserError("input", f"{shown(path)} holds no rows; write one per item, with an id.")
    columns, said = _columns(path, rows)
    notes += said
    base = (root or path.parent).absolute()
    items: dict[str, tuple[Item, str]] = {}
    for row in rows:
        item = _item(row, columns, base)
        known = items.get(item.id)
        items[item.id] = (_merged(known, item, row.where), known[1]) if known else (item, row.where)
    name = f"{path.resolve().parent.name}/{path.name}".lstrip("/")
    digest = hashlib.sha256(raw).hexdigest()
    return Dataset(name, "manifest", tuple(item for item, _ in items.values()), digest, tuple(notes))


def _columns(path: Path, rows: list[Row]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Map our column names to the file's, and note the file's other columns."""
    present = list(dict.fromkeys(name for row in rows for name in row.values if name))
    columns: dict[str, str] = {}
    for ours, theirs in _NAMES.items():
        found = [name for name in present if name.lower() in theirs]
        exact = [name for name in found if name.lower() == ours]
        if len(found) > 1 and len(exact) != 1:
            raise UserError("input", f"{shown(path)} has {ours}s in two columns, {_list(found)}; rename one '{ours}'.")
        if found:
            columns[ours] = (exact or found)[0]
    _check_columns(path, columns, present)
    ignored = [name for name in present if name not in columns.values()]
    if not ignored:
        return columns, ()
    note = f"{shown(path)}: columns without a meaning here were ignored: {_list(ignored)}."
    return columns, (f"{note}{_meant(ignored, columns)}",)


def _meant(ignored: Iterable[str], columns: Mapping[str, str]) -> str:
    """Say what columns without a meaning may have been meant as, where no other column has that meaning."""
    said = []
    known = {name for names in _NAMES.values() for name in names}
    for name in (name for name in ignored if name.lower() not in known):
        near = _ALIKE.get(name.lower()) or tuple(get_close_matches(name.lower(), list(_NAMES), n=1, cutoff=0.75))
        if free := [f"'{one}'" for one in near if one not in columns]:
            said.append(f" Did you mean {' or '.join(free)} by '{name}'?")
    return "".join(said)


def _check_columns(path: Path, columns: Mapping[str, str], present: list[str]) -> None:
    if "id" not in columns:
        remedy = "add a column 'id' with a different value for every item"
        if len(present) == 1 and ";" in present[0]:
            remedy = "separate its columns by commas, not semicolons"
        hint = _meant([name for name in present if "id" in _ALIKE.get(name.lower(), ())], columns)
        raise UserError("input", f"{shown(path)} has no ids (columns: {_list(present)}); {remedy}.{hint}")
    if not {*MEDIA, "caption", "subtitle"} & columns.keys():
        message = f"{shown(path)} names no media and no captions (columns: {_list(present)}); add for example 'video'."
        raise UserError("input", message + _meant([name for name in present if name != columns["id"]], columns))


def _item(row: Row, columns: Mapping[str, str], base: Path) -> Item:
    def value(name: str) -> str | None:
        """One cell of the row, None where it is empty."""
        return scalar(row.values.get(columns.get(name, "")), columns.get(name, name), row.where)

    identity = value("id")
    if identity is None:
        raise UserError("input", f"{row.where} has an empty id; give every item one.")
    told = row.values.get(columns.get("caption", ""))
    paths = {name: value(name) for name in MEDIA}
    return Item(
        id=identity,
        media=with_own_sound({name: _path(named, name, row.where, base) for name, named in paths.items() if named}),
        captions=cell_captions(told, row.where) if row.is_table and told is not None else captions(told, row.where),
        subtitle=value("subtitle"),
        label=value("label"),
        split=value("split"),
    )


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


def _merged(known: tuple[Item, str], item: Item, where: str) -> Item:
    """Add a repeated row's captions to its item; every other field must be the same."""
    first, place = known
    for name in ("media", "subtitle", "label", "split"):
        old, new = getattr(first, name), getattr(item, name)
        if old != new:
            field = _differing(first.media, item.media) if name == "media" else name
            message = f"{where} repeats the id '{item.id}' of {place} with another {field}; make the ids differ"
            raise UserError("input", f"{message}, or the rows agree in all but the caption.")
    return replace(first, captions=(*first.captions, *item.captions))


def _differing(old: Mapping[str, Path], new: Mapping[str, Path]) -> str:
    return next(name for name in MEDIA if old.get(name) != new.get(name))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
