"""Whether compiled code can be had and is worth it: importing numba takes 0.4 s, compiling some seconds once."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from gramcli.methods.linalg import KERNELS, Kernels

_LOG = logging.getLogger(__name__)

WORTH_LOADING: Final = 1 << 24
"""Numbers of work (vectors times d) from which loading the kernels takes less time than doing without them."""

_WORTH_CALLING: Final = 1 << 13  # numbers from which a kernel that is loaded beats torch's operations


def ready(work: int) -> bool:
    """Whether to run compiled code for so much work; loads and, the first time on a machine, compiles it.

    Says no, and never raises, where numba is missing or broken, where NUMBA_DISABLE_JIT asks for none, and where there
    is too little to do. Once loaded, the kernels serve small work too.

    Args:
        work: Numbers the work reads: vectors times d.
    """
    loaded = _kernels.cache_info().currsize > 0
    return work >= (_WORTH_CALLING if loaded else WORTH_LOADING) and _kernels() is not None


@contextmanager
def accelerated(work: int, device: torch.device) -> Iterator[bool]:
    """Let `gramcli.methods.linalg` use the kernels within, on the CPU and where `ready` says so; yields whether."""
    kernels = _kernels() if device.type == "cpu" and ready(work) else None
    before = KERNELS.set(kernels)
    try:
        yield kernels is not None
    finally:
        KERNELS.reset(before)


def _announcer(base: Any) -> Any:  # noqa: ANN401 - numba's Listener, which is imported late
    """Tells once that something is being compiled, which a kernel from the cache on disk is not."""

    class Announcer(base):  # type: ignore[misc]
        """Listens to numba."""

        def on_start(self, _event: object) -> None:
            """A function is not in the cache."""
            _tell()

        def on_end(self, _event: object) -> None:
            """Nothing to say."""

    return Announcer()


def loops(work: int) -> bool:
    """Whether to walk tiles by compiled loops: as `ready`, and these can be had too."""
    return ready(work) and _loops()


@functools.cache
def _loops() -> bool:
    try:
        from gramcli.scoring.compiled import kernels  # noqa: PLC0415 - after numba is known to work

        with announced():
            kernels.warm_up()
    except Exception as error:
        _LOG.debug("no compiled loops: %s: %s", type(error).__name__, error)
        return False
    return True


@functools.cache
def _tell() -> None:
    _LOG.warning("compiling for this CPU (once; it takes some seconds)")


@contextmanager
def announced() -> Iterator[None]:
    """Say once if something is being compiled within."""
    from numba.core import event  # noqa: PLC0415 - whoever comes here has it loaded

    with event.install_listener("numba:compile", _announcer(event.Listener)):
        yield


@functools.cache
def _kernels() -> Kernels | None:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return None
    try:
        import numba  # noqa: F401, PLC0415 - what this module is for

        from gramcli.scoring.compiled import exact  # noqa: PLC0415

        with announced():
            exact.warm_up()
    except Exception as error:
        _LOG.debug("no compiled code: %s: %s", type(error).__name__, error)
        return None
    return exact
