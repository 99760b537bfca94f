"""Rows of an annotation file as entries: what a benchmark says of one item, whichever file says it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.names import composed
from gramcli.datasets.values import captions, cell_captions, scalar
from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gramcli.datasets.tables import Row

# The names files in circulation use, in the order of preference: an annotation's own number comes last.
# fmt: off
_IDS: Final = (
    "video_id", "videoid", "vid", "clip_id", "image_id", "youtube_id", "ytid", "file_name", "uniq_id",
    "video", "audio", "path", "id",
)
# fmt: on
_TEXTS: Final = ("caption", "captions", "desc", "sentence", "sentences", "text", "encap", "description", "title")
_OTHERS: Final = {
    "subtitle": ("subtitle", "asr", "subs"),
    "label": ("label", "class"),
    "split": ("split", "subset"),
    "start": ("start_time", "start_s", "start_seconds", "start"),
    "end": ("end_time", "end_s", "end_seconds", "end"),
    "source": ("url",),
}
_NUMBERED: Final = re.compile(r"caption_\d+")


@dataclass(frozen=True)
class Entry:
    """What an annotation file says of one item.

    Attributes:
        id: As written, until a benchmark gives it its own spelling.
        captions: In file order.
        subtitle: What is said in the clip; None when absent, also when it is empty.
        label: Class name, None when absent.
        split: Split name, None when absent.
        start: Where the clip begins in its video, in seconds; None where the file does not say.
        end: Where it ends.
        source: The video it was cut from, None where the file does not say.
    """

    id: str
    captions: tuple[str, ...] = ()
    subtitle: str | None = None
    label: str | None = None
    split: str | None = None
    start: float | None = None
    end: float | None = None
    source: str | None = None


def entries_of(rows: Sequence[Row], name: str, spelled: Callable[[Entry], Entry] | None = None) -> tuple[Entry, ...]:
    """Return the entries of rows; rows of one id are one entry, their captions in file order.

    Args:
        rows: What `read_records` found.
        name: The file, for messages.
        spelled: Gives an entry the id that its benchmark spells it by, whichever file it came from.

    Returns:
        Entries in the order their ids first come; at least one.

    Raises:
        UserError: No rows, no column of ids, an empty id, or rows of one id with two labels.

    Example:
        >>> from gramcli.datasets.tables import Row
        >>> rows = [Row("a.csv line 2", {"video_id": "video7010", "sentence": "a screen"}, True)]
        >>> entries_of(rows, "a.csv")[0].captions
        ('a screen',)
    """
    if not rows:
        raise UserError("input", f"{name} holds no rows; download it again.")
    found: dict[str, Entry] = {}
    texts: dict[str, list[str]] = {}
    for row in rows:
        entry = _entry(row)
        entry = spelled(entry) if spelled else entry
        found[entry.id] = _merged(found[entry.id], entry, row.where) if entry.id in found else entry
        texts.setdefault(entry.id, []).extend(entry.captions)
    return tuple(replace(entry, captions=tuple(texts[one])) for one, entry in found.items())


def _entry(row: Row) -> Entry:
    values = {name.lower(): value for name, value in row.values.items() if name}
    if len(values) < sum(map(bool, row.values)):
        times = Counter(name.lower() for name in row.values)
        twice = ", ".join(name for name in row.values if name and times[name.lower()] > 1)
        raise UserError("input", f"{row.where} has columns that differ in case only, {twice}; rename one of them.")
    column = next((name for name in _IDS if name in values), None)
    if column is None:
        there = ", ".join(values) or "none"
        raise UserError("input", f"{row.where} has no id (columns: {there}); give it a column 'video_id'.")
    name = scalar(values[column], column, row.where)
    if name is None:
        raise UserError("input", f"{row.where} has an empty id; correct the entry.")
    other = {ours: _first(values, theirs, row.where) for ours, theirs in _OTHERS.items()}
    return Entry(
        id=composed(name),
        captions=tuple(_captions(values, row)),
        subtitle=other["subtitle"],
        label=other["label"] and composed(other["label"]),
        split=other["split"],
        start=_seconds(other["start"], row.where),
        end=_seconds(other["end"], row.where),
        source=other["source"],
    )


def _first(values: Mapping[str, Any], names: Iterable[str], where: str) -> str | None:
    return next((scalar(values[name], name, where) for name in names if name in values), None)


def _captions(values: Mapping[str, Any], row: Row) -> Iterable[str]:
    numbered = [name for name in values if _NUMBERED.fullmatch(name)]
    for name in numbered or [name for name in _TEXTS if name in values][:1]:
        value = values[name]
        yield from cell_captions(str(value), row.where) if row.is_table else captions(value, row.where)


def _seconds(text: str | None, where: str) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise UserError("input", f"{where}: '{text}' is no time in seconds; correct the entry.") from None


def _merged(first: Entry, again: Entry, where: str) -> Entry:
    if first.label and again.label and first.label != again.label:
        message = f"{where}: '{again.id}' has the labels '{first.label}' and '{again.label}'; correct one of them."
        raise UserError("input", message)
    return replace(first, label=first.label or again.label)
