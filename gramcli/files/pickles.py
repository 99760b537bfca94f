"""Looking through a pickle before it is run: what it declares must lie within the file, and nothing reaches outside.

A pickle is a program. Its instructions can be listed without running any; what a few bytes of them could cost, or do,
is refused here. Whoever runs one afterwards still answers for the names it looks up (`find_class`).
"""

from __future__ import annotations

import pickletools
from collections.abc import Container
from typing import IO, Any, Final

MOST_STEPS: Final = 8_000_000
"""Instructions of a pickle; each can make an object of up to a hundred bytes."""

_OUTSIDE: Final = frozenset({"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"})
_NAMING: Final = frozenset({"GLOBAL", "INST"})  # STACK_GLOBAL takes its name from what was run: `find_class` sees it
_KEEPING: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_WHOLE: Final = frozenset({"INT", "LONG", "LONG1", "LONG4"})
_LONGEST_LINE: Final = 2**20
_BEYOND: Final = 2**64


class UnsafePickleError(ValueError):
    """A pickle that is not run; the message is the reason, without the file's name."""


def check_pickle(file: IO[bytes], size: int, names: Container[tuple[str, str]] = ()) -> None:
    r"""Refuse a pickle that would take memory which its file does not account for, or reach outside of it.

    Args:
        file: The pickle, at its beginning; it is read to its end.
        size: Bytes of it.
        names: Module and name of what it may look up.

    Raises:
        UnsafePickleError: It is one of these.
        ValueError: It is no pickle.

    Example:
        >>> import io
        >>> check_pickle(io.BytesIO(b"\x80\x02}q\x00."), 6)
        >>> check_pickle(io.BytesIO(b"\x80\x02}r\xff\xff\xff\x0f."), 9)
        Traceback (most recent call last):
        gramcli.files.pickles.UnsafePickleError: it numbers a value 268,435,455 after 2 instructions
    """
    within: Any = _Within(file, size)
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(within)):
        if steps > MOST_STEPS:
            raise UnsafePickleError(f"it has more than {MOST_STEPS:,} instructions")
        if opcode.name in _CHECKS:
            _CHECKS[opcode.name](opcode.name, argument, steps)
        if opcode.name in _NAMING and tuple(str(argument).split(" ", 1)) not in names:
            raise UnsafePickleError(f"it names the code {str(argument).replace(' ', '.')}, which is not run")
        if opcode.name == "FRAME" and int(argument or 0) > size:
            raise UnsafePickleError(f"it declares a frame of {argument:,} bytes, more than the file has")


def _outside(name: str, _argument: Any, _steps: int) -> None:  # noqa: ANN401 - of any instruction
    raise UnsafePickleError(f"it has the instruction {name}, which reaches outside of the file")


def _keeping(_name: str, argument: Any, steps: int) -> None:  # noqa: ANN401 - as above
    """Values that are kept are numbered in turn; room is made for all numbers below."""
    if argument > steps + 1:
        raise UnsafePickleError(f"it numbers a value {argument:,} after {steps} instructions")


def _whole(_name: str, argument: Any, _steps: int) -> None:  # noqa: ANN401 - as above
    if abs(argument) >= _BEYOND:
        raise UnsafePickleError("it holds a whole number of more than 64 bits")


_CHECKS: Final = {
    **dict.fromkeys(_OUTSIDE, _outside),
    **dict.fromkeys(_KEEPING, _keeping),
    **dict.fromkeys(_WHOLE, _whole),
}


class _Within:
    """A file whose readings must lie within it: no memory is set aside for a size that is only declared."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, n: int) -> bytes:
        """Read n bytes.

        Raises:
            UnsafePickleError: There are not so many.
        """
        if n > self._left:
            raise UnsafePickleError(f"it declares a value of {n:,} bytes, more than the file has")
        data = self._file.read(n)
        self._left -= len(data)
        return data

    def readline(self) -> bytes:
        """Read to the end of a line."""
        line = self._file.readline(_LONGEST_LINE)
        self._left -= len(line)
        return line

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()
