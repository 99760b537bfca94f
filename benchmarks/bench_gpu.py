"""Exact ranks on a GPU against the bare matrix product of the same size, N = 100,000 and 1,000,000, m = 3, d = 512.

Run: python benchmarks/bench_gpu.py [--items 100000 1000000] [--methods gram pmrl cosine] [--rounds 3]

Needs an NVIDIA GPU and Triton; where there is no GPU it says so and stops. Both directions are ranked. The bare
product is Q [N, d] x W [d, 2 N] (cosine: [d, N]) in float32 (IEEE, no TF32) and in bfloat16, made in blocks of
columns that are overwritten, since the whole would not fit. Ratios are of times of one run on one machine; `ranks`
holds everything that `rank` does from the float32 embeddings on the GPU: checks, QR in float64, both passes
and the reference keys.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable

import torch

from gramcli.methods import get_method
from gramcli.scoring import fused
from gramcli.scoring.ranking import RankOptions, Ranks, rank
from gramcli.scoring.screening import Screen

D = 512
BLOCK = 1 << 14
Sides = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]


def made_sides(n: int, noise: float, device: torch.device) -> Sides:
    """N items of a common Gaussian vector plus independent noise for text, video and audio."""
    generator = torch.Generator(device).manual_seed(0)
    common = torch.randn(n, D, generator=generator, device=device)

    def modality() -> torch.Tensor:
        rows = torch.randn(n, D, generator=generator, device=device).mul_(noise).add_(common)
        return rows.div_(rows.norm(dim=1, keepdim=True))

    return {"text": modality()}, {"video": modality(), "audio": modality()}


def noise_for(hit_rate: float, n: int, device: torch.device) -> float:
    """Noise at which gram's R@1 of 400 queries against n candidates is about `hit_rate`."""
    low, high = 0.3, 6.0
    for _ in range(7):
        middle = (low + high) / 2
        queries, candidates = made_sides(n, middle, device)
        few = {name: rows[:400] for name, rows in queries.items()}
        options = RankOptions(device=device)
        ranks = rank("gram", few, candidates, torch.arange(400), both_directions=False, options=options).forward
        low, high = (middle, high) if float((ranks <= 1).double().mean()) > hit_rate else (low, middle)
    return (low + high) / 2


def seconds(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def bare_product(sides: Sides, n_vectors: int, dtype: torch.dtype) -> Callable[[], None]:
    left = sides[0]["text"].to(dtype)
    rights = [rows.to(dtype) for rows in list(sides[1].values())[:n_vectors]]
    out = torch.empty(BLOCK, min(BLOCK, len(left)), dtype=dtype, device=left.device)

    def work() -> None:
        for right in rights:
            for i in range(0, len(left), BLOCK):
                for j in range(0, len(right), BLOCK):
                    rows, columns = left[i : i + BLOCK], right[j : j + BLOCK]
                    torch.mm(rows, columns.T, out=out.view(-1)[: len(rows) * len(columns)].view(len(rows), -1))

    return work


def compare(method: str, sides: Sides, rounds: int, device: torch.device) -> None:
    n_vectors = 1 if method == "cosine" else 2
    baselines = [bare_product(sides, n_vectors, dtype) for dtype in (torch.float32, torch.bfloat16)]
    kept: list[Ranks] = []
    for dtype in (torch.bfloat16, torch.float32):
        options = RankOptions(device=device, dtype=dtype)
        screen = Screen(get_method(method), 1, 2, D, dtype, device)
        fuses = fused.available(screen)  # compiles, too

        def ranks(options: RankOptions = options) -> None:
            kept[:] = [rank(method, *sides, options=options)]

        rows = [[seconds(work) for work in (*baselines, ranks)] for _ in range(rounds + 1)][1:]
        float32, bfloat16, ours = (statistics.median(column) for column in zip(*rows, strict=True))
        pairs = len(kept[0].forward) ** 2 * 2
        print(
            f"| {method} | {len(kept[0].forward):,} | {str(dtype).removeprefix('torch.')} | {'yes' if fuses else 'no'} "
            f"| {float((kept[0].forward <= 1).double().mean()):.3f} | {kept[0].n_rescored / pairs:.4%} "
            f"| {ours:.3f} | {ours / float32:.2f} | {ours / bfloat16:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Ranks on a GPU against the bare matrix product.")
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--methods", nargs="+", default=["gram", "pmrl", "cosine"])
    parser.add_argument("--hit-rates", type=float, nargs="+", default=[0.5, 0.05])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("bench_gpu needs an NVIDIA GPU, and torch sees none here: nothing was measured.")
        sys.exit(0)
    device = torch.device("cuda", torch.cuda.current_device())
    torch.backends.cuda.matmul.allow_tf32 = False
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, Python {platform.python_version()}")
    print("| method | N = n | screening | fused | R@1 | rescored | ranks s | of float32 GEMM | of bfloat16 GEMM |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in arguments.items:
        for hit_rate in arguments.hit_rates:
            sides = made_sides(n, noise_for(hit_rate, n, device), device)
            for method in arguments.methods:
                compare(method, sides, arguments.rounds, device)


if __name__ == "__main__":
    main()
