"""Comparisons: the same queries, paired tests recomputed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gramcli.errors import UserError
from gramcli.evaluation.compare import load_operand
from gramcli.evaluation.comparison import compare_evaluations
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.metrics.significance import holm
from gramcli.modalities import parse_task
from gramcli.results.documents import dump_json, evaluation_document
from gramcli.results.records import Evaluation, RankVector
from tests.small_stores import make_store

TASKS = [parse_task("t2v")]


def made(ranks: list[float], ids: list[str] | None = None, n: int = 50, method: str = "gram") -> Evaluation:
    names = tuple(ids or [f"q{k}" for k in range(len(ranks))])
    return Evaluation({}, (), (), (RankVector("t2v", method, names, tuple(ranks), n),))


def row_of(found, metric: str):
    (row,) = [row for row in found.rows if row.metric == metric]
    return row


def test_mcnemar_counts_and_p_values() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 8, 60).astype(float), rng.integers(1, 5, 60).astype(float)
    found = compare_evaluations([made(a.tolist()), made(b.tolist())], ["A", "B"])
    for k in (1, 5, 10):
        row = row_of(found, f"R@{k}")
        assert row.wins == int(((b <= k) & (a > k)).sum())
        assert row.losses == int(((a <= k) & (b > k)).sum())
        expected = stats.binomtest(row.wins, row.wins + row.losses).pvalue if row.wins + row.losses else 1.0
        assert row.p_value == pytest.approx(expected)
        assert row.test == "McNemar, exact"
        assert row.delta == pytest.approx(np.mean(b <= k) - np.mean(a <= k))
        assert row.low <= row.delta <= row.high
        assert row.n == 60
    mrr = row_of(found, "MRR")
    assert mrr.delta == pytest.approx(np.mean(1 / b) - np.mean(1 / a))
    assert mrr.test == "paired sign flips"
    assert [row.p_holm for row in found.rows] == pytest.approx(holm([row.p_value for row in found.rows]))


def test_captions_of_one_item_are_not_independent_queries() -> None:
    ids = ["x"] * 5 + ["y"] * 5 + ["z"] * 5
    found = compare_evaluations([made([2.0] * 15, ids), made([1.0] * 15, ids)], ["A", "B"])
    row = row_of(found, "R@1")
    assert row.test == "paired sign flips"
    assert row.p_value == pytest.approx(0.25, abs=0.02)
    assert row.wins == 15


def test_equal_evaluations_differ_in_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12)
    one = measure(store, tasks=TASKS, methods=["gram"])
    found = compare_evaluations([one, one], ["A", "B"])
    assert {row.delta for row in found.rows} == {0.0}
    assert {row.p_holm for row in found.rows} == {1.0}
    assert {row.task for row in found.rows} == {"t2v", "v2t"}


def test_other_galleries_are_refused_unless_intersected(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12)
    whole = measure(store, tasks=TASKS, methods=["gram"])
    part = measure(store, tasks=TASKS, methods=["gram"], options=EvalOptions(limit=9))
    with pytest.raises(UserError, match="12 queries and 12 candidates against 9 and 9, 9 queries in common"):
        compare_evaluations([whole, part], ["A", "B"])
    found = compare_evaluations([whole, part], ["A", "B"], intersect=True)
    assert {row.n for row in found.rows} == {9}
    assert any("compared on the 9 queries in common" in note for note in found.notes)
    assert any("differ in limit" in note for note in found.notes)
    first = np.array(whole.ranks[0].ranks[:9])
    assert row_of_task(found, "t2v", "R@1").value_a == pytest.approx(np.mean(first <= 1))


def row_of_task(found, task: str, metric: str):
    (row,) = [row for row in found.rows if (row.task, row.metric) == (task, metric)]
    return row


def test_same_queries_in_another_gallery_are_refused() -> None:
    with pytest.raises(UserError, match="not comparable on t2v"):
        compare_evaluations([made([1.0, 2.0], n=50), made([1.0, 2.0], n=40)], ["A", "B"])
    with pytest.raises(UserError, match="no query of t2v in common"):
        compare_evaluations([made([1.0], ["x"]), made([1.0], ["y"])], ["A", "B"], intersect=True)


def test_intersection_pairs_captions_by_item_and_position() -> None:
    a = made([1.0, 2.0, 3.0, 4.0], ["x", "x", "y", "z"])
    b = made([5.0, 6.0, 1.0], ["y", "x", "x"], n=40)
    found = compare_evaluations([a, b], ["A", "B"], intersect=True)
    row = row_of(found, "MRR")
    assert row.n == 3
    assert row.value_a == pytest.approx(np.mean([1, 1 / 2, 1 / 3]))
    assert row.value_b == pytest.approx(np.mean([1 / 6, 1, 1 / 5]))


def test_methods_are_paired_by_name_or_alone() -> None:
    found = compare_evaluations([made([1.0, 2.0], method="cosine"), made([1.0, 1.0], method="gram")], ["s", "s@gram"])
    assert {(row.a, row.b) for row in found.rows} == {("s@cosine", "s@gram")}
    both = Evaluation({}, (), (), (*made([1.0]).ranks, *made([1.0], method="cosine").ranks))
    other = Evaluation({}, (), (), (*made([1.0], method="span").ranks, *made([1.0], method="cosine").ranks))
    assert {(row.a, row.b) for row in compare_evaluations([both, other], "AB").rows} == {("A@cosine", "B@cosine")}
    with pytest.raises(UserError, match="A and B have no task and method in common"):
        compare_evaluations([both, Evaluation({}, (), (), ())], "AB")


def test_fewer_than_two_are_refused() -> None:
    with pytest.raises(UserError, match="needs at least two evaluations"):
        compare_evaluations([made([1.0])], ["A"])


def test_operands(tmp_path: Path) -> None:
    make_store(tmp_path / "store", 11)
    name, found = load_operand(f"{tmp_path}/store@gram", tasks=TASKS)
    assert name.endswith("store@gram")
    assert {vector.method for vector in found.ranks} == {"gram"}
    _, every = load_operand(f"{tmp_path}/store", tasks=TASKS, methods=["cosine", "gram"], limit=6)
    assert {vector.method for vector in every.ranks} == {"cosine", "gram"}
    assert {vector.n_candidates for vector in every.ranks} == {6}
    with pytest.raises(UserError, match=r"there is no .*nowhere"):
        load_operand(f"{tmp_path}/nowhere", tasks=TASKS)


def test_another_tie_rule_is_said(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 12)
    mean, last = (
        measure(store, tasks=TASKS, methods=["gram"], options=EvalOptions(ties=rule))
        for rule in ("mean", "pessimistic")
    )
    assert any("differ in ties" in note for note in compare_evaluations([mean, last], ["A", "B"]).notes)


def test_figures_without_ranks_are_refused_by_what_they_are(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "store", 12), options=EvalOptions(kinds=("geometry",)))
    path = tmp_path / "geometry.json"
    path.write_text(dump_json(evaluation_document(found)))
    with pytest.raises(UserError, match=r"geometry\.json holds no ranks"):
        load_operand(str(path))
