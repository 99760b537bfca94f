"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.forks import Forks

# Time measures the machine, not the code: no example fails for having waited.
settings.register_profile("gram", deadline=None)
settings.load_profile("gram")

# Read when triton is first imported, by whichever test does that: the kernel's tests run without a GPU.
os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(autouse=True)
def _bfloat16_arithmetic(monkeypatch) -> None:
    """GRAM_TEST_BFLOAT16=yes|no: run the suite as on a CPU that has, or has not, bfloat16 arithmetic."""
    answer = os.environ.get("GRAM_TEST_BFLOAT16")
    if answer:
        from gramcli.scoring import screening

        monkeypatch.setattr(screening, "native_bfloat16", lambda dtype: answer == "yes" and "bfloat16" in str(dtype))


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder with reference data (`data/`, `golden/`); skips where there is none."""
    named = os.environ.get("GRAM_REFERENCE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no reference data at {folder}: set GRAM_REFERENCE_DATA")
    return folder


@pytest.fixture(scope="session")
def forks(tmp_path_factory) -> Iterator[Forks]:
    """Runs Python in processes of its own that need not import torch."""
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()
