"""Answer questions about all pairs of two sides, each pair walked once for all of them.

A `Question` says what is asked: ranks, neighbours, of which sides, under which method. Questions whose products are
with the same rows go together: a tile of products is made once, and every formula runs over it while it is in the
cache (`gramcli.scoring.walk`). What has no formula there (several vectors on both sides, a GPU, little work, a machine
without numba) is walked by itself (`gramcli.scoring.plain`). The answers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gramcli.scoring.asked import Asked, Nearest, Question, aim, open_question
from gramcli.scoring.plain import answer_plainly
from gramcli.scoring.ranks import RankOptions, Ranks
from gramcli.scoring.walk import compiled_walks, walkable

__all__ = ["Answer", "Nearest", "Question", "answer"]


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        ranks: Of the right answers, or None where none were asked for.
        nearest_forward: The best candidates of every query, or None.
        nearest_backward: The best queries of every candidate, or None.
    """

    ranks: Ranks | None
    nearest_forward: Nearest | None
    nearest_backward: Nearest | None


def answer(questions: Sequence[Question], options: RankOptions | None = None) -> list[Answer]:
    """Answer all questions.

    Args:
        questions: Any number, of any sides.
        options: Device, dtype, tile and progress, which change the time but not the answers; `every_positive` is the
            questions' own.

    Returns:
        An answer to each, in order.

    Raises:
        UserError: As `gramcli.scoring.ranking.rank`.

    Example:
        >>> import torch
        >>> side = {"x": torch.eye(3)}
        >>> [found] = answer([Question("cosine", side, side, nearest=1)])
        >>> found.ranks.forward.tolist(), found.nearest_forward.rows.tolist()
        ([1, 1, 1], [[0], [1], [2]])
    """
    options = options or RankOptions()
    asked = [open_question(question, options.device) for question in questions]
    done, total = 0, sum(one.pairs for one in asked)

    def progress(pairs: int) -> None:
        """Add pairs to what is done."""
        nonlocal done
        done += pairs
        if options.progress:
            options.progress(done, total)

    compiled = walkable(asked, options)  # before the first reference keys, which are compiled then, too
    for one in asked:
        aim(one)
    walks, rest = compiled_walks(asked, options) if compiled else ([], asked)
    for walk in walks:
        walk.run(progress)
    for one in rest:
        answer_plainly(one, options, progress)
    return [_answer(one) for one in asked]


def _answer(asked: Asked) -> Answer:
    ranks = asked.ranks() if asked.forward is not None else None
    return Answer(ranks, asked.nearest_forward, asked.nearest_backward)
