"""What a reader is told of how heads were trained, from heads.json alone."""

from __future__ import annotations

from typing import Any

import pytest

from gramcli.heads.remarks import known_outcome, outcome_of, remarks


def config(**changed: Any) -> dict[str, Any]:
    """What heads.json says of a training with nothing to remark on."""
    history = [{"measures": {"MRR": value}} for value in (0.2, 0.9, 0.8)]
    plan = {"loss": "gram", "epochs": 3, "metric": "MRR", "warm_up": 0, **changed.pop("plan", {})}
    return {
        "plan": plan,
        "selected": [f"item{k}" for k in range(30)],
        "n_validation": 30,
        "history": history,
        "best": 2,
        "start": {"MRR": 0.1},
        "mean_cosines": {"text and video": 0.5, "text and audio": -0.01},
        **changed,
    }


def said(**changed: Any) -> list[str]:
    return remarks(outcome_of(config(**changed)))


def test_nothing_is_said_of_a_training_that_went_well() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"mean_cosines": {"text and video": -0.5}},
            "text and video of an item point opposite ways in these heads (mean cosine -0.50): gram does not see "
            "signs, cosine does. gram align --warm-up N begins by cosine and avoids it.",
        ),
        (
            {"mean_cosines": {"text and video": -0.5}, "plan": {"warm_up": 3}},
            "text and video of an item point opposite ways in these heads (mean cosine -0.50): gram does not see "
            "signs, cosine does.",
        ),
        (
            {"mean_cosines": {"text and video": -0.5}, "plan": {"loss": "cosine"}},
            "text and video of an item point opposite ways in these heads (mean cosine -0.50).",
        ),
        (
            {"plan": {"epochs": 100}},
            "The heads' training ended early, after epoch 3 of 100; epoch 2 was kept.",
        ),
        ({"best": 3}, "The heads' last epoch was their best: more --epochs may help."),
        (
            {"n_validation": 29},
            "The heads' epoch was chosen on 29 validation items: on fewer than 30, others may be as good.",
        ),
        (
            {"n_validation": 1},
            "The heads' epoch was chosen on 1 validation item: on fewer than 30, others may be as good.",
        ),
        ({"start": {"MRR": 0.9}}, "The heads rank no better than before training: MRR 0.900 before, 0.900 after."),
    ],
)
def test_what_limits_the_figures_is_said(changed: dict[str, Any], sentence: str) -> None:
    assert said(**changed) == [sentence]


def test_a_figure_that_was_perfect_before_cannot_be_bettered() -> None:
    assert said(start={"MRR": 1.0}, history=[{"measures": {"MRR": 1.0}}] * 3, best=1) == []


def test_heads_of_older_versions_say_what_they_know() -> None:
    old = config()
    for key in ("n_validation", "mean_cosines", "start", "history", "best"):
        del old[key]
    assert remarks(outcome_of(old)) == []
    assert len(remarks(outcome_of({**old, "selected": ["one"]}))) == 1


@pytest.mark.parametrize("model", [None, "signal", {}, {"heads": None}, {"heads": {"sha256": "x"}}])
def test_what_is_not_of_heads_has_no_outcome(model: object) -> None:
    assert remarks(known_outcome(model)) == []
