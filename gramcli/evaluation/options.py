"""How to evaluate: what every kind of figure of `gram eval` is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gramcli.errors import UserError
from gramcli.evaluation.rerank import Reranker
from gramcli.evaluation.selection import Relevant
from gramcli.metrics.figures import INTERVALS, POPULATIONS, Intervals, Population
from gramcli.metrics.prompts import TEMPLATES, TextEncoder
from gramcli.scoring.ties import TIES, Ties

Kind = Literal["retrieval", "classification", "geometry"]
KINDS: Final[tuple[Kind, ...]] = ("retrieval", "classification", "geometry")

Directions = Literal["named", "all"]
DIRECTIONS: Final[tuple[Directions, ...]] = ("named", "all")
Pool = Literal["task", "shared"]
POOLS: Final[tuple[Pool, ...]] = ("task", "shared")
Classifier = Literal["zero-shot", "knn", "probe"]
_NEIGHBOURS: Final = 10
CLASSIFIERS: Final[tuple[Classifier, ...]] = ("zero-shot", "knn", "probe")


@dataclass(frozen=True)
class ClassOptions:
    """How to classify.

    Attributes:
        texts: Per embedding of text what makes it, which zero-shot needs; empty where there is only a store.
        templates: What class names are put into, with `{}`.
        neighbours: k of the nearest neighbours; None is 10, or every item to learn from where there are fewer.
        classifiers: Which of `CLASSIFIERS`; None is every one that the store allows, the others are noted.
    """

    texts: Mapping[str, TextEncoder] = field(default_factory=dict)
    templates: tuple[str, ...] = TEMPLATES["plain"]
    neighbours: int | None = None
    classifiers: tuple[Classifier, ...] | None = None

    def k(self, n: int) -> int:
        """How many neighbours vote where there are n items to learn from.

        Raises:
            UserError: More were asked for than there are.
        """
        if self.neighbours is not None and self.neighbours > n:
            there = "1 labelled item of split 'train' is" if n == 1 else f"{n} labelled items of split 'train' are"
            raise UserError("usage", f"--knn {self.neighbours}: only {there} there to vote; name {n} or less.")
        return min(_NEIGHBOURS, n) if self.neighbours is None else self.neighbours


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        split: Split to use; None is `test` where the store has several splits, `all` is everything.
        limit: Use only the first so many items.
        missing: `drop`, `present`, `zero` or `error`.
        device: torch device of the fast pass; figures do not depend on it.
        protocol: Name recorded with the result; None takes the dataset's.
        progress: Called with (pairs done, pairs in all).
        normalize: Score post-processing, as `gramcli.scoring.normalize.parse_normalization` reads it; None for none.
        reranker: A second stage for the best few of each query, whose figures are given beside those of the first.
        kinds: Which figures to make, of `KINDS`.
        ties: Where a right answer stands that ties with wrong ones.
        intervals: How 95 % intervals are made: `plus-four`, or as other tools make them.
        population: What intervals allow for: new `queries` of this gallery, or new `items` as queries and candidates.
        best: How many of each query's best answers are kept with the ranks.
        seed: Of subsampling and of folds, where there are any.
        classes: How to classify.
        reference: Put published figures of the dataset beside the measured ones.
        relevant: What answers a query in retrieval: its own `item`, or every item of its `label`.
        allow_trained: Evaluate items that heads were trained on, too.
        directions: `all`: every split of the store's modalities into a query and a candidate side, both ways.
        pool: `shared`: queries of each modality among the candidates of all.

    Raises:
        UserError: A kind, tie rule or interval that is none, `normalize` together with `reranker`, or one of them
            without retrieval.
    """

    split: str | None = None
    limit: int | None = None
    missing: str = "drop"
    device: str = "cpu"
    protocol: str | None = None
    progress: Callable[[int, int], None] | None = None
    normalize: str | None = None
    reranker: Reranker | None = None
    kinds: tuple[Kind, ...] = ("retrieval",)
    ties: Ties = "mean"
    intervals: Intervals = "plus-four"
    population: Population = "queries"
    best: int = 0
    seed: int = 0
    classes: ClassOptions = field(default_factory=ClassOptions)
    reference: bool = False
    relevant: Relevant = "item"
    allow_trained: bool = False
    directions: Directions = "named"
    pool: Pool = "task"

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise UserError("usage", f"--metrics '{kind}' is none of {', '.join(KINDS)}.")
        for option, value, known in (
            ("ties", self.ties, TIES),
            ("intervals", self.intervals, INTERVALS),
            ("population", self.population, POPULATIONS),
            ("directions", self.directions, DIRECTIONS),
            ("pool", self.pool, POOLS),
        ):
            if value not in known:
                raise UserError("usage", f"--{option} '{value}' is none of {', '.join(known)}.")
        for option, value, default in (
            ("intervals", self.intervals, "plus-four"),
            ("population", self.population, "queries"),
        ):
            if value != default and "retrieval" not in self.kinds:
                raise UserError("usage", f"--{option} is about retrieval; add --metrics retrieval, or leave it out.")
        if (self.reranker or self.normalize) and "retrieval" not in self.kinds:
            option = "--rerank" if self.reranker else "--normalize"
            raise UserError("usage", f"{option} is about retrieval; add --metrics retrieval, or leave it out.")
        if self.reranker and self.normalize:
            raise UserError("usage", "--rerank orders the best of the raw scores; leave --normalize out, or --rerank.")
        if self.relevant == "label" and ("retrieval" not in self.kinds or self.reranker):
            raise UserError("usage", "--relevant label is about retrieval without --rerank; leave one of them out.")
        if self.population == "items" and (self.reranker or self.normalize or self.relevant == "label"):
            option = "--rerank" if self.reranker else "--normalize" if self.normalize else "--relevant label"
            raise UserError(
                "usage", f"--population items is about raw scores and an item's own answers; leave {option} out."
            )
        if self.population == "items" and self.intervals != "plus-four":
            raise UserError("usage", f"--population items has its own intervals: no --intervals {self.intervals}.")
        if self.reranker and self.ties != "mean":
            raise UserError("usage", "--rerank counts ties by their mean; leave --ties out, or --rerank.")
        _check_any_to_any(self)


def _check_any_to_any(options: EvalOptions) -> None:
    """Refuse what says nothing of all directions, or of a shared pool.

    Raises:
        UserError: It was asked for together.
    """
    for option, asked in (
        ("--directions all", options.directions == "all"),
        ("--pool shared", options.pool == "shared"),
    ):
        if asked and "retrieval" not in options.kinds:
            raise UserError("usage", f"{option} is about retrieval; add --metrics retrieval, or leave it out.")
    without = {
        "--normalize": options.normalize,
        "--rerank": options.reranker,
        "--relevant label": options.relevant == "label",
        "--population items": options.population == "items",
    }
    given = [option for option, used in without.items() if used]
    if options.pool == "shared" and given:
        raise UserError("usage", f"--pool shared is about raw scores and an item's own answers; leave {given[0]} out.")
