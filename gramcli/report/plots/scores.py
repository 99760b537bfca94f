"""Scores of matched and mismatched pairs: how well a method parts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.report.plots.panels import grid, headed, principal, some_of
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import SMALL, colour, name_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import Subject
    from gramcli.results.pictures import Histogram, ScoreDistribution

MOST_PANELS: Final = 8
MATCHED: Final = 0  # numbers of colours
MISMATCHED: Final = 1


def score_distributions(subject: Subject) -> Picture | None:
    """Draw the distributions, a panel per task and method.

    Args:
        subject: With pictures.

    Returns:
        None where none were computed.
    """
    every = () if subject.pictures is None else subject.pictures.scores
    found = [one for one in every if subject.keeps(one.task, one.method)]
    shown = principal(found, MOST_PANELS)
    if not shown:
        return None
    several = len({one.task for one in shown}) > 1
    with styled("scores"):
        figure, panels = grid(len(shown), 3, 1.75)
        for panel, one in zip(panels, shown, strict=True):
            _panel(panel, one, f"{one.task} {one.method}" if several else one.method)
        handles, labels = panels[0].get_legend_handles_labels()
        headed(figure, subject.title, handles[::-1], labels[::-1])
    words = "; ".join(f"{one.task} {one.method} AUC {_auc(one)}" for one in shown)
    caption = (
        f"Scores of matched and mismatched pairs, each as a share of its own; AUC is the chance that a matched pair "
        f"scores better: {words}. Pairs: {shown[0].negatives}."
    )
    return Picture("scores", caption + some_of(len(shown), len(found)), figure)


def _panel(panel: Axes, found: ScoreDistribution, name: str) -> None:
    _area(panel, found.mismatched, MISMATCHED, "mismatched", (0, (3, 1.5)))
    _area(panel, found.matched, MATCHED, "matched", "-")
    arrow = "→" if found.higher_is_better else "←"
    panel.set_xlabel(f"score, better {arrow}", fontsize=SMALL - 0.5, labelpad=1)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)
    panel.set_ylim(bottom=0)
    panel.locator_params(axis="x", nbins=4)
    panel.set_title(f"{name_of(name, 22)}\nAUC {_auc(found)}", loc="left", fontsize=SMALL)


def _area(panel: Axes, found: Histogram, look: int, label: str, line: Any) -> None:  # noqa: ANN401 - a style
    total = sum(found.counts)
    if not total:
        return
    shares = [count / total for count in found.counts]
    panel.stairs(shares, found.edges, fill=True, color=colour(look), alpha=0.28, linewidth=0)
    panel.stairs(shares, found.edges, color=colour(look), label=label, linestyle=line, linewidth=1.6)


def _auc(found: ScoreDistribution) -> str:
    if found.auc is None:
        return "-"
    bounds = "" if found.low is None or found.high is None else f" [{_three(found.low)}, {_three(found.high)}]"
    return f"{_three(found.auc)}{bounds}"


def _three(value: float) -> str:
    """Three decimals, or as many as show that it is not 1.

    Example:
        >>> _three(0.98765), _three(1.0), _three(0.99999)
        ('0.988', '1', '>0.999')
    """
    return "1" if value == 1 else ">0.999" if value > 0.9995 else f"{value:.3f}"
