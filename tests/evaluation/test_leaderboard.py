"""Leaderboards: who is put beside whom, in what order, with which letters; what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import gramcli
from gramcli.errors import UserError
from gramcli.evaluation.comparison import compare_evaluations
from gramcli.evaluation.leaderboard import leaderboard
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.metrics.significance import holm
from gramcli.modalities import parse_task
from gramcli.report.reading import answer_of
from gramcli.results.documents import dump_json, evaluation_document
from gramcli.results.records import Evaluation, Questions, RankVector, ResultRow
from tests.small_stores import make_store

N = 200


def made(hit: float, *, method: str = "gram", task: str = "t2v", seed: int = 0, **provenance: object) -> Evaluation:
    """A run whose first `hit` of the queries, in an order of its seed, are right."""
    order = np.random.default_rng(seed).permutation(N)
    ranks = np.where(order < hit * N, 1.0, 7.0)
    names = tuple(f"q{k}" for k in range(N))
    mrr = float((1 / ranks).mean())
    return Evaluation(
        {"protocol": "made", **provenance},
        (
            ResultRow(task, method, "raw", "R@1", hit, hit - 0.05, hit + 0.05, N),
            ResultRow(task, method, "raw", "MedR", float(np.median(ranks)), None, None, N),
            ResultRow(task, method, "raw", "MRR", mrr, None, None, N),
        ),
        (),
        (RankVector(task, method, names, tuple(ranks.tolist()), N),),
        questions=(Questions(task, names, "g" * 64, "items", "items"),),
    )


def written(folder: Path, name: str, found: Evaluation) -> str:
    path = folder / name
    path.write_text(dump_json(evaluation_document(found)))
    return str(path)


def test_rows_stand_best_first_by_the_first_metric() -> None:
    runs = [made(0.2), made(0.6), made(0.4)]
    assert [row.run for row in leaderboard(*runs).rows] == ["run 2", "run 3", "run 1"]
    by_median = leaderboard(made(0.2), made(0.6), metrics=["MedR", "R@1"])
    assert [row.run for row in by_median.rows] == ["run 2", "run 1"]  # lower is better
    assert by_median.metrics == ("MedR", "R@1")
    assert by_median.rows[0].letters == ""
    assert any(note.startswith("No letters: MedR has no paired test") for note in by_median.notes)


@pytest.mark.parametrize("metric", ["R@1", "MRR"])
def test_two_share_a_letter_exactly_when_the_paired_test_does_not_separate_them(metric: str) -> None:
    """By brute force: gram compare of every pair, Holm over all of them."""
    runs = [made(hit, seed=seed) for seed, hit in enumerate([0.30, 0.34, 0.40, 0.46, 0.52, 0.80])]
    found = leaderboard(*runs, metrics=[metric])
    places = [int(row.run.split()[1]) - 1 for row in found.rows]
    p_values = []
    for i, j in combinations(places, 2):
        rows = compare_evaluations([runs[i], runs[j]], ["a", "b"]).rows
        p_values += [row.p_value for row in rows if row.metric == metric]
    separated = [p < 0.05 for p in holm(p_values)]
    assert 0 < sum(separated) < len(separated)
    for (a, b), apart in zip(combinations(found.rows, 2), separated, strict=True):
        assert bool(set(a.letters) & set(b.letters)) is not apart
    assert [one.p_value for one in found.tests] == pytest.approx(p_values)


@pytest.mark.parametrize(
    ("rule", "change", "said"),
    [
        ("protocol", {"protocol": "other"}, r"it differs in protocol (made against other)"),
        ("dataset", {"dataset": {"id": "msrvtt"}}, r"it differs in dataset (none against msrvtt)"),
        ("ties", {"ties": "ranks take the best place of the tied range"}, "it differs in ties"),
        ("missing", {"missing": "zero"}, "it differs in missing (none against zero)"),
        ("relevant", {"relevant": "label"}, "it differs in relevant (none against label)"),
        ("stage", {"stage": "dsl"}, "it differs in stage (raw against dsl)"),
    ],
)
def test_every_rule_keeps_groups_apart_and_is_said(rule: str, change: dict[str, object], said: str) -> None:
    found = leaderboard(made(0.5), made(0.9, **change), made(0.4))
    assert [(row.group, row.run) for row in found.rows] == [(1, "run 1"), (1, "run 3"), (2, "run 2")]
    assert found.groups[1].startswith("t2v, not comparable with the first group of t2v: ")
    assert said in found.groups[1], rule
    assert {one.group for one in found.tests} == {1}


def test_other_questions_and_another_gallery_keep_groups_apart() -> None:
    base = made(0.5)
    gallery = replace(base, questions=(replace(base.questions[0], gallery="h" * 64),))
    other = replace(base.questions[0], digests=tuple(f"p{k}" for k in range(N)))
    questions, unknown = replace(base, questions=(other,)), replace(base, questions=())
    found = leaderboard(base, gallery, questions, unknown)
    assert [row.group for row in found.rows] == [1, 2, 3, 4]
    assert "another gallery (200 against 200 candidates)" in found.groups[1]
    assert "other questions (200 against 200 queries)" in found.groups[2]
    assert "run 4 does not record what was asked" in found.groups[3]
    assert [row.gallery for row in found.rows] == ["gggggggg", "hhhhhhhh", "gggggggg", ""]


def test_queries_are_paired_by_what_they_ask_whatever_their_order() -> None:
    a, b = made(0.5), made(0.5)
    turned = replace(
        b,
        ranks=(replace(b.ranks[0], query_ids=b.ranks[0].query_ids[::-1], ranks=b.ranks[0].ranks[::-1]),),
        questions=(replace(b.questions[0], digests=b.questions[0].digests[::-1]),),
    )
    (test,) = leaderboard(a, turned).tests
    assert test.delta == 0.0
    assert test.p_value == 1.0


def test_tasks_and_methods_of_one_file_are_rows_of_their_own(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 24)
    found = measure(store, methods=["gram", "cosine"], options=EvalOptions())
    table = leaderboard(found)
    assert {(row.task, row.method) for row in table.rows} == {(row.task, row.method) for row in found.results}
    assert all(len({row.task for row in table.rows if row.group == k}) == 1 for k in {row.group for row in table.rows})
    some = leaderboard(found, tasks=["t2va"], methods=["gram"], metrics=["MRR", "MedR"])
    assert [(row.task, row.method, tuple(row.figures)) for row in some.rows] == [("t2va", "gram", ("MRR", "MedR"))]
    assert some.rows[0].letters == "a"


def test_normalised_scores_are_another_group(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 24)
    runs = [
        measure(store, tasks=[parse_task("t2v")], methods=["cosine"], options=EvalOptions(normalize=how))
        for how in (None, "dsl", "dsl:tau=5")
    ]
    found = leaderboard(*runs, tasks=["t2v"])
    assert [row.group for row in found.rows] == [1, 2, 3]
    assert found.rows[0].stage == "raw"
    assert all("dsl" in row.stage for row in found.rows[1:])


def test_files_are_named_as_far_as_they_differ_and_the_api_takes_them(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, made(hit)) for name, hit in (("a.json", 0.4), ("b.json", 0.5))]
    found = gramcli.leaderboard(*paths)
    assert [row.run for row in found.rows] == ["b.json", "a.json"]
    assert list(found.to_frame()["R@1"]) == [0.5, 0.4]
    assert [one["run"] for one in found.provenance["runs"]] == ["a.json", "b.json"]


def test_a_run_without_the_figures_is_named(tmp_path: Path) -> None:
    empty = Evaluation({}, (ResultRow("t", "", "raw", "effective_rank", 3.0, None, None, 5),), (), ())
    paths = [written(tmp_path, "a.json", made(0.4)), written(tmp_path, "geometry.json", empty)]
    assert "Not listed, for nothing in it was asked for: geometry.json." in leaderboard(*paths).notes
    with pytest.raises(UserError, match=r"No run has R@1 or accuracy: name columns by --metric. They have: effective_"):
        leaderboard(paths[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "broken.json is not JSON"),
        ("[1]", "broken.json is JSON, but not an evaluation's"),
        ('{"schema": 99, "results": []}', "broken.json has schema 99"),
        ('{"schema": 1, "results": [], "names": ["a"]}', "not an evaluation's JSON but a comparison's"),
    ],
)
def test_foreign_files_are_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    good = written(tmp_path, "a.json", made(0.4))
    bad = tmp_path / "broken.json"
    bad.write_text(content)
    with pytest.raises(UserError, match=message):
        leaderboard(good, bad)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.json does not exist"):
        leaderboard(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metrics": ["R@2"]}, r"--metric 'R@2' is in none of the runs. Did you mean 'R@1'\? They have: R@1, MedR"),
        ({"tasks": ["t2va"]}, r"--task t2va is in none of the runs. Did you mean 't2v'\? They have: t2v"),
        ({"methods": ["gramm"]}, "--method gramm is in none of the runs. Did you mean 'gram'"),
    ],
)
def test_what_no_run_has_is_refused(asked: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        leaderboard(made(0.5), **asked)


def test_no_run_and_one_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the JSON of at least one evaluation"):
        leaderboard()
    path = written(tmp_path, "a.json", made(0.4))
    with pytest.raises(UserError, match=r"a.json is named twice"):
        leaderboard(path, path)
    (tmp_path / "linked.json").symlink_to(path)
    for other in (tmp_path / "." / ".." / tmp_path.name / "a.json", tmp_path / "linked.json"):
        with pytest.raises(UserError, match="is named twice"):
            leaderboard(path, other)


def test_what_is_one_by_construction_separates_nobody() -> None:
    small = [replace(one, ranks=(replace(one.ranks[0], n_candidates=1),)) for one in (made(0.5), made(0.9))]
    found = leaderboard(*small)
    assert found.tests == ()


def test_every_row_says_protocol_n_stage_and_gallery() -> None:
    (table,) = answer_of(leaderboard(made(0.5))).tables
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert (cells["protocol"], cells["n"], cells["stage"], cells["gallery"]) == ("made", "200", "raw", "200")
    assert cells["R@1"] == "50.0 [45.0, 55.0]"


def classified(hit: float) -> Evaluation:
    """A run that classifies, and retrieves nothing."""
    found = made(hit, method="zeroshot", task="v")
    rows = tuple(replace(row, metric="accuracy") for row in found.results if row.metric == "R@1")
    return replace(found, results=rows)


def test_rows_without_the_first_metric_are_neither_ordered_nor_tested_by_it() -> None:
    """They stood in a group `by accuracy`, of dashes, with letters that a test of their ranks had given."""
    found = leaderboard(made(0.9), made(0.2), classified(0.5), metrics=["accuracy", "R@1"])
    by = {number: [row for row in found.rows if row.group == number] for number in (1, 2)}
    assert [found.metric_of(number) for number in (1, 2)] == ["R@1", "accuracy"]
    assert [row.run for row in by[1]] == ["run 1", "run 2"]
    assert [row.letters for row in by[1]] == ["a", "b"]
    tables = answer_of(found).tables
    assert [table.title.partition("; by ")[2].split(",")[0] for table in tables] == ["R@1", "accuracy"]
    assert "accuracy" not in tables[0].columns


def test_a_run_that_the_task_leaves_out_is_named_with_its_own_tasks() -> None:
    found = leaderboard(made(0.9), classified(0.5), tasks=["t2v"], metrics=["accuracy", "R@1"])
    assert "Not listed, for nothing in it was asked for: run 2 (it has v)." in found.notes
    assert "No row that is listed has accuracy." in found.notes
    assert found.metric_of(1) == "R@1"


def test_a_row_without_the_metric_of_its_group_stands_last_and_is_not_tested() -> None:
    bare = made(0.9, seed=2)
    bare = replace(bare, results=tuple(row for row in bare.results if row.metric != "R@1"))
    found = leaderboard(bare, made(0.9), made(0.2))
    assert [(row.run, row.letters) for row in found.rows] == [("run 2", "a"), ("run 3", "b"), ("run 1", "")]
    assert len(found.tests) == 1


def test_other_questions_by_a_limit_say_so() -> None:
    other = made(0.5, limit=50)
    asked = replace(other.questions[0], digests=tuple(f"p{k}" for k in range(N)))
    found = leaderboard(made(0.5), replace(other, questions=(asked,)))
    assert "other questions (200 against 200 queries; they differ in limit (none against 50))" in found.groups[1]


def test_the_same_evaluation_twice_is_listed_and_tested_once(tmp_path: Path) -> None:
    """Copies of one file were rows of their own, and their tests counted in p Holm."""
    twin = written(tmp_path, "copy.json", made(0.4))
    found = leaderboard(written(tmp_path, "a.json", made(0.4)), written(tmp_path, "b.json", made(0.5, seed=1)), twin)
    assert sorted(row.run for row in found.rows) == ["a.json", "b.json"]
    assert len(found.tests) == 1
    assert "copy.json holds the same evaluation as a.json: it is listed and tested once." in found.notes


@pytest.mark.parametrize("metric", ["R@1", "MRR"])
def test_a_figure_that_is_not_that_of_the_ranks_is_refused(metric: str) -> None:
    """It would stand first by what it says, and last by the tests."""
    honest = made(0.2)
    rows = tuple(replace(row, value=0.99) if row.metric == metric else row for row in honest.results)
    with pytest.raises(UserError, match=f"run 2: {metric} of t2v under gram is 0.99 in its results and 0.[0-9]+ by"):
        leaderboard(made(0.6), replace(honest, results=rows))


def test_ties_of_which_an_older_file_says_nothing_are_no_alteration() -> None:
    honest = made(0.2)
    ties = ResultRow("t2v", "gram", "raw", "tie_rate", 0.1, None, None, N)
    rows = (*(replace(row, value=0.25) if row.metric == "R@1" else row for row in honest.results), ties)
    assert len(leaderboard(made(0.6), replace(honest, results=rows)).rows) == 2
