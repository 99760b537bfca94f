"""A pool of threads for compiled loops, which release the interpreter lock; as many as torch takes.

Not numba's threads: its own layer ends the process when it is entered from two threads at once, and GNU OpenMP's does
not survive a fork.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def shared(work: Callable[[int, int], T], n: int, least: int = 1) -> list[T]:
    """Cut range(n) into one part per thread and work on all at once.

    Args:
        work: Called with the first row of a part and the one behind its last.
        n: Rows.
        least: Rows that make a part worth a thread.

    Returns:
        What each part gave, in order.
    """
    count = max(1, min(torch.get_num_threads(), n // max(least, 1)))
    if count == 1:
        return [work(0, n)]
    edges = [n * k // count for k in range(count + 1)]
    return list(_pool(count).map(work, edges[:-1], edges[1:]))


@functools.lru_cache(maxsize=1)
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="gramcli")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a fork has none of its parent's threads
