"""The two small reference checkpoints; tests that ask for them are skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.encoders.vast.reference import Reference, read_reference

CHECKPOINTS = ("tiny_gram_a", "tiny_pmrl")


@pytest.fixture(scope="session", params=CHECKPOINTS)
def reference(request: pytest.FixtureRequest, reference_data: Path) -> Reference:
    folder = reference_data / "golden" / request.param
    if not folder.is_dir():
        pytest.skip(f"no reference checkpoint at {folder}")
    return read_reference(folder)
