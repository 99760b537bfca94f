"""A media folder as a dataset: files with one stem are one item."""

from __future__ import annotations

from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Final

from gramcli.datasets.classes import labelled_by_folder
from gramcli.datasets.items import Dataset, Item, with_own_sound
from gramcli.datasets.splits import with_normal_splits
from gramcli.datasets.values import captions, parse_json, read_annotation, scalar
from gramcli.errors import UserError
from gramcli.media.kinds import kind_of, shown
from gramcli.media.text import read_subtitle, read_text

_MEDIA: Final = ("video", "audio", "image")
_NAMED: Final = 5
_JSON_FIELDS: Final = frozenset({"caption", "captions", "label", "split", "subtitle"})

# Kind of file to the file, for one stem.
_Files = dict[str, Path]


def read_folder(folder: Path) -> Dataset:
    """Read a folder of media: `a.mp4`, `a.wav`, `a.png`, `a.txt`, `a.srt`, `a.json` are the item `a`.

    `.txt` holds captions, one per line; `.json` may hold caption(s), subtitle, label and split. Captions of
    both are kept; a subtitle file goes before the JSON's. An item needs a video, sound or picture. Hidden
    files are passed over, subfolders walked (each once, however it is linked), and the id is the
    path below the folder without its suffix. A folder per class gives labels, see `labelled_by_folder`.

    Args:
        folder: The folder.

    Returns:
        Items sorted by id; files left out are named in the notes.

    Raises:
        UserError: An empty folder, no media in it, two files of one kind for one item, or a broken `.json`.
    """
    notes: list[str] = []
    files = _walk(folder, notes)
    if not files and not notes:
        raise UserError("input", f"The folder {shown(folder)} is empty; put media files in it, or name another.")
    stems, strangers = _by_stem(files, folder)
    with_media = {stem: found for stem, found in stems.items() if found.keys() & set(_MEDIA)}
    if not with_media:
        raise UserError(
            "input", f"The folder {shown(folder)} holds no video, sound or picture; name a folder with media files."
        )
    orphans = [path for stem in stems.keys() - with_media.keys() for path in stems[stem].values()]
    notes += [*_left_out("of no kind that items are made of", strangers), *_left_out("beside no media", orphans)]
    items = labelled_by_folder([_item(stem, with_media[stem], notes) for stem in sorted(with_media)], notes)
    items, splits = with_normal_splits(items, notes)
    return Dataset(folder.resolve().name or "folder", "folder", items, None, tuple(notes), splits=splits)


def _left_out(why: str, paths: list[Path]) -> list[str]:
    """Return one note for files that were passed over, or none."""
    if not paths:
        return []
    names = sorted(shown(Path(path.name)) for path in paths)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"Files {why} were left out: {', '.join(names[:_NAMED])}{more}."]


def _walk(folder: Path, notes: list[str]) -> list[Path]:
    """Return the files below a folder; a folder reached again through a link is not entered."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = deque([folder])
    while waiting:
        current = waiting.popleft()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(path for path in current.iterdir() if not path.name.startswith("."))
        except OSError as error:
            notes.append(f"The folder {shown(current)} cannot be read ({error.strerror}) and was left out.")
            continue
        for path in entries:
            if not _is_folder(path):
                found.append(path)
            elif path.is_symlink():
                waiting.append(path)
            else:
                # Links wait until every real folder has been seen, so that an id is a real path where there is one.
                waiting.appendleft(path)
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link that leads to itself, on some versions of Python
        return False


def _by_stem(paths: list[Path], folder: Path) -> tuple[dict[str, _Files], list[Path]]:
    """Group files by their stem and kind; return those of no known kind apart."""
    stems: dict[str, _Files] = defaultdict(dict)
    strangers = []
    for path in paths:
        kind = kind_of(path)
        if kind == "other" or (kind == "annotation" and path.suffix.lower() != ".json"):
            strangers.append(path)
            continue
        files = stems[shown(path.relative_to(folder).with_suffix(""))]
        if kind in files:
            both = f"{shown(files[kind])} and {shown(path)} are both the {kind} of one item"
            raise UserError("input", f"{both}; rename or remove one of them.")
        files[kind] = path.absolute()
    return stems, strangers


def _item(stem: str, files: _Files, notes: list[str]) -> Item:
    unreadable: dict[str, str] = {}
    told = _tried(lambda path: _json_fields(path, notes), files.get("annotation"), "text", unreadable) or {}
    where = shown(files["annotation"]) if "annotation" in files else stem
    from_json = [*captions(told.get("caption"), where), *captions(told.get("captions"), where)]
    from_text = _tried(read_text, files.get("text"), "text", unreadable) or []
    subtitle = _tried(read_subtitle, files.get("subtitle"), "subtitle", unreadable)
    return Item(
        id=stem,
        media=with_own_sound({kind: files[kind] for kind in _MEDIA if kind in files}),
        captions=tuple(dict.fromkeys([*from_text, *from_json])),
        subtitle=subtitle or scalar(told.get("subtitle"), "subtitle", where),
        label=scalar(told.get("label"), "label", where),
        split=scalar(told.get("split"), "split", where),
        unreadable=unreadable,
    )


def _json_fields(path: Path, notes: list[str]) -> dict[str, Any]:
    value = parse_json(read_annotation(path)[1], path)
    if not isinstance(value, dict):
        raise UserError("input", f'{shown(path)} must hold one JSON object such as {{"caption": "a dog"}}; correct it.')
    if ignored := sorted(set(value) - _JSON_FIELDS):
        notes.append(f"{path.name}: fields without a meaning here were ignored: {', '.join(ignored)}.")
    return value


def _tried(read: Any, path: Path | None, modality: str, unreadable: dict[str, str]) -> Any:  # noqa: ANN401 - any reader
    """Read a file of texts; one that is broken costs its item that modality, not the dataset."""
    if path is None:
        return None
    try:
        return read(path)
    except UserError as error:
        unreadable[modality] = error.message
        return None
