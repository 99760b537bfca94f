"""`gram metrics`: what every figure means, in step with what evaluations give."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gramcli.catalog import Catalog
from gramcli.metrics.catalog import METRICS
from gramcli.metrics.geometry.catalog import GEOMETRY
from gramcli.report import Format
from gramcli.store import write_store

ITEMS, DIM = 64, 8


def labelled_store(path, *, several=False):
    """64 items of seven classes, several captions, two items alike, one without extent."""
    random = np.random.default_rng(1)
    owners = np.array([0, 0, *range(ITEMS)])

    def rows(n):
        found = random.normal(size=(n, DIM)).astype(np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    text, video, audio = rows(len(owners)), rows(ITEMS), rows(ITEMS)
    text[5] = text[6]
    audio[3] = video[3]
    labels = [f"class{i % 7}{'|class0' if several else ''}" for i in range(ITEMS)]
    write_store(
        path,
        ids=[f"i{i:02d}" for i in range(ITEMS)],
        splits=["train" if i % 2 else "test" for i in range(ITEMS)],
        labels=labels,
        embeddings={"text": text, "video": video, "audio": audio},
        caption_items=owners,
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return path


@pytest.mark.parametrize("several", [False, True])
def test_every_metric_that_evaluations_give_is_in_the_catalog(gram, tmp_path, several):
    store = labelled_store(tmp_path / "emb", several=several)
    kinds = {row.name: row.kind for row in METRICS}
    emitted = set()
    for kind in ("retrieval", "classification", "geometry"):
        found = {row["metric"] for row in gram.json("eval", store, "--metrics", kind, "--split", "all")["results"]}
        asked = ("--metrics", kind, "--split", "test", "--relevant", "label" if kind == "retrieval" else "item")
        found |= {row["metric"] for row in gram.json("eval", store, *asked)["results"]}
        assert found <= set(kinds), found - set(kinds)
        assert {kinds[name] for name in found} <= {kind, "retrieval"}
        emitted |= found
    assert {"R@50", "recall@5", "n_degenerate", "n_duplicate_texts", "hubness@10", "aggregation_gain"} <= emitted
    assert emitted >= ({"mAP"} if several else {"accuracy", "top5", "macro_f1", "mean_recall"})


def test_the_catalog_holds_nothing_that_no_evaluation_gives(gram, tmp_path):
    store = labelled_store(tmp_path / "emb")
    given = set()
    for kind in ("retrieval", "classification", "geometry"):
        given |= {row["metric"] for row in gram.json("eval", store, "--metrics", kind, "--split", "test")["results"]}
    given |= {row["metric"] for row in gram.json("eval", store, "--split", "all", "--relevant", "label")["results"]}
    given |= {row["metric"] for row in gram.json("eval", store, "--split", "all")["results"]}
    assert set(METRICS.names()) - given <= {"recall@50"}


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_rows_are_whole_and_their_code_is_there(row):
    assert callable(METRICS.load(row.name))
    assert all((row.low, row.high, row.direction, row.formula, row.source))


def test_the_catalog_is_plain_data_and_loads_no_torch():
    code = "import sys; import gramcli.metrics.catalog; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert isinstance(METRICS, Catalog)
    assert METRICS.names()[-len(GEOMETRY.names()) :] == GEOMETRY.names()


def test_the_list_in_every_format(gram):
    document = gram.json("metrics")
    assert [row["name"] for row in document["results"]] == METRICS.names()
    assert set(document["results"][0]) == {"name", "kind", "range", "direction", "formula", "source"}
    table = pd.read_csv(io.StringIO(gram("metrics", "--format", "csv").stdout))
    assert table["name"].tolist() == METRICS.names()
    for form in Format:
        result = gram("metrics", "--format", form.value)
        assert result.exit_code == 0
        assert "nDCG" in result.stdout
    assert "volume_positive_q05 to _q95" in gram("metrics").stdout
    assert "volume_positive_q25" not in gram("metrics").stdout


@pytest.mark.parametrize("form", [form.value for form in Format])
def test_one_metric_in_every_format(gram, form):
    result = gram("metrics", "R@1", "--format", form)
    assert result.exit_code == 0
    assert "share of queries with" in result.stdout
    assert "recall" not in result.stdout


def test_an_unknown_metric_gets_a_near_name(gram):
    result = gram("metrics", "r@1")
    assert result.exit_code == 2
    assert "Unknown metric 'r@1'. Did you mean 'R@1'? `gram metrics` lists all." in result.stderr
    assert gram.json("metrics", "nonsense", code=2)["error"]["kind"] == "usage"
