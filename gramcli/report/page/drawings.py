"""The figures of a page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from gramcli.report.figures import MAX_PANELS, forest_plot, learning_curves, recall_curves
from gramcli.results.records import Evaluation
from gramcli.results.runs import Alignment


@dataclass(frozen=True)
class Shown:
    """A figure with the sentence that says how to read it."""

    svg: Markup
    caption: str


def drawings_of(evaluation: Evaluation | None) -> list[Shown]:
    """Return every figure that an evaluation can serve."""
    if evaluation is None:
        return []
    tasks = dict.fromkeys(vector.task for vector in evaluation.ranks)
    some = f" The first {MAX_PANELS} of {len(tasks)} tasks." if len(tasks) > MAX_PANELS else ""
    found = [
        (forest_plot(evaluation.results), "R@1 of every task and method; the bar is the 95 % interval."),
        (forest_plot(evaluation.results, "accuracy"), "Accuracy of every classifier; the bar is the 95 % interval."),
        (recall_curves(evaluation.ranks), f"Share of queries with a match among the first k (log scale).{some}"),
    ]
    # The SVG is matplotlib's own output, which escapes the names in it.
    return [Shown(Markup(svg), caption) for svg, caption in found if svg]  # noqa: S704


def training_drawings(found: Alignment) -> list[Shown]:
    """Return the learning curves of a training."""
    svg = Markup(learning_curves(found.history, found.best, found.metric))  # noqa: S704 - as above
    return [Shown(svg, f"Loss and validation figures by epoch; the mark is epoch {found.best}, which was kept.")]
