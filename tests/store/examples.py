"""A small plan and its content, for the tests of this folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from gramcli.store import Plan, PlannedItem, ShardContent, StoreWriter

MODEL = {"id": "signal", "preprocessing": {"frames": 8}, "shared_space": False}
DATASET = {"id": "clips", "protocol": "folder", "annotation_sha256": None}
DIMS = {"text": 4, "video": 3}


def make_plan(n: int = 7, **changes: Any) -> Plan:
    """Seven items in shards of three: 3 + 3 + 1."""
    items = tuple(PlannedItem(f"item {i}", "train" if i % 2 else None, f"label {i}") for i in range(n))
    return Plan(**{"model": MODEL, "dataset": DATASET, "dims": DIMS, "items": items, "shard_size": 3, **changes})


def captions_of(item: int) -> int:
    """0, 1, 2, 0, 1, ... captions."""
    return item % 3


def content_of(plan: Plan, index: int) -> ShardContent:
    """Vectors drawn from the item's number; every fifth video is broken."""
    positions = plan.shard_range(index)
    rng = {i: np.random.default_rng(i) for i in positions}
    video = np.stack([rng[i].normal(size=3) for i in positions]).astype(np.float32)
    owners = np.array([i for i in positions for _ in range(captions_of(i))], dtype=np.int64)
    text = np.array([rng[i].normal(size=4) for i in owners], dtype=np.float32).reshape(-1, 4)
    status = {
        "text": ["ok" if captions_of(i) else "absent" for i in positions],
        "video": ["failed: it, is\nbroken" if i % 5 == 4 else "ok" for i in positions],
    }
    return ShardContent({"text": text, "video": video}, status, owners)


def write(path: Path, plan: Plan | None = None, **options: Any) -> Path:
    """Write a whole store, resuming what is there."""
    plan = plan or make_plan()
    with StoreWriter.open(path, plan, **options) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, content_of(plan, index))
        writer.finish()
    return path


def hashes(store: Path) -> dict[str, str]:
    """File name -> sha256 of everything but the manifest (which holds modification times) and the lock."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name not in ("manifest.json", ".lock")]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
