"""Coverage and mean length of the 95 % intervals of geometry, over populations whose figures are known.

Run: python benchmarks/coverage_geometry.py [--trials 200] [--seed 0]

Items are drawn anew in every trial: vectors of a decaying spectrum, two modalities unrelated, correlated, or correlated
with a gap. An interval covers if it holds the true figure: of the population for the modality gap, else the mean of
the figure over the trials, which is what that many items show on average. d = 512 is drawn a quarter as often.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gramcli.metrics.geometry import joint, left_out, modality, neighbours, pair
from gramcli.metrics.geometry.rows import mean_interval

Interval = tuple[float, float]
Found = dict[str, tuple[float, Interval | None]]

SETTINGS = ("unrelated", "correlated", "gap")
SIZES = ((16, (20, 50, 200, 1000)), (512, (20, 200)))
GAP = 1.5


def draw(setting: str, n: int, d: int, generator: torch.Generator) -> list[Tensor]:
    """Return three modalities of n items, each [n, d]."""
    scale = 3.0 / torch.arange(1, d + 1).sqrt()
    common, *noise = (torch.randn(n, d, generator=generator) * scale for _ in range(4))
    if setting == "unrelated":
        return noise
    offset = torch.zeros(d)
    offset[:4] = GAP if setting == "gap" else 0.0
    return [common + 0.7 * own + sign * offset for own, sign in zip(noise, (-1, 1, 0), strict=True)]


def pairs(x: Tensor, y: Tensor) -> Found:
    """Return the figures of two modalities with their intervals, as `gram eval` prints them."""
    n = len(x)
    lists = [neighbours.nearest(side, 11, seed=k)[1] for k, side in enumerate((x, y))]
    negative, margin = left_out.cosines_left_out(x, y)
    alike, apart = left_out.cka_left_out(x, y), left_out.relative_gap_left_out(x, y)
    mutual, even = left_out.mutual_knn_left_out(*lists), modality.uniformity_left_out(modality.potentials(y))
    gap = pair.modality_gap(x, y)
    means = {"alignment": pair.alignment(x, y), "cosine_positive": pair.cosines(x, y)}
    return {
        "mutual_knn": (mutual.value, mutual.interval((0, 1))),
        "cka": (alike.value, alike.interval((-1, 1))),
        "procrustes": (pair.procrustes(x, y), pair.procrustes_interval(x, y)),
        "modality_gap": (gap, left_out.modality_gap_interval(x, y, gap)),
        "relative_modality_gap": (apart.value, apart.interval((0, 1))),
        "cosine_negative": (negative.value, negative.interval((-1, 1))),
        "cosine_margin": (margin.value, margin.interval((-2, 2))),
        "uniformity": (even.value, even.interval((-8, 0))),
        **{name: (float(values.mean()), mean_interval(values, torch.arange(n))) for name, values in means.items()},
    }


def joints(vectors: list[Tensor]) -> Found:
    """Return the figures of three modalities with their intervals."""
    items = torch.arange(len(vectors[0]))
    moved = joint.derangements(len(items), seed=0)
    asked, others = items.repeat(len(moved)), moved.flatten()
    matched = joint.instances(vectors, [items] * 3)
    shuffled = joint.instances(vectors, [asked, others, others])
    found: Found = {}
    for name, own, wrong in (
        ("volume", matched.volume, shuffled.volume),
        ("sigma1", matched.sigma_1, shuffled.sigma_1),
    ):
        higher = name == "sigma1"
        interval = joint.auc_interval(own, wrong, items, (asked, others), higher_is_better=higher)
        found[f"{name}_auc"] = joint.auc(own, wrong, higher_is_better=higher), interval
        found[f"{name}_positive"] = float(own.mean()), mean_interval(own, items)
        found[f"{name}_negative"] = float(wrong.mean()), joint.shuffled_interval(wrong, (asked, others))
    return found


def true_gap(setting: str, d: int) -> float:
    """Return the distance of the centroids of a population, from the difference of a large sample."""
    if setting != "gap":
        return 0.0
    x, y, _ = draw(setting, 50_000, d, torch.Generator().manual_seed(12345))
    return pair.modality_gap(x, y)


def settings() -> Iterator[tuple[str, int, int]]:
    for d, sizes in SIZES:
        for setting in SETTINGS:
            yield from ((setting, d, n) for n in sizes)


def cell(setting: str, d: int, n: int, seed: int, trials: int) -> list[dict[str, Any]]:
    """Return coverage and mean length of every figure for one population and size."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + 1_009 * d + n)
    drawn: dict[str, list[tuple[float, Interval | None]]] = defaultdict(list)
    for _ in range(trials):
        vectors = draw(setting, n, d, generator)
        for name, one in {**pairs(*vectors[:2]), **joints(vectors)}.items():
            drawn[name].append(one)
    rows = []
    for name, found in drawn.items():
        truth = true_gap(setting, d) if name == "modality_gap" else sum(value for value, _ in found) / len(found)
        intervals = [ends for _, ends in found if ends is not None]
        if intervals:
            rows.append(
                {
                    "figure": name,
                    "setting": f"{setting}, d = {d}",
                    "n": n,
                    "coverage": sum(low <= truth <= high for low, high in intervals) / len(intervals),
                    "mean_length": sum(high - low for low, high in intervals) / len(intervals),
                }
            )
    return rows


def cells(seed: int = 0, trials: int = 200) -> list[dict[str, Any]]:
    """Return one row for every figure, population and size: figure, setting, n, coverage, mean_length."""
    found = [
        cell(setting, d, n, seed, max(2, trials if d == SIZES[0][0] else trials // 4)) for setting, d, n in settings()
    ]
    return sorted((row for rows in found for row in rows), key=lambda row: row["figure"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("| figure | setting | n | coverage | mean length |\n|---|---|---|---|---|")
    for row in cells(args.seed, args.trials):
        print(f"| {row['figure']} | {row['setting']} | {row['n']} | {row['coverage']:.3f} | {row['mean_length']:.4f} |")


if __name__ == "__main__":
    main()
