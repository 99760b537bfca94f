"""The two ways out of a command: sentences to stderr, the answer to stdout; either may be closed or full."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn, TextIO

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Closed(io.TextIOBase):
    """Stands for a stdout that was closed before we began: an answer written to it is not lost without a word."""

    def write(self, text: str) -> NoReturn:
        """Refuse.

        Raises:
            OSError: Always, as a descriptor that is not open does.
        """
        raise ClosedError(errno.EBADF, "stdout is closed")


class ClosedError(OSError):
    """The answer was written to a stdout that is closed."""


def prepare_streams() -> None:
    """Make the three standard streams safe to write to, whatever they are.

    The number of a stream that is closed would go to the next file that is opened, and what a decoder writes to its
    stderr would go into that file: it is taken by the null device instead.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text; an answer must not fail over one letter of a name.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(text: str) -> None:
    """Write to stdout and flush, so that a closed pipe shows here and not at exit.

    Raises:
        OSError: It is closed or full.
    """
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(sentence: str, *, red: bool = False) -> None:
    """Write one sentence to stderr, broken at words where that is a terminal; a stderr that is gone hears nothing.

    Args:
        sentence: With whatever others wrote in it.
        red: Whether it is, where colours are wanted.
    """
    from gramcli.report.escaping import shortened, terminal  # late, as help needs nothing of report/

    said = shortened(terminal(sentence))
    if _on_terminal():
        import shutil
        import textwrap

        width = max(1, shutil.get_terminal_size().columns)
        said = textwrap.fill(said, width, break_long_words=False, break_on_hyphens=False)
        if red and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
            said = f"\x1b[31m{said}\x1b[0m"
    _write(said)


def tell_block(text: str) -> None:
    """Write lines of ours to stderr: a usage message, a traceback."""
    from gramcli.report.escaping import paragraphs

    _write(paragraphs(text.rstrip("\n")))


def lost_answer(error: OSError) -> str | None:
    """Say that the answer could not be written, where that is what an error means; and give stdout up.

    Example:
        >>> lost_answer(OSError(13, "Permission denied")) is None
        True
    """
    if not isinstance(error, ClosedError) and error.errno not in _NO_ROOM:
        return None
    discard(sys.stdout)
    advice = "Send it elsewhere." if isinstance(error, ClosedError) else "Make room, or send it elsewhere."
    return f"The answer could not be written: {error.strerror}. {advice}"


def discard(stream: TextIO) -> None:
    """Point a stream nowhere, so that the interpreter's last flush cannot complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _on_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except ValueError:
        return False


def _write(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr)
