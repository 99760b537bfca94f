"""A media folder as a dataset: files with one stem are one item."""

from __future__ import annotations

from collections import defaultdict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.classes import labelled_by_folder
from gramcli.datasets.columns import MEDIA, meant
from gramcli.datasets.items import Dataset, Item, with_own_sound
from gramcli.datasets.languages import take_by_language
from gramcli.datasets.names import caseless, composed, grouped, spelled_out
from gramcli.datasets.splits import with_normal_splits
from gramcli.datasets.tree import entered, unread_folders
from gramcli.datasets.values import captions, parse_json, read_annotation, scalar
from gramcli.errors import UserError
from gramcli.files.reading import NotPermittedError
from gramcli.media.kinds import UNREAD_PICTURE_SUFFIXES, kind_of, shown
from gramcli.media.text import read_subtitle, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MEDIA: Final = ("video", "audio", "image")
_NAMED: Final = 5
_FIELDS: Final = 20
_JSON_FIELDS: Final = frozenset({"caption", "captions", "label", "split", "subtitle"})

# Kind of file to the file, for one stem.
_Files = dict[str, Path]


def read_folder(folder: Path) -> Dataset:
    """Read a folder of media: `a.mp4`, `a.wav`, `a.png`, `a.txt`, `a.srt`, `a.json` are the item `a`.

    `a.en.srt` serves where it is the only one. `.txt` holds captions, one per line; `.json` may hold
    caption(s), subtitle, label and split. Captions of both are kept; a subtitle file goes before the
    JSON's. An item needs a video, sound or picture. Hidden files are passed over, subfolders walked
    (each once, however it is linked), and the id is the path below the folder without its suffix. A
    folder per class gives labels, see `labelled_by_folder`.

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
    notes += take_by_language(stems)
    with_media = {stem: found for stem, found in stems.items() if found.keys() & set(_MEDIA)}
    joined = _join_by_case(stems, with_media, notes)
    unread = [path for path in strangers if path.suffix.lower() in UNREAD_PICTURE_SUFFIXES]
    others = [path for path in strangers if path.suffix.lower() not in UNREAD_PICTURE_SUFFIXES]
    if not with_media:
        what = f" that is read ({shown(unread[0])} is to be converted to JPEG or PNG)" if unread else ""
        raise UserError(
            "input",
            f"The folder {shown(folder)} holds no video, sound or picture{what}; name a folder with media files.",
        )
    orphans = [path for stem in stems.keys() - with_media.keys() - joined for path in stems[stem].values()]
    notes += _left_out("of no kind that items are made of", others)
    notes += _left_out("that are pictures of formats not read (convert them to JPEG or PNG)", unread)
    notes += _left_out("beside no media", orphans)
    ignored: dict[str, list[str]] = {}
    items = labelled_by_folder([_item(stem, with_media[stem], ignored) for stem in sorted(with_media)], notes)
    notes += _ignored_fields(ignored)
    items, splits = with_normal_splits(items, notes)
    return Dataset(folder.resolve().name or "folder", "folder", items, None, tuple(notes), splits=splits)


def _join_by_case(stems: Mapping[str, _Files], with_media: dict[str, _Files], notes: list[str]) -> set[str]:
    """Give texts whose name differs from that of one item in case only to it; return the stems of those texts."""
    items, joined = grouped(with_media, caseless), set()
    several: list[str] = []
    for stem in sorted(stems.keys() - with_media.keys()):
        owners = items.get(caseless(stem), [])
        if len(owners) == 1 and not stems[stem].keys() & with_media[owners[0]].keys():
            with_media[owners[0]] = {**stems[stem], **with_media[owners[0]]}
            joined.add(stem)
        elif owners:
            several.append(f"{spelled_out(stem)} ({spelled_out(*owners)})")
    if joined:
        notes.append(f"Texts whose names differ in case only from media were taken for theirs: {_few(joined)}.")
    if several:
        notes.append(f"Texts were left out that fit several media, or media with texts, but for case: {_few(several)}.")
    if alike := [" and ".join(names) for names in items.values() if len(names) > 1]:
        notes.append(f"Items whose names differ in case only are items of their own: {_few(alike)}.")
    return joined


def _few(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _left_out(why: str, paths: list[Path]) -> list[str]:
    """Return one note for files that were passed over, or none."""
    if not paths:
        return []
    return [f"Files {why} were left out: {_few(shown(Path(path.name)) for path in paths)}."]


def _walk(folder: Path, notes: list[str]) -> list[Path]:
    """Return the files below a folder; a folder reached again through a link is not entered."""
    found: list[Path] = []
    unread: list[tuple[str, str | None]] = []
    seen: set[tuple[int, int]] = set()
    waiting = deque([folder])
    while waiting:
        current = waiting.popleft()
        try:
            status = entered(current)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(path for path in current.iterdir() if not path.name.startswith("."))
        except OSError as error:
            if current == folder and isinstance(error, PermissionError):
                raise NotPermittedError(folder) from error
            unread.append((shown(current), error.strerror))
            continue
        for path in entries:
            if not _is_folder(path):
                found.append(path)
            elif path.is_symlink():
                waiting.append(path)
            else:
                # Links wait until every real folder has been seen, so that an id is a real path where there is one.
                waiting.appendleft(path)
    notes += unread_folders(unread)
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
        files = stems[composed(shown(path.relative_to(folder).with_suffix("")))]
        if kind in files:
            both = f"{shown(files[kind])} and {shown(path)} are both the {kind} of one item"
            names = [str(one.relative_to(folder.absolute())) for one in (files[kind], path.absolute())]
            alike = f" ({spelled_out(*names)})" if composed(names[0]) == composed(names[1]) else ""
            raise UserError("input", f"{both}{alike}; rename or remove one of them.")
        files[kind] = path.absolute()
    return stems, strangers


def _item(stem: str, files: _Files, ignored: dict[str, list[str]]) -> Item:
    unreadable: dict[str, str] = {}
    told = _tried(lambda path: _json_fields(path, ignored), files.get("annotation"), "text", unreadable) or {}
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


def _json_fields(path: Path, ignored: dict[str, list[str]]) -> dict[str, Any]:
    value = parse_json(read_annotation(path)[1], path)
    if not isinstance(value, dict):
        raise UserError("input", f'{shown(path)} must hold one JSON object such as {{"caption": "a dog"}}; correct it.')
    if others := sorted(set(value) - _JSON_FIELDS):
        ignored[shown(Path(path.name))] = others
    return value


def _ignored_fields(ignored: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one note for the fields that the JSON files of all items hold beside those that are read, or none."""
    if not ignored:
        return []
    fields = sorted({name for names in ignored.values() for name in names})
    where = next(iter(ignored)) if len(ignored) == 1 else f"{len(ignored):,} JSON files, such as {next(iter(ignored))}"
    more = f" and {len(fields) - _FIELDS} more" if len(fields) > _FIELDS else ""
    said = f"{where}: fields without a meaning here were ignored: {', '.join(fields[:_FIELDS])}{more}."
    return [said + meant(fields, {*MEDIA, "id"})]


def _tried(read: Any, path: Path | None, modality: str, unreadable: dict[str, str]) -> Any:  # noqa: ANN401 - any reader
    """Read a file of texts; one that is broken costs its item that modality, not the dataset."""
    if path is None:
        return None
    try:
        return read(path)
    except UserError as error:
        unreadable[modality] = error.message
        return None
