"""Every metric the tool gives as a row of data, of retrieval, classification and geometry. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gramcli.catalog import Catalog
from gramcli.metrics.geometry.catalog import GEOMETRY

Kind = Literal["retrieval", "classification", "geometry"]
_CUTOFFS: Final = (1, 5, 10, 50)


@dataclass(frozen=True)
class Metric:
    """What the tool knows of a metric.

    Attributes:
        name: As in CSV and JSON.
        kind: Which `--metrics` gives it.
        target: `module:function`.
        low: Smallest possible value, as text.
        high: Largest possible value, as text.
        direction: `higher ...` or `lower ...` and what that means; else what it is for.
        formula: In plain text; r_q rank of query q's best right answer, counted from 1.
        source: Where it comes from.
    """

    name: str
    kind: Kind
    target: str
    low: str
    high: str
    direction: str
    formula: str
    source: str

    @property
    def range(self) -> str:
        """`low to high`."""
        return f"{self.low} to {self.high}"


def _retrieval(
    name: str, where: str, bounds: tuple[str, str], direction: str, formula: str, source: str = "-"
) -> Metric:
    return Metric(name, "retrieval", f"gramcli.metrics.{where}", *bounds, direction, formula, source)


def _classes(name: str, where: str, direction: str, formula: str, source: str) -> Metric:
    return Metric(
        name, "classification", f"gramcli.metrics.classification:{where}", "0", "1", direction, formula, source
    )


_SHARE: Final = ("0", "1")
_RANKS: Final = ("1", "candidates")
_TREC: Final = "trec_eval"

_RETRIEVAL: Final = (
    *(
        _retrieval(f"R@{k}", "retrieval:hit_at", _SHARE, "higher: more found", f"share of queries with r_q <= {k}")
        for k in _CUTOFFS
    ),
    *(
        _retrieval(
            f"recall@{k}", "retrieval:recall_at", _SHARE, "higher: more found",
            f"mean share of a query's right answers in the top {k}; only where some query has several", _TREC,
        )
        for k in _CUTOFFS
    ),
    _retrieval("MedR", "figures:direction_rows", _RANKS, "lower: found sooner", "median r_q"),
    _retrieval("MeanR", "figures:direction_rows", _RANKS, "lower: found sooner", "mean r_q"),
    _retrieval("MRR", "retrieval:reciprocal_rank", _SHARE, "higher: found sooner", "mean 1 / r_q", "Voorhees 1999"),
    _retrieval(
        "mAP", "retrieval:average_precision", _SHARE, "higher: found sooner",
        "mean over queries of the mean precision at each right answer; in classification over the classes", _TREC,
    ),
    _retrieval(
        "nDCG@10", "retrieval:ndcg_at", _SHARE, "higher: found sooner",
        "mean over queries of sum 1 / log2(rank + 1) of right answers in the top 10, over the largest there can be",
        "Jarvelin and Kekalainen 2002",
    ),
    _retrieval(
        "tie_rate", "figures:direction_rows", _SHARE, "lower: fewer ties decide",
        "share of queries whose best right answer ties with a wrong one",
    ),
    _retrieval(
        "hubness@10", "hubness:occurrence_skewness", ("-inf", "inf"), "lower: fewer hubs",
        "skewness of N_10, how often a candidate is among the 10 best of a query; from three modalities on",
        "Radovanovic et al. 2010",
    ),
    _retrieval(
        "hubness@10_chance", "hubness:occurrence_skewness_chance", ("-inf", "inf"), "what chance gives",
        "(1 - 2 p) / sqrt(n p (1 - p)), p = 10 / N, of n queries that rank N candidates at random",
    ),
    _retrieval(
        "aggregation_gain", "retrieval:hit_at", ("-1", "1"), "higher: the modalities help together",
        "R@1 minus R@1 of the best single pair under the same method, over the same items; from three modalities on",
    ),
    _retrieval(
        "aggregation_gain_any", "retrieval:hit_at", ("-1", "1"), "higher: the modalities help together",
        "R@1 minus R@1 of the best single pair under any method, over the same items; from three modalities on",
    ),
    *(
        _retrieval(
            f"share@{k}:MODALITY", "figures:interval_of", _SHARE, "beside its chance level: neither is better",
            f"mean share of a modality among the {k} best answers; with --pool shared",
            "OmniSET, arXiv:2604.23321",
        )
        for k in (1, 10)
    ),
    *(
        _retrieval(
            f"share@{k}:MODALITY_chance", "figures:interval_of", _SHARE, "what chance gives",
            "share of a modality among the candidates of a query",
        )
        for k in (1, 10)
    ),
    _retrieval(
        "n_degenerate", "figures:direction_rows", ("0", "candidates"), "lower: fewer items win every query",
        "items whose modality vectors are linearly dependent, so that their volume is 0; only where there are some",
    ),
    _retrieval(
        "n_duplicate_texts", "figures:direction_rows", ("0", "texts"), "lower: fewer items nobody can tell apart",
        "texts with the very vector of a text of another item, be the captions equal or not; only where there are some",
    ),
)  # fmt: skip

_CLASSIFICATION: Final = (
    _classes("accuracy", "top_accuracy", "higher: more right", "share of items whose class ranks first", "-"),
    _classes(
        "top5", "top_accuracy", "higher: more right",
        "share of items whose class is among the first 5; only where there are more than 5 classes", "-",
    ),
    _classes(
        "macro_f1", "macro_f1", "higher: more right",
        "mean over classes of 2 precision recall / (precision + recall)", "scikit-learn f1_score(average=macro)",
    ),
    _classes(
        "mean_recall", "mean_recall", "higher: more right",
        "mean over classes of the share of its items that are found", "scikit-learn balanced_accuracy_score",
    ),
)  # fmt: skip

_GEOMETRY: Final = tuple(
    Metric(row.name, "geometry", row.target, row.low, row.high, row.reading, row.formula, row.source)
    for row in GEOMETRY
)

METRICS: Final = Catalog("metric", [*_RETRIEVAL, *_CLASSIFICATION, *_GEOMETRY], "gramcli.metrics")
