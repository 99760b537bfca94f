"""Losses under torch.distributed: two processes see the loss, and its gradients, of one with the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch import multiprocessing as mp

from gramcli.errors import UserError
from gramcli.methods import get_method
from tests.methods.textbook import LOSSES, unit_rows

RANKS, N = 2, 4


def complete() -> dict[str, Any]:
    """Everyone has everything."""
    return {}


def some() -> dict[str, Any]:
    """Gaps on both ranks, and groups that reach across them."""
    present = {
        "text": torch.tensor([True, True, False, True, True, True, True, False]),
        "audio": torch.tensor([True, False, True, True, False, True, True, True]),
    }
    return {"present": present, "groups": torch.tensor([0, 1, 2, 0, 3, 1, 4, 0])}


def first_rank_only() -> dict[str, Any]:
    """No item of the second rank has audio: nothing to be asked there."""
    return {"present": {"audio": torch.tensor([True, True, False, True] + [False] * N)}}


def second_rank_only() -> dict[str, Any]:
    """The first rank has nothing at all."""
    nothing = torch.tensor([False] * N + [True] * N)
    return {"present": dict.fromkeys(("text", "video", "audio"), nothing), "groups": torch.arange(8) // 3}


def nobody() -> dict[str, Any]:
    """No rank has anything."""
    return {"present": dict.fromkeys(("text", "video", "audio"), torch.zeros(2 * N, dtype=torch.bool))}


MASKS: dict[str, Callable[[], dict[str, Any]]] = {
    made.__name__: made for made in (complete, some, first_rank_only, second_rank_only, nobody)
}
CASES = [(method, mask, detach) for method in LOSSES for mask in MASKS for detach in (False, True)]
Result = dict[str, Tensor]


def part(options: Mapping[str, Any], rows: slice) -> dict[str, Any]:
    """The options of some of the items."""
    found: dict[str, Any] = {}
    if "present" in options:
        found["present"] = {name: mask[rows] for name, mask in options["present"].items()}
    if "groups" in options:
        found["groups"] = options["groups"][rows]
    return found


def result(method: str, mask: str, detach: bool, rows: slice) -> Result:
    """Loss and gradients of the items of one rank; NaN where absent."""
    options = part(MASKS[mask](), rows)
    x = {name: one.detach()[rows].clone() for name, one in unit_rows(3, RANKS * N, 8, seed=5).items()}
    for name, here in options.get("present", {}).items():
        x[name][~here] = float("nan")
    leaves = {name: one.requires_grad_() for name, one in x.items()}
    temperature = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(3)
    loss = get_method(method).loss(
        leaves, temperature=temperature, detach_gathered=detach, generator=generator, **options
    )
    loss.backward()
    gradients = torch.stack([torch.zeros_like(x) if x.grad is None else x.grad for x in leaves.values()])
    of_temperature = torch.zeros_like(temperature) if temperature.grad is None else temperature.grad
    return {"loss": loss.detach(), "rows": gradients, "temperature": of_temperature}


def work(rank: int, folder: str) -> None:
    """All cases on one rank, then batches of different sizes; runs in a process of its own."""
    torch.set_num_threads(1)
    store = f"file://{folder}/rendezvous"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=RANKS, timeout=timedelta(seconds=60))
    rows = slice(rank * N, (rank + 1) * N)
    found: dict[Any, Any] = {case: result(*case, rows) for case in CASES}
    for method in LOSSES:
        try:
            get_method(method).loss(unit_rows(3, N + rank, 8))
        except UserError as error:
            found[method] = error.message
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[Any, Any]]:
    """What each of the ranks found."""
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(work, args=(str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("method", LOSSES)
def test_two_ranks_are_one_batch(method: str, mask: str, detach: bool, ranks: list[dict[Any, Result]]) -> None:
    whole = result(method, mask, detach, slice(0, RANKS * N))
    parts = [found[method, mask, detach] for found in ranks]
    assert whole["loss"].isfinite()
    torch.testing.assert_close(torch.stack([one["loss"] for one in parts]).mean(), whole["loss"])
    # DistributedDataParallel averages the ranks' gradients.
    rows = torch.cat([one["rows"] for one in parts], dim=1) / RANKS
    torch.testing.assert_close(rows, whole["rows"], rtol=1e-9, atol=1e-12)
    temperature = torch.stack([one["temperature"] for one in parts]).mean()
    torch.testing.assert_close(temperature, whole["temperature"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", LOSSES)
def test_ranks_need_batches_of_one_size(method: str, ranks: list[dict[Any, Any]]) -> None:
    for found in ranks:
        assert found[method] == "All ranks need batches of one size; they have 4, 5 items."
