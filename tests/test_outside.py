"""Attacks on the folders gram writes to and reads from: nothing outside the named output changes, and nothing hangs.

Links, pipes, devices and forged seals are put where gram is about to write or to read; before and after each command
everything but the named output is compared: paths, kinds, sizes, contents, modification times.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gramcli.cli.main import app
from gramcli.datasets.generated import generate_dataset
from gramcli.embedding.cache import cached_store_path
from gramcli.encoders import load_encoder
from gramcli.store.layout import read_manifest, seal
from tests.alignment.views import make_views
from tests.cli.conftest import make_store

DOCUMENTED = {0, 1, 2, 3, 4, 5, 130}
SECONDS = 60  # far more than any of these takes, where nothing hangs

Attack = Callable[[Path, Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has: texts, a store, heads, an evaluation."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "texts.csv").write_text("id,caption,split\n1,a cat,test\n2,a dog,test\n3,a bird,train\n")
    (folder / "weights").mkdir()
    (folder / "weights" / "model_step_1.pt").write_text("no weights: its configuration is read first")
    make_store(folder / "store")
    make_views(folder / "views")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for arguments in (
            ("embed", "texts.csv", "--text-only", "-o", "texts", "--workers", "0"),
            ("align", "views", "-o", "heads", "--loss", "cosine", "--epochs", "1", "--dim", "4"),
            ("eval", "store", "--method", "cosine", "-o", "found.json"),
        ):
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, done.output
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy to attack, beside somebody's own files; a command that hangs is interrupted."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    others = tmp_path / "others"
    (others / "folder").mkdir(parents=True)
    (others / "diary").write_text("mine")
    (others / "folder" / "00000.safetensors").write_text("mine too")
    (others / "folder" / ".00000.safetensors.tmp").write_text("and this")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))

    def hangs(*_: object) -> None:
        raise TimeoutError(f"a command took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _snapshot(folder: Path, named: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder but the named output: kind and mode, links, size, time, content."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(folder.rglob("*")):
        if path == named or path.is_relative_to(named):
            continue
        status = path.lstat()
        facts: tuple[Any, ...] = (status.st_mode,)
        if path.is_symlink():
            facts += (str(path.readlink()),)
        elif path.is_file():
            facts += (status.st_size, status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        found[str(path.relative_to(folder))] = facts
    return found


def _gram(*arguments: object) -> Result:
    """Run a command: it ends by itself, with a documented code and no traceback."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code in DOCUMENTED, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def _link(name: str, to: str) -> Attack:
    def attack(output: Path, others: Path) -> None:
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(others / to)

    attack.__name__ = f"{name}->{to}"
    return attack


def _pipe(name: str) -> Attack:
    def attack(output: Path, _others: Path) -> None:
        path = output / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    attack.__name__ = f"{name} a pipe"
    return attack


def _zeros(name: str) -> Attack:
    return _link(name, "../../../../../../../../../../dev/zero")


def _hard(name: str) -> Attack:
    def attack(output: Path, others: Path) -> None:
        output.mkdir(parents=True, exist_ok=True)
        (output / name).unlink(missing_ok=True)
        (output / name).hardlink_to(others / "diary")

    attack.__name__ = f"{name} a hard link"
    return attack


def _forged(name: str) -> Attack:
    def attack(output: Path, others: Path) -> None:
        manifest = read_manifest(output)
        manifest["shards"][0]["file"] = name.format(others=others)
        (output / "manifest.json").write_bytes(seal(manifest))

    attack.__name__ = f"forged {name}"
    return attack


def _named(attack: Attack) -> str:
    return attack.__name__


LOCKS = [_link(".lock", "diary"), _link(".lock", "nowhere"), _pipe(".lock"), _hard(".lock"), _zeros(".lock")]
STORE_FILES = ("manifest.json", "items.csv", "inputs.json")
IN_STORE = [
    *LOCKS,
    _link("shards", "folder"),
    _link("shards", "nowhere"),
    _link("shards/00000.safetensors", "folder/00000.safetensors"),
    _link("shards/.00000.safetensors.tmp", "diary"),
    *(_link(name, "diary") for name in STORE_FILES),
    *(_link(f".{name}.tmp", "diary") for name in STORE_FILES),
    *(_pipe(name) for name in (*STORE_FILES, "shards/00000.safetensors")),
    *(_zeros(name) for name in (*STORE_FILES, "shards/00000.safetensors")),
    *map(_forged, ["/etc/passwd", "{others}/diary", "../others/diary", "shards/../../others/diary"]),
]
MODES = {"resume": (), "overwrite": ("--overwrite",), "retry": ("--retry-failed",)}


@pytest.mark.parametrize("attack", IN_STORE, ids=_named)
@pytest.mark.parametrize("mode", list(MODES))
def test_embed_into_a_store_with_traps(mode: str, attack: Attack, place: Path) -> None:
    output, others = place / "texts", place / "others"
    attack(output, others)
    before = _snapshot(place, output)
    _gram("embed", "texts.csv", "--text-only", "-o", "texts", "--workers", "0", *MODES[mode])
    assert _snapshot(place, output) == before


@pytest.mark.parametrize(
    "attack", [*LOCKS, _link("shards", "folder"), _link(".manifest.json.tmp", "diary")], ids=_named
)
def test_embed_into_a_folder_that_holds_a_trap_only(attack: Attack, place: Path) -> None:
    output = place / "new"
    attack(output, place / "others")
    before = _snapshot(place, output)
    _gram("embed", "texts.csv", "--text-only", "-o", "new", "--workers", "0")
    assert _snapshot(place, output) == before


@pytest.mark.parametrize("attack", IN_STORE, ids=_named)
def test_reading_a_store_with_traps(attack: Attack, place: Path) -> None:
    """Nothing is written at all, nothing hangs, and nobody is told to delete what gram did not write."""
    output = place / "texts"
    attack(output, place / "others")
    before = _snapshot(place, place / "none")
    for arguments in (("inspect", "texts", "--verify"), ("matrix", "texts", "--task", "t2v", "--method", "cosine")):
        told = " ".join(_gram(*arguments).stderr.split())
        assert "Delete" not in told or "others" not in told
        assert "passwd" not in told
    assert _snapshot(place, place / "none") == before


HEADS_FILES = ("heads.json", "heads.safetensors", "training.safetensors", "curves.csv", "curves.svg")


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["resume", "overwrite"])
@pytest.mark.parametrize(
    "attack",
    [
        attack(name)
        for name in HEADS_FILES
        for attack in (
            lambda name: _link(name, "diary"),
            lambda name: _link(name, "nowhere"),
            lambda name: _link(f".{name}.tmp", "diary"),
            _pipe,
            _zeros,
        )
    ],
    ids=_named,
)
def test_align_into_a_folder_with_traps(attack: Attack, overwrite: tuple[str, ...], place: Path) -> None:
    output = place / "heads"
    attack(output, place / "others")
    before = _snapshot(place, output)
    _gram("align", "views", "-o", "heads", "--loss", "cosine", "--epochs", "1", "--dim", "4", *overwrite)
    assert _snapshot(place, output) == before


@pytest.mark.parametrize("name", ["data", "embedded", "heads_cosine", "heads_gram", "aligned_cosine", "aligned_gram"])
@pytest.mark.parametrize("to", ["folder", "nowhere"])
def test_the_folders_of_a_demo_are_no_links(name: str, to: str, place: Path) -> None:
    _link(name, to)(place / "demo", place / "others")
    before = _snapshot(place, place / "none")
    result = _gram("demo", "-o", "demo", "--items", 30)
    assert (result.exit_code, f"demo/{name} is a link, where gram keeps" in result.stderr) == (1, True)
    assert _snapshot(place, place / "none") == before


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("to", ["folder", "nowhere"])
def test_the_folders_of_the_cache_are_no_links(level: int, to: str, place: Path) -> None:
    store = _cached_path(place)
    linked = (store.parent, store)[level]
    _link(linked.name, to)(linked.parent, place / "others")
    before = _snapshot(place, place / "none")
    result = _gram(*CACHED)
    assert (result.exit_code, f"{linked.name} is a link" in result.stderr) == (1, True)
    assert _snapshot(place, place / "none") == before


@pytest.mark.parametrize("trap", [_pipe, _zeros])
@pytest.mark.parametrize("name", HEADS_FILES[:3])
def test_reading_heads_that_are_no_files(name: str, trap: Callable[[str], Attack], place: Path) -> None:
    trap(name)(place / "heads", place / "others")
    before = _snapshot(place, place / "none")
    _gram("inspect", "heads")
    _gram("eval", "views", "--model", "heads:heads", "--method", "cosine")
    _gram("embed", "views", "--model", "heads:heads", "--from", "views", "-o", "seen")
    shutil.rmtree(place / "seen", ignore_errors=True)
    assert _snapshot(place, place / "none") == before


CACHED = ("eval", "signal", "--dataset", "two.csv", "--text-only", "--task", "t2s", "--workers", "0")


def _cached_path(place: Path) -> Path:
    """Where the store of two texts an item will be cached, made beforehand."""
    from gramcli.datasets import open_dataset

    (place / "two.csv").write_text("id,caption,subtitle\n1,a cat,meow\n2,a dog,woof\n")
    dataset = open_dataset("two.csv", text_only=True)
    return cached_store_path(load_encoder("signal").describe(dataset.modalities), dataset)


@pytest.mark.parametrize("attack", [*LOCKS, _link("shards", "folder"), _link(".items.csv.tmp", "diary")], ids=_named)
def test_the_cache(attack: Attack, place: Path) -> None:
    output = _cached_path(place)
    attack(output, place / "others")
    before = _snapshot(place, place / "cache")
    assert _gram(*CACHED).exit_code in (0, 1)  # not 2: the command was understood
    assert _snapshot(place, place / "cache") == before


RESULTS = {
    "eval": ("eval", "store", "--method", "cosine", "-o"),
    "page": ("eval", "store", "--method", "cosine", "--report"),
    "queries": ("eval", "store", "--method", "cosine", "--per-query"),
    "matrix": ("matrix", "store", "--task", "t2v", "--method", "cosine", "-o"),
    "compare": ("compare", "store@cosine", "store@gram", "-o"),
    "export npz": ("export", "store", "-o"),
    "export safetensors": ("export", "store", "-o"),
    "export h5": ("export", "store", "-o"),
    "export parquet": ("export", "store", "-o"),
    "export csv": ("export", "store", "--project", "pca", "-o"),
    "export trec": ("export", "store", "--task", "t2v", "-o"),
    "qrels": ("export", "store", "--task", "t2v", "-o", "new.trec", "--qrels"),
}
SUFFIXES = {"page": ".html", "queries": ".csv", "matrix": ".npy", "qrels": ".trec"}


@pytest.mark.parametrize("attack", IN_STORE, ids=_named)
@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)], ids=["resume", "overwrite"])
def test_join_into_a_store_with_traps(overwrite: tuple[str, ...], attack: Attack, place: Path) -> None:
    output, words = place / "joined", ("join", "store", "store:text=text@b,video=video_b,audio=audio_b", "-o", "joined")
    assert _gram(*words).exit_code == 0
    attack(output, place / "others")
    before = _snapshot(place, output)
    _gram(*words, *overwrite)
    assert _snapshot(place, output) == before


@pytest.mark.parametrize("attack", IN_STORE, ids=_named)
def test_joining_and_exporting_a_store_with_traps(attack: Attack, place: Path) -> None:
    """What is read is left alone, nothing hangs, and nothing that is not the store's goes out with it."""
    attack(place / "texts", place / "others")
    before = _snapshot(place, place / "new")
    shutil.rmtree(place / "new", ignore_errors=True)
    for words in (
        ("join", "texts", "store:text=text@b", "--items", "union", "-o", "new"),
        ("export", "texts", "-o", "new/a.npz"),
        ("export", "texts", "-o", "new", "--per-modality", "--to", "csv"),
    ):
        (place / "new").mkdir(exist_ok=True)
        _gram(*words)
        assert not any(b"mine" in path.read_bytes() for path in (place / "new").rglob("*") if path.is_file())
        shutil.rmtree(place / "new")
    assert _snapshot(place, place / "new") == before


@pytest.mark.parametrize(
    "trap", [_pipe, _zeros, lambda name: _link(name, "nowhere"), lambda name: _link(name, "diary")]
)
@pytest.mark.parametrize("name", ["text.npz", "video.npz"])
def test_one_file_for_each_embedding_among_traps(name: str, trap: Callable[[str], Attack], place: Path) -> None:
    """The files of --per-modality are gram's own, in a folder that the user names: a link there is replaced."""
    (place / "out").mkdir()
    trap(name)(place / "out", place / "others")
    before = _snapshot(place, place / "out")
    _gram("export", "store", "-o", "out", "--per-modality", "--to", "npz")
    assert _snapshot(place, place / "out") == before


@pytest.mark.parametrize("command", list(RESULTS))
def test_results_go_where_the_user_says(command: str, place: Path) -> None:
    """A link that the user names is followed, as ever; what stands beside it is left alone."""
    name = f"out{f'.{command.split()[1]}' if ' ' in command else SUFFIXES.get(command, '.json')}"
    (place / name).symlink_to(place / "others" / name)
    for temporary in (f".{name}.tmp", f".{name}.{os.getpid()}.tmp", f"{name}.partial-{os.getpid()}"):
        (place / temporary).symlink_to(place / "others" / "diary")
        (place / "others" / temporary).symlink_to(place / "others" / "diary")
    before = _snapshot(place, place / "others" / name)
    assert _gram(*RESULTS[command], name).exit_code == 0
    (place / "new.trec").unlink(missing_ok=True)  # the run, where its judgements are what is looked at
    assert _snapshot(place, place / "others" / name) == before
    assert (place / "others" / name).stat().st_size > 0


@pytest.mark.parametrize(
    "attack",
    [
        _link("manifest.csv", "diary"),
        _link("manifest.csv.part", "diary"),
        _link("videos", "folder"),
        _link("videos/00000.mp4", "diary"),
        _link("videos/00000.mp4", "nowhere"),
    ],
    ids=_named,
)
def test_generated_data(attack: Attack, place: Path) -> None:
    """What `gram demo` begins with."""
    from gramcli.errors import UserError

    output = place / "data"
    attack(output, place / "others")
    before = _snapshot(place, output)
    try:
        generate_dataset(output, 3)
    except UserError as error:
        assert "videos is a link" in error.message
    assert _snapshot(place, output) == before


@pytest.mark.parametrize("trap", [_pipe, _zeros])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("found.json", ("inspect", "found.json")),
        ("found.json", ("compare", "found.json", "store@gram")),
        ("texts.csv", ("embed", "texts.csv", "--text-only", "-o", "new")),
        ("gram.toml", ("eval", "store", "--method", "cosine")),
        ("mine.toml", ("eval", "store", "--settings", "mine.toml")),
        ("templates.txt", ("eval", "store", "--templates", "templates.txt", "--classify", "video")),
        ("hps.json", ("export", "weights", "--config", "hps.json", "-o", "new.safetensors")),
        ("weights.pt", ("inspect", "weights.pt")),
        ("found.json", ("export", "found.json", "-o", "new.trec")),
        ("weights.pt", ("export", "weights.pt", "-o", "new.safetensors")),
        ("texts.csv", ("join", "texts.csv", "store", "-o", "new")),
        ("weights.safetensors", ("inspect", "weights.safetensors")),
    ],
)
def test_inputs_that_never_end(
    name: str, arguments: tuple[str, ...], trap: Callable[[str], Attack], place: Path
) -> None:
    trap(name)(place, place / "others")
    before = _snapshot(place, place / "none")
    assert _gram(*arguments).exit_code != 0
    assert _snapshot(place, place / "none") == before


def test_an_output_twelve_hundred_folders_deep(place: Path) -> None:
    deep = "/".join(["new", *"a" * 1200])
    before = _snapshot(place, place / "new")
    try:
        assert _gram("embed", "texts.csv", "--text-only", "-o", deep, "--workers", "0").exit_code == 0
        assert (place / deep / "manifest.json").is_file()
    finally:
        subprocess.run(["rm", "-r", str(place / "new")], check=True)  # pytest's own way is recursive
    assert _snapshot(place, place / "new") == before
