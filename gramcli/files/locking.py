"""The lock that keeps one writer per store."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError
from gramcli.files.writing import NO_LOCKS_HERE, disk_errors

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN: Final = (errno.EWOULDBLOCK, errno.EACCES)
_OPENING: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LONGEST_NOTE: Final = 200
_NOTE: Final = b"pid "
_PAUSE: Final = 0.2  # seconds between two looks at a lock


class Taken(UserError):  # noqa: N818 - said of a store, as NoAudioTrack is of a file
    """Another process holds the lock.

    Args:
        store: What is locked.
        holder: Who holds it, in words; empty where nobody knows.
    """

    def __init__(self, store: Path, holder: str) -> None:
        known = f" ({holder})" if holder else ""
        advice = "Wait until it has ended, or name another output."
        super().__init__("store", f"{store} is being written by another gram process{known}. {advice}")
        self.holder = holder


def take_lock(path: Path, store: Path) -> int:
    """Lock a store for this process; the kernel lets go when the process ends, however it ends.

    The lock is advisory (`flock`), on a file that stays behind: removing it would let two writers
    hold two different files of one name. A file system that has no locks is used without.

    Args:
        path: The lock file, made when missing. A link is not followed.
        store: The store, for the message.

    Returns:
        The open file; closing it releases the lock.

    Raises:
        Taken: Another process holds the lock.
        UserError: The file cannot be made, or is no lock that gram made; it is left as it is.
    """
    handle = _opened(path, store)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS_HERE:
            return handle
        holder = _note(handle)
        os.close(handle)
        if error.errno not in _TAKEN:
            raise
        raise Taken(store, holder) from error
    _sign(handle)
    return handle


def wait_for_lock(path: Path, store: Path, seconds: float) -> bool:
    """Wait until nobody holds a store's lock.

    Args:
        path: The lock file.
        store: The store, for the message.
        seconds: How long at most.

    Returns:
        Whether it is free; somebody else may take it right after.

    Raises:
        UserError: As `take_lock`.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            os.close(take_lock(path, store))
        except Taken:
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def _opened(path: Path, store: Path) -> int:
    try:
        handle = os.open(path, _OPENING, 0o666)
    except OSError as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise _no_lock(path) from error
        with disk_errors(store):
            raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not _is_ours(handle):
        os.close(handle)
        raise _no_lock(path)
    return handle


def _is_ours(handle: int) -> bool:
    """Whether the file is empty or holds such a note as `_sign` leaves, perhaps cut off."""
    head = os.pread(handle, _LONGEST_NOTE, 0)
    return head.startswith(_NOTE) or _NOTE.startswith(head)


def _no_lock(path: Path) -> UserError:
    return UserError(
        "store",
        f"{path} is not a lock that gram made (a link, or something else than a file of its own), and is left as it "
        "is. Name another output.",
    )


def _sign(handle: int) -> None:
    """Leave a note of who holds the lock, for whoever is refused; nothing depends on it."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()} on {socket.gethostname()}".encode()[:_LONGEST_NOTE], 0)


def _note(handle: int) -> str:
    with suppress(OSError):
        return os.pread(handle, _LONGEST_NOTE, 0).decode("utf-8", "replace").strip()
    return ""
