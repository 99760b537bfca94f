"""Seconds and peak memory of every measure of geometry at N = 100,000, d = 512.

Run: python benchmarks/bench_geometry.py [--items 100000] [--threads 2] [--only NAME ...]

Every measure runs in a process of its own, as `gram eval --metrics geometry` calls it: pairwise ones on the seeded
subsample of at most 10,000 rows. Peak memory is that of the whole process, inputs and libraries included. The budget
is 60 s and 2 GB for each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from gramcli.metrics.geometry import joint, modality, neighbours, pair
from gramcli.metrics.geometry.rows import MOST_ROWS, moments, subsample

D = 512
SECONDS, MEGABYTES = 60, 2048


def made(n: int, m: int) -> list[torch.Tensor]:
    """Return m modalities of n unit rows: a common vector per item, noise, and an offset per modality (a gap)."""
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(n, D, generator=generator)
    found = []
    for _ in range(m):
        rows = torch.randn(n, D, generator=generator).add_(common).add_(torch.randn(D, generator=generator))
        found.append(rows.div_(rows.norm(dim=1, keepdim=True)))
    return found


def few(x: torch.Tensor) -> torch.Tensor:
    return x[subsample(len(x), MOST_ROWS, seed=0)]


def centred(x: torch.Tensor) -> torch.Tensor:
    return modality.spectrum(moments(x), centred=True)


def shuffled(vectors: list[torch.Tensor]) -> joint.Instances:
    """Return matched and shuffled instances' figures, as the AUC needs them."""
    rows = torch.arange(len(vectors[0]))
    moved = joint.derangements(len(rows), seed=0)
    matched = joint.instances(vectors, [rows] * len(vectors))
    others = joint.instances(vectors, [rows.repeat(len(moved)), *[moved.flatten()] * (len(vectors) - 1)])
    joint.auc(matched.volume, others.volume, higher_is_better=False)
    joint.auc(matched.sigma_1, others.sigma_1, higher_is_better=True)
    joint.eigenvector_uniformity(matched.mean_direction)
    return matched


Measure = Callable[[list[torch.Tensor]], object]
MEASURES: dict[str, tuple[int, Measure]] = {
    "effective_rank": (1, lambda x: modality.effective_rank(centred(x[0]))),
    "rankme": (1, lambda x: modality.rankme(modality.spectrum(moments(x[0]), centred=False))),
    "participation_ratio": (1, lambda x: modality.participation_ratio(centred(x[0]))),
    "isoscore_star": (1, lambda x: modality.isoscore_star(centred(x[0]), D)),
    "uniformity": (1, lambda x: modality.uniformity(few(x[0]))),
    "intrinsic_dimension": (1, lambda x: neighbours.intrinsic_dimension(neighbours.nearest(few(x[0]))[0])),
    "hubness": (1, lambda x: neighbours.hubness(neighbours.nearest(few(x[0]))[1])),
    "mean_norm": (1, lambda x: modality.mean_norm(x[0])),
    "alignment": (2, lambda x: pair.alignment(*x)),
    "cosine_positive": (2, lambda x: pair.cosines(*x)),
    "cosine_negative, margin": (2, lambda x: pair.negative_cosine(*x)),
    "modality_gap": (2, lambda x: pair.modality_gap(*x)),
    "relative_modality_gap": (2, lambda x: pair.relative_modality_gap(*x)),
    "linear_separability": (2, lambda x: pair.linear_separability(*x)),
    "cka": (2, lambda x: pair.cka(*x)),
    "procrustes": (2, lambda x: pair.procrustes(*x)),
    "mutual_knn": (2, lambda x: neighbours.mutual_knn(*(neighbours.nearest(few(side))[1] for side in x))),
    "volume, sigma1, AUC, shares, eigen*": (3, shuffled),
    "gramian_value": (3, lambda x: joint.gramian_value({"t": x[0]}, {"v": x[1], "a": x[2]})),
}


def measure(name: str, n: int, threads: int) -> None:
    """Print seconds and peak megabytes of one measure as JSON; the inputs are made first."""
    torch.set_num_threads(threads)
    sides, work = MEASURES[name]
    vectors = made(n, sides)
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - Linux: forget the peak of making them
        file.write("5")
    start = time.perf_counter()
    work(vectors)
    took = time.perf_counter() - start
    with open("/proc/self/status") as file:  # noqa: PTH123
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    print(json.dumps({"seconds": took, "peak_mb": peak}))


def in_fresh_process(name: str, n: int, threads: int) -> dict[str, float]:
    call = f"b.measure({name!r}, {n}, {threads})"
    code = f"import sys; sys.path.insert(0, {sys.path[0]!r}); import bench_geometry as b; {call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", nargs="*", choices=list(MEASURES), default=list(MEASURES))
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {args.threads} threads, N = {args.items:,}, d = {D}\n")
    print("| measure | modalities | seconds | peak, MB | within 60 s and 2 GB |\n|---|---|---|---|---|")
    for name in args.only:
        found = in_fresh_process(name, args.items, args.threads)
        within = found["seconds"] <= SECONDS and found["peak_mb"] <= MEGABYTES
        print(
            f"| {name} | {MEASURES[name][0]} | {found['seconds']:.1f} | {found['peak_mb']:.0f} "
            f"| {'yes' if within else 'NO'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
