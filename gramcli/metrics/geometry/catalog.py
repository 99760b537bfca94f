"""Every figure of geometry as a row of data: help, tables and docs are made from it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gramcli.catalog import Catalog

Kind = Literal["modality", "pair", "joint"]
QUANTILES: Final = (5, 25, 50, 75, 95)
"""Per cent at which the distributions of volume and sigma_1 are given."""


@dataclass(frozen=True)
class GeometryMeasure:
    """What the tool knows of a figure of geometry.

    Attributes:
        name: The metric in CSV and JSON.
        kind: Of one modality, of two, or of all modalities of a task.
        target: `module:function`.
        formula: In plain text; x_i, y_i unit rows, n rows, d dimensions, sigma singular values.
        low: Smallest possible value, as text.
        high: Largest possible value, as text.
        reading: `higher ...` or `lower ...` and what that means.
        source: Where it comes from.
        method: Whose figure it is in the rows: `geometry`, or the method of a joint one.
    """

    name: str
    kind: Kind
    target: str
    formula: str
    low: str
    high: str
    reading: str
    source: str
    method: str = "geometry"

    @property
    def range(self) -> str:
        """`low to high`."""
        return f"{self.low} to {self.high}"


def _modality(
    name: str, where: str, formula: str, bounds: tuple[str, str], reading: str, source: str
) -> GeometryMeasure:
    return GeometryMeasure(name, "modality", f"gramcli.metrics.geometry.{where}", formula, *bounds, reading, source)


def _pair(name: str, where: str, formula: str, bounds: tuple[str, str], reading: str, source: str) -> GeometryMeasure:
    return GeometryMeasure(name, "pair", f"gramcli.metrics.geometry.{where}", formula, *bounds, reading, source)


_MODALITIES: Final = (
    _modality(
        "effective_rank", "modality:effective_rank", "exp(-sum p log p), p = sigma / sum sigma, rows centred",
        ("1", "min(n-1, d)"), "higher: more axes", "Roy and Vetterli 2007",
    ),
    _modality(
        "rankme", "modality:rankme", "exp(-sum p log p), p = sigma / sum sigma + 1e-7, rows not centred",
        ("1", "min(n, d)"), "higher: more axes", "arXiv:2210.02885",
    ),
    _modality(
        "participation_ratio", "modality:participation_ratio", "(sum l)^2 / sum l^2, l eigenvalues of the covariance",
        ("1", "min(n-1, d)"), "higher: more axes", "Gao et al. 2017",
    ),
    _modality(
        "isoscore_star", "modality:isoscore_star", "(participation_ratio - 1) / (d - 1)",
        ("0", "1"), "higher: more even", "arXiv:2305.19358",
    ),
    _modality(
        "isoscore_star_chance", "modality:isoscore_star_chance", "isoscore_star of n isotropic normal rows",
        ("0", "1"), "what chance gives", "-",
    ),
    _modality(
        "uniformity", "modality:uniformity", "log mean exp(-2 |x_i - x_j|^2), i != j",
        ("-8", "0"), "lower: more even", "arXiv:2005.10242",
    ),
    _modality(
        "intrinsic_dimension", "neighbours:intrinsic_dimension",
        "slope of -log(1 - F(mu)) against log mu, mu = r_2 / r_1, without the largest tenth",
        ("0", "inf"), "higher: larger", "Facco et al. 2017",
    ),
    _modality(
        "hubness", "neighbours:hubness", "skewness of N_10, how often a row is among the 10 nearest of another",
        ("-inf", "inf"), "higher: more hubs", "Radovanovic et al. 2010",
    ),
    _modality(
        "hubness_chance", "neighbours:hubness_chance", "skewness of a binomial count, n - 1 trials of 10 / (n - 1)",
        ("-inf", "inf"), "what chance gives", "-",
    ),
    _modality(
        "mean_norm", "modality:mean_norm", "mean length of the rows as stored",
        ("0", "inf"), "neither is better", "-",
    ),
)  # fmt: skip

_PAIRS: Final = (
    _pair(
        "alignment", "pair:alignment", "mean |x_i - y_i|^2",
        ("0", "4"), "lower: closer", "arXiv:2005.10242",
    ),
    _pair(
        "cosine_positive", "pair:cosines", "mean x_i . y_i",
        ("-1", "1"), "higher: closer", "-",
    ),
    _pair(
        "cosine_negative", "pair:negative_cosine", "mean x_i . y_j, i != j",
        ("-1", "1"), "lower: better apart", "-",
    ),
    _pair(
        "cosine_margin", "pair:negative_cosine", "cosine_positive - cosine_negative",
        ("-2", "2"), "higher: better apart", "-",
    ),
    _pair(
        "modality_gap", "pair:modality_gap", "|mean x - mean y|",
        ("0", "2"), "lower: smaller gap", "arXiv:2203.02053",
    ),
    _pair(
        "modality_gap_chance", "pair:modality_gap_chance", "sqrt(tr cov(x - y) / n)",
        ("0", "2"), "what chance gives", "-",
    ),
    _pair(
        "relative_modality_gap", "pair:relative_modality_gap",
        "a / (a + w), a = mean d(x_i, y_i), w = mean d within both modalities, d = (1 - cos) / 2",
        ("0", "1"), "lower: smaller gap", "arXiv:2404.07983",
    ),
    _pair(
        "linear_separability", "pair:linear_separability", "accuracy of a shrunk LDA, 5 folds over items",
        ("0", "1"), "lower: smaller gap", "Hastie et al. 2009",
    ),
    _pair(
        "cka", "pair:cka", "HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)), linear, unbiased",
        ("about 0", "1"), "higher: more alike", "arXiv:1905.00414; Song et al. 2012",
    ),
    _pair(
        "procrustes", "pair:procrustes", "min_R |X R - Y|^2, X and Y centred and of Frobenius norm 1",
        ("0", "2"), "lower: more alike", "arXiv:2110.14739",
    ),
    _pair(
        "procrustes_chance", "pair:procrustes_chance", "procrustes of shuffled items, mean of 3 permutations",
        ("0", "2"), "what chance gives", "-",
    ),
    _pair(
        "mutual_knn", "neighbours:mutual_knn", "mean |N_10(x_i) and N_10(y_i)| / 10",
        ("0", "1"), "higher: more alike", "arXiv:2405.07987",
    ),
    _pair(
        "mutual_knn_chance", "neighbours:mutual_knn_chance", "10 / (n - 1)",
        ("0", "1"), "what chance gives", "-",
    ),
)  # fmt: skip


def _distribution(name: str, method: str, formula: str, bounds: tuple[str, str], better: str) -> list[GeometryMeasure]:
    """Mean and quantiles of a score over matched and over shuffled instances, and how well it parts them."""
    worse = "higher" if better == "lower" else "lower"
    rows = []
    for which, reading in (("positive", f"{better}: closer"), ("negative", f"{worse}: better apart")):
        parts = {"": "mean", **{f"_q{q:02d}": f"{q} % quantile" for q in QUANTILES}}
        kind = "matched" if which == "positive" else "shuffled"
        rows += [
            GeometryMeasure(
                f"{name}_{which}{suffix}", "joint", "gramcli.metrics.geometry.joint:instances",
                f"{what} of {formula} of {kind} items", *bounds, reading, "-", method,
            )
            for suffix, what in parts.items()
        ]  # fmt: skip
    target, formula = "gramcli.metrics.geometry.joint:auc", "P(matched beats shuffled) + P(tie) / 2"
    auc = GeometryMeasure(
        f"{name}_auc", "joint", target, formula, "0", "1", "higher: better apart", "Hanley and McNeil 1982", method
    )
    return [*rows, auc]


def _joint(name: str, method: str, formula: str, bounds: tuple[str, str], reading: str, source: str) -> GeometryMeasure:
    function = name if name in {"gramian_value", "eigenvalue_max", "eigenvector_uniformity"} else "instances"
    target = f"gramcli.metrics.geometry.joint:{function}"
    return GeometryMeasure(name, "joint", target, formula, *bounds, reading, source, method)


_JOINTS: Final = (
    *_distribution("volume", "gram", "sqrt(det G)", ("0", "1"), "lower"),
    _joint(
        "degenerate_share", "gram", "share of items whose m vectors are linearly dependent (volume 0)",
        ("0", "1"), "lower: fewer hubs", "-",
    ),
    _joint(
        "gramian_value", "gram", "mean over queries of the smallest volume in the gallery",
        ("0", "1"), "lower: some candidate is close", "ispamm/GRAM",
    ),
    *_distribution("sigma1", "pmrl", "sigma_1", ("1", "sqrt(m)"), "higher"),
    _joint(
        "sigma1_share", "pmrl", "mean sigma_1^2 / sum sigma^2 of matched items",
        ("1/m", "1"), "higher: closer to rank 1", "arXiv:2507.17343",
    ),
    _joint(
        "sigma1_share_negative", "pmrl", "the same of shuffled items",
        ("1/m", "1"), "lower: better apart", "arXiv:2507.17343",
    ),
    _joint(
        "eigenvalue_max", "pmrl", "mean sigma_1 of matched items (a singular value)",
        ("1", "sqrt(m)"), "higher: closer", "Xiaohao-Liu/PMRL",
    ),
    _joint(
        "eigenvector_uniformity", "pmrl", "|mean u_i|^2, u_i leading direction towards the item's vectors",
        ("0", "1"), "lower: more uniform", "Xiaohao-Liu/PMRL",
    ),
)  # fmt: skip

NEED_VARIATION: Final = frozenset(
    {
        "effective_rank",
        "participation_ratio",
        "isoscore_star",
        "intrinsic_dimension",
        "hubness",
        "cka",
        "procrustes",
        "procrustes_chance",
        "mutual_knn",
    }
)
"""Figures that are undefined where the rows of a modality do not vary."""

CHANCE: Final = "_chance"
"""End of the name of a figure that says what another is by chance."""

GEOMETRY: Final = Catalog("figure of geometry", [*_MODALITIES, *_PAIRS, *_JOINTS], "gramcli.geometry")


def measures(kind: Kind) -> list[GeometryMeasure]:
    """The figures of one kind, in the order of the tables.

    Example:
        >>> [measure.name for measure in measures("modality")][:2]
        ['effective_rank', 'rankme']
    """
    return [measure for measure in GEOMETRY if measure.kind == kind]
