"""Training losses, forward and backward: against the full SVD and the determinants of the papers' code.

Run: python benchmarks/bench_losses.py [--only time|products|memory] [--items 256] [--rounds 7] [--threads 2]

Times are medians of rounds in which ours and the textbook's are taken in turns, B items of m modalities, d = 512,
float32. "full SVD" is torch.linalg.svd of [B, d, m] with full_matrices=True, cross-entropy of the singular values and
of the products of the leading vectors; "thin SVD" the same with full_matrices=False. "determinants" is
sqrt(|det|) of the stacked Gram matrices [B, B, m, m].

The products that gram needs with one anchor, whatever the algebra, are nine: each of three other modalities against
the anchor, and for each two backwards. pmrl needs three. "computing" is the processor time of the threads, which a
busy machine stretches less than the clock; with more than one thread, OMP_WAIT_POLICY=PASSIVE keeps threads that wait
for each other out of it.

Peak memory is that of the resident set in a fresh process, above what is there before the forward pass (libraries, the
embeddings), with d = 64 so that what grows with B^2 dominates; blocks of 64 kB and more are given back when freed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gramcli.methods import get_method

NAMES = ("text", "video", "audio", "subtitle", "depth", "image")
Rows = dict[str, Tensor]
Loss = Callable[[Rows], Tensor]


def made(n: int, m: int, d: int) -> Rows:
    """Return unit rows with something in common, leaves of the graph."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(n, d, generator=generator)
    rows = [common + torch.randn(n, d, generator=generator) for _ in range(m)]
    return {name: torch.nn.functional.normalize(x).requires_grad_() for name, x in zip(NAMES, rows, strict=False)}


def by_svd(rows: Rows, *, full: bool) -> Tensor:
    u, sigma, _ = torch.linalg.svd(torch.stack(list(rows.values()), dim=2), full_matrices=full)
    leading = u[:, :, 0]
    first = torch.zeros(len(sigma), dtype=torch.int64)
    intra = cross_entropy(sigma / 0.05, first)
    return intra + cross_entropy(leading @ leading.T / 0.1, torch.arange(len(sigma)))


def by_determinants(rows: Rows) -> Tensor:
    text, *others = rows.values()
    n, m = len(text), len(rows)
    gram = [[torch.linalg.vecdot(x, y).expand(n, n) for y in rows.values()] for x in rows.values()]
    gram[0][0] = gram[0][0].T
    for k, x in enumerate(others, start=1):
        gram[0][k] = gram[k][0] = text @ x.T
    stacked = torch.stack([torch.stack(line, dim=-1) for line in gram], dim=-2)
    assert stacked.shape == (n, n, m, m)
    logits = -torch.linalg.det(stacked).abs().sqrt() / 0.07
    right = torch.arange(n)
    return sum(cross_entropy(x, right, label_smoothing=0.1) for x in (logits, logits.T)) / 2


LOSSES: dict[str, Loss] = {
    "pmrl": lambda rows: get_method("pmrl").loss(rows),
    "pmrl, full SVD": lambda rows: by_svd(rows, full=True),
    "pmrl, thin SVD": lambda rows: by_svd(rows, full=False),
    "gram": lambda rows: get_method("gram").loss(rows, anchor="text"),
    "gram, determinants": by_determinants,
}
TIMES = [("pmrl", "pmrl, full SVD", 50.0), ("pmrl", "pmrl, thin SVD", None), ("gram", "gram, determinants", 5.0)]
MOST = 3.0
"""Times the nine products, at B = 1,024."""


def step(name: str, rows: Rows) -> float:
    """Run forward and backward once; return the loss."""
    for x in rows.values():
        x.grad = None
    loss = LOSSES[name](rows)
    loss.backward()
    return float(loss.detach())


def seconds(name: str, rows: Rows) -> float:
    start = time.perf_counter()
    step(name, rows)
    return time.perf_counter() - start


def bench_time(n: int, rounds: int) -> None:
    print(f"## Forward and backward, B = {n}, m = 4, d = 512, float32, medians of {rounds} rounds\n")
    print("| loss | ours, ms | textbook | its, ms | ratio | smallest, largest of rounds | target |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = made(n, 4, 512)
    for ours, theirs, target in TIMES:
        for name in (ours, theirs):
            step(name, rows)
        pairs = [(seconds(ours, rows), seconds(theirs, rows)) for _ in range(rounds)]
        ratios = [slow / fast for fast, slow in pairs]
        fast, slow = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(ratios)
        verdict = "none" if target is None else f"{target:g}: {'reached' if ratio >= target else 'MISSED'}"
        spread = f"{min(ratios):.1f}, {max(ratios):.1f}"
        print(f"| {ours} | {fast:.2f} | {theirs} | {slow:.1f} | {ratio:.1f} | {spread} | {verdict} |", flush=True)


def bare_products(n: int, d: int) -> Callable[[], None]:
    """Return what forms the products of three modalities with an anchor, and those of their gradients."""
    generator = torch.Generator().manual_seed(1)
    anchor, *others = (torch.randn(n, d, generator=generator) for _ in range(4))
    gradient = torch.randn(n, n, generator=generator)

    def multiply() -> None:
        for x in others:
            _ = anchor @ x.T, gradient @ x, gradient.T @ anchor

    return multiply


def both_clocks(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds a work takes, and how long its threads computed."""
    start, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - before


def bench_products(n: int, rounds: int) -> None:
    print(f"\n## Forward and backward, B = {n:,}, m = 4, d = 512, float32, against nine products, {rounds} rounds\n")
    print("| work | ms | computing, ms | of the nine products (least, largest) | of their computing | target |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = made(n, 4, 512)
    works: dict[str, Callable[[], object]] = {
        "nine products": bare_products(n, 512),
        "gram, one anchor": lambda: step("gram", rows),
        "pmrl": lambda: step("pmrl", rows),
    }
    for work in works.values():
        work()
    runs = [{name: both_clocks(work) for name, work in works.items()} for _ in range(rounds)]
    for name in works:
        wall, computing = (1000 * statistics.median(run[name][kind] for run in runs) for kind in (0, 1))
        of_wall, of_computing = ([run[name][kind] / run["nine products"][kind] for run in runs] for kind in (0, 1))
        ratio = statistics.median(of_wall)
        spread = f"{ratio:.2f} ({min(of_wall):.2f}, {max(of_wall):.2f}) | {statistics.median(of_computing):.2f}"
        verdict = "" if name == "nine products" else f"{MOST:g}: {'reached' if ratio <= MOST else 'MISSED'}"
        print(f"| {name} | {wall:.1f} | {computing:.1f} | {spread} | {verdict} |", flush=True)


def status(field: str) -> int:
    """Return kilobytes of the process, as Linux counts them."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith(field))


def measure(name: str, n: int, m: int, threads: int) -> None:
    """Print the peak bytes of a forward and backward pass as JSON, above what was there before."""
    torch.set_num_threads(threads)
    step(name, made(16, m, 64))
    rows = made(n, m, 64)
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - Linux: forget the peak so far
        file.write("5")
    before = status("VmRSS")
    step(name, rows)
    print(json.dumps({"bytes": (status("VmHWM") - before) * 1024}))


def in_fresh_process(name: str, n: int, m: int, threads: int) -> int:
    call = f"b.measure({name!r}, {n}, {m}, {threads})"
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_losses as b; {call}"
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return int(json.loads(done.stdout)["bytes"])


def bench_memory(sizes: list[int], threads: int) -> None:
    print("\n## Peak memory of forward and backward, d = 64, float32: bytes per B^2 (a float32 matrix [B, B] is 4)\n")
    print("| loss | m | " + " | ".join(f"B = {n:,}" for n in sizes) + " |\n|---|---|" + "---|" * len(sizes), flush=True)
    for name in LOSSES:
        for m in (3, 4, 5, 6):
            kept = [n for n in sizes if n <= 1024 or "determinants" not in name]  # gigabytes beyond
            found = [f"{in_fresh_process(name, n, m, threads) / n**2:.0f}" for n in kept]
            print(f"| {name} | {m} | " + " | ".join(found + [""] * (len(sizes) - len(kept))) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["time", "products", "memory"])
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 512, 1024, 2048])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads\n")
    if args.only in (None, "time"):
        bench_time(args.items, args.rounds)
    if args.only in (None, "products"):
        bench_products(1024, args.rounds)
    if args.only in (None, "memory"):
        bench_memory(args.sizes, args.threads)


if __name__ == "__main__":
    main()
