"""How kernels are compiled: when first called, and kept on disk where a folder can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function, fastmath: bool | set[str] = False, **options: Any) -> Function:  # noqa: ANN401 - numba's
    """Compile a function for the CPU, without the interpreter's lock.

    numba finds code on disk by the date of the file the function is in: what a kernel calls must be in the same file,
    and what may change elsewhere must be given as an argument.

    Args:
        function: Loops over arrays.
        fastmath: What arithmetic may do, as numba's option; nothing by default.
        options: Further options of numba.
    """
    options |= {"nogil": True, "fastmath": fastmath}
    try:
        return cast("Function", numba.njit(cache=True, **options)(function))
    except RuntimeError:  # "no locator available": neither this folder nor the user's cache can be written
        return cast("Function", numba.njit(**options)(function))
