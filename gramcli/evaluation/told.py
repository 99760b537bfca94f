"""What an evaluation tells of rankings that are made: rows, ranks of every query, gains, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.evaluation.answering import Answer
from gramcli.evaluation.gain import SinglePairs, described, gain_over
from gramcli.evaluation.ranking_notes import ranking_notes
from gramcli.evaluation.rankings import HUBNESS, Rankings, Run
from gramcli.evaluation.rerank import Ranked, Reranker, rerank_all
from gramcli.evaluation.same_rows import duplicate_texts
from gramcli.evaluation.selection import TEXT, Selection
from gramcli.metrics.figures import Standing, Uncertainty, cluster_index, direction_rows, hits, is_certain, rank_vector
from gramcli.metrics.hubness import occurrence_skewness, occurrence_skewness_chance
from gramcli.metrics.redrawn import Rivals, rivals
from gramcli.modalities import LETTERS
from gramcli.results.records import RankVector, ResultRow
from gramcli.scoring.maxpool import PooledRanks
from gramcli.scoring.ties import placed, placed_positions
from gramcli.store.reader import Store

GAIN_NOTE: Final = (
    "gain (aggregation_gain in CSV and JSON): R@1 minus that of the best single pair under the same method, over the "
    "same items; gain_any: minus that of the best pair under any. The range in brackets allows for the best pair being "
    "chosen by these items."
)


@dataclass
class Told:
    """Results as they come in.

    Attributes:
        rankings: What was ranked.
        answers: Of its questions.
        pooled: Of those about items by their best captions.
    """

    rankings: Rankings
    answers: Sequence[Answer]
    pooled: Sequence[PooledRanks]
    results: list[ResultRow] = field(default_factory=list, init=False)
    ranks: list[RankVector] = field(default_factory=list, init=False)
    notes: list[str] = field(default_factory=list, init=False)
    gains: list[dict[str, Any]] = field(default_factory=list, init=False)
    _duplicates: dict[int, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._options, self._stage = self.rankings.options, self.rankings.scores.stage
        self._uncertainty = Uncertainty(self._options.intervals, self._options.population)
        self._pairs = SinglePairs(self.rankings, self.answers, self._options.ties)

    def add(self, run: Run) -> None:
        """Collect the figures of one task under one method."""
        vectors = {forward: self._add_direction(run, forward=forward) for forward in run.selection.directions}
        if run.pooled is not None:
            self._add_pooled(run, self.pooled[run.pooled])
        self._add_gain(run, vectors)
        modalities, name = run.selection.task.modalities, run.selection.task.name
        if fused := [one for one in modalities if one not in LETTERS.values() and set(one) <= set(LETTERS)]:
            self.notes.append(
                f"{', '.join(fused)}: embeddings of the model's own, not measures over several modalities: "
                f"{name} asks for one vector, where letters, as in t2va, ask for one of each modality."
            )
        self._add_notes(run)

    def rerank(self, store: Store, reranker: Reranker) -> None:
        """Add the figures of the second stage for every task and method that was ranked."""
        ranked = [
            Ranked(run.selection, run.name, run.method, self.answers[run.question].ranks) for run in self.rankings.runs
        ]
        results, ranks, notes = rerank_all(store, reranker, ranked, self._options.device, self._uncertainty)
        self.results += results
        self.ranks += ranks
        self.notes += notes

    def _add_direction(self, run: Run, *, forward: bool) -> RankVector:
        selection, answer = run.selection, self.answers[run.question]
        side = "forward" if forward else "backward"
        values, ties, right, positions, position_ties = (
            getattr(answer.ranks, f"{side}{what}") for what in ("", "_ties", "_right", "_positions", "_position_ties")
        )
        best = answer.nearest_forward if forward else answer.nearest_backward
        query = _query_of_pairs(selection, forward)
        asking, answering = (selection.query_ids, selection.candidate_ids)[:: 1 if forward else -1]
        vector = rank_vector(
            (selection.label(forward=forward), run.name),
            asking,
            placed(values, ties, right, self._options.ties),
            len(answering),
            _ids(best, answering, self._options.best),
        )
        self.ranks.append(vector)
        places, spread = placed_positions(positions, position_ties, torch.from_numpy(query), self._options.ties)
        standing = Standing(ties, places, query, spread)
        above = values.double() - 1
        uncertainty = replace(self._uncertainty, rivals=self._rivals(selection, above, best, forward))
        self.results += direction_rows(vector, self._stage, standing, uncertainty)
        if best is not None and run.is_joint:
            self._add_hubness(vector, best, len(asking))
        return vector

    def _add_hubness(self, vector: RankVector, best: Tensor, n: int) -> None:
        """How few candidates answer many of the n queries, beside what chance gives."""
        k, size = min(HUBNESS, best.shape[1]), vector.n_candidates
        if k < size:
            skewness = occurrence_skewness(best[:, :k], size)
            by_chance = occurrence_skewness_chance(n, size, k)
            self._add(vector.task, vector.method, f"hubness@{k}", skewness, size)
            self._add(vector.task, vector.method, f"hubness@{k}_chance", by_chance, size)

    def _rivals(self, selection: Selection, above: Tensor, best: Tensor | None, forward: bool) -> Rivals | None:
        """What stands before each answer, where items are to be redrawn."""
        if self._options.population != "items" or best is None:
            return None
        numbers = {name: k for k, name in enumerate(dict.fromkeys(selection.candidate_ids))}
        asking, answering = (selection.query_ids, selection.candidate_ids)[:: 1 if forward else -1]
        owner, item_of = (np.array([numbers[name] for name in side]) for side in (asking, answering))
        return rivals(best.numpy(), above.numpy(), owner, item_of)

    def _add_pooled(self, run: Run, found: PooledRanks) -> None:
        """Items ranked by their best caption."""
        selection, n = run.selection, len(run.selection.candidate_ids)
        alone = placed(found.ranks, found.ties, torch.ones_like(found.ties), self._options.ties)
        label = f"{selection.label(forward=False)}_maxpool"
        vector = rank_vector((label, run.name), selection.candidate_ids, alone, n)
        self.ranks.append(vector)
        places, spread = placed_positions(found.ranks, found.ties + 1, torch.arange(n), self._options.ties)
        standing = Standing(found.ties, places, np.arange(n), spread)
        self.results += direction_rows(vector, self._stage, standing, self._uncertainty)
        self.notes.append(
            f"{label}: an item scores as its best caption, and is ranked among {n} items instead of all captions."
        )

    def _add(self, task: str, name: str, metric: str, value: float | None, n: int) -> None:
        self.results.append(ResultRow(task, name, self._stage, metric, value, None, None, n))

    def _add_gain(self, run: Run, vectors: dict[bool, RankVector]) -> None:
        """R@1 minus that of the best single pair over the same items, in both directions."""
        if not run.is_joint:
            return
        if not run.has_gain:
            self.notes.append(f"{run.selection.label()}: no gain, for zero vectors have no cosine.")
            return
        for forward, vector in vectors.items():
            joint, clusters = hits(vector, 1), cluster_index(list(vector.query_ids))
            pairs = self._pairs.of(run.selection, run.name, forward=forward)
            same = gain_over(joint, pairs, clusters) if pairs else None
            best = gain_over(joint, self._pairs.under_any(run.selection, run.name, forward=forward), clusters)
            for metric, gain in (("aggregation_gain", same), ("aggregation_gain_any", best)):
                if gain is not None:
                    certain = is_certain("R@1", vector.n_candidates)
                    found = (gain.value, None if certain else gain.low, None if certain else gain.high)
                    self.results.append(ResultRow(vector.task, run.name, self._stage, metric, *found, len(joint)))
            self.gains.append(described(vector.task, run.name, same, best))
        self.notes.append(GAIN_NOTE)

    def _add_notes(self, run: Run) -> None:
        selection, ranks = run.selection, self.answers[run.question].ranks
        task = selection.label()
        if ranks.n_degenerate:
            self._add(task, run.name, "n_degenerate", ranks.n_degenerate, len(selection.candidate_ids))
        if duplicates := self._duplicates_of(selection):
            texts = selection.query_ids if TEXT in selection.queries else selection.candidate_ids
            self._add(task, run.name, "n_duplicate_texts", duplicates, len(texts))
        self.notes += ranking_notes(selection, run.name, ranks, duplicates, self._options.ties)

    def _duplicates_of(self, selection: Selection) -> int:
        """How many texts of a task repeat, counted once for all its methods and for all tasks of the same texts."""
        texts = selection.queries.get(TEXT, selection.candidates.get(TEXT))
        if id(texts) not in self._duplicates:
            self._duplicates[id(texts)] = duplicate_texts(selection)
        return self._duplicates[id(texts)]


def _query_of_pairs(selection: Selection, forward: bool) -> NDArray[np.int64]:
    """Query of every positive pair, sorted by query, in the direction asked for."""
    indptr, indices = selection.positives
    query = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    found: NDArray[np.int64] = (query if forward else indices.sort().values).numpy()
    return found


def _ids(best: Tensor | None, names: Sequence[str], count: int) -> tuple[tuple[str, ...], ...]:
    if best is None or not count:
        return ()
    return tuple(tuple(names[k] for k in row) for row in best[:, :count].tolist())
