"""Ranks of one direction as result rows: each figure with its 95 % interval over queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.metrics.intervals import Floats, Integers, Interval, median_interval, median_of, plus_four
from gramcli.metrics.redrawn import Rivals, variances
from gramcli.metrics.retrieval import Tied, average_precision, hit_at, ndcg_at, recall_at, reciprocal_rank
from gramcli.metrics.significance import bootstrap_interval, bootstrap_means, weighted_median, wilson_interval
from gramcli.results.records import RankVector, ResultRow
from gramcli.scoring.ties import Placed

CUTOFFS = (1, 5, 10, 50)
NDCG_CUTOFF = 10
Intervals = Literal["plus-four", "wilson", "bootstrap"]
INTERVALS: Final[tuple[Intervals, ...]] = get_args(Intervals)
Population = Literal["queries", "items"]
POPULATIONS: Final[tuple[Population, ...]] = get_args(Population)
_DIGITS: Final = 12
_REDRAWN_CUTOFF: Final = 10  # half a gallery's ten best are among the best that are listed


@dataclass(frozen=True)
class Standing:
    """What figures need beside the ranks of the best right answers.

    Attributes:
        ties: Wrong answers that tie with the best right one before any rule places them, shape [n].
        positions: Rank of every right answer in its query's full ranking, shape [P], pairs sorted by query.
        query: Query of every such pair, shape [P].
        spread: Candidates with the score of every right answer, where a position is the middle of that many places,
            shape [P]; None where none is.
    """

    ties: Tensor
    positions: Tensor
    query: NDArray[np.int64]
    spread: Tensor | None = None


@dataclass(frozen=True)
class Uncertainty:
    """What intervals allow for.

    Attributes:
        method: One of `INTERVALS`: `plus-four` (gramcli.metrics.intervals), or what other tools give: `wilson` for the
            R@k of independent queries, `bootstrap` (2,000 percentile resamples over items) for the rest and alone.
        population: `queries`: new queries of this gallery; `items`: new items, as queries and candidates together.
        rivals: What stands before each answer, under `items`; None where it is not known: no intervals then.
    """

    method: Intervals = "plus-four"
    population: Population = "queries"
    rivals: Rivals | None = None


def rank_vector(
    task_and_method: tuple[str, str],
    query_ids: tuple[str, ...],
    found: Placed,
    n_candidates: int,
    best: tuple[tuple[str, ...], ...] = (),
) -> RankVector:
    """The record of one direction's ranks.

    Args:
        task_and_method: As in `RankVector`.
        query_ids: Item of each query.
        found: The ranks.
        n_candidates: Size of the gallery.
        best: As in `RankVector`.
    """
    tied = found.wrong.nonzero().flatten()
    kept = torch.stack([tied, found.wrong[tied], found.right[tied]], dim=1)
    ranks = tuple(found.ranks.tolist())
    return RankVector(*task_and_method, query_ids, ranks, n_candidates, best, tuple(map(tuple, kept.tolist())))


def hits(vector: RankVector, k: int) -> Floats:
    """Chance of each query that its best right answer is in the top k, shape [n]; 0 for a query nobody answers."""
    ranks, tied = _opened(vector)
    found: Floats = hit_at(ranks, k, tied).numpy()
    return found.round(_DIGITS)  # equal chances are equal, however they were reached


def reciprocal_ranks(vector: RankVector) -> Floats:
    """Expected 1 / rank of each query's best right answer, shape [n]; NaN for a query nobody answers."""
    ranks, tied = _opened(vector)
    found: Floats = reciprocal_rank(ranks, tied).numpy()
    return found


def _opened(vector: RankVector) -> tuple[Tensor, Tied | None]:
    ranks = torch.tensor(vector.ranks, dtype=torch.float64)
    if not vector.tied:
        return ranks, None
    place, wrong, right = torch.tensor(vector.tied).T
    n = len(ranks)
    return ranks, Tied(
        torch.zeros(n, dtype=torch.int64).index_copy(0, place, wrong),
        torch.ones(n, dtype=torch.int64).index_copy(0, place, right),
    )


def direction_rows(
    vector: RankVector, stage: str, standing: Standing, uncertainty: Uncertainty | None = None
) -> list[ResultRow]:
    """All retrieval figures of one task, method and direction.

    Args:
        vector: Best-positive ranks, one per query; NaN for a query nobody answers.
        stage: `raw`, or `rerank(K)`.
        standing: Where all right answers stand.
        uncertainty: What intervals allow for.

    Returns:
        Rows with fractions in [0, 1]; `n` is the number of queries that have an answer. Recall, which equals R@k where
        a query has one answer, is there only where some have several. R@k of a gallery of k has no interval.
    """
    uncertainty = uncertainty or Uncertainty()
    ranks, tied = _opened(vector)
    asked = ranks.isfinite()
    clusters = cluster_index([name for name, used in zip(vector.query_ids, asked.tolist(), strict=True) if used])
    values = _per_query_figures(ranks, tied, standing, vector.n_candidates)
    values["tie_rate"] = (standing.ties > 0).double()
    used = {metric: per_query[asked].numpy() for metric, per_query in values.items()}
    if uncertainty.population == "items":
        bounds = _redrawn(used, clusters, vector.n_candidates, uncertainty.rivals)
    else:
        bounds = interval_of(used, clusters, vector.n_candidates, uncertainty.method)
    rows = []
    for metric, numbers in used.items():
        value = median_of(numbers) if metric == "MedR" else float(numbers.mean())
        low, high = bounds.get(metric, (None, None))
        rows.append(ResultRow(vector.task, vector.method, stage, metric, value, low, high, len(numbers)))
    return rows


def _per_query_figures(ranks: Tensor, tied: Tied | None, standing: Standing, gallery: int) -> dict[str, Tensor]:
    """Metric to one value per query, shape [n]."""
    n, query = len(ranks), torch.from_numpy(standing.query)
    cutoffs = [k for k in CUTOFFS if k <= 10 or k < gallery]
    several = bool((torch.bincount(query, minlength=n) > 1).any())
    every = (standing.positions, query, n)
    values = {f"R@{k}": hit_at(ranks, k, tied) for k in cutoffs}
    values |= {f"recall@{k}": recall_at(*every, k, standing.spread) for k in cutoffs if several}
    return values | {
        "MedR": ranks,
        "MeanR": ranks,
        "MRR": reciprocal_rank(ranks, tied),
        "mAP": average_precision(*every, ties=standing.spread),
        f"nDCG@{NDCG_CUTOFF}": ndcg_at(*every, NDCG_CUTOFF, standing.spread),
    }


def interval_of(
    used: Mapping[str, Floats], clusters: Integers, gallery: int, intervals: Intervals = "plus-four"
) -> dict[str, Interval]:
    """95 % intervals of the figures that have one.

    Args:
        used: Metric to one value per query, shape [n].
        clusters: Item of each query, shape [n].
        gallery: Number of candidates N; a rank is 1 to N.
        intervals: One of `INTERVALS`.

    Returns:
        Metric to lower and upper bound; what is 1 by construction is not among them.
    """
    varying = {metric: values for metric, values in used.items() if not is_certain(metric, gallery)}
    if intervals != "plus-four":
        return _conventional(varying, clusters, intervals)
    scaled = {metric: (v - 1) / (gallery - 1) if metric == "MeanR" else v for metric, v in varying.items()}
    columns = [values for metric, values in scaled.items() if metric != "MedR"]
    found = iter(plus_four(np.stack(columns, axis=1), clusters).tolist())
    bounds: dict[str, Interval] = {}
    for metric, values in scaled.items():
        if metric == "MedR":
            bounds[metric] = median_interval(values, clusters)
            continue
        low, high = next(found)
        bounds[metric] = (1 + low * (gallery - 1), 1 + high * (gallery - 1)) if metric == "MeanR" else (low, high)
    return bounds


def is_certain(metric: str, gallery: int) -> bool:
    """Whether a figure of a gallery of so many candidates is 1 whatever the ranks: nothing to be uncertain of."""
    name, _, cutoff = metric.partition("@")
    return (gallery == 1 and metric != "tie_rate") or (name in ("R", "recall") and int(cutoff) >= gallery)


def _redrawn(
    used: Mapping[str, Floats], clusters: Integers, gallery: int, rivals: Rivals | None
) -> dict[str, Interval]:
    """Intervals where items are redrawn as queries and candidates, of the figures that the nearest rivals decide."""
    figures = {name: at for name in used if (at := _at_ranks(name)) and not is_certain(name, gallery)}
    if rivals is None or not figures:
        return {}
    if np.array_equal(used["mAP"], used["MRR"]):  # one answer each
        figures["mAP"] = figures["MRR"]
    spread = variances(rivals, figures)
    columns = np.stack([used[name] for name in figures], axis=1)
    found = plus_four(columns, clusters, np.array([spread[name] for name in figures]))
    return {name: (low, high) for name, (low, high) in zip(figures, found.tolist(), strict=True)}


def _at_ranks(metric: str) -> Callable[[Floats], Floats] | None:
    """The figure as a function of ranks, where only the first few matter."""
    name, _, cutoff = metric.partition("@")
    if name == "R" and int(cutoff) <= _REDRAWN_CUTOFF:
        return lambda ranks: (ranks <= int(cutoff)).astype(np.float64)
    return (lambda ranks: 1.0 / ranks) if name == "MRR" else None


def _conventional(used: Mapping[str, Floats], clusters: Integers, intervals: Intervals) -> dict[str, Interval]:
    """Percentile bootstraps over items, or Wilson's for hits of independent queries, as other tools give them."""
    found = bootstrap_means(np.stack(list(used.values()), axis=1), clusters)
    bounds = {metric: (float(low), float(high)) for metric, (low, high) in zip(used, found, strict=True)}
    if "MedR" in used:
        bounds["MedR"] = bootstrap_interval(used["MedR"], clusters, weighted_median)
    independent = int(clusters.max()) + 1 == len(clusters)
    if intervals == "wilson" and independent:
        bounds |= {m: wilson_interval(v.sum(), len(v)) for m, v in used.items() if m.startswith("R@")}
    return bounds


def cluster_index(names: Sequence[str]) -> NDArray[np.int64]:
    """Number the distinct names 0, 1, ... in order of first appearance; one number per name."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.fromiter(map(numbers.__getitem__, names), dtype=np.int64, count=len(names))
