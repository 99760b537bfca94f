"""Small checkpoints for the tests of this folder; reference ones are skipped where they are absent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.names import expected_shapes
from tests.encoders.vast.checkpoints import HPS, SMALL, random_state
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


@pytest.fixture(scope="session")
def architecture() -> Architecture:
    """A very small model whose sizes differ from one another."""
    return SMALL


@pytest.fixture(scope="session")
def state(architecture: Architecture) -> dict[str, torch.Tensor]:
    return random_state(expected_shapes(architecture))


@pytest.fixture
def checkpoint(tmp_path: Path, state: dict[str, Any]) -> Path:
    """A folder in the layout of the training code, with two steps and what else it leaves behind."""
    folder = tmp_path / "run"
    (folder / "log").mkdir(parents=True)
    (folder / "ckpt").mkdir()
    (folder / "log" / "hps.json").write_text(json.dumps(HPS))
    torch.save({key: torch.zeros_like(tensor) for key, tensor in state.items()}, folder / "ckpt" / "model_step_9.pt")
    torch.save(state, folder / "ckpt" / "model_step_100.pt")
    (folder / "ckpt" / "optimizer_step_100.pt").write_bytes(b"")
    (folder / "ckpt" / "best_ret.pt").write_bytes(b"")
    return folder
