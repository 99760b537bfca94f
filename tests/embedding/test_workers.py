"""Work that hangs, crashes or cannot start costs itself and nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gramcli.embedding.workers import Lost, open_pool
from gramcli.errors import UserError

ROOT = Path(__file__).parents[2]


def deed(what: str, number: float = 0) -> object:
    """What a decoder may do to its process; imported by name in the workers."""
    if what == "sleep":
        time.sleep(number)
    elif what == "signal":
        os.kill(os.getpid(), int(number))
    elif what == "exit":
        os._exit(int(number))
    elif what == "eat":
        return bytes(int(number))
    elif what == "noise":
        os.write(1, b"noise on stdout")
    return (what, os.getpid())


def test_results_come_back_from_another_process() -> None:
    with open_pool(deed, 2, 10) as pool:
        futures = [pool.submit("work", k) for k in range(6)]
        found = [future.result() for future in futures]
    assert [what for what, _ in found] == ["work"] * 6
    assert os.getpid() not in {process for _, process in found}


def test_no_workers_means_this_process() -> None:
    with open_pool(deed, 0, 10) as pool:
        assert pool.submit("work").result() == ("work", os.getpid())


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (("sleep", 60), r"it took longer than 0\.5 s \(--timeout\)"),
        (("signal", signal.SIGSEGV), r"it crashed the decoder \(SIGSEGV\)"),
        (("signal", signal.SIGABRT), r"it crashed the decoder \(SIGABRT\)"),
        (("signal", signal.SIGKILL), r"it crashed the decoder \(SIGKILL: out of memory, or killed by the system\)"),
        (("signal", signal.SIGRTMIN + 2), r"it crashed the decoder \((SIG|signal )"),
        (("exit", 7), r"it ended the decoder \(exit code 7\)"),
    ],
)
def test_a_lost_piece_costs_itself_alone(piece: tuple[str, float], reason: str) -> None:
    with open_pool(deed, 1, 0.5) as pool:
        futures = [pool.submit(*one) for one in (("work",), piece, ("work",), piece, ("work",))]
        found = [future.result() for future in futures]
    lost = [one for one in found if isinstance(one, Lost)]
    assert found[1::2] == lost
    assert len(lost) == 2
    assert all(re.match(reason, one.reason) for one in lost)
    assert [one[0] for one in found[::2]] == ["work"] * 3


def test_what_a_decoder_prints_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with open_pool(deed, 1, 10) as pool:
        assert pool.submit("noise").result()[0] == "noise"
    assert capfd.readouterr() == ("", "")


def test_leaving_does_not_wait_for_what_hangs() -> None:
    start = time.monotonic()
    with open_pool(deed, 2, 600) as pool:
        assert pool.submit("work").result()[0] == "work"
        for _ in range(8):
            pool.submit("sleep", 600)
        time.sleep(0.2)
    assert time.monotonic() - start < 30


def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(ROOT / "tests" / "no_such_python"))
    with open_pool(deed, 1, 10) as pool, pytest.raises(OSError, match="no_such_python"):
        pool.submit("work").result()


class Unloadable:
    """Pickles, but its loading fails in the worker."""

    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("no number",))

    def __call__(self) -> None:
        """Never called."""


def test_a_function_that_does_not_load_is_one_sentence() -> None:
    with open_pool(Unloadable(), 1, 10) as pool, pytest.raises(UserError, match="could not start: ValueError: invalid"):
        pool.submit().result()


ORPHANS = """
import os, signal, sys
from gramcli.embedding.workers import open_pool
from tests.embedding.test_workers import deed
with open_pool(deed, 1, 600) as pool:
    print(pool.submit("work").result()[1], flush=True)
    pool.submit("sleep", 600)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_parent_that_was_killed() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHANS], cwd=ROOT, capture_output=True, text=True, check=False)
    worker = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} outlived its parent")


UNGUARDED = """
from gramcli.embedding.workers import open_pool
from tests.embedding.test_workers import deed
with open_pool(deed, 2, 60) as pool:
    print(pool.submit("work").result()[0])
"""


def test_a_script_without_a_main_guard_and_a_folder_full_of_traps(tmp_path: Path) -> None:
    """Workers import neither the user's script nor modules that happen to lie in the current folder."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    for name in ("queue.py", "signal.py", "av.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    command = [sys.executable, "-P", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("work\n", "")
