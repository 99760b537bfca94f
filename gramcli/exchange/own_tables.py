"""The rows of an export of ours as a table, read in order: .parquet and .csv."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.exchange.base import needs_package
from gramcli.exchange.export_csv import COLUMNS
from gramcli.exchange.export_layout import CSV_MARK, MARK
from gramcli.exchange.own_arrays import unusable
from gramcli.exchange.parquet_files import opened_parquet, spelled
from gramcli.exchange.text_room import TextRoom
from gramcli.files.reading import open_regular

_FACTS: Final = COLUMNS[:-1]
_TEXTS: Final = tuple(name for name in _FACTS if name != "caption")
_LONGEST_CELL: Final = 2**28
_ROWS: Final = 1024


@dataclass(frozen=True)
class Line:
    """One row of a table.

    Attributes:
        id: The item.
        split: Its split, None for none.
        label: Its label, None for none.
        modality: The embedding.
        caption: Number of the caption; None for none.
        status: Of the item's embedding.
        digest: Of the caption; None where it is not known.
        vector: None where there is none, or where vectors are not asked for.
    """

    id: str
    split: str | None
    label: str | None
    modality: str
    caption: int | None
    status: str
    digest: str | None
    vector: Sequence[float] | NDArray[Any] | None


def mark_of(path: Path) -> bytes | None:
    """The facts of a table, as they stand in it; None where it is no export of ours.

    Raises:
        UserError: It is damaged, or its package is not installed.
    """
    with open_regular(path) as file:
        head = file.read(4)
        if head == b"PAR1":
            return _mark_of_parquet(path)
    return _mark_of_csv(path) if head == ",".join(COLUMNS).encode()[:4] else None


def lines(path: Path, *, vectors: bool) -> Iterator[Line]:
    """The rows of a table.

    Args:
        path: The file; `mark_of` knows it.
        vectors: Whether to read the vectors too.

    Raises:
        UserError: It is damaged.
    """
    with open_regular(path) as file:
        is_parquet = file.read(4) == b"PAR1"
    try:
        yield from (_lines_of_parquet if is_parquet else _lines_of_csv)(path, vectors)
    except (ValueError, TypeError, KeyError, OSError, csv.Error) as error:
        raise unusable(path, error) from error


def _mark_of_parquet(path: Path) -> bytes | None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError:
        raise needs_package("pyarrow", str(path)) from None
    try:
        found: bytes | None = (pq.read_schema(path).metadata or {}).get(MARK.encode())
    except (pa.ArrowException, OSError) as error:
        raise unusable(path, error) from error
    return found


def _lines_of_parquet(path: Path, vectors: bool) -> Iterator[Line]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    opened_parquet(path)  # refuses what declares more than it stores
    with pq.ParquetFile(path, read_dictionary=list(_TEXTS)) as file:  # a text that comes again is held once
        columns = [*_FACTS, *(["vector"] if vectors else [])]
        for batch in file.iter_batches(_ROWS, columns=columns):
            room = TextRoom()
            for name in _TEXTS:
                room.take(len(batch), spelled(batch.column(name)), f"{path}, {name}")
            plain: list[Any] = [batch.column(name).to_pylist() for name in _FACTS]
            cells = batch.column("vector") if vectors else [None] * len(batch)
            for place, cell in enumerate(cells):
                facts = {name: values[place] for name, values in zip(_FACTS, plain, strict=True)}
                held = cell is not None and cell.is_valid
                yield Line(**facts, vector=np.asarray(cell.values) if held else None)


def _mark_of_csv(path: Path) -> bytes | None:
    with _rows_of_csv(path) as (header, rows):
        if tuple(header[: len(COLUMNS)]) != COLUMNS or header[-1] != CSV_MARK:
            return None
        first = next(rows, [""])
        return first[-1].encode("utf-8") or None


def _lines_of_csv(path: Path, vectors: bool) -> Iterator[Line]:
    with _rows_of_csv(path) as (header, rows):
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"a line has {len(row)} cells where the header has {len(header)}")
            name, split, label, modality, caption, status, digest, vector = row[: len(COLUMNS)]
            yield Line(
                name,
                split or None,
                label or None,
                modality,
                int(caption) if caption else None,
                status,
                digest or None,
                json.loads(vector) if vectors and vector else None,
            )


@contextmanager
def _rows_of_csv(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Header and rows; a cell may be as long as a vector."""
    before = csv.field_size_limit(min(_LONGEST_CELL, sys.maxsize))
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
            rows = csv.reader(text, strict=True)
            yield next(rows, []), rows
    except (csv.Error, UnicodeDecodeError) as error:
        raise unusable(path, error) from error
    finally:
        csv.field_size_limit(before)


def taken(found: Iterator[Line], count: int, path: Path) -> list[Line]:
    """The next rows.

    Raises:
        UserError: There are fewer.
    """
    rows = list(islice(found, count))
    if len(rows) < count:
        raise unusable(path, "it ends early")
    return rows
