"""Whole evaluations of small stores, with their figures recomputed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli.errors import UserError
from gramcli.evaluation.matrix import alignment_matrix
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.selection import default_tasks
from gramcli.modalities import parse_task
from gramcli.scoring.scores import score_matrix
from gramcli.store import open_store, write_store
from tests.small_stores import D, make_store

TASK = parse_task("t2va")


def figure(found, task: str, method: str, metric: str) -> float:
    (row,) = [row for row in found.results if (row.task, row.method, row.metric) == (task, method, metric)]
    return row.value


def ranks_of(found, task: str, method: str) -> list[float]:
    (vector,) = [vector for vector in found.ranks if (vector.task, vector.method) == (task, method)]
    return list(vector.ranks)


def slow_ranks(scores: torch.Tensor, higher: bool) -> list[int]:
    keys = scores if higher else -scores
    return [1 + int((row > row[i]).sum()) for i, row in enumerate(keys)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "plain", 14)


@pytest.fixture(scope="module")
def found(store):
    return measure(store, tasks=[TASK, parse_task("t2v")], methods=["cosine", "gram"])


@pytest.mark.parametrize(("method", "higher"), [("cosine", True), ("gram", False)])
def test_figures_are_those_of_the_score_matrix(store, found, method: str, higher: bool) -> None:
    queries = {"text": store.embeddings("text")}
    candidates = {name: store.embeddings(name) for name in ("video", "audio")}
    scores = score_matrix(method, queries, candidates, dtype=torch.float64)
    for task, matrix in (("t2va", scores), ("va2t", scores.T)):
        expected = slow_ranks(matrix, higher)
        assert ranks_of(found, task, method) == expected
        assert figure(found, task, method, "R@1") == pytest.approx(np.mean(np.array(expected) <= 1))
        assert figure(found, task, method, "R@5") == pytest.approx(np.mean(np.array(expected) <= 5))
        assert figure(found, task, method, "MedR") == np.median(expected)
        assert figure(found, task, method, "MRR") == pytest.approx(np.mean(1 / np.array(expected)))


def test_aggregation_gain_is_joint_minus_the_best_single_pair(store, found) -> None:
    def pair_hits(method: str, name: str, backward: bool) -> float:
        sides = {"text": store.embeddings("text")}, {name: store.embeddings(name)}
        scores = score_matrix(method, *sides, dtype=torch.float64)
        return float(np.mean(np.array(slow_ranks(scores.T if backward else scores, method == "cosine")) <= 1))

    for task, backward in (("t2va", False), ("va2t", True)):
        hits = {m: max(pair_hits(m, name, backward) for name in ("video", "audio")) for m in ("cosine", "gram")}
        joint = figure(found, task, "gram", "R@1")
        assert figure(found, task, "gram", "aggregation_gain") == pytest.approx(joint - hits["gram"])
        assert figure(found, task, "gram", "aggregation_gain_any") == pytest.approx(joint - max(hits.values()))
    assert not [row for row in found.results if row.task == "t2v" and row.metric.startswith("aggregation_gain")]


def test_a_gain_compares_like_with_like_and_says_with_what(tmp_path: Path) -> None:
    """Sound is noise and video points opposite to text: cosines of the pair are useless, volumes are not."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(30, D))
    rows = {"text": text, "video": -text + 0.05 * rng.normal(size=text.shape), "audio": rng.normal(size=text.shape)}
    write_store(
        tmp_path / "opposite",
        ids=[f"i{k:02d}" for k in range(30)],
        splits=[None] * 30,
        labels=[None] * 30,
        embeddings={name: x.astype(np.float32) for name, x in rows.items()},
        caption_items=np.arange(30),
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    opened = open_store(tmp_path / "opposite")
    evaluated = measure(opened, tasks=[parse_task("t2va")], methods=["gram", "cosine", "triangle"])
    assert figure(evaluated, "t2va", "gram", "aggregation_gain") <= 0  # sound cannot help where t2v is all right
    against = {(one["task"], one["method"]): one for one in evaluated.provenance["gains"]}
    assert against["t2va", "gram"]["same"] == {"task": "t2v", "method": "gram", "R@1": 1.0}
    assert against["t2va", "cosine"]["any"] == {"task": "t2v", "method": "gram", "R@1": 1.0}
    assert against["t2va", "triangle"]["same"] is None
    assert "aggregation_gain" not in {r.metric for r in evaluated.results if r.method == "triangle"}


def test_several_captions_share_their_item(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 8, captions=(3, 1, 2, 1, 1, 2, 1, 1))
    found = measure(store, tasks=[parse_task("t2v")], methods=["cosine"])
    scores = score_matrix(
        "cosine", {"t": store.embeddings("text")}, {"v": store.embeddings("video")}, dtype=torch.float64
    )
    owners = store.caption_items()
    forward = [1 + int((row > row[owner]).sum()) for row, owner in zip(scores, owners, strict=True)]
    backward = []
    for item in range(8):
        column, mine = scores[:, item], owners == item
        backward.append(1 + int((column[~mine] > column[mine].max()).sum()))
    assert ranks_of(found, "t2v", "cosine") == forward
    assert ranks_of(found, "v2t", "cosine") == backward
    vector = found.ranks[0]
    assert vector.query_ids == tuple(f"item{k:02d}" for k in owners.tolist())
    assert {row.metric for row in found.results if row.task == "v2t"} >= {"mAP", "nDCG@10", "recall@10"}
    assert "recall@10" not in {row.metric for row in found.results if row.task == "t2v"}


def test_left_out_items_are_listed_once_for_all_methods(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 9, without={"audio": (2, 5)})
    found = measure(store, tasks=[TASK, parse_task("t2v")])
    assert [(entry.id, entry.modality) for entry in found.left_out] == [("item02", "audio"), ("item05", "audio")]
    assert found.provenance["tasks"]["t2va"] | {"gallery_sha256": ""} == {
        "queries": 7,
        "candidates": 7,
        "left_out": 2,
        "gallery_sha256": "",
    }
    assert found.provenance["tasks"]["t2v"]["candidates"] == 9
    assert {vector.method for vector in found.ranks if vector.task == "t2va"} >= {"triangle", "gram", "pmrl"}


def test_present_policy_scores_what_is_there(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 9, without={"audio": (2, 5)})
    found = measure(store, tasks=[TASK], options=EvalOptions(missing="present"))
    assert not found.left_out
    assert len(ranks_of(found, "t2va", "gram")) == len(ranks_of(found, "t2va", "triangle")) == 7
    both = measure(store, tasks=[TASK], methods=["gram"])
    assert ranks_of(found, "t2va", "gram") == ranks_of(both, "t2va", "gram")
    assert [v.query_ids for v in found.ranks if v.task == "t2va/t2v" and v.method == "gram"] == [("item02", "item05")]
    assert {v.task for v in found.ranks} == {"t2va", "va2t", "t2va/t2v", "va2t/v2t"}
    matrix = alignment_matrix(store, TASK, "gram", EvalOptions(missing="present")).scores
    pair = alignment_matrix(store, parse_task("t2v"), "gram").scores
    np.testing.assert_allclose(matrix[:, [2, 5]], pair[:, [2, 5]], rtol=1e-5)
    zero = alignment_matrix(store, TASK, "gram", EvalOptions(missing="zero")).scores
    assert not zero[:, [2, 5]].any()
    notes = measure(store, tasks=[TASK], methods=["gram"], options=EvalOptions(missing="zero")).notes
    assert any("as zero vectors (items: audio 2)" in note and "silence" not in note for note in notes)
    assert any("2 items have linearly dependent modality vectors, 2 of them because a zero" in note for note in notes)
    assert not any("find out why" in note for note in notes)
    matrix_notes = alignment_matrix(store, TASK, "gram", EvalOptions(missing="zero")).notes
    assert [note for note in notes if "dependent" in note] == [note for note in matrix_notes if "dependent" in note]
    nothing = measure(make_store(tmp_path / "whole", 9), tasks=[TASK], options=EvalOptions(missing="zero")).notes
    assert any("changed nothing" in note for note in nothing)
    with pytest.raises(UserError, match="item 'item02' has no audio"):
        measure(store, tasks=[TASK], options=EvalOptions(missing="error"))


def test_default_split_and_limit(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 10, splits=["train", "test"] * 5)
    found = measure(store, tasks=[parse_task("t2v")], methods=["cosine"])
    assert found.provenance["split"] == "test"
    assert len(found.ranks[0].ranks) == 5
    assert any("Evaluated split 'test'" in note for note in found.notes)
    limited = measure(store, tasks=[parse_task("t2v")], methods=["cosine"], options=EvalOptions("all", 7))
    assert len(limited.ranks[0].ranks) == 7
    assert limited.provenance["limit"] == 7


def test_default_tasks_and_progress(store) -> None:
    assert [task.name for task in default_tasks(store)] == ["t2v", "t2a", "t2va"]
    seen: list[tuple[int, int]] = []
    options = EvalOptions(progress=lambda done, total: seen.append((done, total)))
    measure(store, methods=["cosine"], options=options)
    assert seen[-1] == (5 * 14 * 14, 5 * 14 * 14)  # three tasks, and two single pairs by |cosine| for the gains
    assert {total for _, total in seen} == {seen[-1][1]}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_degenerate_items_are_counted_and_noted(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12, noise=0.0)
    found = measure(store, tasks=[TASK], methods=["gram"])
    assert figure(found, "t2va", "gram", "n_degenerate") == 12
    assert any("12 items have linearly dependent" in note for note in found.notes)
    assert figure(found, "t2va", "gram", "tie_rate") == 1.0
    notes = alignment_matrix(store, TASK, "gram").notes
    assert any("12 items have linearly dependent" in note and "find out why" in note for note in notes)


def test_the_zero_note_says_where_the_model_s_stand_ins_were_used(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    write_store(
        tmp_path / "s", ids=list("abcd"), splits=[None] * 4, labels=[None] * 4, caption_items=range(4),
        embeddings={"text": rows, "video": rows, "audio": rows},
        status={"audio": ["ok", "ok", "stand-in: no audio track", "absent: no audio track"]},
        model={"id": "made", "shared_space": True}, dataset={"id": "made"},
    )  # fmt: skip
    notes = measure(open_store(tmp_path / "s"), methods=["gram"], options=EvalOptions(missing="zero")).notes
    note = next(note for note in notes if "t2va: absent modalities" in note)
    assert "no words (items: audio 1) and as zero vectors (items: audio 1)" in note


def test_refusals(store) -> None:
    with pytest.raises(UserError, match="exactly 3 modalities"):
        measure(store, tasks=[parse_task("t2v")], methods=["triangle"])
    with pytest.raises(UserError, match="Unknown method 'gran'"):
        measure(store, methods=["gran"])
    with pytest.raises(UserError, match="needs 'depth'"):
        measure(store, tasks=[parse_task("t2d")])
