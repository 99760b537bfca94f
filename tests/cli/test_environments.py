"""Wherever it runs, `gram` says one sentence and ends with the code of the contract: no traceback, no silence."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gramcli.store import write_store
from tests.forks import GRAM as GRAM_CODE

HERE = str(Path(__file__).resolve().parents[2])
GRAM = f"{shlex.quote(sys.executable)} -m gramcli"
# A user of no entry in any passwd who may read all, and root who may not read what is closed to its owner.
NOBODY = "setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps +dac_override,+dac_read_search"
NOBODY += " --ambient-caps +dac_override,+dac_read_search"
ORDINARY = "setpriv --bounding-set -dac_override,-dac_read_search"
as_root = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can change rights")
has_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def variables(drop=(), **more):
    """The environment of a command."""
    env = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "GRAM_CACHE", *drop}}
    return env | {"PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", **more}


def run(words, cwd, *, rights="", drop=(), **environment):
    """Run a line of a shell; `gram` in it is ours."""
    env = variables(drop, **environment)
    line = words.replace("gram ", f"{rights} {GRAM} ", 1)
    more = {"cwd": cwd, "env": env, "timeout": 120}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, **more)


def said(done, code, *words):
    """It ended so, with one sentence that holds these words."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    for word in words:
        assert word in done.stderr
    if words:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that all may enter, with a store of six items and an annotated folder of texts."""
    folder = tmp_path_factory.mktemp("environments")
    for one in (folder, *list(folder.parents)[:2]):
        one.chmod(0o755)
    rows = np.eye(6, 8, dtype=np.float32)
    write_store(
        folder / "emb",
        ids=[f"clip{k}" for k in range(6)],
        splits=["train"] * 3 + ["val"] + ["test"] * 2,
        labels=[None] * 6,
        status={},
        embeddings={"text": rows, "video": rows},
        caption_items=np.arange(6),
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    (folder / "texts.csv").write_text("id,text\na,one\nb,two\n")
    return folder


@pytest.fixture
def forked(forks):
    """Run `gram` in a fork, where neither streams nor the start of Python are the point."""
    late = ("torch", "torch._dynamo", "sklearn.feature_extraction.text")  # what commands import, and wait for

    def run_forked(line, cwd, *, rights="", **environment):
        how = {"cwd": cwd, "environment": variables(**environment), "imports": late, "rights": rights}
        return forks.run(GRAM_CODE, shlex.split(line), **how)

    return run_forked


# Streams


@pytest.mark.parametrize("command", ["methods --format json", "--version", "eval --help"])
def test_a_closed_stdout_is_said(place, command):
    said(run(f"gram {command} >&-", place), 1, "gram: error: The answer could not be written: stdout is closed.")


@pytest.mark.parametrize("command", ["eval emb --split all", "inspect texts.csv", "methods --print-config"])
def test_so_it_is_where_there_is_work_to_do(place, command):
    done = run(f"gram {command} -q >&-", place)
    said(done, 1, "stdout is closed")


def test_a_closed_stdout_does_not_keep_a_store_from_being_written(place, tmp_path):
    done = run(f"gram embed {place / 'texts.csv'} --text-only -o out -q >&-", tmp_path)
    said(done, 1, "stdout is closed")
    assert (tmp_path / "out" / "manifest.json").is_file()


@pytest.mark.parametrize(("command", "code"), [("methods", 0), ("inspect nothing", 1), ("evil", 2), ("methods --x", 2)])
def test_a_closed_stderr_changes_no_exit_code(place, command, code):
    done = run(f"gram {command} 2>&-", place)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)


def test_both_closed_and_stdin_too(place):
    assert run("gram methods <&- >&- 2>&-", place).returncode == 1
    assert run("gram inspect texts.csv <&-", place).returncode == 0


@has_full
@pytest.mark.parametrize(
    "command", ["methods", "--help", "--version", "inspect texts.csv", "eval emb --split all -q --print-config"]
)
def test_a_full_stdout_is_said(place, command):
    said(run(f"gram {command} >/dev/full", place), 1, "The answer could not be written: No space left on device.")


@has_full
@pytest.mark.parametrize(
    ("command", "code"), [("methods", 0), ("inspect nothing", 1), ("evil", 2), ("eval emb --split all", 0)]
)
def test_a_full_stderr_changes_no_exit_code(place, command, code):
    assert run(f"gram {command} 2>/dev/full", place).returncode == code


# Users and folders


@as_root
@pytest.mark.parametrize("command", ["methods", "inspect emb", "eval emb --split all"])
def test_a_user_without_an_entry_and_without_a_home_can_work(place, command):
    said(run(f"gram {command}", place, rights=NOBODY, drop={"HOME"}), 0)


@as_root
def test_the_cache_of_nobody_is_asked_for(place):
    done = run("gram eval signal --dataset texts.csv --text-only -q", place, rights=NOBODY, drop={"HOME"})
    said(done, 1, "gram: error:", "GRAM_CACHE")


@as_root
def test_no_library_complains_of_a_missing_home(place):
    """Drawing a page, in a folder that anybody may write to."""
    folder = place / "anybody"
    folder.mkdir()
    folder.chmod(0o777)
    line = "gram eval emb --split all -q -o anybody/a.json --report anybody/page.html"
    done = run(line, place, rights=NOBODY, drop={"HOME", "MPLCONFIGDIR"})
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "page.html").stat().st_size > 0


@as_root
def test_nobody_may_name_a_cache(place, tmp_path):
    done = run("gram doctor", place, rights=NOBODY, drop={"HOME"}, GRAM_CACHE=str(tmp_path))
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


@as_root
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("inspect", "secret.json"),
        ("inspect", "secret/"),
        ("eval signal --dataset", "secret.csv"),
        ("eval signal --dataset", "secret/"),
        ("compare emb", "secret.json"),
        ("embed -o out", "secret.csv"),
        ("embed -o out", "gram.toml"),
    ],
)
def test_what_may_not_be_read_fails_and_is_named(forked, place, name, command):
    path = place / "hidden" / name.rstrip("/")
    path.parent.mkdir(exist_ok=True)
    path.mkdir(exist_ok=True) if name.endswith("/") else path.write_text("{}")
    path.chmod(0)
    done = forked(f"{command} hidden/{name} -q", place, rights=ORDINARY)
    said(done, 1, "gram: error:", path.name)


@as_root
@pytest.mark.parametrize(
    "command", ["eval emb2", "inspect emb2 --verify", "inspect weights.pt", "inspect weights.safetensors"]
)
def test_what_may_not_be_read_is_not_called_damaged(forked, place, command):
    """Whoever followed "delete this file" would lose what only its owner can read."""
    if not (place / "emb2").exists():
        shutil.copytree(place / "emb", place / "emb2")
        for name in ("emb2/shards/00000.safetensors", "weights.pt", "weights.safetensors"):
            (place / name).touch()
            (place / name).chmod(0)
    done = forked(f"{command} -q", place, rights=ORDINARY)
    said(done, 1, "may not be read by this user (permission denied). Ask its owner")
    assert "damaged" not in done.stderr


@as_root
@pytest.mark.parametrize(
    "command",
    ["embed closed -o out", "inspect closed", "inspect closed/a.json", "datasets msrvtt --root closed", "eval closed",
     "eval emb --model heads:closed", "embed msrvtt --root closed -o out"],
)  # fmt: skip
@pytest.mark.parametrize("mode", [0o000, 0o644])
def test_a_folder_that_may_not_be_entered_is_not_called_empty(forked, place, command, mode):
    """Of the second mode it can be listed, and nothing in it be opened."""
    folder = place / "closed"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "a.json").write_text("{}")
    folder.chmod(mode)
    done = forked(f"{command} -q", place, rights=ORDINARY)
    said(done, 1, "closed", "ermission denied", "chmod")
    assert "holds no" not in done.stderr
    assert "not found" not in done.stderr


@as_root
def test_a_settings_file_found_but_not_readable_fails(forked, place, tmp_path):
    folder = place / "settings"
    folder.mkdir()
    (folder / "gram.toml").touch(0)
    said(forked("methods -q", folder, rights=ORDINARY), 1, "gram.toml may not be read by this user")


def test_a_working_directory_that_is_gone(tmp_path):
    for command, code in (("--help", 0), ("methods", 1), ("inspect x", 1), ("embed x -o y", 1)):
        folder = tmp_path / "gone"
        folder.mkdir()
        said(run(f"rmdir {folder}; gram {command}", folder), code)


def test_no_temporary_folder(place, tmp_path):
    code = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']; "
    code += "from gramcli.cli.main import main; main()"
    command = f"embed {place / 'texts.csv'} --text-only -o out -q"
    said(run(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {command}", tmp_path), 0)
    said(run("gram doctor", tmp_path, TMPDIR="/nowhere", GRAM_CACHE=str(tmp_path)), 0)


# Variables


@pytest.mark.parametrize("size", ["", "1"])
def test_a_world_of_one_is_none(forked, place, size, tmp_path):
    command = f"align emb -o {tmp_path / 'heads'} --loss cosine --epochs 1 --dim 2 -q"
    said(forked(command, place, WORLD_SIZE=size), 0)


@pytest.mark.parametrize("size", ["abc", "0", "2", "9" * 30])
def test_a_world_that_no_torchrun_made_is_a_sentence(forked, place, size, tmp_path):
    command = f"align emb -o {tmp_path / 'heads'} --loss cosine --epochs 1 --dim 2 -q"
    said(forked(command, place, WORLD_SIZE=size), 1, "gram: error: WORLD_SIZE", "torchrun")


@pytest.mark.parametrize(
    "names",
    [{"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=str,
)
def test_variables_that_python_reads_as_it_starts(place, names):
    said(run("gram eval emb --split all -q", place, **names), 0)
    said(run("gram inspect näh -q", place, **names), 1, "gram: error:")


@pytest.mark.parametrize(
    "names",
    [
        {"COLUMNS": "abc"},
        {"COLUMNS": "0"},
        {"COLUMNS": "-5", "FORCE_COLOR": "1"},
        {"COLUMNS": "1", "FORCE_COLOR": "1"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
        {"TERM": ""},
        {"NO_COLOR": "1"},
        {"GRAM_CACHE": ""},
    ],
    ids=str,
)
def test_variables_of_the_terminal(forked, place, names):
    said(forked("eval emb --split all -q", place, **names), 0)
    said(forked("inspect näh -q", place, **names), 1, "gram: error:")


def test_no_color_is_obeyed(place):
    assert "\x1b" not in run("gram methods", place, NO_COLOR="1", FORCE_COLOR="").stdout


@as_root
@pytest.mark.parametrize("kind", ["file", "sealed", "below a file"])
def test_a_cache_that_cannot_be_written(forked, place, kind):
    cache = place / f"cache {kind}"
    if kind == "sealed":
        cache.mkdir(exist_ok=True)
        cache.chmod(0o555)
    else:
        (place / "cache file").write_text("")
        cache = place / "cache file" if kind == "file" else place / "cache file" / "deeper"
    command = "eval signal --dataset texts.csv --text-only -q"
    said(forked(command, place, rights=ORDINARY, GRAM_CACHE=str(cache)), 1, "gram: error:", str(cache))


def test_a_user_s_home_may_be_anything(forked, place):
    said(forked("doctor", place, HOME="relative"), 0)
    shutil.rmtree(place / "relative", ignore_errors=True)
