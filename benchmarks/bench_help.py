"""How long does `gram --help` take, next to `import typer`? Prints the ratio; 1.5 is the limit.

Run: python benchmarks/bench_help.py [--rounds 20]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

LIMIT = 1.5
TYPER = [sys.executable, "-c", "import typer"]
HELP = [sys.executable, "-c", "from gramcli.cli.main import main; main()", "--help"]


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def ratio(rounds: int) -> tuple[float, float]:
    """Return the best times of both; the two take turns, so that a busy moment hits both alike."""
    pairs = [(seconds(TYPER), seconds(HELP)) for _ in range(rounds)]
    return min(typer for typer, _ in pairs), min(gram for _, gram in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    typer, gram = ratio(parser.parse_args().rounds)
    print(f"import typer {typer:.3f} s, gram --help {gram:.3f} s, ratio {gram / typer:.2f} (limit {LIMIT})")
    return 0 if gram <= LIMIT * typer else 1


if __name__ == "__main__":
    sys.exit(main())
