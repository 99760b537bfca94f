"""Scores and ranks of queries against candidates, exact and in tiles. Names resolve late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names

if TYPE_CHECKING:
    from gramcli.scoring.plan import Answer, Question, answer
    from gramcli.scoring.ranking import RankOptions, Ranks, rank
    from gramcli.scoring.scores import score_matrix, score_pairs, score_tiles
    from gramcli.scoring.screening import Presence
    from gramcli.scoring.topk import top_k

_HOMES: Final = {
    "Answer": "plan",
    "Presence": "screening",
    "Question": "plan",
    "RankOptions": "ranking",
    "Ranks": "ranking",
    "answer": "plan",
    "rank": "ranking",
    "score_matrix": "scores",
    "score_pairs": "scores",
    "score_tiles": "scores",
    "top_k": "topk",
}
__all__ = [
    "Answer",
    "Presence",
    "Question",
    "RankOptions",
    "Ranks",
    "answer",
    "rank",
    "score_matrix",
    "score_pairs",
    "score_tiles",
    "top_k",
]
__getattr__ = late_names(__name__, _HOMES)
