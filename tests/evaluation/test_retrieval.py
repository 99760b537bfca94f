"""What `gram eval` says beside the ranks: ties, pooled captions, hubs, duplicates, intervals, answers per query."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gramcli.errors import UserError
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.same_rows import duplicate_texts
from gramcli.evaluation.selection import Selection, select
from gramcli.methods import METHODS, get_method
from gramcli.metrics.hubness import occurrence_skewness, occurrence_skewness_chance
from gramcli.metrics.significance import wilson_interval
from gramcli.modalities import parse_task
from gramcli.report.per_query import per_query_csv
from gramcli.report.tables import evaluation_answer
from gramcli.results.records import Evaluation, RankVector
from gramcli.scoring.maxpool import pooled_ranks
from gramcli.scoring.plan import Question, answer
from gramcli.scoring.ranking import RankOptions, rank
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.screening import Presence
from gramcli.scoring.ties import TIES, placed, placed_positions
from gramcli.store import open_store, write_store
from gramcli.store.splits import chosen_items
from tests.small_stores import make_store
from tests.vectors import make_side

CAPTIONS = (3, 1, 2, 1, 1, 2, 1, 1, 4, 1, 2, 1)


def vector(found: Evaluation, task: str, method: str) -> RankVector:
    return next(v for v in found.ranks if (v.task, v.method) == (task, method))


def figure(found: Evaluation, task: str, method: str, metric: str):
    return next(r for r in found.results if (r.task, r.method, r.metric) == (task, method, metric))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=9), min_size=1, max_size=4), st.integers(1, 3))
def test_ties_are_placed_as_sorting_places_them(rows: list[list[int]], n_positives: int) -> None:
    width = min(map(len, rows))
    scores = torch.tensor([row[:width] for row in rows], dtype=torch.float64)
    queries = {"x": torch.nn.functional.one_hot(torch.arange(len(rows)), 12).double()}
    candidates = {"x": torch.cat([scores.T, torch.ones(width, 12 - len(rows), dtype=torch.float64)], 1)}
    exact = score_matrix("cosine", queries, candidates, dtype=torch.float64)
    positives = (torch.arange(len(rows) + 1) * n_positives, torch.arange(n_positives).repeat(len(rows)))
    ranks = rank("cosine", queries, candidates, positives, options=RankOptions(every_positive=True))
    for policy in TIES[1:]:
        sign = -1 if policy == "optimistic" else 1
        best = placed(ranks.forward, ranks.forward_ties, ranks.forward_right, policy).ranks.tolist()
        query = torch.repeat_interleave(torch.arange(len(rows)), n_positives)
        places, spread = placed_positions(ranks.forward_positions, ranks.forward_position_ties, query, policy)
        assert spread is None
        for i, row in enumerate(exact.tolist()):
            # Positives first among equals, or last.
            order = sorted(range(width), key=lambda j, row=row: (-row[j], sign if j < n_positives else 0))
            wanted = sorted(order.index(j) + 1 for j in range(n_positives))
            assert sorted(places[i * n_positives : (i + 1) * n_positives].tolist()) == wanted
            own = max(row[:n_positives])
            above = sum(x > own for x in row[n_positives:])
            level = sum(x == own for x in row[n_positives:])
            assert best[i] == above + 1 + (level if policy == "pessimistic" else 0)


@pytest.mark.parametrize("policy", TIES)
def test_ties_reach_the_figures(tmp_path: Path, policy: str) -> None:
    store = make_store(tmp_path / "store", 6)
    rows = torch.ones(6, 4)
    selection = replace(
        select(store, parse_task("t2v"), chosen_items(store, None, None), "drop"),
        queries={"text": rows}, candidates={"video": rows},
    )  # fmt: skip
    assert duplicate_texts(selection) == 6
    found = rank("cosine", selection.queries, selection.candidates)
    expected = {"mean": 3.5, "optimistic": 1.0, "pessimistic": 6.0}[policy]
    assert placed(found.forward, found.forward_ties, found.forward_right, policy).ranks.tolist() == [expected] * 6
    if policy != "mean":
        with pytest.raises(UserError, match="is none of mean, optimistic, pessimistic"):
            EvalOptions(ties="middle")
    answer = measure(store, tasks=[parse_task("t2v")], methods=["cosine"], options=EvalOptions(ties=policy))
    assert {"mean": "expectations", "optimistic": "best", "pessimistic": "last"}[policy] in answer.provenance["ties"]


@pytest.mark.parametrize("name", [name for name in METHODS.names() if name != "triangle"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_pooled_ranks_are_those_of_the_pooled_matrix(name: str, p: int) -> None:
    method = get_method(name)
    owner = torch.repeat_interleave(torch.arange(12), torch.tensor(CAPTIONS))
    queries, candidates = make_side(1, len(owner), 16, 1), make_side(p, 12, 16, 2)
    queries["text"][3] = queries["text"][4]  # a tie across items
    found = pooled_ranks(method, queries, candidates, owner)
    scores = score_matrix(method, queries, candidates, dtype=torch.float64)
    scores = scores if method.higher_is_better else -scores
    pooled = torch.stack([scores[owner == item].amax(0) for item in range(12)])
    own = pooled.diagonal()
    above, level = (pooled > own).sum(0), (pooled == own).sum(0) - 1
    assert found.ranks.tolist() == (1 + above + level / 2).tolist()
    assert found.ties.tolist() == level.tolist()


def test_pooled_figures_have_a_name_of_their_own(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12, captions=CAPTIONS)
    found = measure(store, tasks=[parse_task("t2v")], methods=["cosine"])
    pooled = vector(found, "v2t_maxpool", "cosine")
    assert len(pooled.ranks) == pooled.n_candidates == 12
    assert vector(found, "v2t", "cosine").n_candidates == sum(CAPTIONS)
    assert all(x <= y for x, y in zip(pooled.ranks, vector(found, "v2t", "cosine").ranks, strict=True))
    one = make_store(tmp_path / "one", 5)
    assert not [v for v in measure(one).ranks if "maxpool" in v.task]


def test_hubness_is_scipys_skewness(tmp_path: Path) -> None:
    best = torch.randint(40, (100, 10), generator=torch.Generator().manual_seed(0))
    counts = np.bincount(best.flatten(), minlength=40)
    assert occurrence_skewness(best, 40) == pytest.approx(stats.skew(counts), rel=1e-12)
    assert occurrence_skewness(torch.arange(4).unsqueeze(1), 4) == 0.0
    store = make_store(tmp_path / "store", 30)
    found = measure(store, tasks=[parse_task("t2va"), parse_task("t2v")], methods=["gram"])
    scores = score_matrix("gram", *_sides(store), dtype=torch.float64)
    counts = np.bincount(scores.argsort(1)[:, :10].flatten(), minlength=30)
    assert figure(found, "t2va", "gram", "hubness@10").value == pytest.approx(stats.skew(counts))
    assert figure(found, "t2va", "gram", "hubness@10_chance").value == occurrence_skewness_chance(30, 30, 10)
    assert not [row for row in found.results if row.task == "t2v" and row.metric.startswith("hubness")]
    assert "in brackets what chance gives" in " ".join(table.title for table in evaluation_answer(found).tables)


@pytest.mark.parametrize(("n", "N"), [(1000, 1000), (100, 2000), (2000, 100)])
def test_hubness_by_chance_is_that_of_random_rankings(n: int, N: int) -> None:
    """Few queries and many candidates look like hubs by chance alone: 2,990 clips and 59,800 captions 1.42."""
    generator = torch.Generator().manual_seed(0)
    found = [occurrence_skewness(torch.rand(n, N, generator=generator).topk(10).indices, N) for _ in range(30)]
    assert np.mean(found) == pytest.approx(occurrence_skewness_chance(n, N, 10), abs=4 * np.std(found) / 30**0.5)
    assert occurrence_skewness_chance(2990, 59800, 10) == pytest.approx(1.41, abs=0.01)
    assert occurrence_skewness_chance(5, 10, 10) is None


def _sides(store):
    return {"text": store.embeddings("text")}, {name: store.embeddings(name) for name in ("video", "audio")}


def test_every_query_is_written_with_its_best_answers(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12, captions=CAPTIONS)
    found = measure(store, tasks=[parse_task("t2va")], methods=["gram"], options=EvalOptions(best=5))
    rows = list(csv.DictReader(io.StringIO(per_query_csv(found))))
    forward = [row for row in rows if row["task"] == "t2va"]
    assert [(row["query"], row["caption"]) for row in forward][:4] == [
        ("item00", "0"), ("item00", "1"), ("item00", "2"), ("item01", "0"),
    ]  # fmt: skip
    assert len(forward) == sum(CAPTIONS) and {row["gallery"] for row in forward} == {"12"}
    for row in forward:
        if float(row["rank"]) <= 5:
            assert row[f"top{int(float(row['rank']))}"] == row["query"]
    assert all(row["top1"] for row in rows if not row["task"].endswith("_maxpool"))


def test_the_best_answer_is_the_right_one_exactly_where_the_rank_is_1(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 15, captions=(2, 1, 1) * 5)
    found = measure(store, tasks=[parse_task("t2va"), parse_task("t2v")], options=EvalOptions(best=5))
    told = [vector for vector in found.ranks if vector.best]
    assert {vector.task for vector in told} == {"t2va", "va2t", "t2v", "v2t"}
    assert {vector.method for vector in told if vector.task == "va2t"} >= {"gram", "span", "pmrl", "cosine", "symile"}
    for vector in told:
        for own, rank_, best in zip(vector.query_ids, vector.ranks, vector.best, strict=True):
            assert (best[0] == own) == (rank_ == 1), (vector.task, vector.method)


def test_intervals_are_bootstrapped_or_wilsons_on_request(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30)
    tasks = [parse_task("t2v")]
    boot, wilson = (
        figure(measure(store, tasks=tasks, methods=["cosine"], options=EvalOptions(intervals=how)), "t2v", "cosine",
               "R@5")
        for how in ("bootstrap", "wilson")
    )  # fmt: skip
    assert (wilson.low, wilson.high) == wilson_interval(round(30 * wilson.value), 30)
    assert boot.value == wilson.value and (boot.low, boot.high) != (wilson.low, wilson.high)
    assert boot.low <= boot.value <= boot.high


def test_average_precision_is_always_there_and_equals_mrr_for_one_answer(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "store", 20), tasks=[parse_task("t2v")], methods=["cosine"])
    assert figure(found, "t2v", "cosine", "mAP").value == pytest.approx(figure(found, "t2v", "cosine", "MRR").value)
    assert figure(found, "t2v", "cosine", "nDCG@10").low is not None


@pytest.mark.parametrize("name", METHODS.names())
def test_neighbours_by_row_are_the_best_by_reference_scores(name: str) -> None:
    method = get_method(name)
    queries, candidates = make_side(1, 40, 24, 1), make_side(2, 70, 24, 2)
    question = Question(method, queries, candidates, ranks=False, both_directions=False, nearest=10)
    scores = score_matrix(method, queries, candidates, dtype=torch.float64)
    best = scores.topk(10, largest=method.higher_is_better).indices.sort(dim=1).values
    assert torch.equal(answer([question])[0].nearest_forward.rows, best)


def test_text_that_answers_is_told_like_text_that_asks(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12, captions=CAPTIONS)
    rows = {name: store.embeddings(name).clone() for name in store.modalities}
    rows["text"][4] = rows["text"][0]
    write_store(
        tmp_path / "copy",
        ids=store.ids,
        splits=store.splits,
        labels=store.labels,
        embeddings={name: x.numpy() for name, x in rows.items()},
        caption_items=store.caption_items().numpy(),
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    copy = open_store(tmp_path / "copy")
    forward, reverse = (measure(copy, tasks=[parse_task(name)], methods=["cosine"]) for name in ("t2v", "v2t"))
    assert figure(forward, "t2v", "cosine", "n_duplicate_texts").value == 2
    duplicates = figure(reverse, "v2t", "cosine", "n_duplicate_texts")
    assert (duplicates.value, duplicates.n) == (2, sum(CAPTIONS))
    said = "2 texts have, bit for bit, the vector of a text of another item"
    assert any(said in note for note in reverse.notes), "what their captions say is not known here"
    assert "v2t: items have several captions; --task t2v also gives v2t_maxpool." in reverse.notes
    assert not [note for note in forward.notes if "also gives" in note]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=12))
def test_duplicate_texts_are_those_of_other_items(rows: list[tuple[int, int]]) -> None:
    vectors = torch.tensor([[float(vector), 1.0] for vector, _ in rows])
    owners = tuple(f"i{owner}" for _, owner in rows)
    selection = Selection(
        parse_task("t2v"), {"text": vectors}, {"video": vectors}, (torch.tensor([0]), torch.tensor([0])), Presence(),
        owners, owners, torch.arange(len(rows)), torch.arange(len(rows)), (),
    )  # fmt: skip
    expected = sum(any(v == vector and o != owner for v, o in rows) for vector, owner in rows)
    assert duplicate_texts(selection) == expected
