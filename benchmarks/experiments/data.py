"""The two datasets as stores: embeddings that no loss has seen, with splits and labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.model_selection import train_test_split

from gramcli.datasets import open_dataset
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.store import Store, open_store, write_store

VIEWS = ("pix", "fac", "fou", "kar", "mor", "zer")  # pixels first: they are the anchor


def digits3(data: Path, output: Path) -> Store:
    """Image, recording and caption of 1,500 digits, embedded by `signal` (what `gram embed` would write)."""
    write_embeddings(open_dataset(str(data / "digits3" / "annotations.json")), load_encoder("signal"), output)
    return open_store(output)


def mfeat(data: Path, output: Path) -> Store:
    """Six views of 2,000 digits, standardised; 1,200 train, 300 val, 500 test, stratified with seed 0."""
    found = load_file(data / "mfeat.safetensors")
    labels = found["label"]
    train, rest = train_test_split(np.arange(len(labels)), train_size=1200, stratify=labels, random_state=0)
    val, test = train_test_split(rest, train_size=300, stratify=labels[rest], random_state=0)
    order = np.concatenate([train, val, test])
    embeddings = {}
    for name in VIEWS:
        rows = found[name][order].astype(np.float64)
        spread = rows[: len(train)].std(axis=0)
        embeddings[name] = ((rows - rows[: len(train)].mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(
            "float32"
        )
    write_store(
        output,
        ids=[f"digit{k:04d}" for k in order],
        splits=["train"] * len(train) + ["val"] * len(val) + ["test"] * len(test),
        labels=[str(label) for label in labels[order]],
        embeddings=embeddings,
        caption_items=None,
        status={},
        model={"id": "mfeat", "shared_space": False},
        dataset={"id": "mfeat", "protocol": "split with seed 0", "annotation_sha256": None},
    )
    return open_store(output)


DATASETS = {"digits3": digits3, "mfeat": mfeat}
RELEVANT = {"digits3": "label", "mfeat": "item"}
"""digits3 pairs image and sound by label only; a row of mfeat is one and the same digit."""
