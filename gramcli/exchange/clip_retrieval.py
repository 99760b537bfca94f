"""`clip-retrieval`: `img_emb/*.npy`, `text_emb/*.npy` and `metadata/*.parquet`, part by part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from gramcli.exchange.arrays import ChainRows, FileRows, read_npy_header
from gramcli.exchange.base import Features, Operand, Recognised, Rows, wrong
from gramcli.exchange.parquet import Parts
from gramcli.exchange.parquet_facts import merged_facts
from gramcli.exchange.parquet_files import arrow_errors, opened_parquet
from gramcli.files.reading import open_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

_FOLDERS: Final = {"img_emb": "image", "text_emb": "text", "video_emb": "video", "audio_emb": "audio"}
_NUMBER: Final = re.compile(r"_?(\d+)$")
_IDS: Final = ("image_path", "url", "key", "id", "video_path", "path")


def read_clip_retrieval(operands: Sequence[Operand]) -> Recognised | None:
    """Read one output folder of `clip-retrieval inference`."""
    if len(operands) != 1 or not operands[0].is_folder:
        return None
    root = operands[0].path
    held = {folder: _parts(root / folder, ".npy") for folder in _FOLDERS if (root / folder).is_dir()}
    held = {folder: parts for folder, parts in held.items() if parts}
    if not held:
        return None
    found = Recognised("clip-retrieval", [], shared_space=True)  # one CLIP made them all
    for folder, parts in held.items():
        source = shown(root / folder)
        rows: list[Rows] = [_rows(path) for path in parts]
        found.features.append(Features(_FOLDERS[folder], ChainRows(rows, source), source))
    metadata = _parts(root / "metadata", ".parquet")
    _refuse_gaps({**held, **({"metadata": metadata} if metadata else {})}, shown(root))
    if metadata:
        _take_metadata(found, metadata)
    return found


def _refuse_gaps(held: Mapping[str, Sequence[Path]], source: str) -> None:
    """Refuse folders of other parts: rows that follow a missing one would be of other items.

    Raises:
        UserError: A folder has a part that another lacks.
    """
    numbers = {folder: {_number(path) for path in parts} for folder, parts in held.items()}
    every = set().union(*numbers.values())
    for folder, own in numbers.items():
        if lost := every - own:
            other = next(name for name, more in numbers.items() if min(lost) in more)
            said = f"has no part {min(lost)} in {folder}, and one in {other}"
            raise wrong(source, said, "Restore it, or take that part out of every folder")


def _parts(folder: Path, suffix: str) -> list[Path]:
    """The parts of a folder in the order of their numbers."""
    paths = [path for path in folder.glob(f"*{suffix}") if not path.name.startswith(".")] if folder.is_dir() else []
    return sorted(paths, key=lambda path: (_number(path), path.name))


def _number(path: Path) -> int:
    """Of a part; -1 of a file without one."""
    return int(match[1]) if (match := _NUMBER.search(path.stem)) else -1


def _rows(path: Path) -> Rows:
    try:
        with open_regular(path) as file:
            layout = read_npy_header(file, shown(path))
            return FileRows(path, file.tell(), layout, shown(path))
    except OSError as error:
        raise wrong(shown(path), f"cannot be read ({error.strerror})") from error


def _take_metadata(found: Recognised, paths: Sequence[Path]) -> None:
    with arrow_errors(paths[0]):
        parts = Parts([opened_parquet(path) for path in paths])
        names = parts.schema.names
        n = found.features[0].rows.n
        if parts.n != n:
            raise wrong(parts.source, f"has {parts.n:,} rows for {n:,} vectors", "Restore the missing parts")
        name = next((one for one in _IDS if one in names), None)
        values = parts.texts(name) if name else []
        unique = bool(values) and None not in values and len(set(values)) == len(values)
        ids = [str(one) for one in values] if unique else [str(k) for k in range(n)]
        found.ids = f"column {name} of {parts.source}" if unique else "by row"
        if values and not unique:
            found.notes.append(f"Ids are numbers of rows: {name} of {parts.source} is empty or the same in some.")
        for one in found.features:
            one.ids = ids
        if "caption" in names:
            texts = [None if one is None else str(one) for one in parts.texts("caption")]
            found.facts = merged_facts(found.facts, "captions", ids, texts)
