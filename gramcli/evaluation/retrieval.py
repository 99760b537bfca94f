"""Retrieval figures of a store: every task under every method, in both directions, with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.directions import direction_facts, every_split, joint_notes
from gramcli.evaluation.gain import SinglePairs, described, gain_over
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.postprocessing import PostProcessing, open_postprocessing
from gramcli.evaluation.questions import questions_of
from gramcli.evaluation.ranking_notes import TIE_RULES, ranking_notes
from gramcli.evaluation.rerank import Ranked, Reranker, rerank_all
from gramcli.evaluation.selection import (
    TEXT,
    Selection,
    default_tasks,
    duplicate_texts,
    select_directions,
    zero_note,
)
from gramcli.evaluation.views import views_note
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.figures import Standing, Uncertainty, cluster_index, direction_rows, hits, is_certain, rank_vector
from gramcli.metrics.hubness import occurrence_skewness, occurrence_skewness_chance
from gramcli.metrics.redrawn import LISTED, Rivals, rivals
from gramcli.modalities import LETTERS, Task
from gramcli.results.records import Figures, RankVector, ResultRow
from gramcli.scoring.maxpool import pooled_ranks
from gramcli.scoring.ranking import RankOptions, Ranks
from gramcli.scoring.ties import placed, placed_positions
from gramcli.scoring.topk import nearest, top_k
from gramcli.store.reader import Store

GAIN_NOTE: Final = (
    "gain (aggregation_gain in CSV and JSON): R@1 minus that of the best single pair under the same method, over the "
    "same items; gain_any: minus that of the best pair under any. The range in brackets allows for the best pair being "
    "chosen by these items."
)
POPULATION_NOTE: Final = (
    "Intervals of R@1 to R@10 and MRR allow for new items as queries and candidates; gains, and what has no interval, "
    "do not. Where a few items win most queries they cover less than 95 % (docs: understand/intervals)."
)
_HUBNESS: Final = 10  # the k of the k-occurrences


def retrieval_figures(
    store: Store, items: Tensor, tasks: Sequence[Task], methods: Sequence[str], options: EvalOptions
) -> Figures:
    """Rank every task under every method, in both directions.

    Args:
        store: An open store.
        items: Positions of the items to use, int64.
        tasks: Tasks; none means every one the store allows (`default_tasks`).
        methods: Method names; none means every one a task's number of modalities and dimension allow.
        options: Policy for missing modalities, device, normalisation, re-ranking.

    Returns:
        Figures, ranks per query, items left out and notes.

    Raises:
        UserError: As `gramcli.evaluation.measure.measure`.
    """
    named = [(name, get_method(name)) for name in dict.fromkeys(methods) or METHODS.names()]
    selections, skipped = _selections(store, tasks, items, options)
    runs = [
        (selection, name, method)
        for selection in selections
        for name, method in named
        if (methods and options.directions == "named") or _accepts(method, selection)
    ]
    if not runs:
        raise UserError("store", f"No method applies to the tasks of {store.path}; name --task and --method.")
    scores = open_postprocessing(store, selections, options.normalize, split=options.split, missing=options.missing)
    work = _Work(options, sum(len(s.query_ids) * len(s.candidate_ids) for s, _, _ in runs), scores)
    for selection, name, method in runs:
        work.add(selection, name, method)
    if options.reranker:
        work.rerank(store, options.reranker)
    skipped += [] if methods else _unfit_notes(selections, named)
    if options.directions == "all":
        skipped += joint_notes(work.results, selections, named)
    zeros = [zero_note(store, one) for one in selections if one.directions[0]] if options.missing == "zero" else []
    return Figures(
        results=work.results,
        ranks=work.ranks,
        questions=[questions_of(store, s, forward=forward) for s in selections for forward in s.directions],
        left_out=[entry for selection in selections if selection.directions[0] for entry in selection.left_out],
        notes=[
            *scores.notes(),
            *skipped,
            *zeros,
            *(views_note(store, s.named or s.task, s.directions) for s in selections if s.source is not None),
            *work.notes,
            *([POPULATION_NOTE] if options.population == "items" else []),
        ],
        provenance=_provenance(selections, options)
        | scores.provenance()
        | _second_stage(options)
        | ({"gains": work.gains} if work.gains else {})
        | (direction_facts(selections) if options.directions == "all" else {}),
    )


def _selections(
    store: Store, tasks: Sequence[Task], items: Tensor, options: EvalOptions
) -> tuple[list[Selection], list[str]]:
    """The rows of every task; of tasks that nobody named, those that no item has what it takes for are only noted."""

    def chosen(task: Task) -> list[Selection]:
        """The rows of a task; under `present` those of each of its parts."""
        return select_directions(store, task, items, options.missing, options.relevant)

    if tasks:
        return [selection for task in dict.fromkeys(tasks) for selection in chosen(task)], []
    selections: list[Selection] = []
    notes, error = [], None
    for task in every_split(store) if options.directions == "all" else default_tasks(store):
        try:
            selections += chosen(task)
        except UserError as caught:
            error = caught
            notes.append(f"{task.name} was left out: no item has all of its modalities.")
    if not selections and error is not None:
        raise error
    return selections, notes


def _unfit_notes(selections: Sequence[Selection], named: Sequence[tuple[str, AlignmentMethod]]) -> list[str]:
    """Name the methods that the dimension of the embeddings rules out."""
    notes = []
    for selection in selections:
        d = next(iter(selection.queries.values())).shape[1]
        m = len(selection.task.modalities)
        unfit = [name for name, method in named if d < m and not _accepts(method, selection)]
        if unfit:
            notes.append(f"{selection.label()}: {', '.join(unfit)} left out: {m} vectors need {m} dimensions, not {d}.")
    return notes


def _takes(method: AlignmentMethod, queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor]) -> bool:
    try:
        method.check(len(queries), len(candidates), next(iter(queries.values())).shape[1])
    except UserError:
        return False
    return True


def _accepts(method: AlignmentMethod, selection: Selection) -> bool:
    if not _takes(method, selection.queries, selection.candidates):
        return False
    return not (method.name == "triangle" and selection.present.queries is not None)


@dataclass
class _Work:
    """Results as they come in; what the aggregation gain is against is kept."""

    options: EvalOptions
    total: int
    scores: PostProcessing
    results: list[ResultRow] = field(default_factory=list)
    ranks: list[RankVector] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    _ranked: list[Ranked] = field(default_factory=list)
    gains: list[dict[str, Any]] = field(default_factory=list)
    _pairs: SinglePairs = field(init=False)
    _uncertainty: Uncertainty = field(init=False)

    def __post_init__(self) -> None:
        self._uncertainty = Uncertainty(self.options.intervals, self.options.population)
        self._pairs = SinglePairs(lambda pair, method: self._rank(pair, method, report=False), self.options.ties)

    def add(self, selection: Selection, name: str, method: AlignmentMethod) -> None:
        """Rank one task under one method and collect its figures."""
        ranks = self._rank(selection, method)
        if self.scores.normalization is None:
            self._pairs.keep(selection, name, ranks)
        self.done += len(selection.query_ids) * len(selection.candidate_ids)
        for forward in selection.directions:
            self._add_direction(selection, name, method, ranks, forward=forward)
        if False in selection.directions:
            self._add_pooled(selection, name, method)
        self._add_gain(selection, name)
        fused = [n for n in selection.task.modalities if n not in LETTERS.values() and set(n) <= set(LETTERS)]
        if fused:
            self.notes.append(
                f"{', '.join(fused)}: embeddings of the model's own, not measures over several modalities: "
                f"{selection.task.name} asks for one vector, where letters, as in t2va, ask for one of each modality."
            )
        self._add_notes(selection, name, ranks)
        if self.options.reranker:
            self._ranked.append(Ranked(selection, name, method, ranks))

    def rerank(self, store: Store, reranker: Reranker) -> None:
        """Add the figures of the second stage for every task and method that was ranked."""
        results, ranks, notes = rerank_all(store, reranker, self._ranked, self.options.device, self._uncertainty)
        self.results += results
        self.ranks += ranks
        self.notes += notes

    def _add_direction(
        self, selection: Selection, name: str, method: AlignmentMethod, ranks: Ranks, *, forward: bool
    ) -> None:
        side = "forward" if forward else "backward"
        values, ties, right, positions, position_ties = (
            getattr(ranks, f"{side}{what}") for what in ("", "_ties", "_right", "_positions", "_position_ties")
        )
        query = _query_of_pairs(selection, forward)
        asking, answering = (selection.query_ids, selection.candidate_ids)[:: 1 if forward else -1]
        best = self._best(selection, method, forward)
        vector = rank_vector(
            (selection.label(forward=forward), name),
            asking,
            placed(values, ties, right, self.options.ties),
            len(answering),
            _ids(best, answering, self.options.best),
        )
        self.ranks.append(vector)
        places, spread = placed_positions(positions, position_ties, torch.from_numpy(query), self.options.ties)
        standing = Standing(ties, places, query, spread)
        above = values.double() - 1
        uncertainty = replace(self._uncertainty, rivals=self._rivals(selection, above, best, forward))
        self.results += direction_rows(vector, self.scores.stage, standing, uncertainty)
        if best is not None and len(selection.task.modalities) > 2:
            self._add_hubness(vector, best, len(asking))

    def _add_hubness(self, vector: RankVector, best: Tensor, n: int) -> None:
        """How few candidates answer many of the n queries, beside what chance gives."""
        k, size = min(_HUBNESS, best.shape[1]), vector.n_candidates
        if k < size:
            skewness = occurrence_skewness(best[:, :k], size)
            by_chance = occurrence_skewness_chance(n, size, k)
            self._add(vector.task, vector.method, f"hubness@{k}", skewness, size)
            self._add(vector.task, vector.method, f"hubness@{k}_chance", by_chance, size)

    def _rivals(self, selection: Selection, above: Tensor, best: Tensor | None, forward: bool) -> Rivals | None:
        """What stands before each answer, where items are to be redrawn."""
        if self.options.population != "items" or best is None:
            return None
        numbers = {name: k for k, name in enumerate(dict.fromkeys(selection.candidate_ids))}
        asking, answering = (selection.query_ids, selection.candidate_ids)[:: 1 if forward else -1]
        owner, item_of = (np.array([numbers[name] for name in side]) for side in (asking, answering))
        return rivals(best.numpy(), above.numpy(), owner, item_of)

    def _best(self, selection: Selection, method: AlignmentMethod, forward: bool) -> Tensor | None:
        """The best few of each query, where hubness or `best` asks for them and the scores are raw."""
        listed = LISTED if self.options.population == "items" else 0
        wanted = max(_HUBNESS if len(selection.task.modalities) > 2 else 0, self.options.best, listed)
        asking, answering = (selection.queries, selection.candidates)[:: 1 if forward else -1]
        masks = (selection.present.queries, selection.present.candidates)[:: 1 if forward else -1]
        if not wanted or self.scores.normalization is not None or not _takes(method, asking, answering):
            return None
        k = min(wanted, len(selection.candidate_ids if forward else selection.query_ids))
        present = replace(selection.present, queries=masks[0], candidates=masks[1])
        if not self.options.best and self.options.population == "queries":
            return nearest(method, asking, answering, k, present=present, device=self.options.device)
        return top_k(method, asking, answering, k, present=present, device=self.options.device)[1]

    def _add_pooled(self, selection: Selection, name: str, method: AlignmentMethod) -> None:
        """Items ranked by their best caption, where text asks alone and some item has several."""
        n = len(selection.candidate_ids)
        if (
            selection.relevant == "label"
            or selection.task.query != (TEXT,)
            or len(selection.query_ids) == n
            or self.scores.normalization is not None
        ):
            return
        owner = selection.positives[1]
        found = pooled_ranks(method, selection.queries, selection.candidates, owner, present=selection.present)
        alone = placed(found.ranks, found.ties, torch.ones_like(found.ties), self.options.ties)
        label = f"{selection.label(forward=False)}_maxpool"
        vector = rank_vector((label, name), selection.candidate_ids, alone, n)
        self.ranks.append(vector)
        places, spread = placed_positions(found.ranks, found.ties + 1, torch.arange(n), self.options.ties)
        standing = Standing(found.ties, places, np.arange(n), spread)
        self.results += direction_rows(vector, self.scores.stage, standing, self._uncertainty)
        self.notes.append(
            f"{label}: an item scores as its best caption, and is ranked among {n} items instead of all captions."
        )

    def _add(self, task: str, name: str, metric: str, value: float | None, n: int) -> None:
        self.results.append(ResultRow(task, name, self.scores.stage, metric, value, None, None, n))

    def _rank(self, selection: Selection, method: AlignmentMethod, report: bool = True) -> Ranks:
        def progress(done: int, _total: int) -> None:
            """Place one ranking within the whole work."""
            if self.options.progress and report:
                self.options.progress(self.done + done, self.total)

        options = RankOptions(every_positive=report, device=self.options.device, progress=progress)
        return self.scores.rank(selection, method, options)

    def _add_gain(self, selection: Selection, name: str) -> None:
        """R@1 minus that of the best single pair over the same items, in both directions."""
        if len(selection.task.modalities) < 3:
            return
        if selection.present.queries is not None:
            self.notes.append(f"{selection.label()}: no gain, for zero vectors have no cosine.")
            return
        for forward in selection.directions:
            label = selection.label(forward=forward)
            vector = next(found for found in reversed(self.ranks) if found.task == label)
            joint, clusters = hits(vector, 1), cluster_index(list(vector.query_ids))
            pairs = self._pairs.of(selection, name, forward=forward)
            same = gain_over(joint, pairs, clusters) if pairs else None
            best = gain_over(joint, self._pairs.under_any(selection, name, forward=forward), clusters)
            for metric, gain in (("aggregation_gain", same), ("aggregation_gain_any", best)):
                if gain is not None:
                    certain = is_certain("R@1", vector.n_candidates)
                    found = (gain.value, None if certain else gain.low, None if certain else gain.high)
                    self.results.append(ResultRow(label, name, self.scores.stage, metric, *found, len(joint)))
            self.gains.append(described(label, name, same, best))
        self.notes.append(GAIN_NOTE)

    def _add_notes(self, selection: Selection, name: str, ranks: Ranks) -> None:
        task = selection.label()
        if ranks.n_degenerate:
            self._add(task, name, "n_degenerate", ranks.n_degenerate, len(selection.candidate_ids))
        if duplicates := duplicate_texts(selection):
            texts = selection.query_ids if TEXT in selection.queries else selection.candidate_ids
            self._add(task, name, "n_duplicate_texts", duplicates, len(texts))
        self.notes += ranking_notes(selection, name, ranks, duplicates, self.options.ties)


def _second_stage(options: EvalOptions) -> dict[str, Any]:
    if options.reranker is None:
        return {}
    return {"rerank": {"stage": options.reranker.stage, "top": options.reranker.top, "by": "matching head"}}


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


def _provenance(selections: Sequence[Selection], options: EvalOptions) -> dict[str, Any]:
    return {
        "relevant": options.relevant,
        "ties": TIE_RULES[options.ties],
        "tasks": {
            s.label(): {
                "queries": len(s.query_ids),
                "candidates": len(s.candidate_ids),
                "left_out": len(dict.fromkeys(entry.id for entry in s.left_out)),
                "gallery_sha256": s.gallery_sha256(),
            }
            for s in selections
        },
        "intervals": {"level": 0.95, "method": options.intervals, "population": options.population},
    }
