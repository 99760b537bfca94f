"""A run of `embed` for the chaos test: real files and worker processes, a model that loads in no time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gramcli.datasets import open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders.base import Preprocessing
from gramcli.encoders.signal_prepare import prepare_media

SIZE = 16


class Tiny:
    """Means of stretches of the sound, of the pictures, or of the letters."""

    spec, shared_space, preprocessing = "tiny", False, Preprocessing(frames=2)
    dims: Mapping[str, int] = {"text": SIZE, "video": SIZE, "audio": SIZE}
    prepare = staticmethod(prepare_media)

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        return {"id": self.spec, "shared_space": False}

    fused: Mapping[str, tuple[str, ...]] = {}
    stand_ins: Mapping[str, Any] = {}
    modalities = tuple(dims)

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
        return {name: np.stack([self._one(name, one) for one in given]) for name, given in inputs.items()}

    def _one(self, modality: str, one: Any) -> np.ndarray:
        values = {
            "text": lambda: np.frombuffer(one.encode(), np.uint8),
            "video": lambda: np.ravel(one.frames),
            "audio": lambda: np.abs(one.samples),
        }[modality]()
        means = np.array([part.mean() for part in np.array_split(values.astype(np.float64) + 1, SIZE)])
        return (means / np.linalg.norm(means)).astype(np.float32)


def run(data: Path, store: Path, retry: bool = False) -> None:
    """Embed a folder."""
    options = EmbedOptions(workers=2, shard_size=2)
    write_embeddings(open_dataset(str(data)), Tiny(), store, retry_failed=retry, options=options)
