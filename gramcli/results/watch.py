"""Who watches a verb at work: the command line shows bars and messages, a program usually nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

Progress = Callable[..., None]
"""Called with (done, total) and, where there is more to say, a few words."""


class Watch(Protocol):
    """What a verb tells while it works."""

    def stage(self, label: str, unit: str = "items") -> Progress:
        """Begin a piece of work that counts things of a kind."""

    def say(self, message: str) -> None:
        """Say one sentence."""


class _Nobody:
    def stage(self, label: str, unit: str = "items") -> Progress:
        """Show nothing."""
        return lambda *_: None

    def say(self, message: str) -> None:
        """Say nothing."""


NOBODY: Final[Watch] = _Nobody()
