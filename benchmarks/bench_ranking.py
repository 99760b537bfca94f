"""Exact ranks in both directions against the bare matrix product they need, and the other figures of scoring.

Run: python benchmarks/bench_ranking.py [--only ranks|neighbours|normalize|matrix|memory|recall|grid] [--rounds 3]

Every figure is a ratio of two measurements of the same run, taken in turns. "bare GEMM" is `Q @ W.T` in
float32, as anyone would write it; "warm" is the same product written into a buffer whose memory has been
touched before, which is the arithmetic alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gramcli.scoring.normalize import rank_normalized
from gramcli.scoring.ranking import rank, rank_scores
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.topk import top_k

D = 512
NAMES = ("video", "audio", "subtitle", "depth", "image", "x", "y")
Sides = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]


def made_sides(n: int, m: int, noise: float, seed: int = 0) -> Sides:
    """Return n items of m modalities: a common Gaussian vector plus noise of the given size, unit length."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, D, generator=generator)

    def modality() -> torch.Tensor:
        rows = torch.randn(n, D, generator=generator).mul_(noise).add_(common)
        return rows.div_(rows.norm(dim=1, keepdim=True))

    return {"text": modality()}, {name: modality() for name in NAMES[: m - 1]}


def noise_for(hit_rate: float, n: int, m: int, method: str) -> float:
    """Noise at which R@1 of 400 queries against n candidates is about `hit_rate`."""
    low, high = 0.3, 4.0
    for _ in range(7):
        middle = (low + high) / 2
        queries, candidates = made_sides(n, m, middle)
        few = {name: rows[:400] for name, rows in queries.items()}
        ranks = rank(method, few, candidates, torch.arange(400), both_directions=False).forward
        low, high = (middle, high) if float((ranks <= 1).double().mean()) > hit_rate else (low, middle)
    return (low + high) / 2


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_ranks(n: int, rounds: int) -> None:
    print(f"\n## All ranks, both directions, n = N = {n:,}, d = {D}\n")
    print("| method | m | R@1 | rescored | ranks, s | bare GEMM, s | ratio | warm GEMM, s | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for method, sizes, targets in (
        ("gram", (3, 5), (0.5, 0.05)),
        ("pmrl", (3, 5), (0.5, 0.05)),
        ("cosine", (2,), (0.5,)),
    ):
        for m in sizes:
            for target in targets:
                queries, candidates = made_sides(n, m, noise_for(target, n, m, method))
                print(ranks_row(method, m, queries, candidates, rounds), flush=True)


def ranks_row(
    method: str, m: int, queries: dict[str, torch.Tensor], candidates: dict[str, torch.Tensor], rounds: int
) -> str:
    q, w = queries["text"], torch.cat(list(candidates.values()))
    buffer = torch.empty(0)
    times: dict[str, list[float]] = {"rank": [], "bare": [], "warm": []}
    result = rank(method, queries, candidates)  # also the warm-up
    for _ in range(rounds):
        times["bare"].append(seconds(lambda: q @ w.T))
        times["rank"].append(seconds(lambda: rank(method, queries, candidates)))
        buffer = torch.zeros(len(q), len(w))
        times["warm"].append(seconds(lambda: torch.mm(q, w.T, out=buffer)))  # noqa: B023 - called at once
        buffer = torch.empty(0)
    took = {name: statistics.median(found) for name, found in times.items()}
    ratios = [
        statistics.median(a / b for a, b in zip(times["rank"], times[name], strict=True)) for name in ("bare", "warm")
    ]
    hits = float((result.forward <= 1).double().mean())
    return (
        f"| {method} | {m} | {hits:.3f} | {result.n_rescored / len(q) ** 2:.4%} "
        f"| {took['rank']:.2f} | {took['bare']:.2f} "
        f"| {ratios[0]:.2f} | {took['warm']:.2f} | {ratios[1]:.2f} |"
    )


def bench_neighbours(rounds: int) -> None:
    """Ten nearest of 10,000 queries among 50,000, as kNN asks for them, against the product."""
    queries, candidates = made_sides(10_000, 2, 1.5)[0], made_sides(50_000, 2, 1.5, seed=1)[1]
    out = torch.zeros(10_000, 50_000)
    top_k("cosine", queries, candidates, 10)
    ratios = []
    for _ in range(rounds):
        ours = seconds(lambda: top_k("cosine", queries, candidates, 10))
        ratios.append(ours / seconds(lambda: torch.mm(queries["text"], candidates["video"].T, out=out)))
    print(f"\n## Ten nearest, 10,000 among 50,000, cosine: {statistics.median(ratios):.2f} of the product's time")


def bench_normalize(n: int, rounds: int) -> None:
    """Ranks by normalised scores against the product."""
    queries, candidates = made_sides(n, 3, 1.5)
    w, out = torch.cat(list(candidates.values())), torch.zeros(n, 2 * n)
    print(f"\n## Ranks by normalised scores, gram, m = 3, n = N = {n:,}, times the product's time\n")
    for name in ("csls", "dsl"):
        ratios = []
        for _ in range(rounds):
            ours = seconds(lambda: rank_normalized("gram", queries, candidates, None, name))  # noqa: B023 - at once
            ratios.append(ours / seconds(lambda: torch.mm(queries["text"], w.T, out=out)))
        print(f"{name}: {statistics.median(ratios):.1f}", flush=True)


def textbook_volumes(queries: dict[str, torch.Tensor], candidates: dict[str, torch.Tensor]) -> torch.Tensor:
    """The papers' way: a determinant per pair, of the stacked n x N x m x m Gram matrices."""
    q, (v, a) = queries["text"], candidates.values()
    n = len(q)
    one, va = torch.ones(n, n), (v * a).sum(dim=1).expand(n, n)
    tv, ta = q @ v.T, q @ a.T
    gram = torch.stack([one, tv, ta, tv, one, va, ta, va, one], dim=-1).view(n, n, 3, 3)
    return torch.linalg.det(gram).abs().sqrt()


def bench_matrix(rounds: int) -> None:
    n = 4000
    queries, candidates = made_sides(n, 3, 1.5)
    score_matrix("gram", queries, candidates)
    ours = [seconds(lambda: score_matrix("gram", queries, candidates)) for _ in range(rounds)]
    textbook = seconds(lambda: textbook_volumes(queries, candidates))
    ratio = textbook / statistics.median(ours)
    w = torch.cat(list(candidates.values()))
    product = statistics.median(seconds(lambda: queries["text"] @ w.T) for _ in range(rounds))
    print(f"\n## score_matrix, N = {n:,}, m = 3, gram\n")
    print(
        f"score_matrix {statistics.median(ours):.2f} s, "
        f"det on the stacked Gram matrices {textbook:.2f} s: {ratio:.1f} times as long; "
        f"{statistics.median(ours) / product:.2f} of the bare product's time"
    )


def bench_memory(n: int, method: str = "gram") -> None:
    """Peak resident memory above the inputs."""
    found = in_fresh_process(n, method)
    matrix = n * n * 4 / 2**20
    print(f"\n## Memory, {method}, n = N = {n:,}, d = {D}, m = 3\n")
    print(
        f"{found['peak_mb']:.0f} MB above the inputs in {found['seconds']:.0f} s; the matrix would be {matrix:,.0f} MB"
    )


def report_memory(n: int, method: str) -> None:
    queries, candidates = made_sides(n, 3, 1.5)
    warm_up = {name: rows[:256] for name, rows in queries.items()}
    rank(method, warm_up, {name: rows[:256] for name, rows in candidates.items()})
    reset_peak()
    before = resident_mb("VmRSS")
    took = seconds(lambda: rank(method, queries, candidates))
    print(json.dumps({"peak_mb": resident_mb("VmHWM") - before, "seconds": took}))


def reset_peak() -> None:
    """Linux: forget the process's peak so far."""
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123
        file.write("5")


def resident_mb(field: str) -> float:
    with open("/proc/self/status") as file:  # noqa: PTH123
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) / 1024


def bench_recall(rounds: int) -> None:
    from ranx import Qrels, Run, evaluate
    from torchmetrics.functional.retrieval import retrieval_hit_rate

    n = 10_000
    queries, candidates = made_sides(n, 2, 2.5)
    scores = score_matrix("cosine", queries, candidates)
    ours = min(seconds(lambda: rank_scores(scores)) for _ in range(rounds))
    ranks = rank_scores(scores).forward
    values = {k: float((ranks <= k).double().mean()) for k in (1, 10)}
    part = 200  # torchmetrics takes one query at a time
    target = torch.eye(n, dtype=torch.bool)[:part]
    start = time.perf_counter()
    hits = [float(retrieval_hit_rate(scores[i], target[i], top_k=10)) for i in range(part)]
    theirs = (time.perf_counter() - start) * n / part
    names = [str(j) for j in range(n)]
    start = time.perf_counter()
    run = Run({f"q{i}": dict(zip(names, scores[i].tolist(), strict=True)) for i in range(part)})
    found = evaluate(Qrels({f"q{i}": {str(i): 1} for i in range(part)}), run, ["hit_rate@10"])
    ranx_time = (time.perf_counter() - start) * n / part
    same = float((ranks[:part] <= 10).double().mean())
    print(f"\n## recall@k from a {n:,} x {n:,} score matrix\n")
    print(f"R@1 {values[1]:.4f}, R@10 {values[10]:.4f}; first {part} queries: ours {same:.4f}, torchmetrics "
          f"{statistics.mean(hits):.4f}, ranx {float(found):.4f}")  # fmt: skip
    print(f"ours {ours:.2f} s; torchmetrics {theirs:.1f} s ({theirs / ours:.0f} x) and ranx {ranx_time:.1f} s "
          f"({ranx_time / ours:.0f} x), both from {part} queries")  # fmt: skip


def bench_grid(sizes: list[int], plot: Path | None) -> None:
    print("\n## Time and memory against N (gram, m = 3)\n")
    print("| N | ranks, s | warm GEMM, s | ratio | peak above inputs, MB |\n|---|---|---|---|---|")
    rows = []
    for n in sizes:
        found = in_fresh_process(n, "gram")
        gemm = warm_gemm(n)
        rows.append((n, found["seconds"], gemm, found["peak_mb"]))
        print(
            f"| {n:,} | {found['seconds']:.2f} | {gemm:.2f} | {found['seconds'] / gemm:.2f} | {found['peak_mb']:.0f} |",
            flush=True,
        )
    if plot:
        draw_grid(rows, plot)


def in_fresh_process(n: int, method: str) -> dict[str, float]:
    """`report_memory` in a process of its own, whose peak nothing else has raised."""
    code = (
        f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_ranking as b; b.report_memory({n}, {method!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def warm_gemm(n: int) -> float:
    """Seconds of the product n x D x 2n, from a slab whose result fits in memory; the best of three."""
    rows, columns = min(n, 10_000), min(2 * n, 20_000)
    q, w, out = torch.randn(rows, D), torch.randn(columns, D), torch.zeros(rows, columns)
    best = min(seconds(lambda: torch.mm(q, w.T, out=out)) for _ in range(3))
    return best * (n / rows) * (2 * n / columns)


def draw_grid(rows: list[tuple[int, float, float, float]], path: Path) -> None:
    """Time and peak memory against N, both axes logarithmic."""
    from matplotlib.figure import Figure

    sizes, took, gemm, peak = zip(*rows, strict=True)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    time_axes.loglog(sizes, took, "o-", label="all ranks, both directions")
    time_axes.loglog(sizes, gemm, "s--", label="the matrix product alone")
    time_axes.set(xlabel="N", ylabel="seconds", title="Time")
    memory_axes.loglog(sizes, peak, "o-", label="peak above the inputs")
    memory_axes.loglog(sizes, [n * n * 4 / 2**20 for n in sizes], "s--", label="the score matrix, not held")
    memory_axes.set(xlabel="N", ylabel="MB", title="Memory")
    for axes in (time_axes, memory_axes):
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
    figure.savefig(path)
    print(f"\nWrote {path}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["ranks", "neighbours", "normalize", "matrix", "memory", "recall", "grid"])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000])
    parser.add_argument("--plot", type=Path, help="with --only grid: draw time and memory against N into this file")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    if args.only in (None, "ranks"):
        bench_ranks(args.items, args.rounds)
    if args.only in (None, "neighbours"):
        bench_neighbours(args.rounds)
    if args.only == "normalize":
        bench_normalize(args.items, args.rounds)
    if args.only in (None, "matrix"):
        bench_matrix(args.rounds)
    if args.only in (None, "recall"):
        bench_recall(args.rounds)
    if args.only in (None, "memory"):
        bench_memory(100_000)
    if args.only == "grid":
        bench_grid(args.sizes, args.plot)


if __name__ == "__main__":
    main()
