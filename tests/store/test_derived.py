"""Whole stores from memory: any names, any dimensions, any mask."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.store import open_store, write_store

SMALL = st.floats(-2, 2, width=32)


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 9))
    ids = draw(
        st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), min_size=n, max_size=n, unique=True)
    )
    dims = draw(st.dictionaries(st.sampled_from(["text", "video", "vas", "a+v"]), st.integers(1, 4), min_size=1))
    owners = sorted(draw(st.lists(st.integers(0, n - 1), max_size=8))) if "text" in dims else []
    rows = {name: len(owners) if name == "text" else n for name in dims}
    seed = draw(st.integers(0, 99))
    embeddings = {
        name: np.random.default_rng(seed).normal(size=(rows[name], dim)).astype(np.float32)
        for name, dim in dims.items()
    }
    status = {
        name: draw(st.lists(st.sampled_from(["ok", "absent", "failed: a,\n b"]), min_size=n, max_size=n))
        for name in dims
        if name != "text"
    }
    return {
        "ids": ids,
        "splits": draw(st.lists(st.sampled_from([None, "train"]), min_size=n, max_size=n)),
        "labels": [None] * n,
        "embeddings": embeddings,
        "caption_items": owners,
        "status": status,
        "model": {"id": "heads", "shared_space": True},
        "dataset": {"id": "x"},
        "shard_size": draw(st.integers(1, 10)),
    }


@settings(max_examples=30, deadline=None)
@given(contents())
def test_round_trip(content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_store(Path(folder) / "s", **content)
        store = open_store(Path(folder) / "s")
        assert store.shared_space
        assert store.ids == tuple(content["ids"])
        assert store.splits == tuple(content["splits"])
        assert store.caption_items().tolist() == content["caption_items"]
        assert store.modalities == tuple(content["embeddings"])
        for name, given_rows in content["embeddings"].items():
            if name == "text":
                assert torch.equal(store.embeddings(name), torch.from_numpy(given_rows))
                continue
            assert store.status(name) == content["status"][name]
            kept = torch.from_numpy(given_rows) * store.present(name)[:, None]
            assert torch.equal(store.embeddings(name), kept)


def _content(**changes: Any) -> dict[str, Any]:
    content = {
        "ids": ["a", "b"],
        "splits": [None, None],
        "labels": ["x", "y"],
        "embeddings": {"text": np.eye(3, dtype=np.float32), "video": np.eye(2, dtype=np.float32)},
        "caption_items": [0, 0, 1],
        "status": {},
        "model": {"id": "heads"},
        "dataset": {"id": "x"},
    }
    return {**content, **changes}


def test_repeating_it_is_a_no_op_and_other_vectors_need_overwrite(tmp_path: Path) -> None:
    write_store(tmp_path / "s", **_content())
    before = open_store(tmp_path / "s").fingerprint()
    write_store(tmp_path / "s", **_content())
    assert open_store(tmp_path / "s").fingerprint() == before
    other = _content(embeddings={"text": np.ones((3, 3)), "video": np.ones((2, 2))})
    with pytest.raises(UserError, match="the text vectors changed; the video vectors changed"):
        write_store(tmp_path / "s", **other)
    write_store(tmp_path / "s", **other, overwrite=True)
    assert open_store(tmp_path / "s").embeddings("video").tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": [None]}, "'splits' has 1 rows for 2 ids"),
        ({"embeddings": {"video": np.zeros((3, 2))}, "caption_items": None}, "'video' has 3 rows for 2 ids"),
        ({"embeddings": {"video": np.zeros(2)}, "caption_items": None}, r"'video' must be \[rows, d\]; got \[2\]"),
        ({"caption_items": [0, 1]}, "caption_items must name the item of each text row"),
        ({"caption_items": [1, 0, 1]}, "in the order of the items"),
        ({"caption_items": [0, 1, 2]}, r"caption_items must lie in 0\.\.1"),
        ({"status": {"video": ["ok"]}}, "status of 'video' must be 2 times"),
        ({"status": {"vidoe": ["ok", "ok"]}}, "status of 'vidoe' .* Did you mean 'video'. Known: text, video"),
    ],
)
def test_what_does_not_fit(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        write_store(tmp_path / "s", **_content(**changes))
