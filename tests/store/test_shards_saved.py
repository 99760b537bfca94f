"""Shards are written byte for byte as the safetensors library would write them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from gramcli.store.shards import saved

NOTE = json.dumps({"ids": ["a", 'b"\n\\', "\x07é\u2028", "\x7f"]})


@pytest.mark.parametrize("metadata", [{"gram": NOTE}, {"gram": 'é "quoted" \\ \t\x01\u2028 \U0001f600'}])
@pytest.mark.parametrize("n", [0, 1, 3, 7])
def test_the_same_bytes_as_the_library(n: int, metadata: dict[str, str]) -> None:
    random = np.random.default_rng(n)
    tensors = {
        "video": random.normal(size=(n, 5)).astype(np.float32),
        "video.present": np.ones(n, np.uint8),
        "text": random.normal(size=(2 * n, 3)).astype(np.float32),
        "text.item": np.arange(2 * n),
        "audio+x": np.zeros((n, 1), np.float32),
        "text.digest": random.integers(-(2**62), 2**62, 2 * n),
    }
    data = b"".join(saved(tensors, metadata))
    assert data == save(tensors, metadata)
    assert np.array_equal(load(data)["text.digest"], tensors["text.digest"])
