"""Small stores written from vectors in memory, for the tests of selection, evaluation and comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gramcli.store import Store, open_store, write_store

D = 8


def make_store(
    path: Path,
    n: int = 12,
    *,
    captions: Sequence[int] | int = 1,
    splits: Sequence[str | None] | None = None,
    without: dict[str, Sequence[int]] | None = None,
    noise: float = 0.8,
    seed: int = 0,
    said: bool = False,
) -> Store:
    """n items with text, video, audio; `without` names the items that lack a modality, `said`: it knows its texts."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, D))
    counts = [captions] * n if isinstance(captions, int) else list(captions)
    owners = np.repeat(np.arange(n), counts)
    embeddings = {"text": common[owners] + noise * rng.normal(size=(len(owners), D))}
    status = {}
    for name in ("video", "audio"):
        embeddings[name] = common + noise * rng.normal(size=(n, D))
        gone = set((without or {}).get(name, ()))
        embeddings[name][sorted(gone)] = 0
        status[name] = ["failed: broken file" if k in gone else "ok" for k in range(n)]
    write_store(
        path,
        ids=[f"item{k:02d}" for k in range(n)],
        splits=splits or [None] * n,
        labels=[None] * n,
        embeddings={name: x.astype(np.float32) for name, x in embeddings.items()},
        caption_items=owners,
        captions=[f"text {k}" for k in range(len(owners))] if said else None,
        status=status,
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
        shard_size=5,
    )
    return open_store(path)
