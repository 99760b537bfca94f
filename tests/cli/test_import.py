"""`gram import` as a command: what it prints, refuses, writes, and loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gramcli.exchange.catalog import FORMATS
from tests.cli.test_start import PROBE


@pytest.fixture
def two(gram, tmp_path, monkeypatch):
    """text.npy and video.npy of six items, one video without features."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    video = random.normal(size=(6, 4)).astype(np.float32)
    video[2] = 0
    np.save("video.npy", video)
    np.save("text.npy", random.normal(size=(6, 4)).astype(np.float32))


def test_a_dry_run_says_everything_and_writes_nothing(gram, two):
    result = gram("import", "text.npy", "video.npy", "--dry-run", "--format", "json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["path"], found["items"], found["ids_from"], found["shared_space"]) == (None, 6, "by row", None)
    assert [(one["name"], one["shape"], one["ok"], one["absent"]) for one in found["modalities"]] == [
        ("text", [6, 4], 6, {}),
        ("video", [6, 4], 5, {"all zeros": 1}),
    ]
    assert sorted(path.name for path in Path().iterdir()) == ["text.npy", "video.npy"]


@pytest.mark.parametrize(
    ("said", "noted", "shown"),
    [
        ((), "does not say whether its modalities share one space", "not said"),
        (("--shared-space", "no"), "does not put its modalities in one space", "no"),
        (("--shared-space", "yes"), None, "yes"),
    ],
)
def test_figures_across_modalities_carry_the_note(gram, two, said, noted, shown):
    assert gram("import", "text.npy", "video.npy", "-o", "store", *said).exit_code == 0
    result = gram("eval", "store", "--task", "t2v", "--method", "cosine", "--format", "json")
    notes = " ".join(json.loads(result.stdout)["notes"]) if "notes" in json.loads(result.stdout) else result.stdout
    table = gram("eval", "store", "--task", "t2v", "--method", "cosine").stdout
    for word in ("does not say whether", "does not put its modalities"):
        assert (word in table) is (noted is not None and word in noted), notes
    facts = dict(line.split("  ", 1) for line in gram("inspect", "store").stdout.splitlines() if "  " in line)
    assert facts["one space for all modalities"].strip() == shown


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("video.npy",), 2, "Name the store to write, -o STORE, or look first with --dry-run"),
        (("video.npy", "-o", "store", "--rename", "video"), 2, "is not OLD=NEW"),
        (("video.npy", "-o", "store", "--rename", "clip=video"), 2, "there is no 'clip'. Found: video"),
        (("video.npy", "-o", "store", "--from", "parket"), 2, "Unknown format 'parket'. Did you mean 'parquet'?"),
        (("video.npy", "-o", "store", "--from", "parquet"), 1, "is not of the format 'parquet'"),
        (("video.npy", "-o", "store", "--pool", "median"), 2, "'median' is not one of"),
        (("none.npy", "-o", "store"), 1, "none.npy does not exist"),
        (("video.npy", "-o", "video.npy"), 1, "video.npy is a file, not a store"),
        (("a=video.npy", "a=text.npy", "-o", "store"), 1, "has the key 'a' of another file"),
        (("video.npy", "-o", "store", "--table", "video.npy"), 2, "has the suffix '.npy'"),
    ],
)
def test_a_wrong_line_gets_one_sentence(gram, two, arguments, code, said):
    result = gram("import", *arguments)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())
    assert not Path("store").exists()


def test_a_store_of_something_else_is_kept_without_overwrite(gram, two):
    for made in (("import", "text.npy", "-o", "a"), ("import", "video.npy", "-o", "b"), ("join", "a", "b", "-o", "ab")):
        assert gram(*made).exit_code == 0
    for other in (("import", "video.npy", "-o", "a"), ("join", "a", "b:video=clip", "-o", "ab")):
        result = gram(*other)
        assert result.exit_code == 1
        said = " ".join(result.stderr.split())
        assert said.endswith("Name another output, or start anew with --overwrite.")
        assert len(said) < 500
        assert gram(*other, "--overwrite").exit_code == 0


def test_every_format_is_named_in_the_help(gram, two):
    from gramcli.exchange import FORMATS

    shown = gram("import", "--help").stdout.split()
    words = {word.strip(",.") for word in shown}
    assert set(FORMATS.names()) <= words


def test_an_import_loads_only_what_its_format_needs(gram, two):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "import", "video.npy", "-o", "store"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["code"], done.stderr
    unused = {
        "pandas",
        "h5py",
        "pyarrow",
        "webdataset",
        "scipy",
        "sklearn",
        "matplotlib",
        "transformers",
        "av",
        "rich.console",
    }
    assert not unused & set(found["modules"])


def test_formats_are_the_catalog(gram):
    document = gram.json("import", "--formats")
    assert [row["name"] for row in document["results"]] == FORMATS.names()
    output = gram("import", "--formats").stdout
    assert all(row.layout in output and row.summary in output for row in FORMATS)


def test_no_file_is_said_where_options_are_given(gram):
    result = gram("import", "--dry-run")
    assert result.exit_code == 2
    assert "Name at least one file or folder to import." in result.stderr


def test_time_is_called_as_the_option_calls_it(gram, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("video.npy", np.ones((3, 4, 5), np.float32))
    for axis, shown in (
        ("0", "axis 0 of an item, mean"),
        ("1", "axis 1 of an item, mean"),
        ("-1", "axis 1 of an item"),
    ):
        assert shown in gram("import", "video.npy", "--dry-run", "--time-axis", axis).stdout


@pytest.mark.parametrize("more", [("--project", "umap"), ("--task", "t2v"), ()])
def test_an_export_of_what_is_not_there_says_so(gram, tmp_path, more):
    result = gram("export", "nothing_here", "-o", tmp_path / "x.parquet", *more)
    assert result.exit_code == 2
    assert "nothing_here does not exist" in result.stderr
