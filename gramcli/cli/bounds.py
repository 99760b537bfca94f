"""How large the numbers of a command line may be: checked once, for every option, where it is parsed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

LARGEST: Final = 2**31 - 1
"""Of whole numbers, unless `MOST` says less; no seed, count or size of ours is larger."""

MOST: Final[Mapping[str, int]] = {
    "batch_size": 1 << 20,
    "dim": 1 << 16,
    "frames": 1 << 16,
    "hidden": 1 << 16,
    "items": 1 << 20,
    "workers": 1 << 10,
}
"""Argument -> the most it may be: what costs memory or processes."""


def beyond(name: str, value: Any) -> str | None:  # noqa: ANN401 - options of every type
    """Say what is wrong with the size of an option's value; None where nothing is.

    Args:
        name: The argument of the command.
        value: As it was parsed; text and the like is not looked at.

    Example:
        >>> beyond("seed", 2**70), beyond("lr", float("nan")), beyond("seed", 3) is None
        ('It must be at most 2147483647.', 'It must be a finite number.', True)
    """
    if isinstance(value, float):
        return None if math.isfinite(value) else "It must be a finite number."
    most = MOST.get(name, LARGEST)
    if isinstance(value, int) and value > most:
        return f"It must be at most {most}."
    if isinstance(value, int) and value < -LARGEST:
        return f"It must be at least {-LARGEST}."
    return None
