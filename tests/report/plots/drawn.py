"""Figures of parts of an evaluation, as SVG text; the empty string where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gramcli.report.plots import forest, recall
from gramcli.report.plots.subject import Subject
from gramcli.results.records import RankVector, ResultRow
from tests.made_results import evaluation


def forest_plot(rows: Sequence[ResultRow], metric: str = "R@1") -> str:
    """One metric with its 95 % interval."""
    found = forest.forest(Subject(evaluation=replace(evaluation(2), results=tuple(rows))), metric)
    return found.svg() if found else ""


def recall_curves(ranks: Sequence[RankVector]) -> str:
    """R@k against k."""
    found = recall.recall(Subject(evaluation=replace(evaluation(2), ranks=tuple(ranks))))
    return found.svg() if found else ""
