"""More than a hundred hostile files: each ends in one sentence, in bounded memory, and nothing that it names is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("h5py")
pytest.importorskip("pyarrow")

from tests.exchange.forged import FORGE, HOSTILE
from tests.exchange.forged_amounts import AMOUNTS

ROOM = 2**30  # bytes of memory that all of them may take beyond what is there before
SECONDS = 60
SOON = 20  # seconds of the processor, for what is told before it is read


def test_there_are_a_hundred_of_them() -> None:
    assert len(HOSTILE) >= 100


RUN = """
import json, resource, sys, time
from pathlib import Path
import torch, h5py, pyarrow.parquet
from typer.testing import CliRunner
from gramcli.cli.main import app
lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
held = 1024 * int(lines["VmData"].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (held + int(sys.argv[1]), resource.RLIM_INFINITY))
for number, line in enumerate(sys.stdin):
    begin, worked = time.perf_counter(), time.process_time()
    result = CliRunner().invoke(app, ["import", line.rstrip("\\n"), "-o", f"store{number}"])
    error = result.exception
    print(json.dumps({
        "code": result.exit_code, "said": result.stderr, "out": result.stdout, "seconds": time.perf_counter() - begin,
        "worked": time.process_time() - worked,
        "raised": None if error is None or isinstance(error, SystemExit) else repr(error),
    }), flush=True)
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """One process for all of them, with room for no more than a gigabyte."""
    work = tmp_path_factory.mktemp("hostile")
    command = [sys.executable, "-c", RUN, str(ROOM)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(
        command, cwd=work, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        yield child
        child.stdin.close()
    assert all(path.name.startswith("store") for path in work.iterdir())  # begun, where the damage lay deeper


@pytest.mark.parametrize("name", list(HOSTILE))
def test_it_ends_in_one_sentence(name: str, tmp_path: Path, process: subprocess.Popen[str]) -> None:
    file, forge = HOSTILE[name]
    found = ended(name, tmp_path / file, forge, process)
    assert found["seconds"] < SECONDS
    assert not list(tmp_path.rglob("PWNED*"))
    if name.startswith(("pickle: code ", "pickle: stacked ")) and " in " not in name:
        assert f"names the code {name.rpartition(' ')[2]}, which is not run" in found["said"]


@pytest.mark.parametrize("name", list(AMOUNTS))
def test_what_holds_too_much_is_told_so(name: str, tmp_path: Path, process: subprocess.Popen[str]) -> None:
    file, forge, said = AMOUNTS[name]
    found = ended(name, tmp_path / file, forge, process)
    assert said in found["said"], found
    assert found["worked"] < SOON


def ended(name: str, path: Path, forge: FORGE, process: subprocess.Popen[str]) -> dict[str, Any]:
    """Forge a file, import it, and return how that ended: in one sentence."""
    forge(path)
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, f"{name} ended the process: {process.wait(5)}"
    found: dict[str, Any] = json.loads(answer)
    assert found["raised"] is None, found
    assert found["code"] in (1, 2), found
    sentences = [line for line in found["said"].splitlines() if line]
    assert len(sentences) == 1 and sentences[0].startswith("gram: error: "), found
    return found
