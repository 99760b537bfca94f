"""No damaged file ends in a traceback, an undocumented exit code, an escape byte, a gigabyte or twenty seconds.

`GRAM_FUZZ_ROUNDS` is the number of attacks on each group (`make fuzz`: an hour's worth), `GRAM_FUZZ_SEED` draws others.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.forks import Forks
from tests.fuzz.attack import verdict
from tests.fuzz.samples import GROUPS, run

ROUNDS = int(os.environ.get("GRAM_FUZZ_ROUNDS", "60"))
SLOW = ("checkpoints", "cache")  # they load a model each time: a third of the rounds
SEED = os.environ.get("GRAM_FUZZ_SEED", "1")


@pytest.mark.parametrize("group", GROUPS)
def test_damaged_files_end_in_a_sentence(tmp_path: Path, group: str, forks: Forks) -> None:
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "GRAM_CACHE": "cache"}
    settings.pop("FORCE_COLOR", None)
    rounds = ROUNDS // (3 if group in SLOW else 1)
    done = forks.run(
        "from tests.fuzz.attack import main; main()",
        [group, SEED, rounds, tmp_path],
        environment=settings,
        imports=("torch", "torch._dynamo", "sklearn.feature_extraction.text", "tests.fuzz.samples"),
    )
    attempt = tmp_path / "attempt.txt"
    assert done.returncode == 0, (attempt.read_text() if attempt.exists() else "", done.stderr[-2000:])
    assert done.stdout == "", "\n".join(str(json.loads(line)) for line in done.stdout.splitlines()[:20])


def test_the_fuzzer_sees_what_it_is_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A traceback, an exit code of no page, an escape byte and silence are findings; a sentence is none."""
    import typer
    from typer.testing import CliRunner

    def ended(code: int = 0, said: str = "", error: Exception | None = None) -> dict[str, str] | None:
        app = typer.Typer()

        @app.command()
        def command() -> None:
            sys.stderr.write(said)
            if error:
                raise error
            raise typer.Exit(code)

        return verdict(CliRunner().invoke(app, []))

    monkeypatch.chdir(tmp_path)
    assert ended(1, "gram: error: a.json is damaged.") is None
    assert ended() is None
    assert ended(error=KeyError("a"))["what"] == "KeyError: 'a'"
    assert ended(7)["what"] == "exit code 7"
    assert ended(1)["what"] == "0 sentences at exit code 1"
    assert ended(1, "gram: error: a\ngram: error: b")["what"] == "2 sentences at exit code 1"
    assert ended(0, "a \x1b[31m")["what"] == "an escape byte"
    with pytest.raises(RuntimeError, match=r"gram inspect none: .*does not exist"):
        run("inspect none")
