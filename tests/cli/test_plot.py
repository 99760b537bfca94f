"""`gram plot`: what it lists, what it draws from each kind of file, what it refuses in a sentence."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

import gramcli
from gramcli.report.plots.catalog import KINDS
from gramcli.report.plots.plot import split_kind
from gramcli.results.comparisons import comparison_from
from gramcli.store import write_store

FROM_VECTORS = ["scores", "spectra", "map", "matrix", "hubness"]
FROM_RETRIEVAL = ["forest", "recall", "ranks", "directions"]


@pytest.fixture
def files(gram, store):
    """An evaluation, another, and their comparison."""
    assert gram("eval", store, "--method", "gram", "--method", "cosine", "-o", "a.json").exit_code == 0
    for method in ("gram", "cosine"):
        gram("eval", store, "--method", method, "-o", f"{method}.json")
    gram("compare", f"{store}@cosine", f"{store}@gram", "-o", "c.json")
    return gram


def kinds(found):
    return [row["kind"] for row in found["results"]]


def labelled(path):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 60)
    centres = rng.normal(size=(3, 8))
    write_store(
        path,
        ids=[f"i{k}" for k in range(60)],
        splits=["train"] * 30 + ["test"] * 30,
        labels=[f"class {k}" for k in classes],
        embeddings={
            name: (centres[classes] + rng.normal(size=(60, 8))).astype(np.float32) for name in ("video", "audio")
        },
        caption_items=np.zeros(0, dtype=np.int64),
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return path


def test_a_file_alone_lists_what_it_can_serve(files, store, tmp_path):
    assert sorted(kinds(files.json("plot", "a.json"))) == sorted([*FROM_RETRIEVAL, *FROM_VECTORS])
    assert sorted(kinds(files.json("plot", store))) == sorted([*FROM_RETRIEVAL, *FROM_VECTORS])
    assert kinds(files.json("plot", "c.json")) == ["differences"]
    assert kinds(files.json("plot", "gram.json", "cosine.json")) == ["differences"]
    assert {"classes", "confusion", "accuracy"} < set(kinds(files.json("plot", labelled(tmp_path / "labelled"))))
    printed = files("plot", "c.json")
    assert "differences to the baseline" in printed.stdout
    assert "training: from heads" in printed.output


@pytest.mark.parametrize("kind", [*FROM_RETRIEVAL, *FROM_VECTORS])
def test_every_kind_is_drawn_from_an_evaluation_and_from_a_store(files, store, kind):
    for number, source in enumerate(("a.json", store)):
        done = files("plot", source, kind, "-o", f"{number}.svg", "--task", "t2va", "--method", "gram")
        assert done.exit_code == 0, done.output
        assert done.stdout == ""
        assert f"Wrote {number}.svg." in done.stderr
    pictures = [open(f"{number}.svg", encoding="utf-8").read() for number in (0, 1)]  # noqa: SIM115, PTH123
    assert pictures[0] == pictures[1]
    ElementTree.fromstring(pictures[0])


def test_comparisons_are_drawn_read_back_or_made(files):
    read = files("plot", "c.json", "differences", "-o", "a.svg")
    made = files("plot", "cosine.json", "gram.json", "differences", "-o", "b.pdf", "--title", "Two")
    assert (read.exit_code, made.exit_code) == (0, 0), (read.output, made.output)
    assert "no difference shown" in read.stderr


def test_classes_are_drawn_from_a_store_with_labels(gram, tmp_path):
    store = labelled(tmp_path / "labelled")
    for kind in ("classes", "confusion", "accuracy"):
        done = gram("plot", store, kind, "-o", f"{kind}.png")
        assert done.exit_code == 0, done.output
    assert gram.json("plot", store, "confusion", code=2)["error"]["message"].endswith("confusion -o confusion.svg")


def test_training_is_drawn_from_heads(gram, store):
    gram("align", store, "-o", "heads", "--loss", "gram", "--epochs", "3", "--warm-up", "0", "--dim", "4")
    assert kinds(gram.json("plot", "heads")) == ["training"]
    assert gram("plot", "heads:heads", "training", "-o", "t.svg").exit_code == 0
    done = gram("plot", store, "map", "--model", "heads:heads", "--split", "test", "-o", "m.svg")
    assert done.exit_code == 0, done.output
    seen = ("eval", store, "--model", "heads:heads", "--split", "test", "--task", "t2v", "--method", "cosine")
    assert gram(*seen, "--format", "json", "-o", "seen.json").exit_code == 0
    assert {"training", "map", "scores"} <= set(kinds(gram.json("plot", "seen.json")))
    shutil.move("heads", "elsewhere")
    assert "training" in kinds(gram.json("plot", "seen.json"))  # the evaluation has the curve itself
    gone = gram("plot", "seen.json", "map", "-o", "m.svg")
    assert gone.exit_code == 2
    assert "heads holds no heads" in gone.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.json", "recall"], 2, "A figure needs a file, .svg, .pdf or .png: gram plot a.json recall -o recall.svg"),
        (["a.json", "recal", "-o", "x.svg"], 2, "Did you mean 'recall'?"),
        (["recall"], 2, "Name a file first: gram plot FILE recall"),
        (["a.json", "recall", "-o", "x.jpg"], 2, "no form of a figure"),
        (["a.json", "training", "-o", "x.svg"], 2, "training is drawn from heads that `gram align` wrote, or"),
        (["a.json", "differences", "-o", "x.svg"], 2, "two or more evaluations"),
        (["c.json", "map", "-o", "x.svg"], 2, "map is drawn from a store"),
        (["a.json", "recall", "-o", "x.svg", "--task", "t2d"], 1, "nothing to draw as recall (of t2d)"),
        (["a.json", "forest", "-o", "x.svg", "--limit", "3"], 2, "--limit is about the items of a STORE"),
        (["a.json", "forest", "-o", "x.svg", "--model", "heads:h"], 2, "a STORE is seen through heads"),
        (["none.json"], 1, "none.json does not exist. Figures are drawn from"),
        (["a.json", "forest", "-o", "no/where.svg"], 1, "Make the folder first."),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(files, words, code, message):
    done = files("plot", *words)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_store_that_is_gone_or_another_is_said(gram, store, tmp_path):
    copied = tmp_path / "emb"
    shutil.copytree(store, copied)
    gram("eval", copied, "--method", "gram", "-o", "a.json")
    shutil.rmtree(copied)
    assert "is not there" in gram("plot", "a.json", "map", "-o", "m.svg").stderr
    assert kinds(gram.json("plot", "a.json")) == FROM_RETRIEVAL
    labelled(copied)
    assert "does not hold what was evaluated" in gram("plot", "a.json", "map", "-o", "m.svg").stderr
    assert gram("plot", "a.json", "recall", "-o", "r.svg").exit_code == 0


def test_damaged_comparisons_are_refused(files, tmp_path):
    document = json.loads((tmp_path / "c.json").read_text())
    for key, value, message in (
        ("schema", 9, "has schema 9"),
        ("results", [{"task": 1}], "results[0]"),
        ("names", 3, "names"),
    ):
        (tmp_path / "d.json").write_text(json.dumps(document | {key: value}))
        done = files("plot", "d.json")
        assert done.exit_code == 1
        assert message in done.stderr
    found = comparison_from(document, tmp_path / "c.json")
    assert len(found.rows) == len(document["results"])
    assert kinds(files.json("plot", "c.json")) == kinds({"results": [{"kind": "differences"}]})


def test_the_same_from_python(files, store):
    found = gramcli.plot("a.json", kind="recall", tasks=["t2va"], output="r.png")
    assert open("r.png", "rb").read(4) == b"\x89PNG"  # noqa: SIM115, PTH123
    assert found._repr_svg_().startswith("<?xml")
    assert gramcli.plot(gramcli.open_store(store), kind="map").figure.axes
    first, second = (gramcli.evaluate(store, methods=[name]) for name in ("cosine", "gram"))
    assert "minus" in gramcli.plot(gramcli.compare(first, second), kind="differences").caption


def test_a_kind_may_have_a_file_s_name(gram, tmp_path):
    (tmp_path / "map").mkdir()
    assert split_kind(["map"]) == (["map"], None)
    assert split_kind(["emb", "map"]) == (["emb"], "map")


def test_the_help_names_every_kind(gram):
    text = " ".join(gram("plot", "--help").output.split())
    assert all(name in text for name in KINDS.names())
