"""Questions to a ranking, as data, and their answers: all that an evaluation asks of pairs is asked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.maxpool import PooledRanks, pooled_ranks
from gramcli.scoring.normalize import Normalization, rank_normalized
from gramcli.scoring.ranking import RankOptions, Ranks, rank
from gramcli.scoring.screening import EVERYTHING, Presence
from gramcli.scoring.topk import nearest, top_k

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
        exact: Whether these are the best by the reference scores, or by float32 ones, which is faster.
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
    exact: bool = False
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
        nearest_forward: Rows of the best candidates of each query, best first, [n, k] int64; None where nobody asked,
            or the method does not take the sides.
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
    lean = [replace(one, every_positive=one.every_positive and _several(one.positives, one.sizes)) for one in questions]
    meter = Meter(options.progress, sum(map(_pairs, questions)) + sum(map(_pairs, pooled)))
    answers = [_answer(one, options, meter) for one in lean]
    complete = [_completed(question, found) for question, found in zip(questions, answers, strict=True)]
    return complete, [_answer_pooled(one, meter) for one in pooled]


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


def _answer(question: Question, options: RankOptions, meter: Meter) -> Answer:
    """One question by today's functions, each of which walks the pairs by itself: up to three walks."""
    directions = (True, False) if question.both_directions else (True,)
    searches = directions if question.nearest else ()
    share, rest = divmod(_pairs(question), 1 + len(searches))
    told = meter.part(share + rest)
    how = replace(options, every_positive=question.every_positive, progress=told)
    sides = question.queries, question.candidates, question.positives
    if question.normalization:
        normalization = replace(question.normalization, both_directions=question.both_directions)
        ranks = rank_normalized(question.method, *sides, normalization, present=question.present, options=how)
    else:
        ranks = rank(
            question.method, *sides, both_directions=question.both_directions, present=question.present, options=how
        )
    found = [_nearest(question, options, forward, meter.part(share)) for forward in searches]
    return Answer(ranks, *found)


def _answer_pooled(question: PooledQuestion, meter: Meter) -> PooledRanks:
    told = meter.part(_pairs(question))
    sides = question.queries, question.candidates, question.owner
    found = pooled_ranks(question.method, *sides, present=question.present)
    told(1, 1)
    return found


def _nearest(question: Question, options: RankOptions, forward: bool, told: Progress) -> Tensor | None:
    """The best of each query, or with candidates asking; None where the method does not take the sides so."""
    asking, answering = (question.queries, question.candidates)[:: 1 if forward else -1]
    masks = (question.present.queries, question.present.candidates)[:: 1 if forward else -1]
    if not takes(question.method, asking, answering):
        found = None
    else:
        k = min(question.nearest, question.sizes[1 if forward else 0])
        present = replace(question.present, queries=masks[0], candidates=masks[1])
        sides = question.method, asking, answering, k
        if question.exact:
            found = top_k(*sides, present=present, device=options.device, dtype=options.dtype)[1]
        else:
            found = nearest(*sides, present=present, device=options.device)
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


def _several(positives: tuple[Tensor, Tensor], sizes: tuple[int, int]) -> bool:
    """Whether some query has several right answers, or some candidate answers several queries."""
    indptr, indices = positives
    return int(indptr.diff().max()) > 1 or int(torch.bincount(indices, minlength=sizes[1]).max()) > 1


def _completed(question: Question, answer: Answer) -> Answer:
    """With the places of all right answers, where each is its query's only one and so stands at its rank."""
    ranks = answer.ranks
    if not question.every_positive or ranks.forward_positions is not None:
        return answer
    indptr, indices = question.positives
    query = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    forward = ranks.forward[query].double(), ranks.forward_ties[query] + 1
    backward: tuple[Tensor | None, Tensor | None] = (None, None)
    if ranks.backward is not None and ranks.backward_ties is not None:
        candidate = indices.sort().values
        backward = ranks.backward[candidate].double(), ranks.backward_ties[candidate] + 1
    complete = replace(
        ranks,
        forward_positions=forward[0],
        backward_positions=backward[0],
        forward_position_ties=forward[1],
        backward_position_ties=backward[1],
    )
    return replace(answer, ranks=complete)
