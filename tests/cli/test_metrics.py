"""`gram metrics`: what every figure means, in step with what evaluations give."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gramcli.catalog import Catalog
from gramcli.cli.main import app
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
        status={"audio": ["ok"] * ITEMS},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return path


RUNS = (
    ("retrieval", False, "--split all --task t2va --method gram"),
    ("retrieval", False, "--split all --task t2v --method cosine --relevant label"),
    ("retrieval", False, "--split all --pool shared --method cosine"),
    ("classification", False, "--split test --task t2v"),
    ("classification", True, "--split test --task t2v"),
    ("geometry", False, "--split all --task t2va --method gram --method pmrl"),
)
KINDS = ("retrieval", "classification", "geometry")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Kind of figures -> the metrics that evaluations of two small stores give."""
    folder = tmp_path_factory.mktemp("given")
    stores = [str(labelled_store(folder / str(several), several=several)) for several in (False, True)]
    found = {kind: set() for kind in KINDS}
    for kind, several, asked in RUNS:
        words = ["eval", stores[several], "--metrics", kind, *asked.split(), "--format", "json"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        metrics = {row["metric"] for row in json.loads(result.stdout)["results"]}
        found[kind] |= {re.sub(r":[a-z]+", ":MODALITY", metric) for metric in metrics}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_that_evaluations_give_is_in_the_catalog(given, kind):
    catalog = {row.name for row in METRICS if row.kind == kind} | ({"mAP"} if kind == "classification" else set())
    assert given[kind] <= catalog
    assert catalog <= given[kind]


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
