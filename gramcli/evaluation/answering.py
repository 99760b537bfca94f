"""All that an evaluation asks of pairs, at once: what scoring has a plan for, normalised scores, pooled items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring import plan
from gramcli.scoring.maxpool import PooledRanks, pooled_ranks
from gramcli.scoring.normalize import Normalization, rank_normalized
from gramcli.scoring.plan import answer
from gramcli.scoring.ranks import RankOptions, Ranks
from gramcli.scoring.screening import EVERYTHING, Presence

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """What is asked of the pairs of two sides under one method.

    Attributes:
        method: The measure.
        queries: Modality name to embeddings [n, d].
        candidates: Modality name to embeddings [N, d].
        positives: (indptr [n + 1], indices) of the candidates that answer each query.
        present: Which modalities exist.
        both_directions: Also rank the queries for every candidate.
        every_positive: Also give the rank of every positive.
        nearest: How many of the best candidates of each query are asked for, and of the queries of each candidate; all
            where there are fewer, 0 for none.
        in_order: Whether these come best first; else by row, which is cheaper to know.
        normalization: Ranks are by scores that this changes; None for scores as they are.
    """

    method: AlignmentMethod
    queries: Mapping[str, Tensor]
    candidates: Mapping[str, Tensor]
    positives: tuple[Tensor, Tensor]
    present: Presence = EVERYTHING
    both_directions: bool = True
    every_positive: bool = False
    nearest: int = 0
    in_order: bool = False
    normalization: Normalization | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """How many there are on either side: n and N."""
        return len(next(iter(self.queries.values()))), len(next(iter(self.candidates.values())))


@dataclass(frozen=True)
class PooledQuestion:
    """What `gramcli.scoring.maxpool.pooled_ranks` is asked."""

    method: AlignmentMethod
    queries: Mapping[str, Tensor]
    candidates: Mapping[str, Tensor]
    owner: Tensor
    present: Presence = EVERYTHING

    @property
    def sizes(self) -> tuple[int, int]:
        """How many there are on either side: n and N."""
        return len(self.owner), len(next(iter(self.candidates.values())))


@dataclass(frozen=True)
class Answer:
    """What a `Question` is answered.

    Attributes:
        ranks: The ranks.
        nearest_forward: Rows of the best candidates of each query, [n, k] int64; None where nobody asked, or the method
            does not take the sides.
        nearest_backward: Rows of the best queries of each candidate, [N, k].
    """

    ranks: Ranks
    nearest_forward: Tensor | None = None
    nearest_backward: Tensor | None = None


def answer_all(
    questions: Sequence[Question], pooled: Sequence[PooledQuestion], options: RankOptions
) -> tuple[list[Answer], list[PooledRanks]]:
    """Answer all questions.

    Args:
        questions: Of ranks, and of the best of each query.
        pooled: Of ranks of items by their best captions.
        options: Device, dtype and tile; `progress` is told of the pairs of all questions together, each counted once
            for each question. What a question says itself is not taken from here.

    Returns:
        The answers, in order.

    Raises:
        UserError: As `gramcli.scoring.ranking.rank`, `gramcli.scoring.normalize.rank_normalized` and
            `gramcli.scoring.maxpool.pooled_ranks`.
    """
    meter = Meter(options.progress, sum(map(_pairs, questions)) + sum(map(_pairs, pooled)))
    plain = [one for one in questions if one.normalization is None]
    told = meter.part(sum(map(_pairs, plain)))
    found = iter(answer([_asked(one) for one in plain], replace(options, progress=told)))
    answers = [
        _read(next(found)) if one.normalization is None else _normalized(one, options, meter) for one in questions
    ]
    return answers, [_answer_pooled(one, meter) for one in pooled]


@dataclass
class Meter:
    """Tells how many pairs of the whole work are done.

    Attributes:
        tell: Called with (pairs done, pairs in all); None for nobody.
        total: Pairs in all.
        done: Pairs of the parts that were begun.
    """

    tell: Progress | None
    total: int
    done: int = field(default=0, init=False)

    def part(self, pairs: int) -> Progress:
        """What the next part of the work, of so many pairs, calls with its own (done, total)."""
        start, self.done = self.done, self.done + pairs

        def progress(done: int, total: int) -> None:
            """Place one part within the whole."""
            if self.tell:
                self.tell(start + pairs * done // total, self.total)

        return progress


def _asked(question: Question) -> plan.Question:
    return plan.Question(
        question.method,
        question.queries,
        question.candidates,
        question.positives,
        present=question.present,
        both_directions=question.both_directions,
        every_positive=question.every_positive,
        nearest=question.nearest or None,
        in_order=question.in_order,
    )


def _read(found: plan.Answer) -> Answer:
    if found.ranks is None:
        raise ValueError("ranks were asked for")
    return Answer(found.ranks, _rows(found.nearest_forward), _rows(found.nearest_backward))


def _rows(found: plan.Nearest | None) -> Tensor | None:
    return None if found is None else found.rows


def _normalized(question: Question, options: RankOptions, meter: Meter) -> Answer:
    """Ranks by normalised scores, which have no neighbours."""
    how = replace(options, every_positive=question.every_positive, progress=meter.part(_pairs(question)))
    if question.normalization is None:
        raise ValueError("no normalisation was asked for")
    normalization = replace(question.normalization, both_directions=question.both_directions)
    sides = question.queries, question.candidates, question.positives
    return Answer(rank_normalized(question.method, *sides, normalization, present=question.present, options=how))


def _answer_pooled(question: PooledQuestion, meter: Meter) -> PooledRanks:
    told = meter.part(_pairs(question))
    sides = question.queries, question.candidates, question.owner
    found = pooled_ranks(question.method, *sides, present=question.present)
    told(1, 1)
    return found


def takes(method: AlignmentMethod, queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor]) -> bool:
    """Whether a method is defined for so many modalities, of this dimension, on either side."""
    try:
        method.check(len(queries), len(candidates), next(iter(queries.values())).shape[1])
    except UserError:
        return False
    return True


def _pairs(question: Question | PooledQuestion) -> int:
    n, n_candidates = question.sizes
    return n * n_candidates
