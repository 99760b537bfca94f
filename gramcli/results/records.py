"""Plain records that verbs return and reports print; no torch, no formatting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gramcli.results.readable import Readable
from gramcli.results.schema import Count

SCHEMA = 1
KnownBy = Literal["texts", "rows", "items"]
Outcome = Literal["better", "worse", "no difference shown"]


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
        seeds_a: Evaluations of A whose mean `value_a` is; 1 where it is one.
        seeds_b: The same of B.
        spread_a: Standard deviation of A's figure over its seeds; None of a single one.
        spread_b: The same of B.
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
    seeds_a: int = 1
    seeds_b: int = 1
    spread_a: float | None = None
    spread_b: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What a comparison says of the primary figure of one task: whether B is better than the baseline A.

    Attributes:
        task: As in `ComparisonRow`.
        metric: As there.
        a: As there.
        b: As there.
        outcome: `better` or `worse` where Holm's p is below 0.05; else `no difference shown`, which is not: equal.
        delta: B minus A.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_holm: p, adjusted for the primary figures.
        wins: Queries on which B does better.
        losses: Queries on which A does.
        n: Queries.
        detectable: The difference that the test would have found with a power of 80 %; None where none would be.
        sentence: All this in words; A and B are called by the letters of their places in `Comparison.names`.
    """

    task: str
    metric: str
    a: str
    b: str
    outcome: Outcome
    delta: float
    low: float
    high: float
    p_holm: float
    wins: int
    losses: int
    n: int
    detectable: float | None
    sentence: str


@dataclass(frozen=True)
class QueryChange:
    """A query that B answers otherwise than A.

    Attributes:
        task: As in `ComparisonRow`.
        a: As there.
        b: As there.
        query: Item that asks.
        caption: Number of the query among those of its item, from 0.
        text: What it says; None where media ask, or the text was not found again.
        rank_a: Rank of its best right answer under A; the mean over seeds where A has several.
        rank_b: The same under B.
        best_a: Ids of the best few answers of A, of its first seed; empty where they are not known.
        best_b: The same of B.
        gain: What B gains in 1 / rank, the mean over seeds, by which it is listed; None where an older file lacks it.
    """

    task: str
    a: str
    b: str
    query: str
    caption: int
    text: str | None
    rank_a: float
    rank_b: float
    best_a: tuple[str, ...] = ()
    best_b: tuple[str, ...] = ()
    gain: float | None = None

    @property
    def direction(self) -> str:
        """`gained` or `lost`: by 1 / rank, of which the mean may rise while the mean rank falls behind."""
        better = self.rank_b < self.rank_a if self.gain is None else self.gain > 0
        return "gained" if better else "lost"


@dataclass(frozen=True, repr=False)
class Comparison(Readable):
    """What `gram compare` found; `names[0]` is the baseline.

    Attributes:
        names: Of the contenders.
        rows: Every figure of every task.
        provenance: Of all evaluations, and how they were compared.
        notes: What the user should know, one sentence each.
        left_out: Items that some figure does not cover.
        sides: The evaluations compared, in the order of the names; of several seeds the first. Not in the JSON.
        verdicts: On each primary figure, in the order of the rows.
        changes: Queries gained most, then those lost most, of each primary figure, where they were asked for.
    """

    names: tuple[str, ...]
    rows: tuple[ComparisonRow, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())
    sides: tuple[Evaluation, ...] = field(default=())
    verdicts: tuple[Verdict, ...] = field(default=())
    changes: tuple[QueryChange, ...] = field(default=())
