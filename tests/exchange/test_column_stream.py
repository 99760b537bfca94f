"""Columns of Parquet files are read in any order, and in order without a row group in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gramcli import import_features, open_store
from gramcli.errors import UserError
from gramcli.exchange.column_stream import ColumnStream
from gramcli.exchange.parquet import Parts, table_of, vectors_of
from gramcli.exchange.parquet_files import opened_parquet
from gramcli.exchange.parquet_steps import Nulls

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
N, DIM = 3000, 4
ORDERS = {
    "all": np.arange(N),
    "back": np.arange(N)[::-1],
    "some": np.delete(np.arange(N), [0, 7, 999, 1000, 2998]),
    "far": np.arange(0, N, 100),
    "twice": np.repeat(np.arange(N), 2),
    "shuffled": np.random.default_rng(1).permutation(N),
}


def written(kind: str, rows_in_a_group: int) -> np.ndarray:
    """A table of N vectors, of which each 500th is null; returns them with NaN for these."""
    x = np.random.default_rng(0).standard_normal((N, DIM)).astype(np.float32)
    null = np.arange(N) % 500 == 3
    if kind == "fixed":
        column = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), DIM, mask=pa.array(null))
    else:
        lists = [None if gone else row for row, gone in zip(x, null, strict=True)]
        column = pa.array(lists, {"list": pa.list_, "large": pa.large_list}[kind](pa.float32()))
    pq.write_table(pa.table({"video": column}), "video.parquet", row_group_size=rows_in_a_group)
    x[null] = np.nan
    return x


@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
@pytest.mark.parametrize("rows_in_a_group", [7, 1000, N])
def test_rows_in_any_order(kind: str, rows_in_a_group: int, here: Path) -> None:
    x = written(kind, rows_in_a_group)
    for order in ORDERS.values():
        rows = table_of(Parts([opened_parquet(Path("video.parquet"))]), "parquet").features[0].rows
        for start in range(0, len(order), 1100):
            some = order[start : start + 1100]
            assert np.array_equal(rows.read(some), x[some], equal_nan=True)
        assert [rows.is_null(k) for k in order] == (order % 500 == 3).tolist()


def test_slices_of_lists_are_where_they_say() -> None:
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 4)
    for column in (fixed, pa.array(list(x)), pa.array(list(x), pa.large_list(pa.float32()))):
        assert np.array_equal(vectors_of(column[3:8], 4, "x"), x[3:8])
        with pytest.raises(UserError, match="has vectors of 5 and of 4 dimensions"):
            vectors_of(column, 5, "x")


def test_a_piece_with_fewer_rows_than_it_declares_is_refused() -> None:
    ends = np.array([4, 8])
    stream = ColumnStream(ends, lambda _: [pa.array([[1.0, 2.0]] * 3)], lambda c: vectors_of(c, 2, "x"), Nulls(8), "x")
    with pytest.raises(UserError, match="x ends after 3 rows of the 8 that it declares"):
        stream.read(0, np.empty((8, 2)))


def test_one_row_group_of_all_rows_is_not_in_memory(here: Path) -> None:
    x = np.random.default_rng(0).standard_normal((20_000, 512), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 512)
    pq.write_table(pa.table({"video": column}), "video.parquet", compression="none", use_dictionary=False)
    held: list[int] = []

    class Looks:
        def stage(self, label: str, unit: str = "items") -> Callable[..., None]:
            return lambda *_: held.append(pa.default_memory_pool().bytes_allocated())

        def say(self, message: str) -> None: ...

    import_features("video.parquet", "store", watch=Looks())
    assert max(held) < x.nbytes // 4
    assert np.array_equal(open_store("store").embeddings("video").numpy(), x)
