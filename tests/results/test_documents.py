"""An evaluation goes out as strict JSON and comes back; wrong files are named."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from gramcli.errors import UserError
from gramcli.results.documents import dump_json, evaluation_document, load_evaluation
from gramcli.results.records import SCHEMA, RankVector
from tests.made_results import evaluation, odd_evaluation


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_evaluation_comes_back_as_it_was(tmp_path):
    path = write(tmp_path / "e.json", dump_json(evaluation_document(evaluation())))
    assert load_evaluation(path) == evaluation()


def test_the_document_is_the_contract_s():
    document = json.loads(dump_json(evaluation_document(evaluation(5))))
    assert list(document) == ["schema", "provenance", "results", "left_out", "ranks", "questions", "notes"]
    assert list(document["results"][0]) == ["task", "method", "stage", "metric", "value", "low", "high", "n"]
    assert document["left_out"] == [
        {"id": "clip_7", "modality": "audio", "reason": "clips/clip_7.mp4 has no audio track"}
    ]
    assert len(document["ranks"][0]["ranks"]) == 5


def test_numbers_that_json_lacks_become_null(tmp_path):
    text = dump_json(evaluation_document(odd_evaluation(tmp_path)))
    document = json.loads(text, parse_constant=pytest.fail)
    assert document["results"][0]["value"] is None
    assert document["provenance"]["nan"] is None
    assert document["provenance"]["path"] == str(tmp_path)
    assert text.isascii()


def test_numpy_scalars_are_written_as_numbers():
    numpy = pytest.importorskip("numpy")
    document = json.loads(dump_json({"a": numpy.float32(0.5), "b": numpy.int64(3), "c": numpy.float64("inf")}))
    assert document == {"a": 0.5, "b": 3, "c": None}


def broken(**parts):
    return json.loads(dump_json(evaluation_document(evaluation(3)))) | parts


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1, 2]", "not an evaluation's"),
        ({"results": []}, "not an evaluation's"),
        (broken(schema=SCHEMA + 1), "schema 2; this version reads 1"),
        (broken(provenance=[]), "provenance must be an object; got a list"),
        (broken(results="many"), "results must be a list; got a string"),
        (broken(results=[{"task": "t2v", "metric": "R@1"}]), r"results\[0\]\.method is missing"),
        (broken(left_out=[{"id": "a"}]), r"left_out\[0\]\.modality is missing"),
        ({"schema": SCHEMA, "provenance": {}, "results": []}, ": left_out is missing"),
        (
            {"schema": SCHEMA, "names": [], "results": [{"a": "x", "b": "y"}]},
            "a comparison's, which gram report and gram plot read",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, document, message):
    path = write(tmp_path / "wrong.json", document)
    with pytest.raises(UserError, match=message) as caught:
        load_evaluation(path)
    assert str(path) in caught.value.message
    assert caught.value.kind == "input"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranks": [0, 1, 1]}, r"ranks\[0\]\.ranks\[0\] must be a number of at least 1"),
        ({"ranks": "1 2 3"}, r"ranks\[0\]\.ranks must be a list; got a string"),
        ({"ranks": [1, True, 2]}, r"ranks\[0\]\.ranks\[1\] must be a number or null; got true or false"),
        ({"query_ids": ["a"]}, r"ranks\[0\]\.query_ids must name one query per rank, 3; got 1"),
        ({"query_ids": ["a", "b", None]}, r"ranks\[0\]\.query_ids\[2\] must be a string; got null"),
        ({"n_candidates": "many"}, r"ranks\[0\]\.n_candidates must be a whole number; got a string"),
        ({"n_candidates": -1}, r"n_candidates must be a whole number of at least 0"),
        ({"n_candidates": 2}, "has a rank of 3 among 2 candidates|has a rank of 2.5 among 2 candidates"),
        ({"tied": [[3, 1, 1]]}, r"ranks\[0\]\.tied names a query beyond the 3 there are"),
        ({"tied": [[0, 0, 1]]}, r"tied\[0\]\[1\] must be a whole number of at least 1"),
        ({"method": True}, r"ranks\[0\]\.method must be a string; got true or false"),
    ],
)
def test_damaged_ranks_are_refused(tmp_path, change, message):
    document = broken()
    document["ranks"][0] |= change
    with pytest.raises(UserError, match=message):
        load_evaluation(write(tmp_path / "e.json", document))


@pytest.mark.parametrize("value", ["0.5", True, []])
def test_a_value_that_is_no_number_is_refused(tmp_path, value):
    document = broken()
    document["results"][0]["value"] = value
    with pytest.raises(UserError, match=r"results\[0\]\.value must be a number or null; got"):
        load_evaluation(write(tmp_path / "e.json", document))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json does not exist"):
        load_evaluation(tmp_path / "none.json")
    with pytest.raises(UserError, match="is a directory"):
        load_evaluation(tmp_path)


def test_a_query_nobody_answers_keeps_its_place(tmp_path):
    vector = RankVector("v2t", "gram", ("a", "b"), (1.0, math.nan), 2)
    path = write(tmp_path / "e.json", dump_json(evaluation_document(replace(evaluation(3), ranks=(vector,)))))
    back = load_evaluation(path).ranks[0].ranks
    assert back[0] == 1.0
    assert math.isnan(back[1])


def test_notes_may_be_missing(tmp_path):
    document = broken()
    del document["notes"]
    assert load_evaluation(write(tmp_path / "e.json", document)) == replace(evaluation(3), notes=())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"notes": None}, "notes must be a list; got null"),
        ({"notes": [1]}, r"notes\[0\] must be a string; got a whole number"),
        ({"schema": "1"}, "schema: the document must be a whole number; got a string"),
        (
            {"questions": [{"task": "t2v", "digests": [], "gallery": "x", "asked_by": [], "answered_by": "items"}]},
            r"questions\[0\]\.asked_by must be",
        ),
        ({"provenance": {"model": {"heads": {"training": {"epochs": 3}}}}}, "provenance.model.heads.training.epochs"),
        ({"provenance": {"normalize": {"parameters": {"tau": "x"}}}}, "an entry of provenance.normalize.parameters"),
    ],
)
def test_other_damaged_fields_are_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        load_evaluation(write(tmp_path / "e.json", broken() | change))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("9" * 5_000, "a whole number of 5000 digits is too large"),
        ("1e999", "1e999 is too large a number"),
        ("NaN", "NaN is no number of JSON"),
        ('{"a": 1, "a": 2}', "an object names 'a' twice"),
        ("[" * 200 + "]" * 200, "nested more than 100 levels deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    ],
)
def test_what_json_readers_take_differently_is_refused(tmp_path, value, message):
    text = json.dumps(broken(notes=["HERE"])).replace('"HERE"', value)
    with pytest.raises(UserError, match=message):
        load_evaluation(write(tmp_path / "e.json", text))


def test_evaluations_of_older_versions_still_load(tmp_path):
    document = broken()
    for vector in document["ranks"]:
        del vector["tied"]
    del document["questions"]
    assert load_evaluation(write(tmp_path / "e.json", document)) == evaluation(3)
