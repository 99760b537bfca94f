"""Every ranking that the figures of an evaluation need, listed once and before any is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gramcli.evaluation.answering import PooledQuestion, Question, takes
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.orders import PAIR_ORDERS, ordering, pair_order
from gramcli.evaluation.postprocessing import PostProcessing
from gramcli.evaluation.selection import TEXT, Selection
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.redrawn import LISTED

HUBNESS: Final = 10
"""The k of the k-occurrences."""

_PairKey = tuple[str, str, bool, tuple[object, ...]]


@dataclass(frozen=True)
class Run:
    """A task under a method whose figures are shown.

    Attributes:
        selection: The task's rows.
        name: The method, with its options.
        method: It.
        question: Number of the question that ranks it.
        pooled: Number of the one that ranks its items by their best captions; None where nobody asks that.
    """

    selection: Selection
    name: str
    method: AlignmentMethod
    question: int
    pooled: int | None = None

    @property
    def is_joint(self) -> bool:
        """Whether it has more than one vector on a side, so that there are single pairs to hold it against."""
        return len(self.selection.task.modalities) > 2

    @property
    def has_gain(self) -> bool:
        """Whether its single pairs have ranks: zero vectors have no cosine."""
        return self.is_joint and self.selection.present.queries is None


@dataclass
class Rankings:
    """What is to be ranked. Runs that order alike share a question, and so do the single pairs of joint tasks.

    Attributes:
        options: How to evaluate.
        scores: What is done to scores.
        runs: Whose figures are shown.
        questions: What their figures and gains need.
        pooled: The same of items by their best captions.
    """

    options: EvalOptions
    scores: PostProcessing
    runs: list[Run] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    pooled: list[PooledQuestion] = field(default_factory=list)
    _shared: dict[tuple[object, ...], int] = field(default_factory=dict)
    _pairs: dict[_PairKey, int] = field(default_factory=dict)
    _parts: dict[int, list[Selection]] = field(default_factory=dict)
    _galleries: dict[int, str] = field(default_factory=dict)

    def add(self, selection: Selection, name: str, method: AlignmentMethod) -> None:
        """List a task under a method."""
        shared = (id(selection), *ordering(name, method))
        number = self._shared.get(shared)
        if number is None:
            number = self._shared[shared] = self._ask(selection, method, shown=True)
        how = self.scores.normalization
        alike = how is None or not how.row.needs_bank  # a pair of a joint task has that task's bank
        if alike and len(selection.queries) == len(selection.candidates) == 1:
            self._keep(selection, self.gallery(selection), ordering(name, method), number)
        self.runs.append(Run(selection, name, method, number, self._ask_pooled(selection, method)))

    def add_pairs(self) -> None:
        """List the single pairs that the joint tasks are held against and that are not shown anyway, each once."""
        for run in self.runs:
            if run.has_gain:
                for name in dict.fromkeys((run.name, *PAIR_ORDERS)):
                    self._add_pairs(run.selection, name)

    def pairs(self, selection: Selection) -> list[Selection]:
        """The single pairs of a joint task, over its items."""
        if id(selection) not in self._parts:
            task = selection.task
            found = [selection.pair(query, other) for query in task.query for other in task.candidates]
            self._parts[id(selection)] = found
        return self._parts[id(selection)]

    def gallery(self, selection: Selection) -> str:
        """Hash of a task's ids, by which the same rows are known wherever they ask."""
        if id(selection) not in self._galleries:
            self._galleries[id(selection)] = selection.gallery_sha256()
        return self._galleries[id(selection)]

    def pair_number(self, selection: Selection, pair: Selection, name: str, *, forward: bool) -> int | None:
        """The question that ranks a single pair of a joint task as a method does; None where none is listed.

        Args:
            selection: The joint task.
            pair: One of its `pairs`.
            name: The method, with its options.
            forward: The direction.
        """
        for known in dict.fromkeys((name, pair_order(name))):
            key = (_task(pair), self.gallery(selection), forward, ordering(known, get_method(known)))
            if key in self._pairs:
                return self._pairs[key]
        return None

    def _add_pairs(self, selection: Selection, name: str) -> None:
        pairs = self.pairs(selection)
        if not takes(get_method(name), pairs[0].queries, pairs[0].candidates):
            return
        order = pair_order(name)
        method = get_method(order)
        for pair in pairs:
            ways = (self.pair_number(selection, pair, name, forward=forward) for forward in selection.directions)
            if None in ways:
                number = self._ask(pair, method, shown=False)
                self._keep(pair, self.gallery(selection), ordering(order, method), number)

    def _keep(self, pair: Selection, gallery: str, order: tuple[object, ...], number: int) -> None:
        for forward in pair.directions:
            self._pairs[_task(pair), gallery, forward, order] = number

    def _ask(self, selection: Selection, method: AlignmentMethod, *, shown: bool) -> int:
        self.questions.append(
            Question(
                method,
                selection.queries,
                selection.candidates,
                selection.positives,
                selection.present,
                both_directions=False in selection.directions or self.options.reranker is not None,
                every_positive=shown,
                nearest=self._listed(selection) if shown else 0,
                in_order=self.options.best > 0 or self.options.population == "items",
                normalization=self.scores.normalization_of(selection),
            )
        )
        return len(self.questions) - 1

    def _listed(self, selection: Selection) -> int:
        """How many of the best of each query hubness, `best` or redrawn items ask for, where scores are raw."""
        if self.scores.normalization is not None:
            return 0
        redrawn = LISTED if self.options.population == "items" else 0
        return max(HUBNESS if len(selection.task.modalities) > 2 else 0, self.options.best, redrawn)

    def _ask_pooled(self, selection: Selection, method: AlignmentMethod) -> int | None:
        """Items ranked by their best caption, where text asks alone and some item has several."""
        if (
            False not in selection.directions
            or selection.relevant == "label"
            or selection.task.query != (TEXT,)
            or len(selection.query_ids) == len(selection.candidate_ids)
            or self.scores.normalization is not None
        ):
            return None
        owner = selection.positives[1]
        self.pooled.append(PooledQuestion(method, selection.queries, selection.candidates, owner, selection.present))
        return len(self.pooled) - 1


def list_rankings(
    runs: Sequence[tuple[Selection, str, AlignmentMethod]], scores: PostProcessing, options: EvalOptions
) -> Rankings:
    """List what the figures of tasks under methods need.

    Args:
        runs: Tasks with the methods that they are shown under, and their names.
        scores: What is done to scores.
        options: How to evaluate.
    """
    found = Rankings(options, scores)
    for run in runs:
        found.add(*run)
    found.add_pairs()
    return found


def _task(pair: Selection) -> str:
    """The pair, as a key: names of both sides cannot hold a line break."""
    return "\n".join((*pair.queries, *pair.candidates))
