"""A whole `gram eval STORE`, everything by default: next to `import torch`, to the bare product, and its memory.

Run: python benchmarks/bench_eval.py [--only small|large|memory] [--items 20000] [--rounds 3] [--memory-items 100000]

Stores of text, video and audio, d = 512: a common vector of each item plus noise of 1.5 (`bench_ranking.made_sides`).
The commands are whole processes, taken in turns with what they are compared with; "computing" is the processor time of
all threads (user and system), the steadier figure on a busy machine. The bare product is `Q @ W.T` in float32,
N x 512 x 2 N, as anyone would write it. Set OMP_NUM_THREADS where other work runs: threads that wait for each other
count as computing.

Memory (`--only memory`, not by default) is the peak of a fresh process while it measures an open store whose vectors
are loaded, above what it held before; a small store was measured first, so that libraries are no part of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_ranking import D, made_sides, reset_peak, resident_mb
from bench_start import GRAM, environment
from bench_start import seconds as whole_process

SMALL, NOISE, MEMORY = 1000, 1.5, 800
Clocks = tuple[float, float]


def write_example(path: Path, n: int) -> Path:
    """Write the store of n items, and return its path."""
    from gramcli.store import write_store

    queries, candidates = made_sides(n, 3, NOISE)
    write_store(
        path,
        ids=[f"item{k}" for k in range(n)],
        splits=[None] * n,
        labels=[None] * n,
        embeddings={name: rows.numpy() for name, rows in (queries | candidates).items()},
        caption_items=range(n),
        status={},
        model={"id": "generated", "shared_space": True},
        dataset={"id": "generated", "protocol": None, "annotation_sha256": None},
    )
    return path


def evaluated(store: Path) -> Clocks:
    """Return seconds on the clock and of computing of the whole command."""
    return whole_process([*GRAM, "eval", str(store), "--format", "csv"])


def multiplied(n: int) -> Clocks:
    """Return the same of the bare product."""
    queries, candidates = made_sides(n, 3, NOISE)
    q, w = queries["text"], torch.cat(list(candidates.values()))
    start, before = time.perf_counter(), time.process_time()
    _ = q @ w.T
    return time.perf_counter() - start, time.process_time() - before


def print_ratios(work: str, other: str, runs: list[tuple[Clocks, Clocks]], most: float) -> None:
    """Print medians of both, and of the ratios of each round."""
    medians = [[statistics.median(run[side][kind] for run in runs) for kind in (0, 1)] for side in (0, 1)]
    ratios = [[ours[kind] / theirs[kind] for ours, theirs in runs] for kind in (0, 1)]
    wall, computing = (statistics.median(found) for found in ratios)
    print(
        f"| {work} | {medians[0][0]:.2f} | {medians[0][1]:.2f} | {other} | {medians[1][0]:.2f} | {medians[1][1]:.2f} "
        f"| {wall:.2f} ({min(ratios[0]):.2f}, {max(ratios[0]):.2f}) | {computing:.2f} "
        f"| {most:g}: {'reached' if wall <= most else 'MISSED'} |",
        flush=True,
    )


def in_turns(ours: Callable[[], Clocks], theirs: Callable[[], Clocks], rounds: int) -> list[tuple[Clocks, Clocks]]:
    return [(ours(), theirs()) for _ in range(rounds)]


def bench_small(folder: Path, rounds: int) -> None:
    store = write_example(folder / "small", SMALL)
    torch_alone = [sys.executable, "-c", "import torch"]
    evaluated(store)  # compiles modules, and brings files into memory
    whole_process(torch_alone)
    runs = in_turns(lambda: evaluated(store), lambda: whole_process(torch_alone), rounds)
    print_ratios(f"`gram eval STORE`, N = {SMALL:,}", "`import torch`", runs, 1.6)


def bench_large(folder: Path, n: int, rounds: int, most: float) -> None:
    store = write_example(folder / "large", n)
    runs = in_turns(lambda: evaluated(store), lambda: multiplied(n), rounds)
    print_ratios(f"`gram eval STORE`, N = {n:,}", f"{n:,} x {D} x {2 * n:,}", runs, most)


def bench_memory(folder: Path, n: int) -> None:
    small, store = write_example(folder / "warm", 300), write_example(folder / "wide", n)
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_eval as b; b.report_memory(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(small), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    found = json.loads(done.stdout)
    inputs = 3 * n * D * 4 / 2**20
    size = f"N = {n:,}: {found['peak_mb']:.0f} MB above the inputs ({inputs:.0f} MB)"
    verdict = "reached" if found["peak_mb"] <= MEMORY else "MISSED"
    print(f"Memory, {size} in {found['seconds']:.0f} s; at most {MEMORY}: {verdict}")


def report_memory(small: str, store: str) -> None:
    """Print, as JSON, the peak of measuring a store above what was there before, and how long it took."""
    from gramcli.evaluation.measure import measure
    from gramcli.store import open_store

    measure(open_store(small))
    opened = open_store(store)
    for name in opened.modalities:
        opened.embeddings(name)
    reset_peak()
    before, start = resident_mb("VmRSS"), time.perf_counter()
    measure(opened)
    print(json.dumps({"peak_mb": resident_mb("VmHWM") - before, "seconds": time.perf_counter() - start}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["small", "large", "memory"])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--memory-items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=float, default=14.0, help="times the product; 10 with bfloat16 arithmetic")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only != "memory":
            print("| work | s | computing, s | next to | s | computing, s | ratio (range) | computing | at most |")
            print("|---|---|---|---|---|---|---|---|---|", flush=True)
        if args.only in (None, "small"):
            bench_small(folder, args.rounds)
        if args.only in (None, "large"):
            bench_large(folder, args.items, args.rounds, args.most)
        if args.only == "memory":
            bench_memory(folder, args.memory_items)


if __name__ == "__main__":
    main()
