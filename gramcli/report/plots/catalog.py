"""The kinds of figures as plain rows: the command line, the help, the docs and the page are made from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gramcli.catalog import Catalog

Need = Literal["figures", "ranks", "classes", "vectors", "comparison", "training"]
SOURCES: Final[dict[Need, str]] = {
    "figures": "an evaluation of retrieval, or a store",
    "ranks": "an evaluation or a store",
    "classes": "an evaluation with --metrics classification, or a store with labels",
    "vectors": "a store, or an evaluation whose store is still there",
    "comparison": "a comparison's JSON, or two or more evaluations",
    "training": "heads that `gram align` wrote, or what was made with them",
}
"""What a kind needs -> what has it."""


@dataclass(frozen=True)
class Kind:
    """One kind of figure.

    Attributes:
        name: The word on the command line.
        target: Function of a `Subject` that gives a `Picture`, or None where the subject has nothing for it.
        summary: What it shows, one line without a full stop.
        needs: What it is made of.
    """

    name: str
    target: str
    summary: str
    needs: Need

    @property
    def source(self) -> str:
        """What has it, in words."""
        return SOURCES["classes" if self.name == "accuracy" else self.needs]


def _row(name: str, module: str, summary: str, needs: Need) -> Kind:
    return Kind(name, f"gramcli.report.plots.{module}", summary, needs)


KINDS: Final = Catalog(
    "kind of figure",
    (
        _row(
            "differences",
            "differences:differences",
            "differences to the baseline, 95 % intervals, verdicts",
            "comparison",
        ),
        _row("forest", "forest:forest", "R@1 of every task and method with its 95 % interval", "figures"),
        _row("accuracy", "forest:accuracy", "accuracy of every classifier with its 95 % interval", "figures"),
        _row("recall", "recall:recall", "R@k against k with 95 % bands, beside chance", "ranks"),
        _row("ranks", "ranks:rank_histograms", "on which rank the right answers stand", "ranks"),
        _row("scores", "scores:score_distributions", "scores of matched and mismatched pairs, with AUC", "vectors"),
        _row("spectra", "spectra:spectra", "singular values of each item's vectors, share of sigma_1", "vectors"),
        _row("map", "map:modality_map", "the modalities in the plane of two principal components", "vectors"),
        _row("matrix", "matrix:alignment_heat_map", "scores of some queries against each other's answers", "vectors"),
        _row("directions", "directions:directions", "R@1 from every set of modalities to every other", "figures"),
        _row("hubness", "hubness:hubness", "how often candidates are among the best, beside chance", "vectors"),
        _row("classes", "classes:class_accuracy", "accuracy of each class with its 95 % interval", "classes"),
        _row("confusion", "confusion:confusion", "which classes are taken for which", "classes"),
        _row("training", "training:training", "loss and validation figure of every epoch", "training"),
    ),
    group="gramcli.plots",
)
