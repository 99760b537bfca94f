"""What is ranked for an evaluation: each ranking once, single pairs under cosine, and the same figures all the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gramcli.evaluation.answering import Question, answer_all
from gramcli.evaluation.comparison import compare_evaluations
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.orders import PAIRS_NOTE, ordering
from gramcli.evaluation.postprocessing import PostProcessing
from gramcli.evaluation.rankings import list_rankings
from gramcli.evaluation.same_rows import share_rows
from gramcli.evaluation.selection import select
from gramcli.methods import METHODS, get_method
from gramcli.modalities import parse_task
from gramcli.scoring import plan
from gramcli.scoring.asked import aim, open_question
from gramcli.scoring.ranking import RankOptions, rank
from gramcli.store.splits import chosen_items
from tests.small_stores import make_store
from tests.vectors import make_side


def selected(store, *tasks: str):
    items = chosen_items(store, None, None)
    return share_rows([select(store, parse_task(task), items, "drop") for task in tasks])


def listed(store, tasks: list[str], methods: list[str], options: EvalOptions | None = None):
    runs = [(one, name, get_method(name)) for one in selected(store, *tasks) for name in methods]
    return list_rankings(runs, PostProcessing(), options or EvalOptions())


def test_by_default_single_pairs_are_shown_under_cosine_and_joint_tasks_under_every_method(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 14))
    shown = {task: {row.method for row in found.results if row.task == task} for task in ("t2v", "v2t", "t2a", "t2va")}
    assert shown["t2v"] == shown["v2t"] == shown["t2a"] == {"cosine"}
    assert shown["t2va"] == set(METHODS.names())
    assert PAIRS_NOTE in found.notes


def test_a_named_method_is_shown_for_any_task_without_the_note(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 14)
    found = measure(store, tasks=[parse_task("t2v")], methods=["gram", "span"])
    assert {row.method for row in found.results} == {"gram", "span"}
    assert PAIRS_NOTE not in found.notes


def test_single_pairs_of_joint_tasks_are_ranked_once_whatever_the_joint_methods(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 14)
    methods = [name for name in METHODS.names() if name != "triangle"]
    joint, both = listed(store, ["t2va"], methods), listed(store, ["t2v", "t2a", "t2va"], ["cosine"])
    assert len(joint.questions) == len(methods) + 4, "t2v and t2a, by the cosine and by |cosine|"
    assert len(both.questions) == 3 + 2, "the cosine of both pairs is shown"
    pairs = joint.questions[len(methods) :]
    assert {(*one.queries, *one.candidates, one.method.name) for one in pairs} == {
        ("text", name, method) for name in ("video", "audio") for method in ("cosine", "gram")
    }
    assert all(one.nearest == 0 and not one.every_positive for one in pairs)


def test_methods_of_one_order_share_a_ranking_and_the_figures_are_those_of_separate_runs(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 20, captions=(2, 1) * 10)
    names = ["gram", "gram:log=true", "span", "span:log=true", "span:ridge=0"]
    assert len(listed(store, ["t2v"], names).questions) == 2
    tasks = [parse_task("t2v"), parse_task("t2va")]
    together = measure(store, tasks=tasks, methods=names)
    for name in names:
        alone = measure(store, tasks=tasks, methods=[name])
        assert alone.results == tuple(row for row in together.results if row.method == name)
        assert alone.ranks == tuple(one for one in together.ranks if one.method == name)


@pytest.mark.parametrize("others", [("cosine", "centroid"), ("gram", "span"), ("gram", "pmrl")])
def test_orders_that_round_on_their_own_way_are_not_shared(others: tuple[str, str]) -> None:
    """Permuted rows have one cosine with a constant query; whether they tie depends on how a method rounds."""
    first, second = (ordering(name, get_method(name)) for name in others)
    assert first != second
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(24, generator=generator, dtype=torch.float64)
    rows = torch.stack([base[torch.randperm(24, generator=generator)] for _ in range(200)])
    sides = {"x": torch.ones(200, 24, dtype=torch.float64)}, {"y": rows}
    found = [rank(name, *sides).forward_ties for name in others]
    assert not torch.equal(*found)


@pytest.mark.parametrize("captions", [1, (1, 2) * 7])
@pytest.mark.parametrize("name", ["cosine", "gram"])
def test_the_only_right_answer_stands_at_its_rank(tmp_path: Path, captions, name: str) -> None:
    (one,) = selected(make_store(tmp_path / "s", 14, captions=captions, noise=0.0), "t2va")
    question = plan.Question(name, one.queries, one.candidates, one.positives, every_positive=True)
    asked = open_question(question, "cpu")
    aim(asked)
    assert len(asked.forward.counter.thresholds) == 1
    assert len(asked.backward.counter.thresholds) == (1 if captions == 1 else 2)
    named = Question(get_method(name), one.queries, one.candidates, one.positives, every_positive=True)
    ((found,), _) = answer_all([named], [], RankOptions())
    ranks = found.ranks
    assert torch.equal(ranks.forward_positions, ranks.forward.double())
    assert torch.equal(ranks.forward_position_ties, ranks.forward_ties + 1)
    if captions == 1:
        assert torch.equal(ranks.backward_positions, ranks.backward.double())


@pytest.mark.parametrize("options", [EvalOptions(), EvalOptions(best=5), EvalOptions(normalize="csls:k=3")])
def test_progress_counts_the_pairs_of_every_question_once(tmp_path: Path, options: EvalOptions) -> None:
    store = make_store(tmp_path / "s", 14, captions=(1, 2) * 7)
    seen: list[tuple[int, int]] = []
    measure(store, options=replace(options, progress=lambda done, total: seen.append((done, total))))
    questions = 2 + 7 + 2  # the cosine of two pairs, seven methods of t2va, |cosine| of two pairs
    pooled = 0 if options.normalize else 2 + 7
    assert {total for _, total in seen} == {seen[-1][0]} == {(questions + pooled) * 21 * 14}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_equal_rows_of_several_tasks_are_one_tensor(tmp_path: Path) -> None:
    whole = selected(make_store(tmp_path / "s", 9), "t2v", "t2va", "v2a")
    assert whole[0].queries["text"] is whole[1].queries["text"]
    assert whole[0].candidates["video"] is whole[1].candidates["video"] is whole[2].queries["video"]
    gaps = selected(make_store(tmp_path / "g", 9, without={"audio": (3,)}), "t2v", "t2va")
    assert gaps[0].queries["text"] is not gaps[1].queries["text"]


def test_a_method_that_does_not_take_the_sides_turned_round_has_no_nearest_there() -> None:
    method = get_method("centroid:weights=query")
    queries, candidates = make_side(1, 12, 8, 1), make_side(2, 12, 8, 2)
    own = torch.arange(13), torch.arange(12)
    ((answer,), _) = answer_all([Question(method, queries, candidates, own, nearest=20)], [], RankOptions())
    assert answer.nearest_forward is not None and answer.nearest_forward.shape == (12, 12)
    assert answer.nearest_backward is None


def test_a_named_method_is_not_set_against_the_cosine_that_stands_for_all(tmp_path: Path) -> None:
    store, tasks = make_store(tmp_path / "s", 14), [parse_task("t2v"), parse_task("t2va")]
    named, every = measure(store, tasks=tasks, methods=["gram"]), measure(store, tasks=tasks)
    compared = compare_evaluations([[named], [every]], ["A", "B"])
    assert {(row.task, row.a, row.b) for row in compared.rows} == {(t, "A@gram", "B@gram") for t in ("t2va", "va2t")}
    said = "Not compared, for A and B have no method of it in common: t2v, v2t. --method names one."
    assert said in compared.notes
