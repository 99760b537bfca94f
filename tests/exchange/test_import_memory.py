"""`gram import` holds the time steps of some items, never those of all items of a shard."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gramcli import import_features, open_store

ITEMS, STEPS, DIM = 48, 50_000, 8
ALL = ITEMS * STEPS * DIM * 4  # bytes of all features: 77 MB


def folder(ragged: bool) -> str:
    Path("clips").mkdir()
    for k in range(ITEMS):
        np.save(f"clips/{k:03}.npy", np.full((STEPS + ragged * k, DIM), k + 1, np.float32))
    return "clips"


def npz(_: bool) -> str:
    np.savez("clips.npz", video=np.full((ITEMS, STEPS, DIM), 1, np.float32) * np.arange(1, ITEMS + 1)[:, None, None])
    return "clips.npz"


def h5(ragged: bool) -> str:
    h5py = pytest.importorskip("h5py")
    with h5py.File("clips.h5", "w") as file:
        for k in range(ITEMS):
            file[f"{k:03}"] = np.full((STEPS + ragged * k, DIM), k + 1, np.float32)
    return "clips.h5"


@pytest.mark.parametrize(("write", "ragged"), [(folder, False), (folder, True), (npz, False), (h5, True)])
def test_the_steps_of_a_shard_are_not_in_memory_together(
    write: Callable[[bool], str], ragged: bool, here: Path
) -> None:
    file = write(ragged)
    tracemalloc.start()
    import_features(file, "store")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < ALL // 2
    store = open_store("store")
    vectors = store.embeddings(store.modalities[0]).numpy()
    assert np.array_equal(vectors[:, 0], np.arange(1, ITEMS + 1))
