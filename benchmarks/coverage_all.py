"""What every 95 % interval covers, and the size and power of every test.

Run: python benchmarks/coverage_all.py [--trials 400] [--seed 0] [--only retrieval|classes|geometry]

Prints one row per figure and setting, and which of them leave the band of 0.93 to 0.99; 2, 5 and 10 minutes on one core
for the three parts with 400 trials.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import coverage_classes, coverage_geometry, coverage_retrieval

PARTS = {"retrieval": coverage_retrieval, "classes": coverage_classes, "geometry": coverage_geometry}
BAND = (0.93, 0.99)


def outside(cells: list[dict[str, Any]], trials: int) -> list[dict[str, Any]]:
    """Cells whose coverage is outside the band by more than two standard errors of its simulation."""
    found = []
    for cell in cells:
        coverage = cell.get("coverage")
        if isinstance(coverage, float) and not math.isnan(coverage):
            error = 2 * math.sqrt(0.05 * 0.95 / trials)
            if not BAND[0] - error <= coverage <= BAND[1]:
                found.append(cell)
    return found


def main() -> None:
    """Print the cells, then those outside the band."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, action="append")
    options = parser.parse_args()
    for name in options.only or PARTS:
        cells = PARTS[name].cells(options.seed, options.trials)
        print(f"\n{name}: every cell")
        print(tabulate(cells, headers="keys", floatfmt=".3f"))
        print(f"\n{name}: outside {BAND[0]:g} to {BAND[1]:g} by more than the simulation's error")
        print(tabulate(outside(cells, options.trials), headers="keys", floatfmt=".3f"))


if __name__ == "__main__":
    main()
