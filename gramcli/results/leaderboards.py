"""A table over many evaluations: a row of each, in groups of those that may be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gramcli.results.readable import Readable


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval, None where there is none."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LeaderRow:
    """One run under one task and method.

    Attributes:
        group: Number of its group, from 1; only rows of one group are comparable.
        letters: Rows of a group that share a letter are told apart by no test; empty where nothing is tested.
        run: The evaluation.
        task: As in results.
        method: As in results.
        stage: As in results, with the parameters of a normalisation.
        dataset: Its name.
        protocol: As in provenance.
        n: Queries.
        candidates: Size of the gallery; None where no ranks are recorded.
        gallery: Digest of the gallery, its first characters; empty where it is not recorded.
        figures: Metric -> figure, of the metrics it has.
    """

    group: int
    letters: str
    run: str
    task: str
    method: str
    stage: str
    dataset: str | None
    protocol: str | None
    n: int
    candidates: int | None
    gallery: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class PairTest:
    """Two rows of one group, A above B, compared by the metric of their group on the same queries.

    Attributes:
        group: Of both.
        a: Place of A among all rows, from 0.
        b: Place of B.
        delta: B minus A.
        low: Lower end of its paired 95 % interval.
        high: Upper end.
        p_value: Two-sided.
        p_holm: Adjusted for all pairs of the group.
        test: Which.
    """

    group: int
    a: int
    b: int
    delta: float
    low: float
    high: float
    p_value: float
    p_holm: float
    test: str


@dataclass(frozen=True, repr=False)
class Leaderboard(Readable):
    """What `gram leaderboard` found.

    Attributes:
        metrics: The columns; the rows of a group stand by the first that any of them has.
        rows: Group by group, best first.
        groups: What each group is, and why it stands apart.
        tests: All pairs of each group.
        provenance: That of every run.
        notes: What the user should know, one sentence each.
    """

    metrics: tuple[str, ...]
    rows: tuple[LeaderRow, ...]
    groups: tuple[str, ...]
    tests: tuple[PairTest, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()

    def metric_of(self, group: int) -> str:
        """Return the metric by which a group stands: the first column that any of its rows has.

        Args:
            group: Its number, from 1.
        """
        rows = [row for row in self.rows if row.group == group]
        return next((one for one in self.metrics if any(one in row.figures for row in rows)), self.metrics[0])
