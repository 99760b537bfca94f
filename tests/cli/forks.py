"""`gram` in processes of its own that need not import torch: forks of one that has, with the rights it was started with.

A fork differs from a process that was started in what is settled before Python runs a line: encodings, streams, hashes.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SERVE = """
import json, os, runpy, sys
import sklearn.feature_extraction.text, torch, torch._dynamo  # what commands import late, and long
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for handle, path in ((1, asked["out"]), (2, asked["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), handle)
        sys.argv = ["gram", *asked["words"]]
        runpy.run_module("gramcli", run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Server:
    """The process that forks, and where its children write."""

    process: subprocess.Popen[str]
    folder: Path

    def gram(self, line: str, cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command line, `gram` left out."""
        out, err = self.folder / "out", self.folder / "err"
        asked = {"words": shlex.split(line), "cwd": str(cwd), "environment": dict(environment)}
        self.process.stdin.write(json.dumps({**asked, "out": str(out), "err": str(err)}) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(line, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(60)


def serve(rights: str, folder: Path, environment: Mapping[str, str]) -> Server:
    """Start a server below `rights`, a command line that runs another; its children write into `folder`."""
    command = [*shlex.split(rights), sys.executable, "-c", SERVE]
    pipe = subprocess.PIPE
    return Server(subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True), folder)
