"""What does the page of an evaluation cost next to the evaluation, and how large is it at 1,000 queries with pictures?

Generated clips with sound are embedded by `signal` and evaluated on every task in both directions, under every method.

Run: python benchmarks/bench_report.py [--items 1000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """Print how long a piece of work took, and the processor time of it and of its workers."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    found = work()
    print(f"{what:42} {time.perf_counter() - start:8.1f} s, {sum(os.times()[:4]) - before:8.1f} s of processors")
    return found


def write_store(folder: Path, items: int) -> Path:
    """Make the clips and embed them; what is there is kept."""
    from gramcli.datasets import open_dataset
    from gramcli.datasets.generated import generate_dataset
    from gramcli.embedding.writing import write_embeddings
    from gramcli.encoders import load_encoder

    if not (folder / "store" / "manifest.json").exists():
        manifest = generate_dataset(folder / "data", items, 0)
        write_embeddings(open_dataset(str(manifest)), load_encoder("signal"), folder / "store", overwrite=True)
    return folder / "store"


def describe(html: str) -> None:
    """Print what the page holds."""
    found: Any = re.search(r'id="data">(.*?)</script>', html, re.S)
    data = json.loads(found[1])
    pictures = sum(len(str(one)) for one in data["pictures"])
    drawn = sum(map(len, re.findall(r"<svg.*?</svg>", html, re.S)))
    queries = sum(len(task["queries"]) for task in data["tasks"])
    sizes = {
        f"{len(data['pictures'])} items with pictures": pictures,
        "figures": drawn,
        f"{queries:,} rows in {len(data['tasks'])} tasks": len(found[1]) - pictures,
        "whole": len(html.encode()),
    }
    for what, size in sizes.items():
        print(f"{what:42} {size / 1e6:8.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = timed("clips and store", lambda: write_store(options.folder or Path(scratch), options.items))
        from gramcli.evaluation.evaluate import evaluate
        from gramcli.report.page import page
        from gramcli.report.page.material import Material

        found = timed("evaluation, its answers kept", lambda: evaluate(store, split="all", per_query=True))
        timed("page without media", lambda: page(found, material=Material()))
        html = timed("page with media", lambda: page(found))
    describe(html)
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
