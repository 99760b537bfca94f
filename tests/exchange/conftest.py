"""Feature files as the libraries write them that users have, and numbers to put in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Draw = Callable[..., NDArray[np.float32]]


@pytest.fixture
def draw() -> Draw:
    """Normal numbers of a shape, float32, the same in every run."""
    random = np.random.default_rng(20261130)

    def some(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    return some


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
