"""A question, opened: its sides checked, its thresholds known, its counts still to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.counting import Tally
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.positives import PositivesLike, read_positives
from gramcli.scoring.ranks import Direction, Ranks, counted_ranks
from gramcli.scoring.scores import as_method
from gramcli.scoring.screening import EVERYTHING, Embeddings, Presence, open_sides, sides_text


@dataclass(frozen=True)
class Question:
    """What is asked of all pairs of two sides under one method.

    Attributes:
        method: Name (options after a colon) or method.
        queries: Modality name to embeddings, each shape [n, d]; normalised in float64 first.
        candidates: Modality name to embeddings, each shape [N, d].
        positives: As `gramcli.scoring.ranking.rank`.
        present: Which modalities exist.
        ranks: Whether the right answers are to be ranked.
        both_directions: Also ask for every candidate.
        every_positive: Also rank every positive.
        nearest: How many of the best candidates of each query are wanted (with both directions: the other way round
            too), all where there are fewer; None for none.
        in_order: Whether these come best first; else by row, which is cheaper to know.
    """

    method: str | AlignmentMethod
    queries: Mapping[str, Tensor]
    candidates: Mapping[str, Tensor]
    positives: PositivesLike = None
    present: Presence = EVERYTHING
    ranks: bool = True
    both_directions: bool = True
    every_positive: bool = False
    nearest: int | None = None
    in_order: bool = False


@dataclass(frozen=True)
class Nearest:
    """The k best of every asking item.

    Attributes:
        rows: Of the answering side, shape [n, k], int64; best first or by row, exact ties by row.
        keys: Their reference keys, shape [n, k], float64, where they are in order; else None.
    """

    rows: Tensor
    keys: Tensor | None


@dataclass
class Asked:
    """An open question.

    Attributes:
        question: As asked.
        method: Its method.
        queries: Checked query side.
        candidates: Checked candidate side.
        forward: Thresholds of the queries, or None where no ranks are asked for.
        backward: Thresholds of the candidates, or None.
        tally: Counts of both.
        n_degenerate: Items whose own vectors are linearly dependent, once they were looked at.
        nearest_forward: The best of every query, once found.
        nearest_backward: The best of every candidate.
    """

    question: Question
    method: AlignmentMethod
    queries: Embeddings
    candidates: Embeddings
    forward: Direction | None = None
    backward: Direction | None = None
    tally: Tally = field(init=False)
    n_degenerate: int = 0
    nearest_forward: Nearest | None = None
    nearest_backward: Nearest | None = None

    @property
    def pairs(self) -> int:
        """How many pairs it is about."""
        return self.queries.n * self.candidates.n

    def reversed_sides(self) -> tuple[Embeddings, Embeddings]:
        """Sides with the candidates asking."""
        return self.candidates, self.queries

    def ranks(self) -> Ranks:
        """The ranks, once everything is counted."""
        forward, backward = self.forward, self.backward
        if forward is None:
            raise ValueError("no ranks were asked for")
        every = self.question.every_positive
        return counted_ranks(forward, backward, every, n_degenerate=self.n_degenerate, n_rescored=self.tally.rescored)


def open_question(question: Question, device: str | torch.device) -> Asked:
    """Check a question's sides.

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.
    """
    chosen = as_method(question.method)
    return Asked(
        question,
        chosen,
        *open_sides(chosen, question.queries, question.candidates, present=question.present, device=device),
    )


def aim(asked: Asked) -> None:
    """Make the thresholds that ranks are counted against, where ranks are asked for.

    Raises:
        UserError: The positives are malformed.
    """
    question, method, q, c = asked.question, asked.method, asked.queries, asked.candidates
    if not question.ranks:
        return
    pairs = read_positives(question.positives, q.n, c.n, sides_text(q, c))
    keys = pair_keys(method, q, c, pairs.query, pairs.candidate)
    every = question.every_positive
    asked.forward = Direction(pairs, keys, every, forward=True, ordered=method.ordered)
    if question.both_directions:
        order = torch.argsort(pairs.candidate, stable=True)
        asked.backward = Direction(pairs.reversed(), keys[order], every, forward=False, ordered=method.ordered)
    codes, order = (pairs.query * c.n + pairs.candidate).sort()
    backward = asked.backward.counter if asked.backward else None
    asked.tally = Tally(method, q, c, asked.forward.counter, backward, (codes, keys[order]))
