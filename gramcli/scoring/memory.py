"""Memory that the C library keeps after it was freed."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable


def hand_back_freed() -> None:
    """Give freed memory back to the system, where the C library can (glibc).

    Arrays of some megabytes that come and go by the thousand leave holes between the few that stay; without this the
    process grows by hundreds of megabytes over a long walk, none of it in use. Takes about a millisecond.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
    return trim
