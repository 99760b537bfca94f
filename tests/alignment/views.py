"""A store that `align` can learn from: three views of a hidden code, each in its own dimension."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gramcli.store import Store, open_store, write_store

DIMS = {"text": 24, "video": 20, "audio": 16}
CODE = 8


def make_views(
    path: Path,
    n: int = 120,
    *,
    captions: int = 1,
    splits: Sequence[str | None] | None = None,
    without_audio: Sequence[int] = (),
    without_video: Sequence[int] = (),
    noise: float = 0.3,
    model: str = "made",
) -> Store:
    """Half the items in train, a sixth in val, the rest in test; labels are the largest entry of the code."""
    rng = np.random.default_rng(7)
    code = rng.normal(size=(n, CODE))
    owners = np.repeat(np.arange(n), captions)
    embeddings = {}
    for name, d in DIMS.items():
        rows = code[owners] if name == "text" else code
        mixed = rows @ rng.normal(size=(CODE, d)) + noise * rng.normal(size=(len(rows), d)) + 3.0
        embeddings[name] = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    embeddings["audio"][list(without_audio)] = 0
    embeddings["video"][list(without_video)] = 0
    default = ["train"] * (n // 2) + ["val"] * (n // 6) + ["test"] * (n - n // 2 - n // 6)
    write_store(
        path,
        ids=[f"item{k:03d}" for k in range(n)],
        splits=list(splits) if splits is not None else default,
        labels=[f"class{k}" for k in code.argmax(axis=1)],
        embeddings=embeddings,
        caption_items=owners,
        status={
            "audio": ["absent: no audio track" if k in set(without_audio) else "ok" for k in range(n)],
            "video": ["failed: broken" if k in set(without_video) else "ok" for k in range(n)],
        },
        model={"id": model, "shared_space": False},
        dataset={"id": "views", "protocol": "manifest", "annotation_sha256": None},
    )
    return open_store(path)
