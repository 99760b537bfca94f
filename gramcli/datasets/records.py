"""Annotation files in circulation as rows, one mapping of names to values per item or per caption of it."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.tables import LINE_END, Row, json_rows, read_json, read_rows, table_rows
from gramcli.datasets.values import MAX_ANNOTATION_BYTES, read_annotation
from gramcli.errors import UserError
from gramcli.files.reading import LARGE, read_regular
from gramcli.media.kinds import check_regular_file, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

ANNOTATIONS: Final = frozenset({".json", ".jsonl", ".csv", ".tsv", ".txt", ".pkl", ".pickle", ".parquet"})
_PICKLES: Final = frozenset({".pkl", ".pickle"})


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
    for name, captions in value.items():
        words = [" ".join(map(str, one)) if isinstance(one, list | tuple) else one for one in captions]
        yield _row(f"{where} video {name}", video_id=name, captions=words)


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
    try:
        check_regular_file(path)
        raw = read_regular(path, MAX_ANNOTATION_BYTES)
        value = _PlainUnpickler(io.BytesIO(raw)).load()
    except Exception as error:  # a pickle can fail in any way
        raise UserError("input", f"{shown(path)} cannot be read ({error}); convert it to JSON.") from error
    if not isinstance(value, dict) or not _is_caption_lists(value):
        raise UserError("input", f"{shown(path)} must hold captions by id, {{id: [captions]}}; convert it to JSON.")
    return Records(list(_caption_lists(shown(path), value)), hashlib.sha256(raw).hexdigest())


def _parquet(path: Path) -> Records:
    import pandas as pd  # noqa: PLC0415 - only this format needs it

    check_regular_file(path)
    try:
        raw = read_regular(path, LARGE)
        frame = pd.read_parquet(io.BytesIO(raw))
    except ImportError as error:
        raise UserError(
            "input", f"{shown(path)} needs the package pyarrow to be read: pip install pyarrow, or export it as CSV."
        ) from error
    except (OSError, ValueError) as error:
        raise UserError("input", f"{shown(path)} cannot be read as Parquet ({error}); download it again.") from error
    digest = hashlib.sha256(raw).hexdigest()
    names = [str(name) for name in frame.columns]
    rows = [dict(zip(names, map(_plain, row), strict=True)) for row in frame.itertuples(index=False, name=None)]
    return Records([Row(f"{shown(path)} row {k}", row, is_table=False) for k, row in enumerate(rows, 1)], digest)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell is anything
    """Arrays and NumPy scalars of a cell as lists and numbers."""
    return value.tolist() if hasattr(value, "tolist") else value
