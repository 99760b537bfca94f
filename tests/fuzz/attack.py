"""Damage the files of one group and run the commands that read them; run as a process of its own, with limits.

Usage: python -m tests.fuzz.attack GROUP SEED ROUNDS FOLDER
Prints one line of JSON for each finding; the last attempt is kept in FOLDER/attempt.txt, in case it ends the process.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

from typer.testing import CliRunner

from gramcli.cli.main import app
from tests.fuzz.samples import GROUPS, Target, damaged

SECONDS: Final = 20
MEMORY: Final = 2**30
DOCUMENTED: Final = (0, 1, 2, 3, 4, 5)  # docs/reference/output.md; 130 is an interruption


class SlowError(BaseException):
    """A command took longer than it may; no handler of the command's own catches it."""


def main() -> None:
    """Attack a group."""
    group, seed, rounds, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    whole, work = folder / "whole", folder / "work"
    os.environ["GRAM_CACHE"] = "cache"
    whole.mkdir(parents=True)
    os.chdir(whole)
    targets = GROUPS[group]()
    signal.signal(signal.SIGALRM, _too_slow)
    _limit_memory()
    for number in range(rounds):
        random = Random(f"{group} {seed} {number}")
        os.chdir(folder)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(whole, work)
        os.chdir(work)
        target = targets[number % len(targets)]
        _attack(folder, random, target, f"{group} {seed} {number}")


def _attack(folder: Path, random: Random, target: Target, name: str) -> None:
    said = damaged(random, target)
    line = random.choice(target.commands)
    attempt = {"round": name, "file": target.file, "damage": said, "command": f"gram {line}"}
    (folder / "attempt.txt").write_text(json.dumps(attempt))
    signal.alarm(SECONDS)
    try:
        result = CliRunner().invoke(app, line.split())
        found = verdict(result)
    except SlowError as error:
        found = {"what": "slow", "where": _place(error)}
    finally:
        signal.alarm(0)
    if found:
        sys.stdout.write(json.dumps({**attempt, **found}) + "\n")
        sys.stdout.flush()


def verdict(result: Any) -> dict[str, str] | None:
    """What is wrong with how a command ended; None where it is as documented."""
    error, said = result.exception, result.stderr
    if error is not None and not isinstance(error, SystemExit):
        return {"what": f"{type(error).__name__}: {str(error)[:200]}", "where": _place(error)}
    if result.exit_code not in DOCUMENTED:
        return {"what": f"exit code {result.exit_code}", "where": said[-200:]}
    if "Traceback (most recent call last)" in result.output:
        return {"what": "a traceback was printed", "where": said[-200:]}
    if "\x1b" in result.stdout + said:
        return {"what": "an escape byte", "where": repr(said[-200:])}
    sentences = len(re.findall(r"^gram: error: ", said, re.MULTILINE))
    if result.exit_code in (1, 2, 4) and sentences != 1:
        return {"what": f"{sentences} sentences at exit code {result.exit_code}", "where": said[-300:]}
    return None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/gramcli/" in frame.filename]
    frame = (own or frames)[-1]
    return f"{frame.filename.rpartition('/gramcli/')[2]}:{frame.name}"


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise SlowError


def _limit_memory() -> None:
    """Let this process take so much more memory than it has now; Linux counts it, other systems do not."""
    status = Path("/proc/self/status")
    if status.exists():
        held = 1024 * int(re.findall(r"VmData:\s*(\d+)", status.read_text())[0])
        resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
