"""Memory that texts may take: counted before they are made, for a few bytes of a file can stand for many texts."""

from __future__ import annotations

from typing import Final

from gramcli.exchange.base import wrong

MOST: Final = 2**29
"""Bytes of memory that the texts of one file may take."""

_EACH: Final = 64  # bytes that a text takes beside its characters


class TextRoom:
    """What is left of it for one file, all its columns together."""

    def __init__(self) -> None:
        self._left = MOST

    def take(self, n: int, characters: int, source: object) -> None:
        """Count texts before they are made.

        Args:
            n: How many.
            characters: Of them all.
            source: For the message.

        Raises:
            UserError: There is no room for them.
        """
        self._left -= characters + _EACH * n
        if self._left < 0:
            raise wrong(source, "and the texts before it take more memory than an import has for them", "Split it")
