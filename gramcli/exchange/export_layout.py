"""What an export of a store holds: enough for `gram import` to make the same store of it, bit for bit.

Arrays (.npz .safetensors .h5), by name:

- `gram.json`, uint8: a JSON object in UTF-8, `ExportFacts`: the mark of an export of ours. Model, dataset and sources
  are those of the store's manifest; `held` are the embeddings in this very file, `modalities` those of the store.
- `items.csv`, uint8: the store's items.csv, so ids, splits, labels, caption rows and the status of each embedding.
- every embedding under its own name, float32 [items, d]; zero where its status says that there is none. `text` and
  its views are [captions, d]; beside them `text.item`, int64 [captions], the position of the item of each caption, and
  where the texts were known `text.digest`, int64 [captions] (`gramcli.store.layout.text_digest`).
- .npz and .h5 also `ids`, `splits` and `labels` as strings, for people: nothing is read from them.

Tables (.parquet .csv), a row for each item and embedding, for texts for each caption:

- `id`, `split`, `label`, `modality`; `caption`, its number within the item, from 0; `status`; `digest`, the first 16
  digits of the caption's sha256; `vector`; where asked for, `x`, `y`, `rank`, `neighbors`. What there is none of is
  empty: the vector where the status says so, and of an item without captions the caption of its one row.
- Rows stand shard by shard, in a shard by embedding, then by item and caption.
- The facts are the metadata `gram.json` of a Parquet file's schema, and in CSV the first cell of the last column,
  `gram`.

A float32 is written in CSV with the fewest digits that name it and no other, so reading gives the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gramcli.results.schema import Sha256, Size
from gramcli.store.items import format_items, in_columns
from gramcli.store.layout import is_text, read_inputs
from gramcli.store.reader import Store
from gramcli.store.rows import DIGESTS, OWNERS, StoreRows

VERSION: Final = 1
MARK: Final = "gram.json"
ITEMS: Final = "items.csv"
CSV_MARK: Final = "gram"


class ExportFacts(msgspec.Struct):
    """`gram.json` of an export.

    Attributes:
        gram_export: Version of this layout.
        model: Of the store's manifest.
        dataset: Of the store's manifest.
        modalities: Embedding -> dimension, of the whole store, in order.
        held: Those in this file.
        shard_size: Items per shard of the store.
        sources: Of the store's manifest.
        texts_known: Whether captions have digests.
        fingerprint: Of the store.
        inputs: Modality -> for each item the digest of what it was made from, None where it was not: the store's
            inputs.json, by which leakage and changed media are found.
        findings: What was found of the model while the store was made: its notes.json, which evaluations say.
    """

    gram_export: Size
    model: dict[str, Any]
    dataset: dict[str, Any]
    modalities: dict[str, Size]
    held: list[str]
    shard_size: Size
    sources: dict[str, str]
    texts_known: bool
    fingerprint: Sha256
    inputs: dict[str, list[str | None]] = {}
    findings: dict[str, str] = {}


@dataclass(frozen=True)
class Tensor:
    """An array of an export, written piece by piece.

    Attributes:
        name: Its name.
        dtype: float32, int64 or uint8.
        shape: Of the whole.
        pieces: Its rows, a part at a time.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[NDArray[Any]]]


@dataclass(frozen=True)
class Columns:
    """Columns of a table beyond those of the store.

    Attributes:
        xy: Embedding -> a point for each of its rows, [rows, 2]; NaN where there is none.
        ranks: Embedding -> rank of the right answer of each of its rows, [rows]; NaN where it does not ask.
        neighbors: Embedding -> for each of its rows (rows of `neighbor_of`, distances), best first.
        neighbor_of: Embedding whose rows `neighbors` names; the rows of the table are found from them.
    """

    xy: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    ranks: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    neighbors: Mapping[str, Mapping[int, tuple[NDArray[np.int64], NDArray[np.float64]]]] = field(default_factory=dict)
    neighbor_of: str = ""


@dataclass(frozen=True)
class Outgoing:
    """A store on its way out.

    Attributes:
        store: The store.
        rows: Its rows.
        held: The embeddings to write.
        columns: More columns, of tables.
        advance: Called when another shard is done, of an embedding.
    """

    store: Store
    rows: StoreRows
    held: tuple[str, ...]
    columns: Columns = field(default_factory=Columns)
    advance: Callable[[], None] = lambda: None

    def facts(self) -> bytes:
        """`gram.json`: ASCII."""
        manifest = self.store.manifest
        found = ExportFacts(
            VERSION,
            manifest["model"],
            manifest["dataset"],
            self.store.dims,
            list(self.held),
            manifest["shard_size"],
            manifest["sources"],
            self.rows.knows_texts,
            self.store.fingerprint(),
            self._inputs(),
            dict(self.store.findings),
        )
        return json.dumps(msgspec.to_builtins(found), allow_nan=False).encode("ascii")

    def _inputs(self) -> dict[str, list[str | None]]:
        found = read_inputs(self.store.path, len(self.store.rows))
        names = sorted({name for one in found for name in one})
        return {name: [one.get(name) for one in found] for name in names}

    def items(self) -> bytes:
        """`items.csv`, as in the store."""
        return format_items(in_columns(self.store.rows), self.store.modalities).encode("utf-8")

    def tensors(self) -> list[Tensor]:
        """All arrays of the file, the two descriptions first."""
        blobs = [_blob(MARK, self.facts()), _blob(ITEMS, self.items())]
        captions = int(self.rows.caption_starts[-1])
        found = [
            self._tensor(name, np.dtype("<f4"), (captions if is_text(name) else len(self.store.rows), dim))
            for name, dim in self.store.dims.items()
            if name in self.held
        ]
        if any(map(is_text, self.held)):
            found.append(self._tensor(OWNERS, np.dtype("<i8"), (captions,)))
            if self.rows.knows_texts:
                found.append(self._tensor(DIGESTS, np.dtype("<i8"), (captions,)))
        return [*blobs, *found]

    def words(self) -> dict[str, list[str]]:
        """`ids`, `splits` and `labels`, empty texts for none; none that an embedding is called by."""
        rows = self.store.rows
        found = {
            "ids": [row.id for row in rows],
            "splits": [row.split or "" for row in rows],
            "labels": [row.label or "" for row in rows],
        }
        return {name: values for name, values in found.items() if name not in self.held}

    def _tensor(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Tensor:
        def pieces() -> Iterator[NDArray[Any]]:
            """The rows, shard by shard."""
            for index in range(self.rows.n_shards):
                yield np.ascontiguousarray(self.rows.shard(name, index), dtype=dtype)
                if name in self.held:
                    self.advance()

        return Tensor(name, dtype, shape, pieces)


def _blob(name: str, data: bytes) -> Tensor:
    return Tensor(name, np.dtype("u1"), (len(data),), lambda: iter([np.frombuffer(data, dtype="u1")]))


def table_columns(columns: Columns) -> Sequence[str]:
    """Names of the columns of a table that are there when asked for."""
    return [
        *(("x", "y") if columns.xy else ()),
        *(("rank",) if columns.ranks else ()),
        *(("neighbors",) if columns.neighbors else ()),
    ]
