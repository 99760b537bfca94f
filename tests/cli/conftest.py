"""A runner, and stores small enough to evaluate in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gramcli.cli.main import app
from gramcli.store import write_store

DIM, ITEMS = 16, 24


@pytest.fixture
def gram(monkeypatch, tmp_path):
    """Run `gram` in an empty folder; `gram.json(...)` also parses stdout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    def parsed(*arguments, code=0):
        result = run(*arguments, "--format", "json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout, parse_constant=pytest.fail)

    run.json = parsed
    return run


def make_store(path: Path, seed: int = 0, without_audio: int = 0, noise: float = 0.4, splits=None) -> Path:
    """A store whose modalities agree but for noise; text has one caption per item, two for the first."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(ITEMS, DIM))
    owners = np.array([0, *range(ITEMS)])

    def seen(rows):
        noisy = rows + noise * random.normal(size=rows.shape)
        return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)

    audio = seen(base)
    audio[:without_audio] = 0
    write_store(
        path,
        ids=[f"clip{i:02d}" for i in range(ITEMS)],
        splits=splits or ["train"] * 12 + ["test"] * 12,
        labels=[None] * ITEMS,
        embeddings={"text": seen(base[owners]), "video": seen(base), "audio": audio},
        caption_items=owners,
        status={"audio": ["failed: clip.mp3 does not decode"] * without_audio + ["ok"] * (ITEMS - without_audio)},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
        shard_size=8,
    )
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    """24 items, nothing missing."""
    return make_store(tmp_path_factory.mktemp("stores") / "emb")


@pytest.fixture(scope="session")
def gappy_store(tmp_path_factory) -> Path:
    """The same, but two sounds did not decode."""
    return make_store(tmp_path_factory.mktemp("stores") / "gappy", without_audio=2)
