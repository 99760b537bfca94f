"""Parquet files as pieces: what a row group declares is bounded, and columns are decoded some rows at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.exchange.arrays import refuse_beyond
from gramcli.exchange.base import needs_package, wrong
from gramcli.files.reading import check_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST_GROUP: Final = 2 * 2**30  # bytes of one column of one row group, which is decoded whole
_BATCH: Final = 2048  # rows decoded at a time: levels and pages of more would be half of the memory
_FEW: Final = 64
_CACHED: Final = 2**19  # bytes of a batch of vectors
_BUFFER: Final = 2**20
_WIDTHS: Final = {"FLOAT": 4, "DOUBLE": 8, "INT32": 4, "INT64": 8, "INT96": 12}
_MOST_RATIO: Final = 300
_SMALL: Final = 64 * 2**20
_ALL: Final = 2**26  # bytes of texts that are decoded at a time, where each may be as long as all are stored
_REPEATING: Final = "DELTA_BYTE_ARRAY"
_TEXTS: Final = ("string", "large_string", "binary", "large_binary")


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Turn what the library raises into a sentence.

    Raises:
        UserError: The block failed in the library.
    """
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise needs_package("pyarrow", shown(path)) from error
    except Exception as error:  # damaged files end in any of its errors, and in those of Python
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise wrong(shown(path), f"cannot be read by pyarrow ({text})") from error


def opened_parquet(path: Path) -> ParquetPiece:
    """Open a Parquet file; its columns are read when asked for.

    Raises:
        UserError: It is damaged, or declares more than an import takes.
    """
    with arrow_errors(path):
        import pyarrow.parquet as pq  # noqa: PLC0415 - only this format needs it

        check_regular(path)
        return ParquetPiece(path, pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=_BUFFER))


class ParquetPiece:
    """One file of a table.

    Args:
        path: Where.
        file: The library's.
    """

    def __init__(self, path: Path, file: Any) -> None:  # noqa: ANN401 - the library's
        self.path, self._file = path, file
        meta = file.metadata
        self.schema = file.schema_arrow
        self.sizes = [meta.row_group(k).num_rows for k in range(meta.num_row_groups)]
        refuse_beyond(meta.num_rows, shown(path))
        for k in range(meta.num_row_groups):
            group = meta.row_group(k)
            for column in range(group.num_columns):
                _check_group(group.column(column), shown(path))

    def texts(self, name: str, k: int) -> Iterator[Any]:
        """Yield a column of row group k in parts, a text that comes again held once.

        Raises:
            UserError: It is damaged.
        """
        with arrow_errors(self.path):
            import pyarrow.parquet as pq  # noqa: PLC0415 - as above

            group = self._file.metadata.row_group(k)
            columns = map(group.column, range(group.num_columns))
            column = next(one for one in columns if f"{one.path_in_schema}.".startswith(f"{name}."))
            is_text = column.physical_type == "BYTE_ARRAY"
            file = (
                pq.ParquetFile(self.path, memory_map=False, read_dictionary=[column.path_in_schema])
                if is_text
                else self._file
            )
            # Texts that repeat the one before for the price of a number: none is longer than all of them are stored
            most = _BATCH if _REPEATING not in column.encodings else _ALL // max(1, column.total_uncompressed_size)
            for batch in file.iter_batches(
                max(1, min(_BATCH, most)), row_groups=[k], columns=[name], use_threads=False
            ):
                yield batch.column(0)

    def piece(self, name: str, k: int) -> Any:  # noqa: ANN401 - the library's
        """Return a column of row group k."""
        with arrow_errors(self.path):
            import pyarrow as pa  # noqa: PLC0415 - as above

            pa.default_memory_pool().release_unused()  # what the piece before took
            return pa.chunked_array(self._batches(name, k, _BATCH), self.schema.field(name).type)

    def batches(self, name: str, k: int) -> Iterator[Any]:
        """Yield a column of row group k in parts that the processor's cache holds.

        Raises:
            UserError: It is damaged.
        """
        group = self._file.metadata.row_group(k)
        row = group.total_byte_size // max(1, group.num_rows)
        with arrow_errors(self.path):
            yield from self._batches(name, k, min(_BATCH, max(_FEW, _CACHED // max(1, row))))

    def _batches(self, name: str, k: int, rows: int) -> Iterator[Any]:
        for batch in self._file.iter_batches(rows, row_groups=[k], columns=[name], use_threads=False):
            yield batch.column(0)


def _check_group(column: Any, source: str) -> None:  # noqa: ANN401 - the library's
    """Refuse a column of a row group that is more than can be held, or than its file accounts for.

    Raises:
        UserError: It is.
    """
    stored, where = column.total_uncompressed_size, f"{source}, {column.path_in_schema}"
    size = max(stored, column.num_values * _WIDTHS.get(column.physical_type, 0))
    if size > _LARGEST_GROUP:
        remedy = "Write it with row_group_size=8192"
        raise wrong(where, f"declares {size:,} bytes in one row group, which is decoded whole", remedy)
    if size > _SMALL and size > _MOST_RATIO * max(1, column.total_compressed_size):
        said = f"unpacks {column.total_compressed_size:,} bytes to {size:,} in one row group, as no features do"
        raise wrong(where, said)


def spelled(array: Any) -> int:  # noqa: ANN401 - an Arrow array
    """Bytes that the texts of an array come to when each is written out."""
    import pyarrow as pa  # noqa: PLC0415 - as above
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    is_dictionary = pa.types.is_dictionary(array.type)
    kind = array.type.value_type if is_dictionary else array.type
    if not any(getattr(pa.types, f"is_{one}")(kind) for one in _TEXTS):
        return int(array.nbytes)
    lengths = pc.binary_length(array.dictionary if is_dictionary else array).cast(pa.int64())
    return int(pc.sum(lengths.take(array.indices) if is_dictionary else lengths).as_py() or 0)
