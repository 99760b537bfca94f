"""What the columns of a manifest mean: our names, those in circulation, and near misses."""

from __future__ import annotations

import re
from collections import defaultdict
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.store.split_names import is_split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from gramcli.datasets.tables import Row

_NAMED: Final = 20  # columns that a note lists
_COMPARED: Final = 200  # columns whose names are held against ours, which takes long
MEDIA: Final = ("video", "audio", "image", "depth")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    # Our name first; then the names circulating datasets use. Compared without case, spaces and punctuation.
    "id": ("id", "video_id", "clip_id", "image_id", "audio_id", "item_id"),
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
    **dict.fromkeys(("path", "file", "filename", "filepath", "media", "mediapath"), ("video", "audio")),
    **dict.fromkeys(("clip", "mp4", "movie", "videofile", "videoname"), ("video",)),
    "vid": ("id", "video"),
    **dict.fromkeys(("sound", "wav", "mp3", "audiofile", "audioname"), ("audio",)),
    **dict.fromkeys(("picture", "frame", "photo", "img", "imagefile", "imagename"), ("image",)),
    **dict.fromkeys(("texts", "description", "sentences", "title", "query", "prompt"), ("caption",)),
    **dict.fromkeys(("class", "classname", "category", "target", "tag", "tags"), ("label",)),
    **dict.fromkeys(("transcript", "speech"), ("subtitle",)),
    **dict.fromkeys(("subset", "fold", "partition"), ("split",)),
    **dict.fromkeys(("name", "key", "uid", "youtubeid"), ("id",)),
}
# Taken as the split where every value is the name of one.
_SPLITS: Final = frozenset({"splits", "subset", "set", "fold", "partition", "phase", "datasplit", "splitname"})


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


_MEANING: Final = {_folded(name): ours for ours, names in _NAMES.items() for name in names}


def columns_of(path: Path, rows: Sequence[Row], notes: list[str]) -> dict[str, str]:
    """Map our column names to the file's.

    Args:
        path: The manifest, for messages.
        rows: Its rows.
        notes: Told which columns have no meaning here, what may be meant by them, and which column names the items.

    Returns:
        Our name to the file's, `id` always among them.

    Raises:
        UserError: No ids, nothing to read, or two columns of one meaning.
    """
    present = list(dict.fromkeys(name for row in rows for name in row.values if name))
    columns: dict[str, str] = {}
    meanings: dict[str, list[str]] = defaultdict(list)
    for name in present:
        meanings[_MEANING.get(_folded(name), "")].append(name)
    for ours in _NAMES:
        found = meanings[ours]
        exact = [name for name in found if _folded(name) == ours]
        if len(found) > 1 and len(exact) != 1:
            raise UserError(
                "input", f"{shown(path)} has {ours}s in two columns, {', '.join(found)}; rename one '{ours}'."
            )
        if found:
            columns[ours] = (exact or found)[0]
    _check_columns(path, columns, present)
    if (named := _split_column(rows, present)) and "split" not in columns:
        columns["split"] = named
        notes.append(f"{shown(path)}: the column '{named}' holds names of splits and was read as 'split'.")
    ours = columns["id"]
    columns["id"] = _id_column(path, rows, columns, notes)
    taken = {ours, *columns.values()}
    if any(row.values.get("") not in (None, "") for row in rows):
        notes.append(f"{shown(path)}: the column without a name was ignored; name it if it says something.")
    ignored = [name for name in present if name not in taken]
    if ignored:
        note = f"{shown(path)}: columns without a meaning here were ignored: {_listed(ignored)}."
        notes.append(f"{note}{meant(ignored, columns)}")
    return columns


def meant(ignored: Iterable[str], taken: Iterable[str]) -> str:
    """Say what columns without a meaning may have been meant as, where no other column has that meaning.

    Args:
        ignored: The columns.
        taken: Our names of columns that are there.

    Returns:
        Questions, each with a space before it, or nothing.

    Example:
        >>> meant(["vido", "mood"], ["id"])
        " Did you mean 'video' by 'vido'?"
    """
    free = [name for name in _NAMES if name not in set(taken)]
    near = {name: _near(name, free) for name in islice(ignored, _COMPARED) if _folded(name) not in _MEANING}
    asked = [f"{' or '.join(repr(one) for one in ours)} by '{name}'" for name, ours in near.items() if ours]
    return "".join(f" Did you mean {one}?" for one in asked)


def _check_columns(path: Path, columns: Mapping[str, str], present: Sequence[str]) -> None:
    if "id" not in columns:
        hint = meant([name for name in present if "id" in _near(name, ["id"])], set(_NAMES) - {"id"})
        message = f"{shown(path)} has no ids (columns: {_listed(present)}); add a column 'id' with a different value"
        raise UserError("input", f"{message} for every item.{hint}")
    if not {*MEDIA, "caption", "subtitle"} & columns.keys():
        message = f"{shown(path)} names no media and no captions (columns: {_listed(present)})"
        hint = meant([name for name in present if name != columns["id"]], columns)
        raise UserError("input", f"{message}; add for example 'video'.{hint}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _near(name: str, free: Sequence[str]) -> tuple[str, ...]:
    """Those of our names that a name may have been meant as."""
    folded = _folded(name)
    if folded in _ALIKE:
        return tuple(one for one in _ALIKE[folded] if one in free)
    known = [one for one, ours in _MEANING.items() if ours in free]
    return tuple(_MEANING[one] for one in get_close_matches(folded, known, n=1, cutoff=0.76))


def _split_column(rows: Sequence[Row], present: Sequence[str]) -> str | None:
    for name in (name for name in present if _folded(name) in _SPLITS):
        values = {str(value) for row in rows if (value := row.values.get(name)) not in (None, "")}
        if values and all(is_split(value) for value in values):
            return name
    return None


def _id_column(path: Path, rows: Sequence[Row], columns: Mapping[str, str], notes: list[str]) -> str:
    """The column that names the items: `id`, unless another does and `id` only numbers the captions.

    Annotation lists number their captions by `id` and name the clip by `video_id`, as COCO does. A column names items
    where every row has it and rows that share it share their media; of such columns that with the fewest items is
    taken.
    """
    ours = columns["id"]
    every = dict.fromkeys(name for row in rows for name in row.values)
    others = [name for name in every if name != ours and _MEANING.get(_folded(name)) == "id"]
    if not others or _folded(ours) != "id":
        return ours
    media = [columns[name] for name in MEDIA if name in columns]
    counts = {name: n for name in (ours, *others) if (n := _items_under(rows, name, media)) is not None}
    best = min(counts, key=lambda name: counts[name], default=ours)
    if best != ours:
        notes.append(f"{shown(path)}: items are named by '{best}'; '{ours}' numbers their captions.")
    return best


def _items_under(rows: Sequence[Row], column: str, media: Sequence[str]) -> int | None:
    """How many items a column names; None where a row lacks it, or rows that share it name other media."""
    files: dict[Any, set[tuple[str, ...]]] = defaultdict(set)
    for row in rows:
        name = str(row.values.get(column) or "").strip()
        if not name:
            return None
        files[name].add(tuple(str(row.values.get(one) or "").strip() for one in media))
    return len(files) if all(len(found) == 1 for found in files.values()) else None
