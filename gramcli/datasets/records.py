"""Annotation files in circulation as rows, one mapping of names to values per item or per caption of it."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from gramcli.datasets.tables import LINE_END, Row, json_rows, read_json, read_rows, table_rows
from gramcli.datasets.values import MAX_ANNOTATION_BYTES, read_annotation
from gramcli.errors import UserError
from gramcli.files.amounts import MOST_ROWS, MOST_TEXT, MOST_VALUES
from gramcli.files.pickled_keys import check_holdings
from gramcli.files.pickles import check_pickle
from gramcli.files.reading import read_regular
from gramcli.media.kinds import check_regular_file, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

ANNOTATIONS: Final = frozenset({".json", ".jsonl", ".csv", ".tsv", ".txt", ".pkl", ".pickle", ".parquet"})
_PICKLES: Final = frozenset({".pkl", ".pickle"})
_LONGEST_NUMBER: Final = 2**63


@dataclass(frozen=True)
class Records:
    """An annotation file's rows, in file order, the sha256 of its bytes, and what is odd about it."""

    rows: list[Row]
    sha256: str
    notes: tuple[str, ...] = ()


def read_records(path: Path, header: Sequence[str] = ()) -> Records:
    """Read an annotation file of any format in circulation, told apart by suffix and by its outer keys.

    Tables with a header (.csv, .tsv), lists of objects (.json, .jsonl) or of ids (.json, .txt), MSR-VTT's
    `videos` and `sentences`, COCO's `annotations`, ActivityNet's `{id: {sentences}}`, YouCook2's `database`,
    `{id: [captions]}` (.json, .pkl), .parquet.

    Args:
        path: The file.
        header: Column names of a table whose first line is a row; some copies have them added.

    Returns:
        Rows in file order.

    Raises:
        UserError: Unreadable, not the format its suffix says, or of a structure that is none of these.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in _PICKLES:
        return _pickle(path)
    raw, text = read_annotation(path)
    digest, notes = hashlib.sha256(raw).hexdigest(), list[str]()
    if suffix == ".txt":
        lines = ((number, line.strip()) for number, line in enumerate(LINE_END.split(text), 1))
        return Records([_row(f"{shown(path)} line {k}", id=line) for k, line in lines if line], digest)
    if suffix == ".json":
        rows = _json(path, read_json(path, text, notes))
    elif header and suffix == ".csv" and not text.lower().startswith(f"{header[0]},"):
        rows = table_rows(path, text, ",", notes, header)
    else:
        rows = read_rows(path, text, notes)
    return Records(rows, digest, tuple(notes))


def _row(where: str, **values: Any) -> Row:  # noqa: ANN401 - JSON values
    return Row(where, values, is_table=False)


def _json(path: Path, value: Any) -> list[Row]:  # noqa: ANN401 - JSON is anything
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        if len(value) > MOST_ROWS:
            raise UserError("input", f"{shown(path)} names {len(value):,} ids, more than {MOST_ROWS:,}; split it.")
        return [_row(f"{shown(path)} entry {k}", id=one) for k, one in enumerate(value, 1)]
    if isinstance(value, dict):
        for fits, read in _SHAPES:
            if fits(value):
                return list(read(shown(path), value))
    return json_rows(path, value)


def _videos_and_sentences(where: str, value: Mapping[str, Any]) -> Iterator[Row]:
    """MSR-VTT: `MSRVTT_data.json`."""
    captions = defaultdict(list)
    for number, sentence in enumerate(_list(where, value, "sentences"), 1):
        place = f"{where} sentence {number}"
        captions[str(_key(place, sentence, "video_id"))].append(_key(place, sentence, "caption"))
    for number, video in enumerate(_list(where, value, "videos"), 1):
        place = f"{where} video {number}"
        name = str(_key(place, video, "video_id"))
        yield _row(place, video_id=name, captions=captions[name], split=video.get("split"), url=video.get("url"))


def _coco(where: str, value: Mapping[str, Any]) -> Iterator[Row]:
    for number, entry in enumerate(_list(where, value, "annotations"), 1):
        place = f"{where} annotation {number}"
        yield _row(place, video_id=_key(place, entry, "image_id"), caption=_key(place, entry, "caption"))


def _database(where: str, value: Mapping[str, Any]) -> Iterator[Row]:
    """YouCook2: every segment of a video is an item, `video_start_end` in whole seconds."""
    for video, entry in value["database"].items():
        place = f"{where} video {video}"
        _object(place, entry)
        for segment in _list(place, entry, "annotations"):
            times = _key(place, segment, "segment")
            if not isinstance(times, list) or len(times) != 2 or not all(_is_time(time) for time in times):
                raise UserError("input", f"{place}: 'segment' must be two times in seconds; correct the entry.")
            name = f"{video}_{times[0]:g}_{times[1]:g}"
            yield _row(place, video_id=name, caption=segment.get("sentence"), split=entry.get("subset"))


def _dense(where: str, value: Mapping[str, Any]) -> Iterator[Row]:
    """ActivityNet Captions: the sentences of a video in the order of their times."""
    for video, entry in value.items():
        sentences = _list(f"{where} video {video}", entry, "sentences")
        yield _row(f"{where} video {video}", video_id=video, captions=sentences, split=entry.get("split"))


def _caption_lists(where: str, value: Mapping[str, Any]) -> Iterator[Row]:
    """`{id: [captions]}`, where a caption may be a list of its words, as in `raw-captions.pkl`."""
    count = length = 0
    for name, captions in value.items():
        if not _is_word(name):
            raise UserError("input", f"{where} has an id that is no text but a {type(name).__name__}; correct it.")
        place = f"{where} video {name}"
        texts = [_words(place, one) for one in captions]
        count += sum(map(len, texts))
        length += sum(len(word) for words in texts for word in words)
        _check_spelled(where, count, length)
        yield _row(place, video_id=name, captions=[" ".join(words) for words in texts])


def _words(where: str, caption: Any) -> Sequence[str]:  # noqa: ANN401 - from the file
    """The words of a caption, or the caption itself as one."""
    words = caption if isinstance(caption, list | tuple) else (caption,)
    if odd := [type(word).__name__ for word in words if not _is_word(word)]:
        raise UserError("input", f"{where}: a word of a caption is a {odd[0]}, no text; correct the entry.")
    return [str(word) for word in words]


def _is_word(value: object) -> bool:
    """Whether a value of a pickle or of JSON is a text, or a number that is written in a few digits."""
    return isinstance(value, str) or (_is_time(value) and not abs(cast("float", value)) >= _LONGEST_NUMBER)


def _check_spelled(where: str, words: int, letters: int) -> None:
    """Refuse words that come to far more than the file: a pickle may hold one list many times.

    Raises:
        UserError: They do.
    """
    if words > MOST_VALUES or letters > MOST_TEXT:
        most = f"{MOST_VALUES:,} words or {MOST_TEXT:,} letters"
        raise UserError("input", f"{where} holds captions of more than {most} in all; split it.")


def _is_dense(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(entry, dict) and "sentences" in entry for entry in value.values())


def _is_caption_lists(value: Mapping[str, Any]) -> bool:
    """Every value is a list of captions, or of lists of words."""
    return bool(value) and all(
        isinstance(found, list | tuple) and all(isinstance(one, str | list | tuple) for one in found)
        for found in value.values()
    )


_Shape = tuple["Callable[[Mapping[str, Any]], bool]", "Callable[[str, Mapping[str, Any]], Iterator[Row]]"]
_SHAPES: Final[tuple[_Shape, ...]] = (
    (lambda value: "videos" in value and "sentences" in value, _videos_and_sentences),
    (lambda value: "images" in value and "annotations" in value, _coco),
    (lambda value: isinstance(value.get("database"), dict), _database),
    (_is_dense, _dense),
    (_is_caption_lists, _caption_lists),
)


def _list(where: str, value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise UserError("input", f"{where}: '{key}' must be a list; found {type(found).__name__}. Download it again.")
    return found


def _object(where: str, value: object) -> None:
    if not isinstance(value, dict):
        raise UserError("input", f"{where} must be an object; found {type(value).__name__}. Download the file again.")


def _key(where: str, value: Any, key: str) -> Any:  # noqa: ANN401 - JSON is anything
    _object(where, value)
    if key not in value:
        raise UserError(
            "input", f"{where} has no '{key}' (it has: {', '.join(value) or 'nothing'}); correct the entry."
        )
    return value[key]


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, lists, texts and numbers; anything that names code is refused before it runs."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the signature of the base
        """Refuse."""
        raise UserError("input", f"it names the code {module}.{name}, which is not run")


def _pickle(path: Path) -> Records:
    raw = _read_whole(path)
    try:
        check_pickle(io.BytesIO(raw), len(raw))
        check_holdings(raw)
        value = _PlainUnpickler(io.BytesIO(raw)).load()
    except Exception as error:  # a pickle can fail in any way
        raise UserError("input", f"{shown(path)} cannot be read ({error}); convert it to JSON.") from error
    lists = [one for one in value.values() if isinstance(one, list | tuple)] if isinstance(value, dict) else []
    _check_spelled(shown(path), sum(map(len, lists)), 0)  # before any is looked at: one list may be held by many ids
    if not isinstance(value, dict) or not _is_caption_lists(value):
        raise UserError("input", f"{shown(path)} must hold captions by id, {{id: [captions]}}; convert it to JSON.")
    return Records(list(_caption_lists(shown(path), value)), hashlib.sha256(raw).hexdigest())


def _parquet(path: Path) -> Records:
    from gramcli.datasets.parquet import parquet_rows  # noqa: PLC0415 - only this format needs it

    raw = _read_whole(path)
    return Records(parquet_rows(path, raw), hashlib.sha256(raw).hexdigest())


def _read_whole(path: Path) -> bytes:
    check_regular_file(path)
    try:
        return read_regular(path, MAX_ANNOTATION_BYTES)
    except OSError as error:
        raise UserError("input", f"{shown(path)} cannot be read ({error.strerror}); check or split it.") from error
