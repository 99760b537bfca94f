"""Tiny models, made once, and clips of a few frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.encoders.huggingface import tiny
from tests.media_factory import write_image, write_subtitle, write_video

Made = Callable[[str], Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a function from the name of a tiny model to its folder, which no test changes."""
    root = tmp_path_factory.mktemp("models")
    return cache(lambda name: tiny.ALL[name](root / name))


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of odd sizes with captions; the first has a subtitle and a picture too."""
    folder = tmp_path_factory.mktemp("clips")
    for index, (name, size) in enumerate({"a": (70, 46), "b": (46, 70), "c": (64, 64)}.items()):
        write_video(
            folder / f"{name}.mp4", n_frames=9, size=size, colour=(200 - 90 * index, 60, 40 * index), seed=index
        )
        (folder / f"{name}.txt").write_text(f"A clip, number {index}!\nAnother text of it\n")
    write_subtitle(folder / "a.srt")
    write_image(folder / "a.png", size=(51, 37))
    return folder
