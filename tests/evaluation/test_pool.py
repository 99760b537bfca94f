"""A shared pool: ranks and shares by plain loops over all candidates, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli.errors import UserError
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.pool import task_of
from gramcli.metrics.intervals import plus_four_of
from gramcli.modalities import parse_task
from gramcli.report.reading import answer_of
from gramcli.results.documents import dump_json, evaluation_document
from gramcli.results.records import RankVector
from tests.small_stores import make_store

SHARED = EvalOptions(pool="shared")


def by_loops(store, items, method: str):
    """Modality -> (item, expected hit ranks, modalities of its ten best) for each query, one pair at a time."""
    rows = []
    owners = store.caption_items().tolist()
    for name in store.modalities:
        vectors = torch.nn.functional.normalize(store.embeddings(name).double(), dim=1)
        for row, x in enumerate(vectors):
            item = owners[row] if name == "text" else row
            if item in items:
                rows.append((name, item, x))
    found = {name: [] for name in store.modalities}
    for name, item, x in rows:
        others = [(other, i, float(x @ y)) for other, i, y in rows if not (other == name and i == item)]
        scored = [(abs(s) if method == "gram" else s, i == item, other) for other, i, s in others]
        best = max(score for score, right, _ in scored if right)
        rank = 1 + sum(score > best for score, right, _ in scored if not right)
        top = sorted(scored, key=lambda one: -one[0])[:10]
        found[name].append((item, rank, [other for _, _, other in top]))
    return found


@pytest.mark.parametrize("method", ["cosine", "gram"])
@pytest.mark.parametrize("captions", [1, 3, [1, 2, 3, 4] * 6])
def test_ranks_and_shares_are_those_of_plain_loops(tmp_path: Path, method: str, captions) -> None:
    store = make_store(tmp_path / "s", 24, captions=captions, without={"audio": [3, 9]})
    found = measure(store, methods=[method], options=SHARED)
    items = set(range(24)) - {3, 9}
    expected = by_loops(store, items, method)
    for vector in found.ranks:
        name = next(name for name in store.modalities if task_of(name) == vector.task)
        assert list(vector.ranks) == [rank for _, rank, _ in expected[name]]
        assert list(vector.query_ids) == [store.ids[item] for item, _, _ in expected[name]]
        for k in (1, 10):
            for other in store.modalities:
                values = np.array([np.mean([one == other for one in top[:k]]) for _, _, top in expected[name]])
                (row,) = [r for r in found.results if (r.task, r.metric) == (vector.task, f"share@{k}:{other}")]
                assert row.value == pytest.approx(values.mean())
                clusters = np.unique([item for item, _, _ in expected[name]], return_inverse=True)[1]
                assert (row.low, row.high) == pytest.approx(plus_four_of(values, clusters))


def test_chance_is_the_share_of_the_gallery_without_a_query_s_own_rows(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 10, captions=3), methods=["cosine"], options=SHARED)
    chance = {(row.task, row.metric): row.value for row in found.results if row.metric.endswith("_chance")}
    assert chance["t2pool", "share@1:text_chance"] == pytest.approx(27 / 47)
    assert chance["t2pool", "share@1:video_chance"] == pytest.approx(10 / 47)
    assert chance["v2pool", "share@10:video_chance"] == pytest.approx(9 / 49)
    assert chance["v2pool", "share@10:text_chance"] == pytest.approx(30 / 49)


def test_one_space_without_bias_answers_as_often_as_chance_and_a_gap_answers_with_its_own(tmp_path: Path) -> None:
    """Modalities that are noise around one vector each; then moved apart by a constant of their own."""
    store = make_store(tmp_path / "s", 60, noise=3.0)
    fair = measure(store, methods=["cosine"], options=SHARED)
    moved = {
        name: torch.nn.functional.normalize(store.embeddings(name), dim=1) + 5 * torch.eye(8)[k]
        for k, name in enumerate(store.modalities)
    }
    biased = measure(store.mapped(moved), methods=["cosine"], options=SHARED)
    for found, low, high in ((fair, 0.15, 0.55), (biased, 0.99, 1.0)):
        own = [row.value for row in found.results if row.metric == f"share@1:{_name(row.task)}"]
        assert len(own) == 3
        assert all(low <= value <= high for value in own)


def _name(task: str) -> str:
    return {"t": "text", "v": "video", "a": "audio"}[task[0]]


def test_equal_vectors_tie_and_the_query_is_never_its_own_answer(tmp_path: Path) -> None:
    """All of an item's vectors equal: every right answer is first, though the query itself scores as high."""
    store = make_store(tmp_path / "s", 12)
    same = {name: torch.eye(12)[:, :12] for name in store.modalities}
    found = measure(store.mapped(same), methods=["cosine"], options=SHARED)
    assert all(set(vector.ranks) == {1.0} for vector in found.ranks)
    assert all(row.value == 1.0 for row in found.results if row.metric == "recall@5")
    everything = measure(store.mapped({name: torch.ones(12, 4) for name in same}), methods=["cosine"], options=SHARED)
    (first, *_) = everything.ranks
    assert first.tied[0] == (0, 33, 2)  # 35 candidates: two right ones among all the others
    best = measure(store.mapped(same), methods=["cosine"], options=EvalOptions(pool="shared", best=2)).ranks[0].best
    assert best == tuple((name, name) for name in store.ids)


def test_items_with_two_of_three_modalities_take_part_under_present(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 12, without={"audio": [0], "video": [0, 1]})
    dropped = measure(store, methods=["cosine"], options=SHARED)
    present = measure(store, methods=["cosine"], options=EvalOptions(pool="shared", missing="present"))
    n = {row.task: row.n for row in present.results if row.metric == "R@1"}
    assert {row.n for row in dropped.results if row.metric == "R@1"} == {10}
    assert n == {"t2pool": 11, "v2pool": 10, "a2pool": 11}
    assert {one.id for one in present.left_out} == {"item00"}
    assert {one.id for one in dropped.left_out} == {"item00", "item01"}


def test_two_pools_are_compared_by_their_questions_and_written_as_json(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 12), methods=["cosine"], options=SHARED)
    assert [one.task for one in found.questions] == ["t2pool", "v2pool", "a2pool"]
    assert len({one.gallery for one in found.questions}) == 1
    assert "t2pool" in dump_json(evaluation_document(found))
    assert all(isinstance(one, RankVector) and max(one.ranks) <= one.n_candidates for one in found.ranks)


def test_the_table_says_shares_beside_chance_and_the_notes_the_bias(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 12), methods=["cosine"], options=SHARED)
    first, ten = answer_of(found).tables[:2]
    assert first.columns == ten.columns == ("task", "method", "text", "video", "audio")
    assert first.title.startswith("First answers by modality")
    assert ten.title.startswith("The first 10 answers by modality")
    assert "(31.4)" in first.rows[0][2]  # 11 of 35
    assert any(note.startswith("First answers of the query's own modality, cosine: text ") for note in found.notes)
    assert any(note.startswith("Shared pool of 36 candidates (text 12, video 12, audio 12)") for note in found.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalize": "dsl"}, "leave --normalize out"),
        ({"relevant": "label"}, "leave --relevant label out"),
        ({"population": "items"}, "leave --population items out"),
        ({"kinds": ("geometry",)}, "--pool shared is about retrieval"),
        ({"pool": "own"}, "--pool 'own' is none of task, shared"),
    ],
)
def test_what_says_nothing_of_a_pool_is_refused(options, message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvalOptions(**{"pool": "shared", **options})


def test_tasks_zero_vectors_and_methods_of_three_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 8, without={"audio": [1]})
    with pytest.raises(UserError, match="--pool shared names the tasks itself"):
        measure(store, tasks=[parse_task("t2v")], options=SHARED)
    with pytest.raises(UserError, match="leaves no zero vectors"):
        measure(store, options=EvalOptions(pool="shared", missing="zero"))
    with pytest.raises(
        UserError, match=r"item 'item01' has no audio \(failed: broken file\)|item 'item01' has no audio"
    ):
        measure(store, options=EvalOptions(pool="shared", missing="error"))
    with pytest.raises(UserError, match="exactly 3 modalities; got 2"):
        measure(store, methods=["triangle"], options=SHARED)


def test_modalities_of_other_dimensions_are_refused_or_noted(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 8)
    three = store.mapped({name: torch.randn(8, 6 if name == "audio" else 8) for name in store.modalities})
    found = measure(three, methods=["cosine"], options=SHARED)
    assert "Not in the shared pool, for other dimensions: audio (6)." in found.notes
    two = store.mapped({name: torch.randn(8, 8 if name == "text" else 6) for name in store.modalities})
    with pytest.raises(UserError, match="no two modalities of one dimension, so no shared pool"):
        measure(two, methods=["cosine"], options=SHARED)
