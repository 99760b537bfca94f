"""How much memory do `gram export`, `gram import` of it and `gram join` take beyond their start, as the vectors grow?

Each runs in a process of its own on a store of two modalities; printed are seconds and the growth of the peak resident
memory over that after the store was opened. The limit is 300 MB, at any number of items.

Run: python benchmarks/bench_export.py [--items 200000] [--dim 512] [--only npz,parquet,join]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 300  # MB
FORMATS = ("npz", "safetensors", "h5", "parquet")
MEASURED = """
import resource, sys, time
from gramcli.store import open_store
from gramcli.exchange import export_store, restore, join_stores
what, folder, to = sys.argv[1:]
store = open_store(f"{folder}/store")
if what == "join":
    other = open_store(f"{folder}/backwards")
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
if what == "join":
    join_stores(store, (other, {"video": "video_b", "audio": "audio_b"}), output=f"{folder}/joined")
elif what == "export":
    export_store(store, f"{folder}/out.{to}")
else:
    restore(f"{folder}/out.{to}", f"{folder}/again_{to}")
spent = time.perf_counter() - start
print(spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def make(folder: Path, items: int, dim: int) -> None:
    """A store, and one with the same items the other way round, written shard by shard."""
    import numpy as np

    from gramcli.store import Plan, PlannedItem, ShardContent, StoreWriter

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(64, dim)).astype(np.float32)
    for name, order in (("store", range(items)), ("backwards", range(items - 1, -1, -1))):
        planned = tuple(PlannedItem(f"item{k:08d}") for k in order)
        plan = Plan({"id": name}, {"id": "made"}, {"video": dim, "audio": dim}, planned)
        with StoreWriter.open(folder / name, plan) as writer:
            for index in writer.missing_shards():
                n = len(plan.shard_range(index))
                status = {"video": ["ok"] * n, "audio": ["ok"] * n}
                held = {"video": rows[:n] + index, "audio": rows[:n] - index}
                writer.write_shard(index, ShardContent(held, status, np.zeros(0, np.int64)))
            writer.finish()


def measured(what: str, folder: Path, to: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, what, str(folder), to], capture_output=True, text=True, check=True
    )
    seconds, growth = map(float, done.stdout.split())
    return seconds, growth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--only", default=",".join((*FORMATS, "join")))
    options = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.items, options.dim)
        size = 2 * options.items * options.dim * 4 / 2**20
        for one in options.only.split(","):
            for what in ("join",) if one == "join" else ("export", "import"):
                seconds, growth = measured(what, folder, one)
                worst = max(worst, growth)
                print(f"{what} {one if what != 'join' else ''}: {size:,.0f} MB, {seconds:.1f} s, +{growth:.0f} MB")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
