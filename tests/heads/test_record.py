"""The record of a training that travels with what heads make: settings, and a curve of few points."""

from __future__ import annotations

import pytest

from gramcli.errors import UserError
from gramcli.heads.record import MOST_POINTS, record_of
from gramcli.results.facts import ModelFacts
from gramcli.results.schema import Source, checked


def epoch(number: int, loss: float = 1.23456789, validation: float | None = 0.5) -> dict:
    figures = {"R@1": 0.25, "R@5": 0.5, "R@10": 0.75, "MRR": 0.3333333333}
    return {"epoch": number, "lr": 0.1, "loss": loss, "measures": figures, "temperature": None,
            "validation_loss": validation}  # fmt: skip


def config(n: int, best: int, **more) -> dict:
    return {
        "plan": {"loss": "gram", "metric": "MRR"},
        "history": [epoch(k) for k in range(1, n + 1)],
        "best": best,
    } | more


def facts(record: dict) -> ModelFacts:
    return checked({"heads": {"record": record}}, ModelFacts, Source("it", "input", "Write it anew."))


def test_settings_curve_and_the_stage_before_are_kept() -> None:
    plan = {"loss": "gram", "metric": "MRR", "lr": 0.01, "modalities": ["text", "video"], "init": None, "odd": {"a": 1}}
    found = record_of(config(3, 2, plan=plan, warm_up={"history": [epoch(1), epoch(2)], "best": 1}))
    assert found["plan"] == {name: value for name, value in plan.items() if name != "odd"}
    assert found["curve"]["epoch"] == [1, 2, 3]
    assert found["curve"]["loss"] == [1.23457] * 3
    assert found["curve"]["measures"] == {"R@1": [0.25] * 3, "MRR": [0.333333] * 3}
    assert found["warm_up"] == {"done": 2, "kept": 1}
    assert facts(found).heads.record.curve.epoch == [1, 2, 3]


@pytest.mark.parametrize("n", [MOST_POINTS, MOST_POINTS + 1, 5000])
def test_a_long_curve_keeps_few_points_and_the_kept_epoch(n: int) -> None:
    for best in (1, 777 % n, n):
        found = record_of(config(n, best or 1))["curve"]["epoch"]
        assert len(found) <= MOST_POINTS
        assert {1, best or 1, n} <= set(found)
        assert found == sorted(set(found))


def test_heads_of_an_older_version_have_no_curve() -> None:
    assert record_of({"plan": {"loss": "gram"}}) == {"plan": {"loss": "gram"}}


@pytest.mark.parametrize(
    "curve",
    [{"epoch": [1, 2], "loss": [1.0]}, {"epoch": [1], "loss": [1.0], "validation_loss": []},
     {"epoch": [1], "loss": [1.0], "validation_loss": [1.0], "measures": {"MRR": [0.1, 0.2]}}],
)  # fmt: skip
def test_columns_of_other_lengths_are_refused(curve: dict) -> None:
    with pytest.raises(UserError, match="columns of a learning curve differ in length"):
        facts({"curve": curve})
