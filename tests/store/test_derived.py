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
from gramcli.store.content import StoreContent

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
    with pytest.raises(UserError, match=r"the text vectors changed; the video vectors changed.*overwrite=True"):
        write_store(tmp_path / "s", **other)
    with pytest.raises(UserError, match=r"the captions changed[^-]*overwrite=True") as caught:
        write_store(tmp_path / "s", **_content(caption_items=[0, 1, 1]))
    assert "--" not in str(caught.value)
    write_store(tmp_path / "s", **other, overwrite=True)
    assert open_store(tmp_path / "s").embeddings("video").tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": [None]}, "'splits' has 1 rows for 2 ids"),
        ({"embeddings": {"video": np.zeros((3, 2))}, "caption_items": None}, "'video' has 3 rows for 2 ids"),
        ({"embeddings": {"video": np.zeros(2)}, "caption_items": None}, r"'video' must be \[rows, d\]; got \[2\]"),
        ({"embeddings": {"video": np.eye(2, dtype=int)}, "caption_items": None}, "'video' is of type int64"),
        ({"embeddings": {"video": [[1.0], [1.0, 2.0]]}, "caption_items": None}, "cannot take 'video' as an array"),
        ({"embeddings": {}, "caption_items": None}, "no embeddings"),
        ({"embeddings": None}, "needs a mapping as embeddings; got NoneType"),
        ({"caption_items": [0, 1]}, "caption_items has 2 entries for 3 text rows"),
        ({"caption_items": None}, "caption_items has 0 entries for 3 text rows"),
        ({"caption_items": [1, 0, 1]}, "must not decrease; entry 1 is 0 after 1. Sort the text rows"),
        ({"caption_items": [0, 1, 2]}, r"caption_items must lie in 0\.\.1"),
        ({"caption_items": [0, 0.5, 1]}, "whole numbers as caption_items"),
        ({"status": {"video": ["ok"]}}, "status of 'video' must be 2 times"),
        ({"status": {"video": "ok"}}, "status of 'video' must be 2 times .* got 'ok'"),
        ({"status": {"video": ["ok", True]}}, "status of 'video', number 1, is True; write 'ok'"),
        ({"status": {"video": ["ok", "failed"]}}, "status of 'video', number 1, is 'failed'; write 'ok'"),
        ({"status": None}, "needs a mapping as status; got NoneType"),
        ({"status": {"vidoe": ["ok", "ok"]}}, "status of 'vidoe' .* Did you mean 'video'. Known: text, video"),
        ({"ids": [1, 2]}, "needs strings as ids; number 0 is 1"),
        ({"ids": "ab"}, "needs a list as ids; got str"),
        ({"labels": ["x", 3]}, "needs strings or None as labels; number 1 is 3"),
        ({"model": None}, "needs a mapping as model; got NoneType. Write for instance {'id'"),
        ({"model": "mine"}, "needs a mapping as model; got str"),
        ({"dataset": {"id": {1}}}, "cannot write dataset as JSON"),
        ({"shards": 3}, "has no argument 'shards'"),
    ],
)
def test_what_does_not_fit(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        write_store(tmp_path / "s", **_content(**changes))
    assert not (tmp_path / "s").exists()


def test_a_path_may_be_text_and_arguments_that_lack_are_named(tmp_path: Path) -> None:
    write_store(str(tmp_path / "s"), **_content())
    assert open_store(tmp_path / "s").ids == ("a", "b")
    given = {name: value for name, value in _content().items() if name not in ("labels", "status")}
    with pytest.raises(UserError, match="needs labels, status too"):
        write_store(tmp_path / "t", **given)


@pytest.mark.parametrize(("value", "what"), [(0.0, "all zeros"), (np.nan, "not finite"), (np.inf, "not finite")])
@pytest.mark.parametrize("name", ["text", "video"])
def test_vectors_without_a_direction_are_refused_where_they_are_ok(
    name: str, value: float, what: str, tmp_path: Path
) -> None:
    content = _content()
    content["embeddings"][name][1] = value
    with pytest.raises(UserError, match=f"The '{name}' vector of item .* is {what}, but its status is 'ok'"):
        write_store(tmp_path / "s", **content)
    if name == "video":
        write_store(tmp_path / "s", **{**content, "status": {"video": ["ok", "absent"]}})
        assert open_store(tmp_path / "s").embeddings("video")[1].tolist() == [0, 0]


def test_the_docstring_lists_the_arguments() -> None:
    assert all(f"`{name}`" in str(write_store.__doc__) for name in StoreContent.__annotations__)
