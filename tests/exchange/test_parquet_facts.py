"""What tables say of items beside their vectors: conflicts, classes, captions, vectors with a time axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

from gramcli import UserError, import_features, open_store  # noqa: E402
from gramcli.store import Store  # noqa: E402
from tests.exchange.conftest import Draw  # noqa: E402


def imported(columns: dict[str, Any], **metadata: str) -> Store:
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, "x.parquet", row_group_size=2)
    import_features("x.parquet", "store")
    return open_store("store")


@pytest.mark.parametrize("column", ["label", "split"])
def test_rows_of_one_item_that_say_two_things_are_refused(column: str, here: Path, draw: Draw) -> None:
    with pytest.raises(UserError, match=f"item 'a' two {column}s, 'train' and 'test'"):
        imported({"id": ["a", "a", "b"], "text": draw(3, 4).tolist(), column: ["train", "test", "test"]})


def test_classes_that_pandas_made_floats_are_whole_numbers(here: Path, draw: Draw) -> None:
    store = imported({"id": list("abc"), "video": draw(3, 4).tolist(), "label": pa.array([1.0, None, 3.0])})
    assert store.labels == ("1", None, "3")


def test_labels_that_are_no_classes_are_said(here: Path, draw: Draw) -> None:
    pq.write_table(pa.table({"id": list("ab"), "video": draw(2, 4).tolist(), "label": [0.5, 1.0]}), "x.parquet")
    assert any("label holds double, no class" in one for one in import_features("x.parquet", "store").notes)


def test_the_names_of_class_labels_are_those_of_datasets(here: Path, draw: Draw) -> None:
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    held = {"id": list("abc"), "video": draw(3, 4).tolist(), "label": [1, 0, -1]}
    assert imported(held, huggingface=json.dumps(features)).labels == ("dog", "cat", None)


def test_long_rows_give_their_captions(here: Path, draw: Draw) -> None:
    held = {"id": list("aab"), "modality": ["video", "text", "video"], "vector": draw(3, 4).tolist()}
    assert imported({**held, "caption": [None, "a dog", ""]}).caption_digests() is not None


def test_a_long_table_that_begins_with_no_vector(here: Path, draw: Draw) -> None:
    vectors = [None, *draw(2, 4).tolist()]
    store = imported(
        {"id": list("abc"), "modality": ["video"] * 3, "vector": pa.array(vectors, pa.list_(pa.float32()))}
    )
    assert store.status("video") == ["absent: null", "ok", "ok"]


def test_several_captions_in_a_cell(here: Path, draw: Draw) -> None:
    held = {"id": list("ab"), "video": draw(2, 4).tolist(), "captions": [["a dog", "a cat"], ["one"]]}
    pq.write_table(pa.table(held), "x.parquet")
    np.save("text.npy", draw(3, 4))
    found = import_features(["x.parquet", "text.npy"], "store")
    assert (found.texts, found.captions) == (3, 3)


@pytest.mark.parametrize("kind", ["ragged", "fixed", "tensor"])
def test_steps_in_nested_lists_are_pooled(kind: str, here: Path, draw: Draw) -> None:
    steps = draw(5, 3, 4)
    steps[1, 2] = 0
    rows = [one[: 1 + k % 3] if kind == "ragged" else one for k, one in enumerate(steps)]
    column: Any = pa.array([one.tolist() for one in rows], pa.list_(pa.list_(pa.float32())))
    if kind == "fixed":
        column = column.cast(pa.list_(pa.list_(pa.float32(), 4), 3))
    if kind == "tensor":
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(steps)
    store = imported({"id": list("edcba"), "video": column})
    kept = [one[one.any(axis=1)].astype(np.float64).mean(axis=0) for one in rows]
    assert store.ids == tuple("edcba")
    assert np.allclose(store.embeddings("video").numpy(), kept, atol=1e-6)


def test_no_steps_and_null_steps_are_holes(here: Path) -> None:
    column = pa.array([None, [], [[1.0, 2.0], None], [[3.0, None], [5.0, 6.0]]], pa.list_(pa.list_(pa.float32())))
    store = imported({"id": list("abcd"), "video": column})
    assert store.status("video") == ["absent: null", "absent: no time steps", "ok", "ok"]
    assert store.embeddings("video").numpy()[2:].tolist() == [[1, 2], [4, 6]]


def test_steps_of_two_widths_are_refused(here: Path) -> None:
    with pytest.raises(UserError, match="of 2 and of 3 dimensions"):
        imported({"id": list("ab"), "video": [[[1.0, 2.0]], [[1.0, 2.0, 3.0]]]})
