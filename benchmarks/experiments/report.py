"""The tables of `align_digits.py` as Markdown: mean and 95 % interval over the seeds.

python benchmarks/experiments/report.py results/digits3
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import stats

Run = Mapping[str, Any]
Pick = Callable[[Run], float]


def _mean(part: str, metric: str) -> Pick:
    return lambda run: 100 * float(np.mean([figures[metric] for figures in run[part].values()]))


def _at(part: str, name: str, factor: float = 1.0) -> Pick:
    return lambda run: factor * float(run[part].get(name, np.nan))


SUMMARY: Final[dict[str, Pick]] = {
    "pairs, cosine: R@1": _mean("pairs cosine", "R@1"),
    "pairs, cosine: mAP": _mean("pairs cosine", "mAP"),
    "joint, own: R@1": _mean("joint own", "R@1"),
    "joint, own: mAP": _mean("joint own", "mAP"),
    "joint, cosine: mAP": _mean("joint cosine", "mAP"),
    "kNN, all": _at("classification", "all", 100),
    "volume": _at("geometry", "volume_positive"),
    "sigma_1": _at("geometry", "sigma1_positive"),
    "eff. rank": _at("geometry", "effective_rank"),
    "gap": _at("geometry", "modality_gap"),
    "mean cosine": _at("geometry", "cosine_positive"),
}


def interval(values: list[float]) -> str:
    """Mean and half-width of the 95 % interval of Student's t; one value stands alone."""
    digits = 1 if abs(np.mean(values)) >= 3 else 3
    mean = f"{np.mean(values):.{digits}f}"
    if len(values) < 2:
        return mean
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean} ± {half:.{digits}f}"


def load(folder: Path) -> dict[str, list[Run]]:
    """Runs by contender."""
    runs: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("seed*.json")):
        name = path.stem.partition("_")[2].replace("-", ", ").replace("_", " ")
        runs.setdefault(name, []).append(json.loads(path.read_text()))
    return runs


def table(runs: Mapping[str, list[Run]], columns: Mapping[str, Pick]) -> str:
    """One row per contender."""
    lines = ["| loss | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, found in runs.items():
        cells = [interval([pick(run) for run in found]) for pick in columns.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def directions(runs: Mapping[str, list[Run]], part: str, metric: str) -> dict[str, Pick]:
    """A column per direction."""
    names = next(iter(runs.values()))[0][part]
    return {name: lambda run, name=name: 100 * run[part][name][metric] for name in names}  # type: ignore[misc]


def settings(folder: Path) -> str:
    """What tuning chose for each contender, and the range of its trials."""
    lines = ["| loss | best of the trials | mAP of the trials on val, sorted |", "|---|---|---|"]
    for path in sorted(folder.glob("tuning_*.json")):
        found = json.loads(path.read_text())
        best = ", ".join(f"{key} {value:.3g}" for key, value in found["best"].items())
        trials = " ".join(f"{100 * one['mAP']:.0f}" for one in sorted(found["trials"], key=lambda one: -one["mAP"]))
        name = path.stem.removeprefix("tuning_").replace("-", ", ").replace("_", " ")
        lines.append(f"| {name} | {best} | {trials} |")
    return "\n".join(lines)


def main() -> None:
    """Print everything."""
    folder = Path(sys.argv[1])
    runs = load(folder)
    print(f"### {folder.name}: means over directions\n\n{table(runs, SUMMARY)}\n")
    for part, metric in (("pairs cosine", "R@1"), ("joint own", "R@1"), ("joint own", "mAP")):
        columns = directions(runs, part, metric)
        if len(columns) <= 12:
            print(f"### {folder.name}: {part}, {metric} by direction\n\n{table(runs, columns)}\n")
    print(f"### {folder.name}: settings\n\n{settings(folder)}")


if __name__ == "__main__":
    main()
