"""Parquet annotations as rows; what is declared is counted before any of it is decoded."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.tables import Row
from gramcli.datasets.values import MAX_ANNOTATION_BYTES
from gramcli.errors import UserError
from gramcli.files.amounts import MOST_TEXT, TooMuchError, check_amount
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WIDTHS: Final = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_TEXTS: Final = "BYTE_ARRAY"
# Each text may repeat the one before it for the price of a number, which no size in the file tells.
_REPEATING: Final = "DELTA_BYTE_ARRAY"


def parquet_rows(path: Path, raw: bytes) -> list[Row]:
    """Return the rows of a Parquet file.

    Args:
        path: The file, for messages.
        raw: Its content.

    Returns:
        Rows in file order; their values are Python's.

    Raises:
        UserError: It is damaged, declares or holds more than can be read, or pyarrow is not installed.
    """
    name = shown(path)
    try:
        return list(_rows(name, raw))
    except UserError:
        raise
    except ImportError as error:
        raise UserError(
            "input", f"{name} needs the package pyarrow to be read: pip install pyarrow, or export it as CSV."
        ) from error
    except TooMuchError as error:
        raise UserError("input", f"{name} is too large ({error}); split it, or export the columns needed.") from error
    except Exception as error:  # damaged files end in any error of the library, and in those of Python
        why = str(error).partition("\n")[0] or type(error).__name__
        raise UserError("input", f"{name} cannot be read as Parquet ({why}); download it again.") from error


def _rows(name: str, raw: bytes) -> Iterator[Row]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - only this format needs it

    meta = pq.ParquetFile(io.BytesIO(raw)).metadata
    columns = [meta.row_group(k).column(c) for k in range(meta.num_row_groups) for c in range(meta.num_columns)]
    _check_declared(meta, columns)
    texts = sorted({one.path_in_schema for one in columns if one.physical_type == _TEXTS} - _repeating(columns))
    file = pq.ParquetFile(io.BytesIO(raw), read_dictionary=texts)  # a text that comes again is held once
    names = file.schema_arrow.names
    if twice := [one for one, times in Counter(names).items() if times > 1]:
        raise UserError("input", f"{name} names the column '{twice[0]}' twice; rename one of them.")
    number = spelled = 0
    for k in range(meta.num_row_groups):
        table = file.read_row_group(k, use_threads=False)
        spelled += sum(_spelled(chunk) for column in table.columns for chunk in column.chunks)
        if spelled > MOST_TEXT:
            raise TooMuchError(f"its texts come to more than {MOST_TEXT:,} bytes")
        for cells in zip(*(column.to_pylist() for column in table.columns), strict=True):
            number += 1
            yield Row(f"{name} row {number}", dict(zip(names, cells, strict=True)), is_table=False)


def _check_declared(meta: Any, columns: list[Any]) -> None:  # noqa: ANN401 - the library's
    """Refuse what the file says of itself, where that is more than can be read.

    Raises:
        TooMuchError: It is.
        ValueError: Its texts are stored in a way whose size is not known beforehand.
    """
    check_amount(meta.num_rows, sum(one.num_values for one in columns))
    lengths = {meta.schema.column(c).path: meta.schema.column(c).length for c in range(meta.num_columns)}
    size = sum(one.total_uncompressed_size for one in columns) + sum(
        one.num_values * _WIDTHS.get(one.physical_type, lengths[one.path_in_schema])
        for one in columns
        if one.physical_type != _TEXTS
    )
    if size > MAX_ANNOTATION_BYTES:
        raise TooMuchError(f"it unpacks to {size:,} bytes, more than {MAX_ANNOTATION_BYTES:,}")
    repeating = _repeating(columns)
    for one in columns:
        if one.path_in_schema in repeating and one.num_values * one.total_uncompressed_size > MAX_ANNOTATION_BYTES:
            raise ValueError(
                f"its column {one.path_in_schema} is encoded as {_REPEATING}, which may unpack to any size"
            )


def _repeating(columns: list[Any]) -> set[str]:
    return {one.path_in_schema for one in columns if _REPEATING in one.encodings}


def _spelled(array: Any) -> int:  # noqa: ANN401 - an Arrow array
    """Bytes that an array's texts come to when each is written out."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return int(pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(_spelled(field) for field in array.flatten())
    if pa.types.is_map(kind):
        return _spelled(array.keys) + _spelled(array.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _spelled(array.flatten())
    return 0
