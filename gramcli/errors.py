"""The one exception a user sees, the exit code each kind of mistake ends with, and a mistake that any reader meets."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from pathlib import Path

ErrorKind = Literal["usage", "input", "media", "store", "embedding", "checkpoint", "failed"]

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_LEFT_OUT: Final = 3
EXIT_CHECKPOINT: Final = 4
EXIT_EXPECTATION: Final = 5
EXIT_INTERRUPTED: Final = 130
ANEW_IN_PYTHON: Final = "pass overwrite=True"
ANEW_IN_A_SHELL: Final = "start anew with --overwrite"

_POINTERS: Final = (
    (re.compile(rb"\s*version https?://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/"), "Git LFS", "git lfs pull"),
    (re.compile(rb"\s*(?:[\w./\\-]*\.git)?[/\\]annex[/\\]objects[/\\]"), "git-annex", "git annex get FILE"),
)
_LARGEST_POINTER: Final = 1024
_EXIT_CODES: Final[dict[str, int]] = {"usage": EXIT_USAGE, "checkpoint": EXIT_CHECKPOINT}


class UserError(Exception):
    """A mistake the user can mend: one sentence with the culprit, the rule and the remedy.

    Args:
        kind: What went wrong, from the closed set `ErrorKind`: `usage` (the command line is
            wrong), `input` (a dataset, manifest or file named by the user), `media` (a file does
            not decode), `store` (an embedding store), `embedding` (vectors do not fit the method),
            `checkpoint` (weights do not match their architecture), `failed` (anything else).
        message: The sentence shown to the user.
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        if kind not in get_args(ErrorKind):
            raise ValueError(f"kind must be one of {get_args(ErrorKind)}; got {kind!r}")
        super().__init__(message)
        self.kind: ErrorKind = kind
        self.message = message

    @property
    def exit_code(self) -> int:
        """The exit code the command line ends with (CLI contract)."""
        return _EXIT_CODES.get(self.kind, EXIT_FAILED)


def pointer_said(head: bytes, name: object) -> str | None:
    """Say that a file is the pointer which a clone leaves in place of a large file, and how to fetch that.

    Args:
        head: How the file begins.
        name: What to call it.

    Returns:
        The sentence; None where the file is no pointer of Git LFS or git-annex.

    Example:
        >>> pointer_said(b"version https://git-lfs.github.com/spec/v1", "a.json")
        'a.json is a Git LFS pointer, not the file itself; fetch the content with: git lfs pull.'
    """
    for pattern, system, command in _POINTERS:
        if pattern.match(head):
            return f"{name} is a {system} pointer, not the file itself; fetch the content with: {command}."
    return None


def refuse_pointer(path: Path, kind: ErrorKind) -> None:
    """Refuse a pointer, where a reader is about to say that a file is damaged or of no such format.

    Args:
        path: The file; one that cannot be read is no pointer.
        kind: What the reader would say went wrong.

    Raises:
        UserError: It is a pointer.
    """
    said = None
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= _LARGEST_POINTER:
            said = pointer_said(path.read_bytes(), path)
    if said:
        raise UserError(kind, said) from None
