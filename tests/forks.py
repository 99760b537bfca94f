"""Python in processes of its own that need not import torch, which takes two seconds: forks of one that has.

A fork differs from a process that was started in what is settled before Python runs a line, encodings and hashes, in
what a library reads of its environment while it is imported, and in its end: it takes nothing down, which would take as
long as the import.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
GRAM = "import runpy; runpy.run_module('gramcli', run_name='__main__', alter_sys=True)"
SERVE = """
import json, os, sys, traceback
for name in sys.argv[1:]:
    __import__(name)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for handle, path in ((1, asked["out"]), (2, asked["err"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), handle)
        sys.argv, code = asked["arguments"], 0
        try:
            exec(compile(asked["code"], "<string>", "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else end.code is not None
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""


@dataclass
class Forks:
    """Runs Python in forks of servers, of which there is one for all that have the same imports and rights.

    Attributes:
        folder: Where they write.
    """

    folder: Path
    _servers: dict[tuple[str, ...], subprocess.Popen[str]] = field(default_factory=dict)

    def run(
        self,
        code: str,
        arguments: Sequence[object] = (),
        *,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        imports: Sequence[str] = ("torch",),
        rights: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program.

        Args:
            code: Its text.
            arguments: Its arguments.
            cwd: Where it runs.
            environment: Its variables, else ours.
            imports: What is imported already.
            rights: A command line that runs another with fewer rights.
        """
        key = (*shlex.split(rights), sys.executable, "-c", SERVE, *imports)
        process = self._servers.get(key) or self._servers.setdefault(key, _server(key, self.folder))
        out, err = self.folder / "out", self.folder / "err"
        asked = {"code": code, "arguments": ["-c", *map(str, arguments)], "cwd": str(cwd), "out": str(out)}
        asked |= {"err": str(err), "environment": dict(os.environ if environment is None else environment)}
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        code_of_exit = int(process.stdout.readline())
        return subprocess.CompletedProcess(code, code_of_exit, out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        """End the servers."""
        for process in self._servers.values():
            process.communicate()


def _server(command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True)
