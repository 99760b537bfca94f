"""How to embed: what a run of `gram embed` is told that does not change the store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from gramcli.embedding.units import seconds_from
from gramcli.errors import UserError

_MOST_WORKERS: Final = 8


@dataclass(frozen=True)
class EmbedOptions:
    """How a run goes about its work; none of it changes the store.

    Attributes:
        workers: Processes that decode; 0 decodes in this one, None is one per processor, at most 8.
        time_limit: Seconds a file may take to decode.
        batch_size: Items that are encoded together, to begin with; see `gramcli.embedding.batches`.
        shard_size: Items per shard: what a killed run can lose. The shards' borders depend on it, nothing else.
        grows: Whether batches grow, as they do on a GPU.
    """

    workers: int | None = None
    time_limit: float = 60.0
    batch_size: int = 16
    shard_size: int = 64
    grows: bool = False

    def __post_init__(self) -> None:
        for name, value, least in (
            ("--workers", self.workers or 0, 0),
            ("--batch-size", self.batch_size, 1),
        ):
            if value < least:
                raise UserError("usage", f"{name} must not be below {least}; got {value}.")
        if not self.time_limit > 0:
            raise UserError("usage", f"--timeout must be more than 0 s; got {self.time_limit:g}.")

    @property
    def processes(self) -> int:
        """How many processes decode."""
        return min(os.cpu_count() or 1, _MOST_WORKERS) if self.workers is None else self.workers


def on_gpu(device: str) -> bool:
    """Whether a device as the command line names it is a GPU.

    Raises:
        UserError: There is no such device.

    Example:
        >>> on_gpu("cpu")
        False
    """
    if device == "cpu":
        return False
    from gramcli.scoring.checks import device_named  # noqa: PLC0415 - torch, which the built-in encoder does without

    return device_named(device) != "cpu"


def options_from(workers: int | None, timeout: str | float, batch_size: int, device: str = "cpu") -> EmbedOptions:
    """Check what a user says of how to embed, before anything is opened.

    Args:
        workers: As `EmbedOptions`.
        timeout: A time with its unit, such as `60s`.
        batch_size: As `EmbedOptions`.
        device: Where the model runs: on a GPU batches grow.

    Raises:
        UserError: One of them is out of range, no time, or no such device.
    """
    return EmbedOptions(workers, seconds_from(timeout, "--timeout"), batch_size, grows=on_gpu(device))
