"""A store as .parquet: the columns that Embedding Atlas, FiftyOne and W&B are told."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.export_layout import MARK, Outgoing, table_columns
from gramcli.exchange.export_tables import Block, blocks

if TYPE_CHECKING:
    import pyarrow as pa

_ROW_GROUP: Final = 2**26  # bytes of vectors that are written together


def write(file: IO[bytes], outgoing: Outgoing) -> None:
    """Write the table, in groups of rows of bounded size.

    Args:
        file: To write to.
        outgoing: The store.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    schema = _schema(outgoing).with_metadata({MARK: outgoing.facts()})
    words = ["split", "label", "modality", "status"]
    # Closed by hand: where the disk is full the library's own end would write again.
    writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=words)
    waiting: list[Any] = []
    size = 0
    for block in blocks(outgoing):
        waiting.append(_batch(block, schema))
        size += block.vectors.nbytes
        if size >= _ROW_GROUP:
            writer.write_table(pa.Table.from_batches(waiting, schema))
            waiting, size = [], 0
    writer.write_table(pa.Table.from_batches(waiting, schema))
    writer.close()


def _schema(outgoing: Outgoing) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    words = {name: pa.string() for name in ("id", "split", "label", "modality")}
    more = {
        "x": pa.float32(),
        "y": pa.float32(),
        "rank": pa.float64(),
        "neighbors": pa.struct({"ids": pa.list_(pa.int64()), "distances": pa.list_(pa.float64())}),
    }
    own = {"caption": pa.int32(), "status": pa.string(), "digest": pa.string(), "vector": pa.list_(pa.float32())}
    return pa.schema({**words, **own, **{name: more[name] for name in table_columns(outgoing.columns)}})


def _batch(block: Block, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    dim = block.vectors.shape[1]
    ends = np.concatenate([[0], np.cumsum(np.where(block.present, dim, 0))]).astype(np.int32)
    flat = pa.array(np.ascontiguousarray(block.vectors).reshape(-1), pa.float32())
    vectors = pa.ListArray.from_arrays(pa.array(ends), flat, mask=pa.array(~block.present))
    values: dict[str, Any] = {
        "id": [row.id for row in block.items],
        "split": [row.split for row in block.items],
        "label": [row.label for row in block.items],
        "modality": [block.modality] * len(block.items),
        "caption": block.captions,
        "status": [row.status[block.modality] for row in block.items],
        "digest": block.digests,
        **block.more,
    }
    arrays = [vectors if one.name == "vector" else pa.array(values[one.name], one.type) for one in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
