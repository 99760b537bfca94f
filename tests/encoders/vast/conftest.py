"""The two small reference checkpoints; tests that ask for them are skipped where they are absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.encoders.vast.reference import Reference, read_reference

CHECKPOINTS = ("tiny_gram_a", "tiny_pmrl")


@pytest.fixture(scope="session", params=CHECKPOINTS)
def reference(request: pytest.FixtureRequest, reference_data: Path) -> Reference:
    folder = reference_data / "golden" / request.param
    if not folder.is_dir():
        pytest.skip(f"no reference checkpoint at {folder}")
    return read_reference(folder)


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """The models are tiny: on a busy machine, threads waiting for each other take most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
