"""Stores of any content, drawn by hypothesis: what join and export must keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gramcli.store import Store, open_store, write_store

IDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
WORDS = st.one_of(st.none(), st.sampled_from(["train", "test", "a b", 'q"u,o\n', "ÄÖ", "'=1+1", "None"]))
OTHERS = ("absent", "absent: no sound", "failed: it, is\nbroken", "stand-in: silence", "ok: partial: 2 of 3")


@st.composite
def contents(draw: st.DrawFn, most: int = 9) -> dict[str, Any]:
    """The arguments of `write_store`: any ids, one to three modalities, none or several captions an item."""
    ids = draw(st.lists(IDS, min_size=1, max_size=most, unique=True))
    n = len(ids)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    names = draw(st.lists(st.sampled_from(["text", "video", "audio", "vas"]), min_size=1, max_size=3, unique=True))
    counts = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    owners = np.repeat(np.arange(n), counts if "text" in names else 0)
    embeddings, status = {}, {}
    for name in names:
        rows = len(owners) if name == "text" else n
        scale = np.float32(10.0) ** rng.integers(-38, 38, size=(rows, 1)).astype(np.float32)
        embeddings[name] = (rng.normal(size=(rows, draw(st.integers(1, 4)))).astype(np.float32) + 1) * scale
        embeddings[name][embeddings[name] == 0] = np.float32(1e-45)
        if name != "text":
            found = draw(st.lists(st.sampled_from(("ok", *OTHERS)), min_size=n, max_size=n))
            status[name] = found
            embeddings[name][[not one.startswith(("ok", "stand-in")) for one in found]] = 0
    texts = draw(st.booleans())
    return {
        "ids": ids,
        "splits": draw(st.lists(WORDS, min_size=n, max_size=n)),
        "labels": draw(st.lists(WORDS, min_size=n, max_size=n)),
        "embeddings": embeddings,
        "caption_items": owners,
        "captions": [f"text {k}" for k in range(len(owners))] if texts and "text" in names else None,
        "status": status,
        "model": {"id": "made", "shared_space": draw(st.booleans()), "note": "Größe \x00 \u2028"},
        "dataset": {"id": "made", "protocol": "manifest", "annotation_sha256": None},
        "shard_size": draw(st.integers(1, 4)),
    }


def written(path: Path, content: dict[str, Any]) -> Store:
    """The store of a content."""
    write_store(path, **content)
    return open_store(path)


def of_ids(ids: Sequence[str], *names: str, seed: int = 0, dim: int = 4, **changes: Any) -> dict[str, Any]:
    """A plain content: a row for each id and modality, drawn from the id, so that order does not matter."""

    def row(name: str, item: str) -> Any:
        return np.random.default_rng([seed, *name.encode(), *item.encode()]).normal(size=dim).astype(np.float32)

    content: dict[str, Any] = {
        "ids": list(ids),
        "splits": [None] * len(ids),
        "labels": [None] * len(ids),
        "embeddings": {name: np.stack([row(name, item) for item in ids]) for name in names},
        "caption_items": np.arange(len(ids)) if "text" in names else None,
        "captions": [f"about {item}" for item in ids] if "text" in names else None,
        "status": {},
        "model": {"id": f"model {seed}", "shared_space": True},
        "dataset": {"id": "made", "protocol": "manifest", "annotation_sha256": None},
        "shard_size": 3,
    }
    return content | changes
