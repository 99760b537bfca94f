"""Creating, replacing and removing files in a folder that somebody else may have filled.

A file is prepared under a name that nobody can foresee, made exclusively and never through a link, then renamed into
place: whoever reads sees all of it or none, and a link that stands under the final name is replaced, not followed.
Everything happens in the folder that was opened first, so that none can be put in its place meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NO_LOCKS_HERE: Final = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)
"""What file systems answer that cannot lock, or cannot sync a folder."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_READABLE: Final = (_NEW & ~os.O_WRONLY) | os.O_RDWR
# Earlier versions had one fixed name per file; what they left is removed too.
_TEMPORARY: Final = re.compile(r"\.(?P<final>.+?)(?:\.[0-9a-f]{16})?\.tmp", re.DOTALL)
_LONGEST_NAME: Final = 60  # characters of the final name in the temporary one, which stays below any limit


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


@contextmanager
def replacing(path: Path, *, own_folder: bool = False, readable: bool = False) -> Iterator[IO[bytes]]:
    """Write a file piece by piece that appears whole when the block ends, and not at all when it fails.

    Args:
        path: The final name. A link there is replaced, not followed.
        own_folder: Whether the folder is one that gram itself names, such as a store's `shards`: it may be no link.
        readable: Whether what was written is read again before the block ends, as HDF5's library does.

    Yields:
        The file to write to.

    Raises:
        UserError: The folder should be gram's own, and is a link.
        OSError: The file system refuses.
    """
    folder = _open_folder(path.parent, own=own_folder)
    temporary = f".{path.name[:_LONGEST_NAME]}.{secrets.token_hex(8)}.tmp"
    try:
        _lock(folder, fcntl.LOCK_SH)  # as long as it is held, `remove_leftovers` keeps away
        flags, mode = (_NEW_READABLE, "w+b") if readable else (_NEW, "wb")
        with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=folder), mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        _sync(folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        os.close(folder)


def write_atomic(path: Path, data: bytes, *, own_folder: bool = False) -> None:
    """Write a file so that a reader sees all of it or none, whatever kills the process.

    Args:
        path: The final name.
        data: The content.
        own_folder: As for `replacing`.

    Raises:
        UserError: The file system refused (disk full, no permission), or as `replacing`.
    """
    with disk_errors(path), replacing(path, own_folder=own_folder) as file:
        file.write(data)


def make_folder(path: Path) -> None:
    """Make the folder that the user named, and those above it; a link to a folder is one.

    Args:
        path: The folder.

    Raises:
        OSError: It cannot be made.
    """
    missing: list[Path] = []  # by a loop: the standard library's way calls itself once per level, which ends at 1,000
    here = path
    while not here.is_dir() and here != here.parent:
        missing.append(here)
        here = here.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir()
    sync_directory(path)
    sync_directory(path.parent)


def make_own_folder(path: Path) -> None:
    """Make a folder that gram itself names inside another; what stands there already must be one, and no link.

    Args:
        path: The folder; the one above it exists.

    Raises:
        UserError: A link stands there.
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        path.mkdir()
    os.close(_open_folder(path, own=True))
    sync_directory(path.parent)


def check_own_folder(path: Path) -> None:
    """Refuse a link where gram keeps a folder of its own, before anything is written below it.

    Args:
        path: The folder; it need not be there.

    Raises:
        UserError: A link stands there.
    """
    if path.is_symlink():
        raise _no_own_folder(path)


def write_special(path: Path, data: bytes) -> None:
    """Write to a device or a pipe that the user named, such as `/dev/stdout`; one that nobody reads is not waited for.

    Args:
        path: The device or pipe; links are followed.
        data: What goes there.

    Raises:
        UserError: It is a pipe that nobody reads.
        OSError: The file system refuses.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        advice = "Start its reader first, or name a file."
        raise UserError("failed", f"{path} could not be written: nobody reads from it. {advice}") from error
    with os.fdopen(handle, "wb") as file:
        os.set_blocking(handle, True)  # whoever reads may take its time
        file.write(data)


def sync_directory(path: Path) -> None:
    """Flush the names in a directory to disk, where the file system can.

    Args:
        path: The directory.
    """
    handle = _open_folder(path, own=False)
    try:
        _sync(handle)
    finally:
        os.close(handle)


def remove_files(folder: Path, ours: Callable[[str], bool], *, own_folder: bool = False) -> None:
    """Remove gram's own files from a folder, as far as they are there.

    Args:
        folder: The folder; one that is missing holds nothing.
        ours: Whether a file of this name is to go. Of a link, the link goes.
        own_folder: As for `replacing`.

    Raises:
        UserError: As `replacing`.
        OSError: The file system refuses.
    """
    try:
        handle = _open_folder(folder, own=own_folder)
    except FileNotFoundError:
        return
    try:
        for name in os.listdir(handle):  # noqa: PTH208 - in the folder that is open
            if ours(name):
                _unlink(name, handle)
        _sync(handle)  # else a power cut could bring them back
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, ours: Callable[[str], bool], *, own_folder: bool = False) -> None:
    """Remove what killed runs were preparing, unless another process is writing into the folder just now.

    Args:
        folder: The folder.
        ours: Whether gram writes a file of this final name there.
        own_folder: As for `replacing`.

    Raises:
        UserError: As `replacing`.
        OSError: The file system refuses.
    """
    handle = _open_folder(folder, own=own_folder)
    try:
        if _lock(handle, fcntl.LOCK_EX):
            for name in os.listdir(handle):  # noqa: PTH208 - as above
                if (final := prepared(name)) is not None and ours(final):
                    _unlink(name, handle)
    finally:
        os.close(handle)


def prepared(name: str) -> str | None:
    """Say which file a temporary one was to become.

    Args:
        name: A file's name.

    Returns:
        The first characters of the final name; None where gram makes no temporary file of such a name.

    Example:
        >>> prepared(".items.csv.0123456789abcdef.tmp"), prepared(".items.csv.tmp"), prepared("items.csv")
        ('items.csv', 'items.csv', None)
    """
    found = _TEMPORARY.fullmatch(name)
    return found["final"] if found else None


def _open_folder(path: Path, *, own: bool) -> int:
    try:
        return os.open(path, _FOLDER | (os.O_NOFOLLOW if own else 0))
    except OSError as error:
        if own and path.is_symlink():
            raise _no_own_folder(path) from error
        raise


def _no_own_folder(path: Path) -> UserError:
    advice = "Name another output."
    return UserError(
        "store", f"{path} is a link, where gram keeps a folder of its own; nothing is written through it. {advice}"
    )


def _unlink(name: str, folder: int) -> None:
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)


def _lock(handle: int, how: int) -> bool:
    """Lock a folder that is open, if that is possible without waiting; closing it lets go."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:  # some network file systems refuse to sync directories
            raise
