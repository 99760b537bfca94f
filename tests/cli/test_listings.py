"""`gram methods`, `gram doctor` and `gram inspect`."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from gramcli.inspection.doctor import Check, check_cache, check_package
from gramcli.methods import METHODS
from gramcli.report.listings import doctor_answer
from gramcli.results.documents import dump_json, evaluation_document
from tests.made_results import evaluation


def test_methods_are_the_catalog(gram):
    document = gram.json("methods")
    assert [row["name"] for row in document["results"]] == METHODS.names()
    output = gram("methods").stdout
    assert all(method.paper in output and method.formula in output for method in METHODS)


def test_methods_lists_the_normalisations_with_their_defaults(gram):
    output = gram("methods").stdout
    assert "(S + c) softmax(tau S)" in output
    assert all(text in output for text in ("tau=100", "k=10", "beta=20, k=1"))
    assert gram.json("methods")["normalizations"][0]["defaults"] == {"tau": 100.0}


def test_methods_can_be_written_to_a_file_in_the_suffix_s_format(gram, tmp_path):
    result = gram("methods", "-o", "methods.csv")
    assert result.stdout == ""
    assert result.stderr.startswith("Wrote methods.csv.")
    assert pd.read_csv(tmp_path / "methods.csv").name.tolist() == METHODS.names()


def test_doctor_names_versions_and_devices(gram):
    document = gram.json("doctor")
    assert document["works"] is True
    assert {"gramcli", "torch", "decord2", "devices", "cache"} <= {row["name"] for row in document["results"]}


def test_a_package_that_does_not_import_is_a_finding():
    check = check_package("gramcli_no_such_module", "nothing", "this test")
    assert not check.works
    assert "install nothing again" in check.detail
    assert "NO" in doctor_answer([check]).tables[0].rows[0]


def test_a_cache_that_cannot_be_written_is_a_finding(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "file" / "below"))
    check = check_cache()
    assert isinstance(check, Check)
    assert not check.works
    assert "GRAM_CACHE" in check.detail


def test_inspect_a_store(gram, gappy_store):
    document = gram.json("inspect", gappy_store)
    assert document["kind"] == "store"
    counts = {row["modality"]: (row["dim"], row["ok"], row["absent"], row["failed"]) for row in document["counts"]}
    assert counts == {"text": (16, 24, 0, 0), "video": (16, 24, 0, 0), "audio": (16, 22, 0, 2)}
    assert document["missing"][0] == {"id": "clip00", "modality": "audio", "reason": "clip.mp3 does not decode"}
    facts = dict(document["facts"])
    assert facts["splits"] == "train 12, test 12"
    assert facts["captions"] == "25"


def test_inspect_an_evaluation(gram, tmp_path):
    (tmp_path / "e.json").write_text(dump_json(evaluation_document(evaluation(4))))
    document = gram.json("inspect", "e.json")
    assert document["kind"] == "evaluation"
    assert dict(document["facts"])["methods"] == "cosine, gram, pmrl"
    assert document["missing"][0]["id"] == "clip_7"


def test_inspect_a_manifest_names_files_that_are_not_there(gram, tmp_path):
    (tmp_path / "m.csv").write_text("id,video,caption\na,a.mp4,a cat\nb,b.mp4,a dog\n")
    (tmp_path / "a.mp4").write_bytes(b"x")
    document = gram.json("inspect", "m.csv")
    assert document["kind"] == "dataset"
    assert {(row["id"], row["modality"]) for row in document["missing"]} == {("b", "video"), ("b", "audio")}
    rows = pd.read_csv(io.StringIO(gram("inspect", "m.csv", "--format", "csv").stdout)).set_index("fact")
    assert rows.value["video failed"] == "1"
    assert "m.csv is a dataset" in gram("inspect", "m.csv").stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none", None, "does not exist"),
        ("MSRVTT", None, "it is the name of a dataset: gram datasets msrvtt explains it"),
        ("e.json", "{", "is not JSON"),
        ("e.json", '{"schema": 9, "results": []}', "has schema 9"),
        ("x.dat", "x", "x.dat is"),
        ("e.npz", "x", "gram import e.npz -o STORE, or in Python gramcli.store.write_store"),
        ("hps.json", "{}", "is the configuration of a checkpoint. Inspect the checkpoint, such as"),
        ("other.json", '{"model_cfg": {}}', "is the configuration of a checkpoint"),
    ],
)
def test_inspect_what_is_nothing_known(gram, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    result = gram("inspect", name)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stdout == ""


def test_inspect_a_folder_above_checkpoints(gram, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "runs" / name / "log").mkdir(parents=True)
    result = gram("inspect", "runs")
    assert result.exit_code == 1
    assert "runs is a folder above checkpoints, heads or stores: a, b. Give one of them" in result.stderr


@pytest.mark.parametrize("name", ["MSRVTT", "MSR-VTT", "msr_vtt"])
def test_datasets_are_found_however_their_names_are_spelled(gram, name):
    assert gram("datasets", name).stdout == gram("datasets", "msrvtt").stdout
    assert "'msrvtt' needs --root" in gram("embed", name, "-o", "emb").stderr
