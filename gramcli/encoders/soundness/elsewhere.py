"""The same inputs through the same model, loaded again in a process of its own.

There Python's hash seed and whatever a model draws without a seed are others, and nothing is remembered of earlier
inputs; all are asked in reverse, each alone. What a checkpoint does not hold, and what a cache got wrong, shows here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from safetensors.numpy import load as unpacked
from safetensors.numpy import save as packed

from gramcli.encoders import load_encoder
from gramcli.encoders.memory import is_out_of_memory
from gramcli.encoders.soundness.probes import N, Probes, probes_of
from gramcli.encoders.soundness.runner import Fault, Found, Subject, rows_of, singles
from gramcli.errors import UserError

Answers = Mapping[tuple[Subject, bool], Found | str]
"""Subject and whether the inputs are of mixed lengths -> the rows, or why there are none."""

_SHOWN: Final = 200
_SETS: Final = (True, False)


@dataclass(frozen=True)
class SecondProcess:
    """Loads a model again and asks it.

    Attributes:
        model: The spec.
        options: Of `load_encoder`, as JSON has them.
    """

    model: str
    options: Mapping[str, Any]

    def ask(self, subjects: Sequence[Subject]) -> Answers:
        """Encode the probes of some subjects in a new process.

        Raises:
            UserError: It cannot be started, the model cannot be loaded in it, or it does not survive.
        """
        asked = {
            "model": self.model,
            "options": dict(self.options),
            "threads": _threads(),
            "subjects": [[list(one.inputs), list(one.names)] for one in subjects],
        }
        head, _, rows = self._run(json.dumps(asked)).partition(b"\n")
        said = json.loads(head)
        if said["refused"]:
            raise UserError("embedding", said["refused"])
        found: dict[tuple[Subject, bool], Found | str] = {}
        arrays = unpacked(rows)
        for place, subject in enumerate(subjects):
            for mixed in _SETS:
                key = _key(place, mixed)
                made = {name: arrays[f"{key}/{name}"] for name in subject.names if f"{key}/{name}" in arrays}
                found[subject, mixed] = said["faults"].get(key) or made
        return found

    def _run(self, asked: str) -> bytes:
        path = os.pathsep.join(one or os.getcwd() for one in sys.path)  # noqa: PTH109
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "gramcli.encoders.soundness.elsewhere"],
                input=asked.encode("ascii"),
                capture_output=True,
                env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "random"},
                check=False,
            )
        except OSError as error:
            raise UserError("failed", f"it cannot be started ({error.strerror})") from error
        if done.returncode or not done.stdout:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:_SHOWN]
            raise UserError("failed", f"it ended with {done.returncode}{': ' if last else ''}{last}")
        return done.stdout


def answer(asked: Mapping[str, Any]) -> bytes:
    """What the second process answers: a line of JSON, then the rows."""
    subjects = [Subject(tuple(inputs), tuple(names)) for inputs, names in asked["subjects"]]
    faults: dict[str, str] = {}
    arrays: dict[str, Any] = {}
    refused = ""
    try:
        encoder = load_encoder(asked["model"], **asked["options"])
        if asked["threads"] and (torch := sys.modules.get("torch")):
            torch.set_num_threads(asked["threads"])
        probes = {name: probes_of(name, encoder.preprocessing) for name in encoder.modalities}
        for mixed in _SETS:
            for place, subject in reversed([*enumerate(subjects)]):
                key = _key(place, mixed)
                try:
                    rows = _rows(encoder, subject, probes, mixed=mixed)
                except (Fault, UserError) as error:
                    if error.__cause__ and is_out_of_memory(error.__cause__):
                        raise error.__cause__ from None
                    faults[key] = str(error)
                else:
                    arrays |= {f"{key}/{name}": one for name, one in rows.items()}
    except UserError as error:
        refused = str(error)
    except Exception as error:  # whatever it is, the first process must be told
        refused = f"raised {type(error).__name__}: {' '.join(str(error).split())}"[:_SHOWN]
    return json.dumps({"refused": refused, "faults": faults}).encode("ascii") + b"\n" + packed(arrays)


def _rows(encoder: Any, subject: Subject, probes: Mapping[str, Probes | None], *, mixed: bool) -> Found:  # noqa: ANN401
    items = {}
    for name in subject.inputs:
        found = probes.get(name)
        if found is None:
            raise Fault(f"loaded again it takes no {name}")
        items[name] = found.mixed if mixed else found.even
    return rows_of(encoder, subject, items, [*reversed(singles(N))])


def _key(place: int, mixed: bool) -> str:
    return f"{place}/{'mixed' if mixed else 'even'}"


def _threads() -> int:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 0


def _main() -> None:
    """Answer on what stdout was; what a model prints must not come between."""
    asked = json.loads(sys.stdin.buffer.read())
    pipe = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(pipe, "wb") as out:
        out.write(answer(asked))


if __name__ == "__main__":
    _main()
