"""What runs without transformers: everything but hf:, which says how to install it; and nothing imports it unasked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.encoders.huggingface.conftest import Made
from tests.forks import Forks

BLOCKED = """
import sys
sys.modules["{package}"] = None
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
try:
    load_encoder(sys.argv[1])
except UserError as error:
    print(error.exit_code, error)
"""
HEAVY = """
import sys
sys.argv = ["gram", *sys.argv[1:]]
from gramcli.cli.main import main
try:
    main()
except SystemExit:
    pass
print("IMPORTED", sorted({{"transformers", "huggingface_hub"}} & set(sys.modules)), file=sys.stderr)
"""


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(forks: Forks) -> Run:
    """A program in a process of its own, which ends well."""

    def ended(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        done = forks.run(code, arguments)
        assert done.returncode == 0, done.stderr
        return done

    return ended


@pytest.mark.parametrize(("package", "spec"), [("transformers", "folder"), ("huggingface_hub", "org/name")])
def test_a_missing_extra_is_a_sentence_with_the_line_that_installs_it(
    package: str, spec: str, made: Made, run: Run
) -> None:
    argument = made("clip") if spec == "folder" else spec
    said = run(BLOCKED.format(package=package), f"hf:{argument}").stdout
    assert said.startswith("2 Models of ") and f"need the package {package}" in said
    assert said.endswith("Install it: pip install 'gramcli[hf]'\n")


def test_a_folder_is_described_without_transformers(made: Made, run: Run) -> None:
    code = 'import sys\nsys.modules["transformers"] = None\n' + HEAVY.format()
    assert "arch" not in (found := run(code, "inspect", made("clip")).stdout) and "42,561" in found


@pytest.mark.parametrize("arguments", [["--help"], ["embed", "--help"]])
def test_nothing_imports_transformers_unasked(arguments: list[str], run: Run) -> None:
    assert "IMPORTED []" in run(HEAVY.format(), *arguments).stderr


def test_an_evaluation_of_a_store_imports_no_transformers(made: Made, media: Path, tmp_path: Path, run: Run) -> None:
    import gramcli

    gramcli.embed(media, tmp_path / "s", model=f"hf:{made('clip')}", frames=2, workers=0)
    done = run(HEAVY.format(), "eval", tmp_path / "s", "--task", "t2v")
    assert "IMPORTED []" in done.stderr and "t2v" in done.stdout
