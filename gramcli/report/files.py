"""Result files: whole or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gramcli.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def write_result(path: Path, data: str | bytes) -> None:
    """Write a file under a temporary name, then rename it into place.

    A name that stands for a device or pipe (`/dev/stdout`) is written to directly.

    Args:
        path: Where to; the folder must exist.
        data: The content; text is written as UTF-8.

    Raises:
        UserError: The folder is missing, or the file system refuses.
    """
    content = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "Make the folder first." if isinstance(error, FileNotFoundError) else "Name another file."
        raise UserError("failed", f"{path} could not be written: {error.strerror}. {hint}") from error


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
