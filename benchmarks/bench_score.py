"""How much memory and time does `gram score` take, as items grow?

A store of three modalities with a common signal, 1 % of its sounds swapped, is scored by one method in a process of its
own. Printed are seconds, and the growth of the peak resident memory over what is resident when the store is open (its
table of items is in memory): while it is scored, and while all rows are written to a CSV.

Run: python benchmarks/bench_score.py [--items 1000000] [--dim 32] [--method gram]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SHARD = 4096
NAMES = ("text", "video", "audio")
MEASURED = """
import sys, time
from pathlib import Path
from gramcli.evaluation.score import score
from gramcli.report.scores import write_scores
from gramcli.store import open_store
folder, method = sys.argv[1:]
def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024
store = open_store(f"{folder}/store")
Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here, not from what opening took
before, start, used = resident("VmRSS"), time.perf_counter(), time.process_time()
def peak():
    return resident("VmHWM")
found = score(store, ["t2va"], [method])
scored, growth, spent = time.perf_counter() - start, peak() - before, time.process_time() - used
write_scores(Path(folder) / "scores.csv", found, None)
facts = found.scores[0].facts
print(scored, growth, time.perf_counter() - start - scored, peak() - before, facts["flagged"], before, spent)
"""


def make(folder: Path, items: int, dim: int) -> None:
    """Write the store shard by shard; the sound of every hundredth item is another's."""
    import numpy as np

    from gramcli.store import Plan, PlannedItem, ShardContent, StoreWriter

    rng = np.random.default_rng(0)
    planned = tuple(PlannedItem(f"item{k:08d}") for k in range(items))
    plan = Plan({"id": "made", "shared_space": True}, {"id": "made"}, dict.fromkeys(NAMES, dim), planned, SHARD)
    with StoreWriter.open(folder / "store", plan) as writer:
        for index in writer.missing_shards():
            places = plan.shard_range(index)
            n = len(places)
            common = rng.normal(size=(n, dim))
            held = {name: (common + rng.normal(scale=0.7, size=(n, dim))).astype(np.float32) for name in NAMES}
            held["audio"][::100] = np.roll(held["audio"][::100], 1, axis=0)
            owners = np.arange(places.start, places.stop)
            writer.write_shard(index, ShardContent(held, {name: ["ok"] * n for name in NAMES}, owners))
        writer.finish()


def measured(folder: Path, method: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder), method], capture_output=True, text=True, check=True
    )
    return list(map(float, done.stdout.split()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--method", default="gram")
    options = parser.parse_args()
    print("items | vectors, MB | opened, MB | score, s | of it on a core, s | + MB | CSV, s | + MB in all | flagged")
    for items in options.items:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name), items, options.dim)
            seconds, growth, writing, whole, flagged, opened, used = measured(Path(name), options.method)
        size = 3 * items * options.dim * 4 / 2**20
        print(
            f"{items:,} | {size:,.0f} | {opened:.0f} | {seconds:.0f} | {used:.0f} | {growth:.0f} | {writing:.0f} | "
            f"{whole:.0f} | {flagged:,.0f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
