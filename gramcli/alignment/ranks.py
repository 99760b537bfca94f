"""The processes of one run: this one alone, or those that torchrun started."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch import distributed as dist

from gramcli.errors import UserError

_NUMBERS: Final = ("RANK", "MASTER_PORT")
_SHOWN: Final = 20


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank: From 0; only rank 0 writes, validates and speaks.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: str

    def part(self, rows: Tensor) -> Tensor:
        """This rank's part of the rows of a batch, whose number `size` divides."""
        share = len(rows) // self.size
        return rows[self.rank * share : (self.rank + 1) * share]

    def mean(self, values: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over the ranks, in place."""
        if self.size > 1:
            given = list(values)
            flat = torch.cat([one.flatten() for one in given])
            dist.all_reduce(flat)
            flat /= self.size
            parts = torch.split(flat, [one.numel() for one in given])
            for one, found in zip(given, parts, strict=True):
                one.copy_(found.view_as(one))

    def told(self, names: Sequence[str], figures: Callable[[], Mapping[str, float]]) -> dict[str, float]:
        """Figures that rank 0 finds and all ranks know, by name."""
        found = figures() if self.rank == 0 else dict.fromkeys(names, 0.0)
        if self.size == 1:
            return dict(found)
        values = torch.tensor([found[name] for name in names], dtype=torch.float64, device=self.device)
        dist.broadcast(values, 0)
        return dict(zip(names, values.tolist(), strict=True))

    def wait(self) -> None:
        """Go on when all are here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def open_ranks(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started; without it there is only this one.

    Args:
        device: `cpu`, `cuda` or `cuda:i`; under torchrun each rank takes the card of its local number.

    Raises:
        UserError: The variables of torchrun are there, but torchrun did not set them.
    """
    if dist.is_initialized() or _world_size() == 1:
        yield Ranks(0, 1, device)
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process is rank 0, or alone."""
    return _world_size() == 1 or os.environ.get("RANK", "0") == "0"


def _world_size() -> int:
    """How many processes torchrun says there are; 1 where it says nothing."""
    said = os.environ.get("WORLD_SIZE", "").strip()
    if said in {"", "1"}:
        return 1
    advice = "Start under torchrun, which sets it, or unset it."
    if not re.fullmatch("[1-9][0-9]{0,5}", said):
        raise UserError("failed", f"WORLD_SIZE is '{said[:_SHOWN]}', not a number of processes. {advice}")
    numbers = [name for name in _NUMBERS if not re.fullmatch("[0-9]{1,6}", os.environ.get(name, ""))]
    lacking = [*numbers, *(name for name in ("MASTER_ADDR",) if not os.environ.get(name))]
    if lacking:
        raise UserError("failed", f"WORLD_SIZE is {said}, but not from torchrun: no {', '.join(lacking)}. {advice}")
    return int(said)
