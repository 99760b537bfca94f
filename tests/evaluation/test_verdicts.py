"""What is said of a comparison: who is better, by how much, and what could have been seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gramcli.evaluation.comparison import CompareOptions, compare_evaluations
from gramcli.results.records import Evaluation, Questions, RankVector


def made(hits: int, n: int = 200, tasks: tuple[str, ...] = ("t2v",), method: str = "gram", ids=None) -> Evaluation:
    """The first so many of n queries hit, the others come second."""
    names = tuple(ids or [f"q{k}" for k in range(n)])
    ranks = tuple([1.0] * hits + [2.0] * (n - hits))
    asked = tuple(Questions(task, names, f"gallery of {n}", "items", "items") for task in tasks)
    return Evaluation({}, (), (), tuple(RankVector(task, method, names, ranks, n) for task in tasks), questions=asked)


def said(a: Evaluation, b: Evaluation, *others: Evaluation, **options: object) -> list[str]:
    names = ["A.json", "B.json", "C.json"][: 2 + len(others)]
    return [one.sentence for one in compare_evaluations([a, b, *others], names, CompareOptions(**options)).verdicts]


def test_better_and_worse() -> None:
    (better,) = said(made(100), made(141))
    assert better.startswith("t2v R@1: B is better than A by 20.5 points [15.")
    assert better.endswith("], p < 0.001, 41 of 200 queries gained, 0 lost.")
    (worse,) = said(made(141), made(100))
    assert worse.startswith("t2v R@1: B is worse than A by 20.5 points [15.")
    assert "0 of 200 queries gained, 41 lost" in worse
    assert better.partition("[")[2].partition("]")[0] == worse.partition("[")[2].partition("]")[0]


def test_no_difference_is_never_called_equal() -> None:
    (sentence,) = said(made(100), made(102))
    assert sentence.startswith("t2v R@1: no difference between A and B is shown: B - A is +1.0 points [-0.")
    assert sentence.endswith("could have been seen (power 80 %).")
    (same,) = said(made(100), made(100))
    assert "p = 1.000, 0 of 200 queries gained, 0 lost; with n = 200 a difference of 2.7 points could" in same
    assert "equal" not in same and "same" not in same


def test_holm_is_over_all_tasks_and_contenders_and_decides() -> None:
    tasks = ("t2v", "t2a", "v2a")
    alone = compare_evaluations([made(100), made(105)], "AB").verdicts[0]
    family = compare_evaluations([made(100, tasks=tasks), made(105, tasks=tasks)], "AB").verdicts
    assert alone.outcome == "better"
    assert alone.p_holm < 0.05 < family[0].p_holm
    assert {one.outcome for one in family} == {"no difference shown"}
    assert "p = 0.079 (Holm over 3), though p = 0.026 alone" in family[0].sentence
    assert family[0].detectable > alone.detectable


def test_letters_are_those_of_the_contenders() -> None:
    second, third = said(made(100), made(102), made(150))
    assert "no difference between A and B" in second
    assert third.startswith("t2v R@1: C is better than A by")


def test_methods_are_named_where_there_are_several() -> None:
    both = [
        Evaluation(
            {},
            (),
            (),
            (*one.ranks, *(replace(vector, method="cosine") for vector in one.ranks)),
            questions=one.questions,
        )
        for one in (made(100), made(150))
    ]
    assert [one.partition(":")[0] for one in said(*both)] == ["t2v R@1 under gram", "t2v R@1 under cosine"]


def test_what_the_baseline_leaves_no_room_for_is_said() -> None:
    (sentence,) = said(made(198), made(199))
    assert sentence.endswith("could have been seen (power 80 %), more than the 1.0 that A leaves above it.")


def test_two_queries_could_have_seen_nothing() -> None:
    (sentence,) = said(made(1, n=20, ids=["x"] * 20), made(2, n=20, ids=["x"] * 20))
    assert sentence.endswith("with n = 20 no difference could have been seen (power 80 %).")


def test_a_mean_is_no_points() -> None:
    (sentence,) = said(made(100), made(150), primary="MRR")
    assert sentence.startswith("t2v MRR: B is better than A by 0.125 [0.")


def test_the_record_says_what_the_sentence_says() -> None:
    found = compare_evaluations([made(100), made(141)], ["A.json", "B.json"])
    verdict, row = found.verdicts[0], found.rows[0]
    for name in ("task", "metric", "a", "b", "delta", "low", "high", "p_holm", "wins", "losses", "n"):
        assert getattr(verdict, name) == getattr(row, name)
    assert (verdict.outcome, verdict.a) == ("better", "A.json@gram")
    assert found.sides[1].ranks[0].ranks[140] == 1.0


def test_a_figure_that_is_one_by_construction_has_no_verdict() -> None:
    assert said(made(3, n=5), made(4, n=5), primary="R@5") == []


def test_a_small_difference_keeps_a_digit() -> None:
    n = 20_000
    (sentence,) = said(made(100, n=n), made(101, n=n))
    assert "B - A is +0.005 points" in sentence
    assert not np.isnan(compare_evaluations([made(100, n=n), made(101, n=n)], "AB").verdicts[0].detectable)


@pytest.mark.parametrize("hits", [0, 200])
def test_all_and_none(hits: int) -> None:
    (sentence,) = said(made(hits), made(hits))
    assert "no difference between A and B is shown" in sentence


def test_over_seeds_gained_is_said_of_the_mean() -> None:
    """A query hits under some seeds and not under others: only under B, as for single models, says nothing then."""
    found = compare_evaluations([made(100), [made(141), made(130)]], ["A.json", "B.json"], CompareOptions())
    assert "41 of 200 queries gained (higher in their mean over seeds), 0 lost" in found.verdicts[0].sentence
