"""One task of two contenders, query by query: its figures with interval and test, over queries and over seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from gramcli.errors import UserError
from gramcli.evaluation.comparability import Aligned, Side, aligned
from gramcli.evaluation.pairing import Contender
from gramcli.metrics.figures import cluster_index, hits, is_certain, reciprocal_ranks
from gramcli.metrics.intervals import Floats, Integers
from gramcli.metrics.paired import Difference, mean_difference, mean_gain, query_gains, share_difference
from gramcli.metrics.power import detectable_mean, detectable_share
from gramcli.metrics.seeds import detectable_seeds, seeds_difference
from gramcli.results.records import ComparisonRow, RankVector

CUTOFFS: Final = (1, 5, 10)
METRICS: Final = (*(f"R@{k}" for k in CUTOFFS), "MRR")


@dataclass(frozen=True)
class Duel:
    """The ranks of one task of the baseline A and of another contender B.

    Attributes:
        labels: What the two are called.
        found: The ranks of A's runs, then of B's, query by query.
        runs: How many of them are A's.
        primary: The figure it is about; None for another task.
    """

    labels: tuple[str, str]
    found: Aligned
    runs: int
    primary: str | None

    @property
    def task(self) -> str:
        """Its name."""
        return self.found.vectors[0].task

    @cached_property
    def asked(self) -> np.ndarray:
        """Which queries have a rank in every run, shape [n]."""
        ranks: np.ndarray = np.isfinite(np.array([one.ranks for one in self.found.vectors])).all(axis=0)
        return ranks

    @cached_property
    def clusters(self) -> Integers:
        """Item of each query that is asked."""
        ids = self.found.vectors[0].query_ids
        return cluster_index([name for name, used in zip(ids, self.asked, strict=True) if used])

    def figures(self, metric: str) -> tuple[Floats, Floats]:
        """Figures per query of A's runs and of B's, each of shape [runs, n]."""
        values = np.stack([_figure(one, metric)[self.asked] for one in self.found.vectors])
        return values[: self.runs], values[self.runs :]

    def detectable(self, metric: str, level: float) -> float | None:
        """The difference that a test of this size would find with a power of 80 %."""
        a, b = self.figures(metric)
        if len(a) > 1 or len(b) > 1:
            return detectable_seeds(a, b, self.clusters, level)
        detectable = detectable_share if metric.startswith("R@") else detectable_mean
        return detectable(a[0], b[0], self.clusters, level)

    def rows(self) -> list[ComparisonRow]:
        """One row for each figure, the primary one first."""
        order = sorted(METRICS, key=lambda metric: metric != self.primary)
        return [replace(self._row(one), family="primary" if one == self.primary else "other") for one in order]

    def notes(self) -> list[str]:
        """What differs all the same, and whether queries have no rank on a side."""
        n, answered = len(self.asked), int(self.asked.sum())
        note = f"{self.task}: {answered} of {n} queries have a rank in both; the others, which nobody answers, do not"
        return [*self.found.notes, *([f"{note} count."] if answered < n else [])]

    def _row(self, metric: str) -> ComparisonRow:
        a, b = self.figures(metric)
        x, y = a.mean(axis=0), b.mean(axis=0)
        gained = query_gains(x, y)
        certain = is_certain(metric, min(one.n_candidates for one in self.found.vectors))
        found = None if certain else self._compared(metric)(a, b)
        return ComparisonRow(
            task=self.task,
            metric=metric,
            a=self.labels[0],
            b=self.labels[1],
            value_a=float(x.mean()),
            value_b=float(y.mean()),
            delta=mean_gain(x, y),
            low=found.low if found else None,
            high=found.high if found else None,
            p_value=found.p_value if found else None,
            test=found.test if found else "",
            wins=int((gained > 0).sum()),
            losses=int((gained < 0).sum()),
            n=len(x),
            seeds_a=len(a),
            seeds_b=len(b),
            spread_a=_spread(a),
            spread_b=_spread(b),
        )

    def _compared(self, metric: str) -> Callable[[Floats, Floats], Difference]:
        if len(self.found.vectors) > 2:
            return lambda a, b: seeds_difference(a, b, self.clusters)
        compared = share_difference if metric.startswith("R@") else mean_difference
        return lambda a, b: compared(a[0], b[0], self.clusters)


def duel(
    contenders: tuple[Contender, Contender],
    pair: tuple[RankVector, RankVector],
    primary: str | None,
    allowed: Collection[str],
    intersect: bool,
) -> Duel:
    """Bring the ranks of two contenders to the same queries.

    Args:
        contenders: A and B.
        pair: The task and method of both.
        primary: The figure it is about; None for another task.
        allowed: Rules that may differ.
        intersect: Take the queries that all have.

    Raises:
        UserError: They are not comparable, or no query is answered in both.
    """
    a, b = (one.label(vector.method) for one, vector in zip(contenders, pair, strict=True))
    sides = [
        Side(f"{label}, seed {number + 1}" if len(one.runs) > 1 else label, run, ranks)
        for one, vector, label in zip(contenders, pair, (a, b), strict=True)
        for number, (run, ranks) in enumerate(zip(one.runs, one.vectors(vector), strict=True))
    ]
    found = Duel((a, b), aligned(sides, allowed=allowed, intersect=intersect), len(contenders[0].runs), primary)
    if not found.asked.any():
        raise UserError("input", f"{a} and {b}: no query of {found.task} has a rank in both.")
    return found


def _figure(vector: RankVector, metric: str) -> Floats:
    return reciprocal_ranks(vector) if metric == "MRR" else hits(vector, int(metric.partition("@")[2]))


def _spread(values: Floats) -> float | None:
    return float(values.mean(axis=1).std(ddof=1)) if len(values) > 1 else None
