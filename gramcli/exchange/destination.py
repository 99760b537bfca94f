"""Files that exports write where the user says: whole or not at all, never into what is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gramcli.errors import UserError
from gramcli.files.writing import replacing


def check_destination(path: Path, store: Path | None = None, *, folders: str = "") -> None:
    """Refuse what cannot be written, before any work is done for it.

    Args:
        path: Where to write.
        store: What is read.
        folders: What else to say of a folder.

    Raises:
        UserError: The path is no file, or lies in the store.
    """
    if store is not None and path.resolve().is_relative_to(store.resolve()):
        raise UserError("usage", f"-o {path} lies in {store}, the store that is read; name another place.")
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or device"
        raise UserError("usage", f"-o {path} is {what}; name a file.{folders if path.is_dir() else ''}")


@contextmanager
def new_file(path: Path, *, own: bool = False) -> Iterator[IO[bytes]]:
    """Write a file that replaces an older one once it is whole; a link that the user names is followed.

    Args:
        path: The file.
        own: Whether gram itself names it, in a folder that the user names: then a link there is replaced.

    Yields:
        The file, to write to and to read.

    Raises:
        UserError: The file system refuses.
    """
    with write_errors(path), replacing(path if own else path.resolve(), readable=True) as file:
        yield file


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence.

    Raises:
        UserError: There was one.
    """
    try:
        yield
    except OSError as error:
        hint = "Make the folder first." if isinstance(error, FileNotFoundError) else "Name another file."
        raise UserError("failed", f"{path} could not be written: {error.strerror or error}. {hint}") from error
