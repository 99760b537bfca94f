"""Imports of torch, which brings hundreds of thousands of objects at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heavy_imports() -> Iterator[None]:
    """Keep the search for unused cycles away from the imports in the block, where there are none to find.

    The searches take a tenth of `import torch`. What is there after it stays for good, so that later searches leave it
    out. Where torch was there before, nothing is changed.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        if "torch" in sys.modules:
            gc.freeze()
    finally:
        gc.enable()
