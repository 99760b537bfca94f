"""Comparisons: the same queries, paired tests recomputed, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.comparison import CompareOptions, compare_evaluations
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.metrics.paired import PLUS_TEST, SCORE_TEST
from gramcli.metrics.significance import holm
from gramcli.modalities import parse_task
from gramcli.report.comparisons import pair_tables
from gramcli.results.documents import dump_json, evaluation_document
from gramcli.results.records import Evaluation, Questions, RankVector
from tests.small_stores import make_store

TASKS = [parse_task("t2v")]


def made(ranks: list[float], ids: list[str] | None = None, n: int = 50, method: str = "gram") -> Evaluation:
    names = tuple(ids or [f"q{k}" for k in range(len(ranks))])
    asked = Questions("t2v", names, f"gallery of {n}", "items", "items")
    return Evaluation({}, (), (), (RankVector("t2v", method, names, tuple(ranks), n),), questions=(asked,))


def row_of(found, metric: str):
    (row,) = [row for row in found.rows if row.metric == metric]
    return row


def test_counts_and_p_values() -> None:
    """R@k by McNemar's score without correction, by Student's t of items but one."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 8, 60).astype(float), rng.integers(1, 5, 60).astype(float)
    found = compare_evaluations([made(a.tolist()), made(b.tolist())], ["A", "B"])
    for k in (1, 5, 10):
        row = row_of(found, f"R@{k}")
        assert row.wins == int(((b <= k) & (a > k)).sum())
        assert row.losses == int(((a <= k) & (b > k)).sum())
        differing = row.wins + row.losses
        score = (row.wins - row.losses) / np.sqrt(differing) if differing else 0.0
        expected = 2 * stats.t.sf(abs(score), 59)
        assert row.p_value == pytest.approx(expected)
        assert row.test == SCORE_TEST
        assert row.delta == pytest.approx(np.mean(b <= k) - np.mean(a <= k))
        assert row.low <= row.delta <= row.high
        assert row.n == 60
    mrr = row_of(found, "MRR")
    assert mrr.delta == pytest.approx(np.mean(1 / b) - np.mean(1 / a))
    assert mrr.test == PLUS_TEST


def test_one_figure_is_primary_and_the_others_are_adjusted_among_themselves() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 30, 60).astype(float), rng.integers(1, 20, 60).astype(float)
    found = compare_evaluations([made(a.tolist()), made(b.tolist())], ["A", "B"])
    first, *others = found.rows
    assert (first.metric, first.family, first.p_holm) == ("R@1", "primary", first.p_value)
    assert [row.p_holm for row in others] == pytest.approx(holm([row.p_value for row in others]))
    assert any(note.startswith("Primary (*): R@1 of t2v; ") for note in found.notes)
    named = compare_evaluations([made(a.tolist()), made(b.tolist())], "AB", CompareOptions(primary="t2v:MRR"))
    assert (named.rows[0].metric, named.rows[0].family) == ("MRR", "primary")
    with pytest.raises(UserError, match=r"--primary 'R@2' is none of R@1, R@5, R@10, MRR"):
        CompareOptions(primary="R@2")
    with pytest.raises(UserError, match="--primary names 'v2t'; compared are t2v"):
        compare_evaluations([made([1.0]), made([1.0])], "AB", CompareOptions(primary="v2t:R@1"))


def test_what_is_one_by_construction_is_not_tested() -> None:
    """Ten candidates: R@10 is 1, has no interval, no test, and no place among the others."""
    found = compare_evaluations([made([1.0, 2.0, 3.0], n=10), made([1.0, 1.0, 1.0], n=10)], "AB")
    row = row_of(found, "R@10")
    assert (row.low, row.high, row.p_value, row.p_holm, row.family) == (None, None, None, None, "")
    others = [row for row in found.rows if row.family == "other"]
    assert [row.p_holm for row in others] == pytest.approx(holm([row.p_value for row in others]))


def test_captions_of_one_item_are_not_independent_queries() -> None:
    """Three items gain whole: three differences, however many captions they have."""
    ids = ["x"] * 5 + ["y"] * 5 + ["z"] * 5
    found = compare_evaluations([made([2.0] * 15, ids), made([1.0] * 15, ids)], ["A", "B"])
    alone = compare_evaluations([made([2.0] * 3), made([1.0] * 3)], ["A", "B"])
    row, expected = row_of(found, "R@1"), row_of(alone, "R@1")
    assert (row.low, row.high, row.p_value) == pytest.approx((expected.low, expected.high, expected.p_value))
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
    said = r"12 and 9 queries, 9 of them the same; .* They differ in limit \(none against 9\)"
    with pytest.raises(UserError, match=said):
        compare_evaluations([whole, part], ["A", "B"])
    found = compare_evaluations([whole, part], ["A", "B"], CompareOptions(intersect=True))
    assert {row.n for row in found.rows} == {9}
    assert any("compared on the 9 queries in common" in note for note in found.notes)
    first = np.array(whole.ranks[0].ranks[:9])
    assert row_of_task(found, "t2v", "R@1").value_a == pytest.approx(np.mean(first <= 1))


def row_of_task(found, task: str, metric: str):
    (row,) = [row for row in found.rows if (row.task, row.metric) == (task, metric)]
    return row


def test_same_queries_in_another_gallery_are_refused() -> None:
    with pytest.raises(UserError, match="not comparable on t2v"):
        compare_evaluations([made([1.0, 2.0], n=50), made([1.0, 2.0], n=40)], ["A", "B"])
    with pytest.raises(UserError, match="no query of t2v in common"):
        compare_evaluations([made([1.0], ["x"]), made([1.0], ["y"])], ["A", "B"], CompareOptions(intersect=True))


def test_intersection_pairs_captions_by_what_they_say() -> None:
    a = made([1.0, 2.0, 3.0, 4.0], ["x", "x", "y", "z"])
    b = made([5.0, 6.0, 1.0], ["y", "x", "x"], n=40)
    found = compare_evaluations([a, b], ["A", "B"], CompareOptions(intersect=True))
    row = row_of(found, "MRR")
    assert row.n == 3
    assert row.value_a == pytest.approx(np.mean([1, 1 / 2, 1 / 3]))
    assert row.value_b == pytest.approx(np.mean([1 / 6, 1, 1 / 5]))


def test_methods_are_paired_by_name_or_alone() -> None:
    found = compare_evaluations([made([1.0, 2.0], method="cosine"), made([1.0, 1.0], method="gram")], ["s", "s@gram"])
    assert {(row.a, row.b) for row in found.rows} == {("s@cosine", "s@gram")}
    asked = made([1.0]).questions
    both = Evaluation({}, (), (), (*made([1.0]).ranks, *made([1.0], method="cosine").ranks), questions=asked)
    ranks = (*made([1.0], method="span").ranks, *made([1.0], method="cosine").ranks)
    other = Evaluation({}, (), (), ranks, questions=asked)
    assert {(row.a, row.b) for row in compare_evaluations([both, other], "AB").rows} == {("A@cosine", "B@cosine")}
    with pytest.raises(UserError, match="A and B have no task and method in common"):
        compare_evaluations([both, Evaluation({}, (), (), ())], "AB")


def test_what_one_side_alone_has_is_named() -> None:
    one, two = made([1.0, 2.0]), made([1.0, 1.0])
    lone = Evaluation({}, (), (), (*two.ranks, replace(two.ranks[0], task="a2t")), questions=two.questions)
    notes = compare_evaluations([one, lone], "AB").notes
    assert "Not compared, for B alone has it: a2t." in notes


def test_fewer_than_two_are_refused() -> None:
    with pytest.raises(UserError, match="needs at least two evaluations"):
        compare_evaluations([made([1.0])], ["A"])


def test_figures_without_ranks_are_refused_by_what_they_are(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "store", 12), options=EvalOptions(kinds=("geometry",)))
    path = tmp_path / "geometry.json"
    path.write_text(dump_json(evaluation_document(found)))
    with pytest.raises(UserError, match=r"geometry\.json holds no ranks"):
        compare(path, f"{tmp_path}/store@gram")


@pytest.mark.parametrize("seed", range(20))
def test_rounding_is_no_difference(seed: int) -> None:
    """Seeds whose ranks are those of the other side in another order, on other queries: all means are equal."""
    rng = np.random.default_rng(seed)
    ranks = rng.integers(1, 13, (3, 60)).astype(float)
    others = ranks[rng.permutation(3)][:, rng.permutation(60)]
    sides = [[made(one.tolist()) for one in side] for side in (ranks, others)]
    found = compare_evaluations(sides, ["A", "B"])
    assert [row.delta for row in found.rows] == [0.0] * 4
    (table,) = pair_tables(found)
    assert table.best == frozenset()
    assert all(cell.startswith("+0.0") for cell in (row[table.columns.index("B - A")] for row in table.rows))


@pytest.mark.parametrize("seed", range(20))
def test_rounding_gains_no_query(seed: int) -> None:
    """The same ranks by the seeds in another order: no query is better under either."""
    rng = np.random.default_rng(seed)
    ranks = rng.integers(1, 13, (3, 60)).astype(float)
    sides = [[made(one.tolist()) for one in side] for side in (ranks, ranks[rng.permutation(3)])]
    found = compare_evaluations(sides, ["A", "B"])
    assert [(row.delta, row.wins, row.losses) for row in found.rows] == [(0.0, 0, 0)] * 4


def test_rounding_is_no_difference_of_one_run_each() -> None:
    """Reciprocal ranks of which those of B are A's in another order."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ranks = rng.integers(1, 50, 60).astype(float)
        found = compare_evaluations([made(ranks.tolist()), made(rng.permutation(ranks).tolist())], ["A", "B"])
        assert [row.delta for row in found.rows] == [0.0] * 4
