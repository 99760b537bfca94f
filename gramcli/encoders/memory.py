"""Whether an error of a library says that memory ran out."""

from __future__ import annotations

from typing import Final

# What torch says on a CPU, and CUDA's libraries where they have no error class of their own.
_WORDS: Final = (
    "can't allocate memory",
    "out of memory",
    "not enough memory",
    "alloc_failed",
    "cannot allocate memory",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or not.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("mat1 and mat2 shapes"))
        (True, False)
    """
    if isinstance(error, MemoryError):
        return True
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is a RuntimeError and not worth loading torch for
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _WORDS)
