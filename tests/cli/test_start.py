"""What a command imports: only what its own figures need."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gramcli.cli.loading import heavy_imports
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
# `numpy.ma` is what NumPy's median and unique load to look for a mask; the readers of data and media are for models;
# `sklearn` and `scipy` are for classification and geometry, the others for tables of media, plots, checkpoints, pages.
UNUSED = {"scipy", "scipy.stats", "sklearn", "pandas", "matplotlib", "transformers", "rich", "jinja2", "av", "PIL"}
UNUSED |= {"numpy.ma", "gramcli.datasets.folder", "gramcli.datasets.survey", "gramcli.embedding.reading"}


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
    assert "torch" in found
    assert not (UNUSED - ({"numpy.ma"} if "wilson" in options else set())) & found  # percentiles of bootstraps
    assert "gramcli.evaluation.retrieval" in found
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


def test_what_imports_bring_is_not_searched_for_cycles() -> None:
    probe = "import gc, sys\nfrom gramcli.cli.loading import heavy_imports\nwith heavy_imports():\n    {}\n"
    probe += "    inside = gc.isenabled()\nprint(inside, gc.isenabled(), gc.get_freeze_count() > 0)"
    for library, expected in (("import torch", "False True True"), ("import decimal", "False True False")):
        done = subprocess.run([sys.executable, "-c", probe.format(library)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
    assert "torch" in sys.modules
    with heavy_imports():
        assert gc.isenabled()
