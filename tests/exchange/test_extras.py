"""A missing extra is one sentence and exit code 1, whichever verb meets it."""

from __future__ import annotations

import builtins
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

from gramcli.cli.main import app  # noqa: E402
from gramcli.exchange import export_store  # noqa: E402
from tests.exchange.stores import of_ids, written  # noqa: E402


@pytest.mark.parametrize(("suffix", "package"), [("h5", "h5py"), ("parquet", "pyarrow")])
def test_the_sentence_and_the_code_are_the_same(
    suffix: str, package: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_store(written(here / "store", of_ids(["a", "b"], "video")), f"own.{suffix}")
    with h5py.File("plain.h5", "w") as file:
        file["video"] = np.ones((2, 4), np.float32)
    pq.write_table(pa.table({"id": ["a", "b"], "video": [[1.0, 2.0], [3.0, 4.0]]}), "plain.parquet")
    found, spec = builtins.__import__, importlib.util.find_spec

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("gramcli.exchange.exporting.find_spec", lambda name: None if name == package else spec(name))
    for line in (f"import own.{suffix} -o a", f"import plain.{suffix} -o b", f"export store -o again.{suffix}"):
        result = CliRunner().invoke(app, line.split())
        assert (result.exit_code, line) == (1, line)
        assert f"needs the package {package}: pip install 'gramcli[io]'." in result.stderr
