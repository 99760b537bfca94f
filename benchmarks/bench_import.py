"""Does an import of a million vectors stream? Peak memory above the start, and time against `cp` of the same bytes.

Each import runs in a process of its own. Before and after each, the file is copied by `cp` and flushed, in the same
run and onto the same disk, so that the ratio is one of the machine as it was then. Asked for: at most 300 MB above
the start, and at least half of the speed of `cp`. The start is a process that has loaded torch, gramcli and the
format's library. What bounds the peak: ids and states of all items are held, some 200 bytes each, and three shards.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BLOCK = 50_000
FORMATS = ("npy", "parquet", "hdf5")
CHILD = """
import json, resource, sys, time
import torch, gramcli, {library}  # what the command and the format load: the start
from gramcli.exchange.import_features import import_features
import gramcli.exchange.stored_arrays, gramcli.exchange.{module}
def peak():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024, int(lines["VmRSS"].split()[0]) / 1024
_, start = peak()
begin, used = time.perf_counter(), time.process_time()
found = import_features({file!r}, {store!r})
seconds, used = time.perf_counter() - begin, time.process_time() - used
high, _ = peak()
print(json.dumps(dict(seconds=seconds, cpu=used, start=start, peak=high, items=found.items, ok=found.modalities[0].ok)))
"""
LIBRARIES = {"npy": "numpy", "parquet": "pyarrow.parquet", "hdf5": "h5py"}
MODULES = {"npy": "arrays", "parquet": "parquet", "hdf5": "hdf5_layouts"}


def write(folder: Path, kind: str, n: int, dim: int) -> Path:
    """A file of n random vectors, written block by block by the library that users have."""
    random = np.random.default_rng(0)
    blocks = ((first, random.standard_normal((min(BLOCK, n - first), dim), np.float32)) for first in range(0, n, BLOCK))
    path = folder / f"video.{kind}"
    if kind == "npy":
        out = np.lib.format.open_memmap(path, "w+", np.float32, (n, dim))
        for first, block in blocks:
            out[first : first + len(block)] = block
        out.flush()
        del out
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("video", pa.list_(pa.float32(), dim))])
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as out:
            for _, block in blocks:
                column = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), dim)
                out.write_table(pa.table([column], schema=schema), row_group_size=8192)
    else:
        import h5py

        with h5py.File(path, "w") as file:
            out = file.create_dataset("video", (n, dim), "f4")
            for first, block in blocks:
                out[first : first + len(block)] = block
    os.sync()
    return path


def copied(path: Path) -> float:
    """Seconds that `cp` takes, until the copy is on the disk."""
    target = path.with_suffix(".copy")
    begin = time.perf_counter()
    subprocess.run(["cp", str(path), str(target)], check=True)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    target.unlink()
    return seconds


def measured(kind: str, path: Path) -> dict[str, float]:
    """One import in a process of its own, between two copies."""
    store = path.parent / "store"
    shutil.rmtree(store, ignore_errors=True)
    first = copied(path)
    code = CHILD.format(library=LIBRARIES[kind], module=MODULES[kind], file=str(path), store=str(store))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    second = copied(path)
    found: dict[str, float] = json.loads(done.stdout)
    size = {name: (store / name).stat().st_size for name in ("items.csv", "manifest.json")}
    shutil.rmtree(store)
    return {**found, "cp": min(first, second), "bytes": path.stat().st_size, **size}


def main() -> None:
    """Measure the formats one after the other; files are removed again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", choices=FORMATS, nargs="*", default=list(FORMATS))
    parser.add_argument("--folder", type=Path, default=Path("bench_import"))
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    need = 3 * 4 * given.items * given.dim
    if shutil.disk_usage(given.folder).free < 1.2 * need:
        sys.exit(f"{given.folder} needs {1.2 * need / 2**30:.1f} GiB of free disk")
    print(f"{given.items:,} x {given.dim} float32, best of {given.rounds}; asked for: +300 MB, 0.5 of cp")
    try:
        for kind in given.format:
            path = write(given.folder, kind, given.items, given.dim)
            runs = [measured(kind, path) for _ in range(given.rounds)]
            path.unlink()
            ratio = max(one["cp"] / one["seconds"] for one in runs)
            above = max(one["peak"] - one["start"] for one in runs)
            best = min(runs, key=lambda one: one["seconds"])
            speed = best["bytes"] / best["seconds"] / 1e6
            print(
                f"{kind:8} {best['seconds']:6.1f} s ({speed:,.0f} MB/s, {best['cpu']:.1f} s of CPU), "
                f"cp {best['cp']:5.1f} s, ratio {ratio:.2f}; load {os.getloadavg()[0]:.1f}; "
                f"peak {above:4.0f} MB above {best['start']:.0f} MB; items.csv {best['items.csv'] / 1e6:.0f} MB, "
                f"manifest {best['manifest.json'] / 1e3:.0f} kB; {best['ok']:,.0f} ok"
            )
    finally:
        shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
