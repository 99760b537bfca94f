"""Plain records that verbs return and reports print; no torch, no formatting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gramcli.results.readable import Readable
from gramcli.results.schema import Count

SCHEMA = 1
KnownBy = Literal["texts", "rows", "items"]


@dataclass(frozen=True)
class ResultRow:
    """One figure: `value` with its 95 % interval where one applies, over `n` queries.

    Fractions stay in [0, 1]; a missing bound is None.
    """

    task: str
    method: str
    stage: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: Count


@dataclass(frozen=True)
class LeftOut:
    """An item that a figure does not cover, and why."""

    id: str
    modality: str
    reason: str


@dataclass(frozen=True)
class Reference:
    """A published figure, and the measured one that answers it.

    Attributes:
        dataset: Name of a registered dataset.
        protocol: The protocol it was taken under, in words where it is none of ours.
        task: As in results; `?` where it is not known.
        model: Model and setting.
        method: As in results.
        stage: As in results; `?` where it is not known.
        metric: As in results.
        value: Fraction, or a rank.
        source: Where it was published.
        confidence: `primary`, `third party` (transcribed or run again) or `from memory`.
        measured: The figure of this evaluation of the same protocol, task, method, stage and metric; None without.
    """

    dataset: str
    protocol: str
    task: str
    model: str
    method: str
    stage: str
    metric: str
    value: float
    source: str
    confidence: str
    measured: float | None = None

    @property
    def difference(self) -> float | None:
        """Measured minus published; None where nothing comparable was measured."""
        return None if self.measured is None else self.measured - self.value


@dataclass(frozen=True)
class RankVector:
    """Ranks of one task and method, one per query, counted from 1.

    Attributes:
        task: Task name, for instance `t2va`.
        method: Method name.
        query_ids: One id per query; captions of one item share its id.
        ranks: One rank per query; its expectation where wrong answers tie with the right one.
        n_candidates: Size of the gallery.
        best: Ids of the best few candidates of each query, best first; empty where they were not asked for.
        tied: (place of the query, wrong answers tied with its best right one, right answers there) where there are
            wrong ones; empty where ties are placed first or last.
    """

    task: str
    method: str
    query_ids: tuple[str, ...]
    ranks: tuple[float, ...]
    n_candidates: int
    best: tuple[tuple[str, ...], ...] = ()
    tied: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Questions:
    """What one direction of a task asked, and of what: by it evaluations are known to be comparable.

    Attributes:
        task: As in `RankVector`.
        digests: One per query: of its item, of the text itself, and of the label where labels decide.
        gallery: Of all candidates, whatever their order.
        asked_by: What queries are known by: `texts` and items; `rows` where texts are known by their embeddings only,
            which say nothing about another model's; `items` where no text takes part.
        answered_by: The same of the gallery.
    """

    task: str
    digests: tuple[str, ...]
    gallery: str
    asked_by: KnownBy
    answered_by: KnownBy


@dataclass(frozen=True)
class Figures:
    """What one kind of measurement of a store found: a part of an `Evaluation`."""

    results: list[ResultRow]
    ranks: list[RankVector] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    questions: list[Questions] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Evaluation(Readable):
    """What `gram eval` found, with everything needed to compare and to cite it."""

    provenance: dict[str, Any]
    results: tuple[ResultRow, ...]
    left_out: tuple[LeftOut, ...]
    ranks: tuple[RankVector, ...]
    notes: tuple[str, ...] = field(default=())
    reference: tuple[Reference, ...] = field(default=())
    questions: tuple[Questions, ...] = field(default=())


@dataclass(frozen=True)
class ComparisonRow:
    """One metric of one task, baseline A against B, on the same queries.

    Attributes:
        delta: B minus A (fractions for R@k).
        low: Lower end of the paired 95 % interval of delta.
        high: Upper end.
        p_value: Two-sided paired test (named in `test`) whose inversion the interval is, None where none applies.
        p_holm: The same, adjusted by Holm's method for all tests of its family.
        wins: Queries where B is better; `losses` where A is; the rest tie.
        family: `primary`: the one figure of a task that was named beforehand; `other`: the rest; empty without a test.
    """

    task: str
    metric: str
    a: str
    b: str
    value_a: float
    value_b: float
    delta: float
    low: float | None
    high: float | None
    p_value: float | None
    test: str
    wins: int
    losses: int
    n: int
    p_holm: float | None = None
    family: str = ""


@dataclass(frozen=True, repr=False)
class Comparison(Readable):
    """What `gram compare` found; `names[0]` is the baseline."""

    names: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())
