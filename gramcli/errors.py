"""The one exception a user sees, and the exit code each kind of mistake ends with."""

from __future__ import annotations

from typing import Final, Literal, get_args

ErrorKind = Literal["usage", "input", "media", "store", "embedding", "checkpoint", "failed"]

EXIT_DONE: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_LEFT_OUT: Final = 3
EXIT_CHECKPOINT: Final = 4
EXIT_EXPECTATION: Final = 5
EXIT_INTERRUPTED: Final = 130

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
