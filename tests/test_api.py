"""The public API: late names, the command line's arguments, results that show themselves."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import gramcli
from gramcli.cli.align import align_command
from gramcli.cli.compare import compare_command
from gramcli.cli.embed import embed_command
from gramcli.cli.eval import eval_command
from gramcli.cli.importing import import_command
from gramcli.cli.leaderboard import leaderboard_command
from gramcli.cli.matrix import matrix_command
from gramcli.cli.plot import plot_command
from gramcli.cli.report import report_command
from gramcli.cli.score import score_command
from tests.cli.conftest import make_store
from tests.media_factory import write_image

VERBS = {
    "evaluate": (eval_command, {"expect", "report", "output"}),
    "embed": (embed_command, {"dry_run"}),
    "align": (align_command, {"report"}),
    "compare": (compare_command, {"output", "report"}),
    "leaderboard": (leaderboard_command, {"output", "report"}),
    "matrix": (matrix_command, {"output"}),
    "plot": (plot_command, {"operands"}),
    "score": (score_command, {"keep", "report", "output"}),
    "import_features": (import_command, {"formats"}),
    "write_report": (report_command, set()),
}
PLURAL = {
    "task": "tasks",
    "method": "methods",
    "classifier": "classifiers",
    "modality": "modalities",
    "metric": "metrics",
}
OURS = {"watch", "targets", "kind"}
ONLY_OURS = {"compare": {"per_query"}}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "emb")


def plain(value: object) -> object:
    """A default of the command line as the API writes it."""
    return getattr(value, "value", value) or None


@pytest.mark.parametrize("verb", VERBS)
def test_arguments_are_those_of_the_command_line(verb: str) -> None:
    command, only_there = VERBS[verb]
    ours = inspect.signature(getattr(gramcli, verb)).parameters
    theirs = inspect.signature(command).parameters
    names = set(theirs) - only_there - {"session"}
    renamed = {PLURAL[name] if name in PLURAL and PLURAL[name] in ours else name for name in names}
    assert renamed == set(ours) - OURS - ONLY_OURS.get(verb, set())
    for name in names:
        here = ours[PLURAL[name] if name in PLURAL and PLURAL[name] in ours else name]
        if theirs[name].default is not inspect.Parameter.empty and here.default is not inspect.Parameter.empty:
            assert plain(here.default) == plain(theirs[name].default), name


def test_names_are_late_and_all_there() -> None:
    code = (
        "import sys, gramcli; assert not {'torch', 'numpy', 'pandas'} & set(sys.modules); "
        "[getattr(gramcli, name) for name in gramcli.__all__]; print(len(gramcli.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(len(gramcli.__all__)), "")
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        _ = gramcli.evalute  # type: ignore[attr-defined]


def made_folder(store: Path) -> Path:
    """A folder with a picture in it."""
    folder = store.parent / "media"
    folder.mkdir()
    write_image(folder / "a.png")
    return folder


def test_open_objects_are_taken_where_paths_are(store: Path) -> None:
    opened = gramcli.open_store(store)
    assert repr(opened) == f"Store({str(store)!r}: 24 items; text 16, video 16, audio 16)"
    assert gramcli.inspect(opened).facts == gramcli.inspect(store).facts
    found = gramcli.evaluate(opened, metrics="geometry", tasks="t2v")
    assert gramcli.inspect(found).kind == "evaluation"
    with pytest.raises(gramcli.UserError, match="holds no ranks"):
        gramcli.compare(found, found)
    with pytest.raises(gramcli.UserError, match="leave dataset out"):
        gramcli.evaluate(opened, dataset=made_folder(store))


def test_one_name_alone_is_a_list_of_one(store: Path) -> None:
    found = gramcli.evaluate(store, tasks="t2va", methods="gram", metrics="retrieval")
    assert {row.method for row in found.results} == {"gram"}
    assert gramcli.compare(found, found, tasks="t2va", methods="gram").rows


def test_the_door_lists_what_it_offers() -> None:
    assert sorted(gramcli.__all__) == [name for name in dir(gramcli) if not name.startswith("__")]


def test_evaluate_takes_paths_and_open_stores(store: Path) -> None:
    found = gramcli.evaluate(str(store), tasks=["t2va"], methods=["gram"])
    again = gramcli.evaluate(gramcli.open_store(store), tasks=["t2va"], methods=["gram"])
    assert found.results == again.results


def test_results_are_frames_json_and_pages(store: Path, tmp_path: Path) -> None:
    found = gramcli.evaluate(store, tasks=["t2va"], methods=["gram", "cosine"])
    frame = found.to_frame()
    assert list(frame.columns) == ["task", "method", "stage", "metric", "value", "low", "high", "n"]
    assert len(frame) == len(found.results)
    assert json.loads(found.to_json())["results"][0]["metric"] == "R@1"
    assert found.report(tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert repr(found).startswith("Retrieval, stage raw")
    assert "<table>" in found._repr_html_()
    compared = gramcli.compare(f"{store}@cosine", found, tasks=["t2va"], methods=["gram"])
    assert isinstance(compared.to_frame(), pd.DataFrame)
    assert "B - A" in repr(compared)
    assert "<h1>" in compared.report(tmp_path / "compared.html").read_text()


def test_what_is_shown_in_a_notebook_is_escaped(tmp_path: Path) -> None:
    store = make_store(tmp_path / "<img src=x onerror=alert(1)>")
    assert "<img" not in gramcli.inspect(store)._repr_html_()
    assert "<img" not in gramcli.inspect(store).report(tmp_path / "page.html").read_text()


def test_matrix_is_a_frame_of_ids(store: Path) -> None:
    frame = gramcli.matrix(store, "v2a", "gram", split="test").to_frame()
    assert frame.shape == (12, 12)
    assert frame.index[0] == frame.columns[0] == "clip12"


def test_align_then_see_the_store_through_the_heads(store: Path, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    found = gramcli.align(store, heads, loss="cosine", epochs=2, dim=8)
    assert len(found.history) == 2 and "cosine heads" in repr(found)
    assert gramcli.inspect(heads).kind == "heads"
    seen = gramcli.embed(store, tmp_path / "seen", model=f"heads:{heads}", from_store=store)
    assert seen.items == 24
    through = gramcli.evaluate(store, model=f"heads:{heads}", tasks=["t2v"], methods=["cosine"])
    direct = gramcli.evaluate(tmp_path / "seen", tasks=["t2v"], methods=["cosine"])
    assert [row.value for row in through.results] == [row.value for row in direct.results]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda store: gramcli.evaluate(store, tasks=["q2x"]), "unknown letter 'q'"),
        (lambda store: gramcli.evaluate(store, templates="photo"), "--templates is about classification"),
        (lambda store: gramcli.evaluate(store, missing="dropp"), "--missing 'dropp' is not one of"),
        (lambda store: gramcli.evaluate(3), "A int is no store"),
        (gramcli.compare, "at least one more"),
        (lambda store: gramcli.compare(store, "b", "b"), "b is to be compared twice"),
        (gramcli.matrix, "Name one task"),
        (lambda store: gramcli.embed(store / "nothing", "x"), "no such file or folder"),
        (lambda store: gramcli.align(store, "x", loss="gramm"), "Did you mean 'gram'"),
    ],
)
def test_mistakes_are_sentences(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gramcli.UserError, match=message):
        call(store)


PROGRAM = """
import gramcli

found = gramcli.evaluate("store", tasks=["t2va"], methods=["gram"], missing="drop")
value: float | None = found.results[0].value
frame = gramcli.compare("a", "b", tasks=["t2va"]).to_frame()
columns: list[str] = list(frame.columns)
ok: int = gramcli.embed("clips", "store", timeout="2m").ok["video"]
best: int = gramcli.align("store", "heads", loss="gram").best
page = gramcli.inspect("store").report("page.html").name.upper()
store = gramcli.open_store("store")
higher: bool = gramcli.get_method("gram").higher_is_better
"""


def test_a_typed_program_passes_mypy_strict(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    # As the Makefile runs it, just before: strict, by the settings of this project, with what it remembers of them.
    command = [sys.executable, "-m", "mypy", str(tmp_path / "program.py")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
        env={"MYPYPATH": ".", "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
