"""What a command imports: only what its own figures need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forks import Forks
from tests.small_stores import make_store

PROBE = """
import json, sys
from gramcli.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps({"modules": sorted(sys.modules), "code": code}))
"""
# `sklearn` and `scipy` are for classification and geometry, the others for tables of media, plots, checkpoints, pages.
UNUSED = {"scipy", "scipy.stats", "sklearn", "pandas", "matplotlib", "transformers", "rich", "jinja2", "av", "PIL"}


Imported = Callable[..., set[str]]


@pytest.fixture
def imported(forks: Forks) -> Imported:
    """What a command line imports, besides torch."""

    def modules(*arguments: str) -> set[str]:
        done = forks.run(PROBE, arguments)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
        assert not report["code"], done.stderr
        return set(report["modules"])

    return modules


@pytest.mark.parametrize(
    "options",
    [
        ("--task", "t2va", "--method", "gram"),
        ("--task", "t2va", "--method", "gram", "--intervals", "wilson"),
        (),
    ],
)
def test_retrieval_imports_nothing_it_does_not_use(
    tmp_path: Path, imported: Imported, options: tuple[str, ...]
) -> None:
    make_store(tmp_path / "store")
    found = imported("eval", str(tmp_path / "store"), *options, "--format", "csv")
    assert "gramcli.evaluation.retrieval" in found
    assert not UNUSED & found
    assert not {name for name in found if name.startswith("gramcli.metrics.") and name.endswith(("probe", "joint"))}


def test_a_table_costs_no_terminal_library_where_there_is_no_terminal(tmp_path: Path, imported: Imported) -> None:
    make_store(tmp_path / "store")
    found = imported("eval", str(tmp_path / "store"), "--task", "t2va", "--method", "gram")
    assert not (UNUSED - {"rich"}) & found
    assert not {"rich.console", "rich.table"} & found


def test_geometry_is_imported_when_it_is_asked_for(tmp_path: Path, imported: Imported) -> None:
    make_store(tmp_path / "store")
    found = imported("eval", str(tmp_path / "store"), "--metrics", "geometry", "--format", "csv")
    assert "gramcli.evaluation.geometry" in found
    assert "sklearn" not in found
