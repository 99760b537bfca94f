"""`gram eval --metrics classification` on a small labelled manifest, from media to tables."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

COLOURS = {"dark_red": (150, 10, 10), "sea_green": (30, 140, 90), "deep_blue": (10, 20, 160)}


@pytest.fixture
def manifest(gram, tmp_path):
    """36 noisy pictures of three colours: 18 train, 6 val, 12 test, one of these without a label."""
    random = np.random.default_rng(0)
    lines = ["id,image,caption,label,split"]
    for k in range(36):
        name, colour = list(COLOURS.items())[k % 3]
        pixels = np.clip(np.array(colour) + random.normal(0, 40, (24, 24, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"p{k:02d}.png")
        split = "train" if k < 18 else "val" if k < 24 else "test"
        lines.append(f"p{k:02d},p{k:02d}.png,picture {k},{'' if k == 35 else name},{split}")
    (tmp_path / "colours.csv").write_text("\n".join(lines))
    return tmp_path / "colours.csv"


ASKED = ("--metrics", "classification", "--workers", "0")


def test_a_model_on_a_labelled_manifest(gram, manifest):
    asked = ("eval", "signal", "--dataset", manifest, *ASKED, "--method", "cosine", "--method", "gram")
    document = gram.json(*asked, "--templates", "photo", "--knn", "3", code=3)
    assert [(row["task"], row["method"]) for row in document["results"] if row["metric"] == "accuracy"] == [
        ("i2class", "cosine"),
        ("i2class", "gram"),
        ("i", "knn(k=3)"),
        ("i", "probe"),
    ]
    figures = {(row["method"], row["metric"]): row for row in document["results"]}
    assert figures["probe", "accuracy"]["value"] > 0.8
    assert {row["n"] for row in document["results"]} == {11}
    assert document["left_out"] == [{"id": "p35", "modality": "label", "reason": "no label"}]
    told = document["provenance"]["classification"]
    assert told["classes"] == ["dark red", "deep blue", "sea green"]
    assert len(told["templates"]) == 6
    assert told["items"] == {"tested": 11, "train": 18, "validation": 6}
    rows = pd.read_csv(io.StringIO(gram(*asked, "--format", "csv").stdout))
    assert list(rows.columns) == ["task", "method", "stage", "metric", "value", "low", "high", "n"]
    assert set(rows.stage) == {"raw"}
    table = gram(*asked).stdout
    assert table.startswith("Classification: per cent")
    assert max(map(len, table.partition("\n\n")[0].splitlines())) <= 100


def test_a_named_split_still_learns_from_train(gram, manifest):
    named = gram.json(
        "eval", "signal", "--dataset", manifest, *ASKED, "--split", "test", "--limit", "4", "--classifier", "knn"
    )
    assert {row["n"] for row in named["results"]} == {4}
    assert named["provenance"]["store"]["items"] == 18 + 6 + 4
    alone = (
        "eval",
        "signal",
        "--dataset",
        manifest,
        *ASKED,
        "--split",
        "test",
        "--limit",
        "4",
        "--classifier",
        "zero-shot",
    )
    assert gram.json(*alone, "--method", "cosine")["provenance"]["store"]["items"] == 4


def test_retrieval_and_classification_together(gram, manifest):
    asked = ("eval", "signal", "--dataset", manifest, "--metrics", "retrieval", *ASKED)
    document = gram.json(*asked, "--task", "t2i", "--method", "cosine", code=3)
    assert {"t2i", "i2t", "i2class", "i"} == {row["task"] for row in document["results"]}


def test_a_store_needs_no_model_but_for_zero_shot(gram, manifest):
    assert gram("embed", manifest, "-o", "emb", "--model", "signal", "--workers", "0").exit_code == 0
    result = gram("eval", "emb", *ASKED)
    assert result.exit_code == 3, result.output
    assert "No zero-shot: the model must encode class names: gram eval MODEL --dataset DATA" in result.stdout
    assert gram("eval", "emb", *ASKED, "--expect", "i:probe:accuracy=1+-0.3").exit_code == 3
    reported = gram("eval", "emb", *ASKED, "--report", "r.html")
    assert reported.exit_code == 3, reported.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--templates", "fotos"], 2, "neither a file nor one of plain"),
        (["--classifier", "zero-shot"], 2, "the model must encode class names"),
        (["--classifier", "svm"], 2, "svm"),
        (["--knn", "0"], 2, "--knn"),
        (["--knn", "19"], 2, "--knn 19: only 18 labelled items of split 'train' are there to vote; name 18 or less"),
        (["--per-query", "q.csv"], 2, "--per-query is about retrieval"),
        (["--root", "."], 2, "--root is where the files of --dataset lie"),
        (["--normalize", "dsl"], 2, "--normalize is about retrieval"),
        (["--split", "all"], 1, "itself evaluated; name another with --split"),
    ],
)
def test_mistakes_are_one_sentence(gram, manifest, arguments, code, message):
    gram("embed", manifest, "-o", "emb", "--model", "signal", "--workers", "0")
    result = gram("eval", "emb", *ASKED, *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr


def test_a_store_without_labels_says_what_to_add(gram, store):
    result = gram("eval", store, "--metrics", "classification")
    assert result.exit_code == 1
    assert "No item of made has a label. Put the media into a folder per class, or add a column" in result.stderr


@pytest.mark.parametrize("option", [("--knn", "10"), ("--classifier", "knn"), ("--templates", "plain")])
def test_options_of_classification_are_refused_elsewhere(gram, store, option):
    result = gram("eval", store, *option)
    assert result.exit_code == 2
    assert f"{option[0]} is about classification; add --metrics classification" in result.stderr
