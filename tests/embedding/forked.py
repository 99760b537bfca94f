"""Processes that begin where everything is imported: torch alone takes two seconds of each that does it itself."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import chdir
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a function of `tests.embedding.chaos_run` in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.embedding.chaos_run"])
    process = context.Process(target=target, args=arguments)
    with chdir(ROOT):  # where the first of them, which imports it all, finds the packages
        process.start()
    return process
