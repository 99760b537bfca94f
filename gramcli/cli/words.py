"""What was typed, for whatever records how a result was made."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

WORDS: Final[ContextVar[tuple[str, ...]]] = ContextVar("WORDS", default=())
"""The command line after `gram`, as it was given."""
