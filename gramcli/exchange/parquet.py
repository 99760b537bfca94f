"""Rows of Parquet and Arrow files: list columns of numbers, read a row group or a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.arrays import refuse_beyond, runs
from gramcli.exchange.base import MOST_ITEM_BYTES, Features, Operand, Recognised, wrong
from gramcli.exchange.column_stream import ColumnStream
from gramcli.exchange.names import folded, modality_of, name_of
from gramcli.exchange.parquet_facts import checked_ids, take_facts, take_long_facts, unread_note
from gramcli.exchange.parquet_files import arrow_errors, opened_parquet, spelled
from gramcli.exchange.parquet_steps import Nulls, StepRows, is_list, is_steps, step_type
from gramcli.exchange.text_room import TextRoom
from gramcli.media.kinds import shown
from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC: Final = b"PAR1"
_IDS: Final = (
    "id",
    "video_id",
    "item_id",
    "image_id",
    "clip_id",
    "audio_id",
    "key",
    "image_path",
    "path",
    "url",
    "uid",
    "index_level_0",  # an index that pandas has no name for; of texts only, for one of numbers counts rows
)
_ONE_MODEL: Final = "Keep those of one model"


class ColumnRows:
    """A list column, of pieces: row groups of Parquet files, record batches of Arrow files.

    Args:
        parts: The table.
        name: Of the column.
        source: For messages.
        dim: Of the vectors.
        dtype: Name of the number type.
    """

    def __init__(self, parts: Parts, name: str, source: str, dim: int, dtype: str) -> None:
        self._ends = np.asarray(parts.ends, dtype=np.int64)
        self.n, self.inner, self.dtype = parts.n, (dim,), dtype
        self._piece: Callable[[int], Any] = partial(parts.load, name)
        self._nulls = Nulls(self.n)
        self._vectors: Callable[[Any], NDArray[Any]] = partial(vectors_of, dim=dim, source=source)
        batches = partial(parts.batches, name)
        self._stream = ColumnStream(self._ends, batches, self._vectors, self._nulls, source)
        self._held: tuple[int, NDArray[Any]] | None = None

    def is_null(self, position: int) -> bool:
        """Whether a row that was read has no vector in the file."""
        return position in self._nulls

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows; where they do not come in order, each piece is read once, and the last one kept."""
        found: NDArray[Any] = np.empty((len(positions), *self.inner), self.dtype)
        if self._stream.serves(positions):
            for start, stop in runs(positions):
                self._stream.read(int(positions[start]), found[start:stop])
            return found
        order = np.argsort(positions, kind="stable")
        ranked = positions[order]
        owners = np.searchsorted(self._ends, ranked, side="right")
        for start, stop in runs(owners, step=0):
            piece = int(owners[start])
            first = int(self._ends[piece - 1]) if piece else 0
            if self._held is None or self._held[0] != piece:
                self._held = None  # before the next is read: one piece in memory, not two
                column = self._piece(piece)
                self._nulls.add(column, first)
                self._held = (piece, self._vectors(column))
            found[order[start:stop]] = self._held[1][ranked[start:stop] - first]
        return found


def vectors_of(column: Any, dim: int, source: str) -> NDArray[Any]:  # noqa: ANN401 - an Arrow array of lists
    """Return a list column as [rows, d]; a row that is null is all NaN.

    Raises:
        UserError: Lists of different lengths.
    """
    import pyarrow as pa  # noqa: PLC0415 - only these formats need it

    if isinstance(column, pa.ChunkedArray):
        chunks = [vectors_of(chunk, dim, source) for chunk in column.chunks]
        return np.concatenate(chunks) if len(chunks) > 1 else chunks[0] if chunks else np.zeros((0, dim), np.float32)
    if not column.null_count and (plain := _in_place(column, dim)) is not None:
        return plain
    valid = np.ones(len(column), bool) if not column.null_count else column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_fixed_size_list(column.type):
        if column.type.list_size != dim:
            raise wrong(source, f"has vectors of {dim} and of {column.type.list_size} dimensions", _ONE_MODEL)
        values = column.drop_null().flatten() if column.null_count else column.flatten()
    else:
        lengths = column.drop_null().value_lengths().to_numpy(zero_copy_only=False)
        if len(lengths) and (lengths != dim).any():
            odd = int(lengths[lengths != dim][0])
            remedy = _ONE_MODEL if odd else "Write null where there is no vector, not an empty list"
            raise wrong(source, f"has vectors of {dim} and of {odd} dimensions", remedy)
        values = column.drop_null().flatten()
    numbers = values.to_numpy(zero_copy_only=False)
    if valid.all():
        whole: NDArray[Any] = numbers.reshape(-1, dim)
        return whole
    found = np.full((len(column), dim), np.nan, numbers.dtype if numbers.dtype.kind == "f" else np.float32)
    found[valid] = numbers.reshape(-1, dim)
    return found


def _in_place(column: Any, dim: int) -> NDArray[Any] | None:  # noqa: ANN401 - as above
    """Lists without nulls as [rows, d], where they lie; None where they are not all of that length."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if pa.types.is_fixed_size_list(column.type):
        first, end, even = column.offset * dim, (column.offset + len(column)) * dim, column.type.list_size == dim
    else:
        offsets = column.offsets.to_numpy(zero_copy_only=False)
        first, end, even = int(offsets[0]), int(offsets[-1]), bool((np.diff(offsets) == dim).all())
    found: NDArray[Any] | None = None
    if even:
        found = column.values.slice(first, end - first).to_numpy(zero_copy_only=False).reshape(-1, dim)
    return found


def read_parquet(operands: Sequence[Operand]) -> Recognised | None:
    """Read Parquet files of one table, part after part."""
    if any(one.head[:4] != _MAGIC for one in operands):
        return None
    with arrow_errors(operands[0].path):
        return table_of(Parts([opened_parquet(one.path) for one in operands]), "parquet")


class Parts:
    """Files of one table, or the batches of Arrow files, as one.

    Args:
        files: At least one, of one schema.
        title: What names the vectors where their column does not; by default the first file.
    """

    def __init__(self, files: Sequence[Any], title: str | None = None) -> None:
        self.title = title or files[0].path.stem
        self.files = list(files)
        self.source = shown(files[0].path) if len(files) == 1 else f"{shown(files[0].path)} and {len(files) - 1} more"
        self.schema = files[0].schema
        self.pieces = [(k, piece) for k, file in enumerate(files) for piece in range(len(file.sizes))]
        self.ends = np.cumsum([size for file in files for size in file.sizes]).tolist()
        names = files[0].schema.names
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise wrong(self.source, f"has two columns called '{twice}'", "Name them apart")
        if odd := next((file for file in files if file.schema.names != names), None):
            raise wrong(shown(odd.path), f"has other columns than {shown(files[0].path)}", "Import them apart")
        refuse_beyond(self.n, self.source)
        self._room = TextRoom()

    @property
    def n(self) -> int:
        """Rows in all."""
        return int(self.ends[-1]) if self.ends else 0

    def load(self, name: str, k: int) -> Any:  # noqa: ANN401 - the library's
        """Return piece k of a column."""
        file, piece = self.pieces[k]
        return self.files[file].piece(name, piece)

    def batches(self, name: str, k: int) -> Iterable[Any]:
        """Return piece k of a column in parts."""
        file, piece = self.pieces[k]
        found: Iterable[Any] = self.files[file].batches(name, piece)
        return found

    def texts(self, name: str) -> list[Any]:
        """Return a whole column as Python's values; of lists of texts, lists.

        Raises:
            UserError: It has records, or lists of anything but texts, or more texts than there is room for.
        """
        if self.is_nested(name) and not self.is_texts(name):
            raise wrong(f"{self.source}, {name}", f"holds {self.schema.field(name).type}, not texts")
        if str(kind := self.schema.field(name).type).endswith("_view"):  # each may be all of the file
            raise wrong(f"{self.source}, {name}", f"is of the type {kind}", f"Save it as {str(kind)[: -len('_view')]}")
        found: list[Any] = []
        for file, piece in self.pieces:
            for chunk in self.files[file].texts(name, piece):
                flat = chunk.flatten() if self.is_nested(name) else chunk
                self._room.take(len(chunk) + len(flat), spelled(flat), f"{self.source}, {name}")
                found += chunk.to_pylist()
        return found

    def is_nested(self, name: str) -> bool:
        """Whether the values of a column are lists or records."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        kind = self.schema.field(name).type
        return bool(pa.types.is_nested(kind.value_type if pa.types.is_dictionary(kind) else kind))

    def is_text(self, name: str) -> bool:
        """Whether a column has a text for each row."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        kind = self.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

    def is_texts(self, name: str) -> bool:
        """Whether a column has a list of texts for each row."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        kind = self.schema.field(name).type
        return is_list(kind) and bool(pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))

    def is_vectors(self, name: str) -> bool:
        """Whether a column has a vector, or steps of vectors, for each row."""
        kind = self.schema.field(name).type
        return _is_list_of_floats(kind) or is_steps(kind)


def table_of(parts: Parts, kind: str) -> Recognised:
    """Say what the columns of a table hold.

    Raises:
        UserError: There is no column of vectors, or one that is none.
    """
    vectors = [field.name for field in parts.schema if parts.is_vectors(field.name)]
    names = parts.schema.names
    if not vectors:
        held = ", ".join(f"{field.name} ({field.type})" for field in parts.schema)
        raise wrong(parts.source, f"has no column of lists of floats (columns: {held[:300]})", "Name one that has")
    if not parts.n:
        raise wrong(parts.source, "holds no rows")
    if {"id", "modality", "vector"} <= set(names) and len(vectors) == 1:
        return _long(parts, kind)
    ids = _ids(parts, names)
    found = Recognised(kind, [], ids=f"column {ids[0]} of {parts.source}" if ids else "by row")
    alone = len(vectors) == 1
    for name in vectors:
        rows = _rows(parts, name)
        plain = modality_of(name)
        stored = plain or (name_of(parts.title) if alone else name_of(name))
        found.features.append(Features(stored, rows, f"{parts.source}, {name}", ids[1] if ids else None))
    take_facts(found, parts, ids[1] if ids else None)
    found.notes += unread_note(parts, {*vectors, *(ids[:1] if ids else ())})
    return found


def _is_list_of_floats(kind: Any) -> bool:  # noqa: ANN401 - an Arrow type
    import pyarrow as pa  # noqa: PLC0415 - as above

    return is_list(kind) and bool(pa.types.is_floating(kind.value_type))


def _rows(parts: Parts, name: str) -> ColumnRows | StepRows:
    source = f"{parts.source}, {name}"
    if is_steps(kind := parts.schema.field(name).type):
        if odd := next((file for file in parts.files if not is_steps(file.schema.field(name).type)), None):
            raise wrong(f"{shown(odd.path)}, {name}", "is no column of steps, as in other parts", "Import them apart")
        return StepRows(parts.ends, lambda k: parts.load(name, k), source, vectors_of, _dtype(step_type(kind)))
    kinds = {file.schema.field(name).type: file for file in parts.files}
    if odd := next((file for kind, file in kinds.items() if not _is_list_of_floats(kind)), None):
        raise wrong(f"{shown(odd.path)}, {name}", "is no column of vectors, as in other parts", "Import them apart")
    if len(widths := sorted({kind.list_size for kind in kinds if getattr(kind, "list_size", -1) > 0})) > 1:
        raise wrong(source, f"has vectors of {widths[0]} and of {widths[1]} dimensions", _ONE_MODEL)
    dtype = str(np.result_type(*map(_dtype, kinds)))
    dim = _dim(parts, name, source)
    if dim * 8 > MOST_ITEM_BYTES:
        raise wrong(source, f"declares vectors of {dim:,} dimensions")
    return ColumnRows(parts, name, source, dim, dtype)


def _dtype(kind: Any) -> str:  # noqa: ANN401 - an Arrow type
    return {"float": "float32", "double": "float64", "halffloat": "float16"}.get(
        str(kind.value_type), str(kind.value_type)
    )


def _dim(parts: Parts, name: str, source: str) -> int:
    """The dimension of a column: of its type, or of its first row that has a vector."""
    kind = parts.schema.field(name).type
    if getattr(kind, "list_size", -1) > 0:
        return int(kind.list_size)
    for k in range(len(parts.pieces)):
        for chunk in parts.batches(name, k):
            lengths = chunk.drop_null().value_lengths().to_numpy(zero_copy_only=False)
            if lengths.any():
                return int(lengths[lengths > 0][0])
    raise wrong(source, "has no vector in any row")


def _ids(parts: Parts, names: Sequence[str]) -> tuple[str, list[str]] | None:
    by_name = {folded(name): name for name in names}
    name = next((by_name[one] for one in _IDS if one in by_name), None)
    if name is None or (folded(name) == _IDS[-1] and not parts.is_text(name)):
        return None
    return name, checked_ids(parts, name)


def _long(parts: Parts, kind: str) -> Recognised:
    """A row for each item and modality: `id, modality, vector`."""
    ids, modalities = checked_ids(parts, "id"), checked_ids(parts, "modality")
    column = np.array(modalities)
    features = []
    for name in dict.fromkeys(modalities):
        places = np.flatnonzero(column == name)
        rows = _Chosen(_LongRows(parts, places, f"{parts.source}, vector of {name}"), places)
        owners = [ids[k] for k in places.tolist()]
        features.append(Features(name_of(name), rows, f"{parts.source}, modality {name}", owners))
    found = Recognised(kind, features, ids=f"column id of {parts.source}")
    take_long_facts(found, parts, ids, [name_of(one) == TEXT for one in modalities])
    return found


class _LongRows:
    """The vectors of one modality among rows of several; each has its own dimension."""

    def __init__(self, parts: Parts, places: NDArray[Any], source: str) -> None:
        self._parts, self._source = parts, source
        self._nulls = Nulls(parts.n)
        self.dim = next((width for width in map(self._width, places.tolist()) if width), 0)
        self.dtype = _dtype(parts.schema.field("vector").type)

    def _width(self, place: int) -> int:
        piece = int(np.searchsorted(self._parts.ends, place, side="right"))
        first = self._parts.ends[piece - 1] if piece else 0
        value = self._parts.load("vector", piece)[place - first].as_py()
        return len(value or ())

    def read(self, places: NDArray[Any]) -> NDArray[Any]:
        """Return vectors by their place in the table."""
        import pyarrow as pa  # noqa: PLC0415 - as above

        owners = np.searchsorted(self._parts.ends, places, side="right")
        found = []
        for start, stop in runs(owners, step=0):
            piece = int(owners[start])
            first = self._parts.ends[piece - 1] if piece else 0
            column = self._parts.load("vector", piece).combine_chunks()
            self._nulls.add(column, first)
            taken = column.take(pa.array(places[start:stop] - first))
            found.append(vectors_of(taken, self.dim, self._source))
        return np.concatenate(found)

    def is_null(self, place: int) -> bool:
        """Whether a row that was read has no vector in the file."""
        return place in self._nulls


class _Chosen:
    """Some rows of others."""

    def __init__(self, rows: _LongRows, places: NDArray[Any]) -> None:
        self._rows, self._places = rows, places
        self.n, self.inner, self.dtype = len(places), (rows.dim,), rows.dtype

    def read(self, positions: NDArray[Any]) -> NDArray[Any]:
        """Return some rows."""
        return self._rows.read(self._places[positions])

    def is_null(self, position: int) -> bool:
        """Whether a row that was read has no vector in the file."""
        return self._rows.is_null(int(self._places[position]))
