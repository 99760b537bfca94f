"""`--expect`: figures that a run must reproduce, for scripts and for papers' tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError
from gramcli.report.answer import is_per_cent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.results.records import Evaluation, ResultRow

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
_LARGEST: Final = 1e12
_LONGEST: Final = 60  # letters of a number
_FORM = re.compile(
    rf"(?:(?P<scope>.+):)?(?P<metric>[^:=]+)=(?P<value>[+-]?{_NUMBER})(?:(?:\+-|\+/-|±)(?P<tolerance>{_NUMBER}))?"
)


@dataclass(frozen=True)
class Expectation:
    """One `--expect`.

    Attributes:
        text: As the user wrote it.
        task: Task name, None for all.
        method: Method name, None for all.
        metric: Metric name.
        value: The figure to be found.
        tolerance: How far off it may be; without `+-` half a unit of the last digit given.
    """

    text: str
    task: str | None
    method: str | None
    metric: str
    value: float
    tolerance: float

    def covers(self, row: ResultRow) -> bool:
        """Say whether a figure is one this expectation is about."""
        scope = (self.task in {None, row.task}) and (self.method in {None, row.method})
        return scope and row.metric == self.metric

    def holds(self, row: ResultRow) -> bool:
        """Say whether a figure is close enough; one that is missing is not."""
        # Decimal text such as 0.525+-0.005 has no exact float: a last-bit allowance keeps its ends inside.
        return row.value is not None and abs(row.value - self.value) <= self.tolerance + 1e-12


def parse_expectations(texts: Sequence[str] | None) -> list[Expectation]:
    """Read `[TASK:[METHOD:]]METRIC=VALUE[+-TOLERANCE]`.

    Args:
        texts: As given on the command line.

    Returns:
        One expectation per text.

    Raises:
        UserError: A text has another form, or a number that is beyond all sense.

    Example:
        >>> found = parse_expectations(["t2v:gram:R@1=0.525+-0.005"])[0]
        >>> found.task, found.method, found.metric, found.value, found.tolerance
        ('t2v', 'gram', 'R@1', 0.525, 0.005)
    """
    return [_parse(text) for text in texts or ()]


def _parse(text: str) -> Expectation:
    match = _FORM.fullmatch(text.strip())
    if not match:
        raise UserError("usage", f"--expect '{text}' is not [TASK:[METHOD:]]METRIC=VALUE+-TOLERANCE; R@1=0.525+-0.005.")
    task, _, method = (match["scope"] or "").partition(":")
    value, tolerance = _bounded(text, match["value"]), match["tolerance"]
    allowed = _bounded(text, tolerance) if tolerance else _half_a_digit(match["value"])
    return Expectation(text, task or None, method or None, match["metric"].strip(), value, allowed)


def _bounded(text: str, number: str) -> float:
    found = float(number)
    if abs(found) > _LARGEST or len(number) > _LONGEST:
        raise UserError("usage", f"--expect '{text[:_LONGEST]}': a number must be from -{_LARGEST:g} to {_LARGEST:g}.")
    return found


def _half_a_digit(number: str) -> float:
    """Half a unit of the last digit that was given."""
    digits, _, exponent = number.lower().partition("e")
    last = int(exponent or 0) - len(digits.partition(".")[2])
    return 0.5 * 10.0 ** max(-_LONGEST, min(_LONGEST, last))


def failures(expectations: Sequence[Expectation], evaluation: Evaluation) -> list[str]:
    """Return one sentence per expectation and figure that do not agree.

    Args:
        expectations: What must be found.
        evaluation: What was found.

    Returns:
        Sentences; empty when all hold.

    Raises:
        UserError: An expectation is about no figure of the evaluation.
    """
    sentences = []
    for expected in expectations:
        rows = [row for row in evaluation.results if expected.covers(row)]
        if not rows:
            known = ", ".join(dict.fromkeys(f"{row.task}:{row.method}" for row in evaluation.results))
            metrics = ", ".join(dict.fromkeys(row.metric for row in evaluation.results))
            raise UserError("usage", f"--expect '{expected.text}' fits no figure. There are {metrics} of {known}.")
        wrong = [row for row in rows if not expected.holds(row)]
        sentences += [
            f"{row.task} {row.method} {row.metric} {_told(row, expected)}{_hint(row.metric, expected)}" for row in wrong
        ]
    return sentences


def _told(row: ResultRow, expected: Expectation) -> str:
    """What came, what was due, and how far apart they are."""
    due = f"{expected.value:g} within {expected.tolerance:g}"
    if row.value is None:
        return f"has no value where {due} was due (--expect '{expected.text}')"
    off = row.value - expected.value
    side = "above" if off > 0 else "below"
    return f"is {row.value:.6g}: {abs(off):.4g} {side} {due} (--expect '{expected.text}')"


def _hint(metric: str, expected: Expectation) -> str:
    """Say that a fraction is one, where the value given looks like per cent."""
    if not is_per_cent(metric) or abs(expected.value) <= 1:
        return ""
    return f"; values are fractions, write {metric}={expected.value / 100:g}+-{expected.tolerance / 100:g} for per cent"
