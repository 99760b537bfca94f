"""Files that are either whole or not there, and the lock that keeps one writer per store."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAKEN: Final = (errno.EWOULDBLOCK, errno.EACCES)
_NO_LOCKS_HERE: Final = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a sentence about `path`.

    Args:
        path: What was being written, as the user knows it.

    Raises:
        UserError: The block failed in the file system (disk full, no permission, ...).
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "Make room or name another place, then run the same command again: finished shards are kept."
        raise UserError("store", f"{path} could not be written: {reason}. {hint}") from error


def temporary_name(path: Path) -> Path:
    """Where `path` is prepared: the same directory, so that the rename cannot cross file systems.

    Args:
        path: The final name.

    Returns:
        One fixed name per file; the writer's lock makes sure that nobody else uses it.

    Example:
        >>> from pathlib import Path
        >>> temporary_name(Path("s/items.csv")).as_posix()
        's/.items.csv.tmp'
    """
    return path.with_name(f".{path.name}.tmp")


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to disk, where the file system can.

    Args:
        path: The directory.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:  # some network file systems refuse to sync directories
            raise
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or none, whatever kills the process.

    Args:
        path: The final name.
        data: The content.

    Raises:
        UserError: The file system refused (disk full, no permission).
    """
    temporary = temporary_name(path)
    with disk_errors(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def take_lock(path: Path, store: Path) -> int:
    """Lock a store for this process; the kernel lets go when the process ends, however it ends.

    The lock is advisory (`flock`), on a file that stays behind: removing it would let two writers
    hold two different files of one name. A file system that has no locks is used without.

    Args:
        path: The lock file, made when missing.
        store: The store, for the message.

    Returns:
        The open file; closing it releases the lock.

    Raises:
        UserError: Another process holds the lock, or the file cannot be made.
    """
    with disk_errors(store):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS_HERE:
            return handle
        os.close(handle)
        if error.errno not in _TAKEN:
            raise
        advice = "Wait until it has ended, or name another output."
        raise UserError(
            "store", f"{store} is being written by another gram process{_holder(path)}. {advice}"
        ) from error
    _sign(handle)
    return handle


def _sign(handle: int) -> None:
    """Leave a note of who holds the lock, for whoever is refused; nothing depends on it."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, f"pid {os.getpid()} on {socket.gethostname()}".encode())


def _holder(path: Path) -> str:
    try:
        note = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f" ({note})" if note else ""
