"""`--expect` reads what people write and says what failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gramcli.cli.expectations import failures, parse_expectations
from gramcli.errors import UserError
from tests.made_results import evaluation, figures


def parsed(text):
    found = parse_expectations([text])[0]
    return found.task, found.method, found.metric, found.value, found.tolerance


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("R@1=0.525+-0.005", (None, None, "R@1", 0.525, 0.005)),
        ("t2v:R@1=0.525±0.01", ("t2v", None, "R@1", 0.525, 0.01)),
        ("t2va:gram:MedR=2.0+/-0", ("t2va", "gram", "MedR", 2.0, 0.0)),
        ("t2va:pmrl:value=share:R@10=.9+-1e-3", ("t2va", "pmrl:value=share", "R@10", 0.9, 0.001)),
        ("aggregation_gain=-0.02+-0.01", (None, None, "aggregation_gain", -0.02, 0.01)),
    ],
)
def test_forms(text, expected):
    assert parsed(text) == expected


@pytest.mark.parametrize(("text", "tolerance"), [("R@1=0.525", 0.0005), ("MedR=2", 0.5), ("R@1=0.50", 0.005)])
def test_without_a_tolerance_the_digits_given_count(text, tolerance):
    assert parsed(text)[-1] == pytest.approx(tolerance)


@pytest.mark.parametrize("text", ["", "R@1", "R@1=", "R@1=x", "R@1=0.5+-", "R@1=0.5+-x", "=0.5", "R@1=0.5+-nan"])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError, match="is not"):
        parse_expectations([text])


def test_every_figure_an_expectation_covers_must_agree():
    rows = (*figures("t2v", "gram", 0.4), *figures("t2v", "cosine", 0.5))
    found = replace(evaluation(), results=rows)
    assert failures(parse_expectations(["t2v:gram:R@1=0.4+-0"]), found) == []
    sentences = failures(parse_expectations(["R@1=0.4+-0.01"]), found)
    assert sentences == ["t2v cosine R@1 is 0.5: 0.1 above 0.4 within 0.01 (--expect 'R@1=0.4+-0.01')"]


def test_the_ends_of_the_tolerance_count_as_inside():
    found = replace(evaluation(), results=tuple(figures("t2v", "gram", 0.53)))
    assert failures(parse_expectations(["R@1=0.525+-0.005"]), found) == []


def test_a_missing_figure_fails():
    row = replace(figures("t2v", "gram", 0.5)[0], value=None)
    assert failures(parse_expectations(["R@1=0.5"]), replace(evaluation(), results=(row,)))


def test_an_expectation_about_nothing_measured_is_a_mistake():
    with pytest.raises(UserError, match=r"fits no figure. There are R@1"):
        failures(parse_expectations(["v2a:R@1=0.5"]), evaluation())
