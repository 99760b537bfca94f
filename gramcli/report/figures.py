"""Figures as SVG text by the names they had; `gramcli.report.plots` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gramcli.report.plots import forest, recall, training
from gramcli.report.plots.recall import MOST_PANELS
from gramcli.report.plots.style import INK
from gramcli.report.plots.subject import History, Subject
from gramcli.report.plots.svg import alone
from gramcli.results.records import Evaluation, RankVector, ResultRow

if TYPE_CHECKING:
    from gramcli.results.runs import Epoch

__all__ = ["INK", "MAX_PANELS", "forest_plot", "learning_curves", "recall_curves", "stage_named"]

MAX_PANELS: Final = MOST_PANELS
stage_named = forest.stage_named


def forest_plot(rows: Sequence[ResultRow], metric: str = "R@1") -> str:
    """Draw one metric with its 95 % interval, one line per task and method; the empty string without it."""
    found = forest.forest(_subject(results=tuple(rows)), metric)
    return found.svg() if found else ""


def recall_curves(ranks: Sequence[RankVector]) -> str:
    """Draw R@k against k for each method, one panel per task; the empty string without ranks."""
    found = recall.recall(_subject(ranks=tuple(ranks)))
    return found.svg() if found else ""


def learning_curves(history: Sequence[Epoch], best: int, metric: str) -> str:
    """Draw loss and validation figure against the epoch as an SVG document."""
    found = training.training(Subject(history=History(tuple(history), best, metric)))
    return alone(found.svg(), found.caption) if found else ""


def _subject(**parts: Any) -> Subject:  # noqa: ANN401 - fields of an evaluation
    empty: dict[str, Any] = {"provenance": {}, "results": (), "left_out": (), "ranks": ()}
    return Subject(evaluation=Evaluation(**(empty | parts)))
