"""Opening what is to be read whole: a regular file of a bounded size, or a reason at once, never a wait."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

SMALL: Final = 256 * 2**20
"""Bytes of the largest text that describes something else: a manifest, heads.json, an hps.json, an evaluation."""

LARGE: Final = 4 * 2**30
"""Bytes of the largest file that is held in memory whole: a table of all items, the weights of heads, a shard."""

_READING: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # or a pipe without a writer would be waited for
_PIECE: Final = 2**20
_UNIT: Final = 2**20


Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds."""

NOWHERE: Final[Stamp] = (-1, -1)
"""Of a file that cannot be looked at."""


class NotPermittedError(UserError):
    """A file that this user may not read: no reader may take it for damaged, and none advise to delete it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            "input", f"{path} may not be read by this user (permission denied). Ask its owner, or change it with chmod."
        )


class UnreadableError(OSError):
    """A file that is not opened: no regular file, or larger than what reads it can take.

    An `OSError`, so that whoever reads says it as any other: what they name is the file, `strerror` the reason.
    """

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading; links are followed.

    Args:
        path: The file.

    Yields:
        The open file; what was checked is what is read.

    Raises:
        NotPermittedError: This user may not read it.
        UnreadableError: It is a pipe, a socket or a device.
        OSError: It is a folder, or cannot be opened.
    """
    try:
        handle = os.open(path, _READING)
    except PermissionError as error:
        raise NotPermittedError(path) from error
    with os.fdopen(_regular(handle), "rb") as file:
        yield file


def check_regular(path: Path) -> None:
    """Refuse what would hang or never end, where a library is about to open it by its path.

    Args:
        path: The file.

    Raises:
        NotPermittedError: As `open_regular`.
        UnreadableError: As `open_regular`.
        OSError: It cannot be opened.
    """
    with open_regular(path):
        return


def read_regular(path: Path, limit: int = SMALL) -> bytes:
    """Read a regular file whole.

    Args:
        path: The file.
        limit: Bytes it may have.

    Returns:
        Its content.

    Raises:
        NotPermittedError: As `open_regular`.
        UnreadableError: No regular file, or one of more bytes; the reason names the limit.
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        if (size := os.fstat(file.fileno()).st_size) <= limit:
            data = file.read(size + 1)  # not limit + 1: so many bytes would be set aside before any is read
            while size < len(data) <= limit and (more := file.read(_PIECE)):  # it grew, or tells no size
                data += more
            if len(data) <= limit:
                return data
    raise UnreadableError(errno.EFBIG, f"it is larger than {limit / _UNIT:,.0f} MiB, the limit of such a file")


def stamp(path: Path) -> Stamp:
    """Return size and modification time of a file: what changes when it does, without reading it."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return NOWHERE  # the reader will say what is wrong with it
    return status.st_size, status.st_mtime_ns


def _regular(handle: int) -> int:
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file")
    raise UnreadableError(errno.EINVAL, "it is a pipe, socket or device, not a file")
