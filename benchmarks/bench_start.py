"""What does a command cost in a fresh process, next to `import torch`? Prints seconds by phase and the ratios.

The store has 1,000 items of three modalities, d = 512. All commands take turns, so that a busy moment hits all alike;
phases are timed in a process of their own, from the inside.

Run: python benchmarks/bench_start.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ITEMS, DIM = 1000, 512
LIMIT = 1.3
GRAM = [sys.executable, "-c", "from gramcli.cli.main import main; main()"]
ONE = ["--task", "t2va", "--method", "gram"]
# Where the time of `gram eval` goes once everything is imported; time within one of them counts for the inner one.
PARTS = {
    "reading and hashing the store": [("gramcli.store", "open_store"), ("gramcli.store.reader", "Store._tensor")],
    "choosing rows": [("gramcli.evaluation.selection", "select")],
    "ranking": [("gramcli.scoring.ranking", "rank")],
    "best ten of each query (hubness)": [("gramcli.scoring.topk", "nearest")],
    "figures and their intervals": [("gramcli.metrics.figures", "direction_rows")],
    "printing": [("gramcli.report.tables", "evaluation_answer"), ("gramcli.report.formats", "render")],
}
IMPORTS = ("gramcli.cli.targets", "gramcli.evaluation.retrieval", "gramcli.methods.gram", "gramcli.inspection.describe")


def write_example(path: Path) -> None:
    """Write unit vectors that share a direction per item, so that ranks are neither all 1 nor chance."""
    import numpy as np

    from gramcli.store import write_store

    rng = np.random.default_rng(0)
    common = rng.standard_normal((ITEMS, DIM))
    vectors = {name: common + 2 * rng.standard_normal((ITEMS, DIM)) for name in ("text", "video", "audio")}
    write_store(
        path,
        ids=[f"item{k}" for k in range(ITEMS)],
        splits=[None] * ITEMS,
        labels=[None] * ITEMS,
        embeddings={
            name: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32") for name, x in vectors.items()
        },
        caption_items=range(ITEMS),
        status={},
        model={"id": "generated", "shared_space": True},
        dataset={"id": "generated", "protocol": None, "annotation_sha256": None},
    )


def environment() -> dict[str, str]:
    """Return the environment of a user whose modules are compiled: only then are two starts alike."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str]) -> tuple[float, float]:
    """Return how long a command takes, and how long its threads computed: the steadier figure on a busy machine."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True, env=environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, computed


class Clock:
    """Seconds by phase; what an inner phase takes is not counted for the outer one."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._inner = [0.0]

    def timed(self, phase: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function; its calls are timed as `phase`."""

        @functools.wraps(function)
        def run(*arguments: P.args, **options: P.kwargs) -> R:
            start = time.perf_counter()
            self._inner.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                took = time.perf_counter() - start
                self.phases[phase] = self.phases.get(phase, 0.0) + took - self._inner.pop()
                self._inner[-1] += took

        return run


def phases_of_eval(arguments: list[str]) -> dict[str, float]:
    """Run `gram eval` in this process, which has imported nothing yet."""
    clock = Clock()
    clock.timed("import torch", importlib.import_module)("torch")
    clock.timed("import typer", importlib.import_module)("typer")
    clock.timed("import pydantic (Typer does, to read options)", importlib.import_module)("typer._adapters")
    clock.timed("import of the command line", importlib.import_module)("gramcli.cli.main")
    for name in IMPORTS:
        clock.timed("other imports, ours and theirs", importlib.import_module)(name)
    users = [module for name, module in sys.modules.items() if name.startswith("gramcli")]
    for phase, functions in PARTS.items():
        for home, name in functions:
            *owner, last = name.split(".")
            place: Any = importlib.import_module(home)
            for part in owner:
                place = getattr(place, part)
            found = getattr(place, last)
            timed = clock.timed(phase, found)
            setattr(place, last, timed)
            for module in users:  # those that have taken the name already
                if vars(module).get(last) is found:
                    setattr(module, last, timed)
    from gramcli.cli import main as command_line

    sys.argv = ["gram", "eval", *arguments]
    try:
        clock.timed("reading options, and the rest", command_line.main)()
    except SystemExit as end:
        if end.code:
            raise
    return clock.phases


def measure(store: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import torch": [sys.executable, "-c", "import torch"],
        "gram --help": [*GRAM, "--help"],
        "gram eval STORE --task t2va --method gram": [*GRAM, "eval", str(store), *ONE],
        "gram eval STORE": [*GRAM, "eval", str(store)],
    }
    for command in commands.values():
        seconds(command)  # compiles modules, and brings files into memory
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(seconds(command))
    return found


def print_starts(found: dict[str, list[tuple[float, float]]]) -> None:
    print(f"{'seconds: least, median (of import torch)':43}{'wall':>26}{'computing':>26}")
    for name, times in found.items():
        line = f"{name:43}"
        for kind in (0, 1):
            own, torch = ([run[kind] for run in runs] for runs in (times, found["import torch"]))
            for middle in (min, statistics.median):
                line += f"{middle(own):6.2f} ({middle(own) / middle(torch):4.2f})"
        print(line)


def print_phases(store: Path, arguments: list[str], rounds: int) -> None:
    command = [sys.executable, __file__, "--phases-of", str(store), *arguments]
    runs = []
    for _ in range(rounds):
        done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment())
        runs.append(json.loads(done.stderr.splitlines()[-1]))
    print(f"\n{' '.join(['gram eval STORE', *arguments])}: seconds by phase, medians of {rounds}")
    for phase in sorted(runs[0], key=lambda one: -statistics.median(run[one] for run in runs)):
        print(f"  {statistics.median(run[phase] for run in runs):6.3f}  {phase}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--phases-of", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phases_of:
        print(json.dumps(phases_of_eval(options.phases_of)), file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        write_example(store)
        found = measure(store, options.rounds)
        print_starts(found)
        for arguments in (ONE, []):
            print_phases(store, arguments, max(1, options.rounds // 2))
    ratio = min(found[" ".join(["gram eval STORE", *ONE])])[0] / min(found["import torch"])[0]
    print(f"\none task and method: {ratio:.2f} of import torch (aim {LIMIT})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
