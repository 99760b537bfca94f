"""`gram score`: its files, its tables, its exits."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.test_score import drawn, made

COLUMNS = ["task", "method", "id", "score", "z", "percentile", "p_mismatched", "p_aligned", "q", "flagged", "culprit"]


@pytest.fixture(scope="module")
def swapped(tmp_path_factory):
    """120 items of which the sounds of 24 are exchanged; one id would steer a terminal, one is a formula."""
    vectors, bad = drawn(120, 32, 3.0, swapped=0.2)
    store = made(tmp_path_factory.mktemp("scored") / "s", vectors)
    return store.path, {store.ids[k] for k in np.flatnonzero(bad)}


def test_the_swapped_are_flagged_and_every_form_says_the_same(gram, swapped, tmp_path):
    store, bad = swapped
    asked = ("score", store, "--task", "t2va", "--method", "gram")
    document = gram.json(*asked)
    flagged = {row["id"] for row in document["results"] if row["flagged"]}
    assert len(flagged & bad) >= 20
    assert len(flagged - bad) <= 4
    assert {row["culprit"] for row in document["results"] if row["id"] in flagged & bad} == {"audio"}
    assert document["summary"][0]["flagged"] == len(flagged)
    assert document["provenance"]["fdr"] == 0.1
    rows = list(csv.DictReader(io.StringIO(gram(*asked, "--format", "csv").stdout)))
    assert list(rows[0])[: len(COLUMNS)] == COLUMNS
    assert [float(row["q"]) for row in rows] == [row["q"] for row in document["results"]]
    for name in ("o.csv", "o.json", "o.parquet"):
        assert gram(*asked, "-o", name).exit_code == 0
    assert list(csv.DictReader((tmp_path / "o.csv").open())) == rows
    written = json.loads((tmp_path / "o.json").read_text())
    assert document["provenance"].pop("made")["command"].endswith("--method gram --format json")
    assert written["provenance"].pop("made")["command"].endswith("--method gram -o o.json")
    assert written == document
    frame = pd.read_parquet(tmp_path / "o.parquet")
    assert frame["q"].tolist() == [row["q"] for row in document["results"]]
    assert [one if isinstance(one, str) else None for one in frame["culprit"]] == [
        row["culprit"] for row in document["results"]
    ]


def test_people_see_a_summary_and_the_worst_twenty(gram, swapped, tmp_path):
    store, _ = swapped
    shown = gram("score", store, "--task", "t2va", "--task", "t2v", "--report", "page.html")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("t2va gram: ")
    assert "of 120 items are flagged as misaligned, of which on average at most 10% are aligned" in lines[0]
    assert lines[1] == "t2v gram: none of 120 items is flagged as misaligned."
    assert "Misaligned items: flagged at a false discovery rate of 0.1" in lines
    assert max(map(len, (line for line in lines[2:] if not line.startswith("Note")))) <= 80
    assert sum("t2va gram: the 20 that fit least, of 120" in line for line in lines) == 1
    assert sum(line.startswith("item") for line in lines) == 40
    assert "the 20 that fit least" in (tmp_path / "page.html").read_text()


def test_captions_have_rows_of_their_own(gram, store):
    found = gram.json("score", store, "--split", "all", "--task", "t2v", "--per", "caption")
    assert [(row["id"], row["caption"]) for row in found["results"][:3]] == [
        ("clip00", 0),
        ("clip00", 1),
        ("clip01", 0),
    ]


def test_what_is_left_out_is_said(gram, gappy_store):
    result = gram("score", gappy_store, "--split", "all", "--task", "t2va", "--limit", "23", "--keep", "k.csv")
    assert result.exit_code == 3, result.output
    assert "clip01  audio     clip.mp3 does not decode" in result.stdout
    assert "Wrote k.csv: 23 of 23 items." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--keep", "k.txt"), "ends in .csv or .jsonl"),
        (("-o", "k.xyz"), "no form of an answer"),
        (("--report", "k.pdf"), "HTML page"),
        (("--fdr", "2"), "between 0 and 1"),
        (("--limit", "3"), "too few"),
        (("--missing", "zero"), "zero vector"),
    ],
)
def test_wrong_command_lines_get_one_sentence(gram, store, arguments, words):
    result = gram("score", store, *arguments)
    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
