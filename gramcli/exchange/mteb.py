"""`mteb`: MTEB's cache: `vectors.npy`, which is raw float32 without a header, `index.json`, `dimension`; by text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.datasets.entries import entries_of
from gramcli.datasets.records import ANNOTATIONS, read_records
from gramcli.errors import UserError
from gramcli.exchange.arrays import FileRows, Layout
from gramcli.exchange.base import Facts, Features, Operand, Recognised, wrong
from gramcli.files.reading import read_regular
from gramcli.media.kinds import shown
from gramcli.media.text import decode_text
from gramcli.store.layout import absent

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VECTORS, _INDEX, _DIMENSION = "vectors.npy", "index.json", "dimension"
_HASH: Final = re.compile(r"(?:[0-9a-f]{64})+")
_TEXT_LIMIT: Final = 2**30
_LOST: Final = "not in the cache"


class PickedRows:
    """Rows of others by a list of places; NaN where a place is -1."""

    def __init__(self, rows: FileRows, places: Sequence[int]) -> None:
        self._rows, self._places = rows, np.asarray(places, dtype=np.int64)
        self.n, self.inner, self.dtype = len(places), rows.inner, rows.dtype

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows."""
        places = self._places[positions]
        found = np.full((len(places), *self.inner), np.nan, np.float32)
        there = np.flatnonzero(places >= 0)
        if len(there):
            found[there] = self._rows.read(places[there])
        return found


def read_mteb(operands: Sequence[Operand]) -> Recognised | None:
    """Read one folder of MTEB's cache; the texts say whose vectors are wanted."""
    if len(operands) != 1 or not operands[0].is_folder:
        return None
    one = operands[0]
    if not all((one.path / name).is_file() for name in (_VECTORS, _INDEX, _DIMENSION)):
        return None
    dim, index = _dimension(one.path), _index(one.path)
    rows = _rows(one.path, dim, index)
    if one.texts is None:
        raise UserError(
            "usage",
            f"{shown(one.path)} is a cache of MTEB, {len(index):,} vectors by the hash of what was embedded, without "
            "ids. Say whose you want: --texts FILE, one text a line, or a table with id and caption.",
        )
    ids, texts = _texts(one.texts)
    places = [index.get(hashlib.sha256(text.encode("utf-8")).hexdigest(), -1) for text in texts]
    lost = places.count(-1)
    if lost == len(places):
        raise wrong(
            shown(one.path),
            f"has no vector of any of the {len(texts):,} texts of {shown(one.texts)}: it was written by an MTEB before "
            "2.26, which hashed otherwise, or of other texts",
            "Embed again with MTEB 2.26 or newer, or give the texts as they were embedded, with their prompts",
        )
    facts = Facts(captions=_by_item(ids, texts))
    notes = [f"{lost:,} of {len(texts):,} texts are not in the cache: absent."] if lost else []
    found = {one for one, place in zip(ids, places, strict=True) if place >= 0}
    lacking = {one: absent(_LOST) for one in ids if one not in found}
    features = Features("text", PickedRows(rows, places), shown(one.path / _VECTORS), ids)
    return Recognised("mteb", [features], facts, ids=shown(one.texts), notes=notes, status={"text": lacking})


def _by_item(ids: Sequence[str], texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    gathered: dict[str, list[str]] = {}
    for identity, text in zip(ids, texts, strict=True):
        gathered.setdefault(identity, []).append(text)
    return {identity: tuple(every) for identity, every in gathered.items()}


def _dimension(folder: Path) -> int:
    try:
        dim = int(read_regular(folder / _DIMENSION, 64).decode("ascii"))
    except (OSError, ValueError) as error:
        raise wrong(shown(folder / _DIMENSION), "is no number", "Restore the cache") from error
    if not 1 <= dim <= 2**20:
        raise wrong(shown(folder / _DIMENSION), f"says {dim} dimensions", "Restore the cache")
    return dim


def _index(folder: Path) -> dict[str, int]:
    path = folder / _INDEX
    try:
        found = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise wrong(shown(path), f"cannot be read ({error})", "Restore the cache") from error
    fits = isinstance(found, dict) and all(isinstance(row, int) and row >= 0 for row in found.values())
    if not fits or not found:
        raise wrong(shown(path), "does not give a row for each hash", "Restore the cache")
    if odd := next((key for key in found if not _HASH.fullmatch(key)), None):
        raise wrong(
            shown(path),
            f"has the key {odd[:20]!r}, no sha256: it was written by an MTEB before 2.26, which hashed otherwise",
            "Embed again with MTEB 2.26 or newer",
        )
    index: dict[str, int] = found
    return index


def _rows(folder: Path, dim: int, index: dict[str, int]) -> FileRows:
    path = folder / _VECTORS
    size = path.stat().st_size
    if size % (4 * dim):
        raise wrong(shown(path), f"has {size:,} bytes, which are no rows of {dim} float32", "Restore the cache")
    n = size // (4 * dim)
    if max(index.values()) >= n:
        raise wrong(shown(path), f"has {n:,} rows, and {_INDEX} names row {max(index.values()):,}", "Restore the cache")
    return FileRows(path, 0, Layout((n, dim), np.dtype("<f4")), shown(path))


def _texts(path: Path) -> tuple[list[str], list[str]]:
    """Item and text of each text: lines are items of their own, a table has id and caption."""
    if path.suffix.lower() == ".txt":
        text = decode_text(_read(path))
        if text is None:
            raise wrong(shown(path), "is not UTF-8 text", "Save it as UTF-8")
        lines = [line for line in text.splitlines() if line]
        if not lines:
            raise wrong(shown(path), "holds no text")
        return [str(k) for k in range(len(lines))], lines
    if path.suffix.lower() not in ANNOTATIONS:
        raise UserError("usage", f"--texts {shown(path)}: name a .txt file, one text a line, or a table.")
    ids, texts = list[str](), list[str]()
    for row in read_records(path).rows:
        entry = entries_of([row], shown(path))[0]
        ids += [entry.id] * len(entry.captions)
        texts += entry.captions
    if not texts:
        raise wrong(shown(path), "has no captions", "Give it the columns id and caption")
    return ids, texts


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _TEXT_LIMIT)
    except OSError as error:
        raise wrong(shown(path), f"cannot be read ({error.strerror})") from error
