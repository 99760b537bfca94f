"""The tiny models, made once."""

from __future__ import annotations

import pytest

from tests.encoders.sentence_transformers import tiny


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Name -> folder."""
    root = tmp_path_factory.mktemp("st")
    prompts = {"query": "query: ", "document": "passage: "}
    return {
        "plain": tiny.text_model(root / "plain"),
        "raw": tiny.text_model(root / "raw", normalize=False),
        "prompted": tiny.text_model(root / "prompted", prompts),
        "pictures": tiny.picture_model(root / "pictures"),
        "sounds": tiny.sound_model(root / "sounds"),
    }


@pytest.fixture
def library(models):
    """The library's own model of a name."""
    from sentence_transformers import SentenceTransformer

    return lambda name: SentenceTransformer(str(models[name]), device="cpu", local_files_only=True)
