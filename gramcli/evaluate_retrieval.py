"""Retrieval figures of a store: every task under every method, in both directions, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.eval_options import EvalOptions
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.figures import direction_rows
from gramcli.metrics.ranking import RankOptions, Ranks
from gramcli.modalities import LETTERS, Task
from gramcli.postprocessing import PostProcessing, open_postprocessing
from gramcli.rerank import Ranked, Reranker, rerank_all
from gramcli.results import Figures, RankVector, ResultRow
from gramcli.selection import Selection, default_tasks, select
from gramcli.store.reader import Store

_BASELINE = "cosine"


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
        UserError: As `gramcli.evaluate.evaluate`.
    """
    named = [(name, get_method(name)) for name in methods or METHODS.names()]
    selections, skipped = _selections(store, tasks, items, options.missing)
    runs = [
        (selection, name, method)
        for selection in selections
        for name, method in named
        if methods or _accepts(method, selection)
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
    return Figures(
        results=work.results,
        ranks=work.ranks,
        left_out=[entry for selection in selections for entry in selection.left_out],
        notes=[*scores.notes(), *skipped, *work.notes],
        provenance=_provenance(selections) | scores.provenance() | _second_stage(options),
    )


def _selections(store: Store, tasks: Sequence[Task], items: Tensor, missing: str) -> tuple[list[Selection], list[str]]:
    """The rows of every task; of tasks that nobody named, those that no item has what it takes for are only noted."""
    if tasks:
        return [select(store, task, items, missing) for task in dict.fromkeys(tasks)], []
    selections, notes, error = [], [], None
    for task in default_tasks(store):
        try:
            selections.append(select(store, task, items, missing))
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
            notes.append(
                f"{selection.task.name}: {', '.join(unfit)} left out: {m} vectors need {m} dimensions, not {d}."
            )
    return notes


def _accepts(method: AlignmentMethod, selection: Selection) -> bool:
    try:
        method.check(len(selection.queries), len(selection.candidates), next(iter(selection.queries.values())).shape[1])
    except UserError:
        return False
    return not (method.name == "triangle" and selection.present.queries is not None)


@dataclass
class _Work:
    """Results as they come in; ranks of single pairs are kept for the aggregation gain."""

    options: EvalOptions
    total: int
    scores: PostProcessing
    results: list[ResultRow] = field(default_factory=list)
    ranks: list[RankVector] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    _ranked: list[Ranked] = field(default_factory=list)
    _first_hits: dict[tuple[str, str], float] = field(default_factory=dict)

    def add(self, selection: Selection, name: str, method: AlignmentMethod) -> None:
        """Rank one task under one method and collect its figures."""
        ranks = self._rank(selection, method)
        self.done += len(selection.query_ids) * len(selection.candidate_ids)
        self._add_direction(selection, name, ranks, forward=True)
        self._add_direction(selection, name, ranks, forward=False)
        self._add_gain(selection, name)
        fused = [n for n in selection.task.modalities if n not in LETTERS.values()]
        if fused:
            self.notes.append(
                f"{', '.join(fused)}: embeddings of the model's own, not measures over several modalities."
            )
        self._add_notes(selection, name, ranks)
        if self.options.reranker:
            self._ranked.append(Ranked(selection, name, method, ranks))

    def rerank(self, store: Store, reranker: Reranker) -> None:
        """Add the figures of the second stage for every task and method that was ranked."""
        results, ranks, notes = rerank_all(store, reranker, self._ranked, self.options.device)
        self.results += results
        self.ranks += ranks
        self.notes += notes

    def _add_direction(self, selection: Selection, name: str, ranks: Ranks, *, forward: bool) -> None:
        values, ties, positions = (
            (ranks.forward, ranks.forward_ties, ranks.forward_positions)
            if forward
            else (ranks.backward, ranks.backward_ties, ranks.backward_positions)
        )
        if values is None or ties is None or positions is None:
            raise ValueError("rank was asked for both directions and every positive")
        task = selection.task if forward else selection.task.reversed()
        asking, answering = (selection.query_ids, selection.candidate_ids)[:: 1 if forward else -1]
        vector = RankVector(task.name, name, asking, tuple(values.tolist()), len(answering))
        self.ranks.append(vector)
        self.results += direction_rows(vector, self.scores.stage, ties, positions, _query_of_pairs(selection, forward))

    def _rank(self, selection: Selection, method: AlignmentMethod, report: bool = True) -> Ranks:
        def progress(done: int, _total: int) -> None:
            """Place one ranking within the whole work."""
            if self.options.progress and report:
                self.options.progress(self.done + done, self.total)

        options = RankOptions(every_positive=True, device=self.options.device, progress=progress)
        return self.scores.rank(selection, method, options)

    def _add_gain(self, selection: Selection, name: str) -> None:
        """R@1 minus that of the best single pair's cosine, over the same items, in both directions."""
        task = selection.task
        if len(task.modalities) < 3:
            return
        best = [0.0, 0.0]
        for query in task.query:
            for candidate in task.candidates:
                pair = replace(
                    selection,
                    queries={query: selection.queries[query]},
                    candidates={candidate: selection.candidates[candidate]},
                )
                if selection.present.queries is not None:
                    return  # with modalities missing, a single pair has other items than the joint measure
                best = [max(x, y) for x, y in zip(best, self._pair_hits(pair), strict=True)]
        for vector, single in zip(self.ranks[-2:], best, strict=True):
            joint = float(np.mean(np.array(vector.ranks) <= 1))
            gain = joint - single
            self.notes.append("gain: R@1 minus that of the best single pair's cosine, over the same items.")
            self.results.append(
                ResultRow(vector.task, name, self.scores.stage, "aggregation_gain", gain, None, None, len(vector.ranks))
            )

    def _pair_hits(self, pair: Selection) -> tuple[float, float]:
        key = (f"{next(iter(pair.queries))} {next(iter(pair.candidates))}", pair.gallery_sha256())
        found = []
        for direction in ("forward", "backward"):
            if (key[0] + direction, key[1]) not in self._first_hits:
                ranks = self._rank(pair, get_method(_BASELINE), report=False)
                for name, values in (("forward", ranks.forward), ("backward", ranks.backward)):
                    if values is not None:
                        self._first_hits[key[0] + name, key[1]] = float((values <= 1).double().mean())
            found.append(self._first_hits[key[0] + direction, key[1]])
        return found[0], found[1]

    def _add_notes(self, selection: Selection, name: str, ranks: Ranks) -> None:
        task = selection.task.name
        if ranks.n_degenerate:
            n = len(selection.candidate_ids)
            self.results.append(
                ResultRow(task, name, self.scores.stage, "n_degenerate", ranks.n_degenerate, None, None, n)
            )
            self.notes.append(
                f"{task}: {ranks.n_degenerate} items have linearly dependent modality vectors; their volume is 0, or "
                "mere rounding, for every query, so they win every gram query and are hubs for pmrl. "
                "Use span, or find out why."
            )
        ties = int((ranks.forward_ties > 0).sum())
        if ties:
            self.notes.append(
                f"{task} {name}: {ties} of {len(selection.query_ids)} queries tie with their best answer; "
                "ranks take the middle of the tied range."
            )
        for asked, gallery in (
            (selection.task, selection.candidate_ids),
            (selection.task.reversed(), selection.query_ids),
        ):
            size = len(gallery)
            if size <= 10:
                self.notes.append(f"{asked.name}: {size} to choose from, so R@k with k >= {size} is 1 by construction.")


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


def _provenance(selections: Sequence[Selection]) -> dict[str, Any]:
    return {
        "ties": "middle of the tied range",
        "tasks": {
            s.task.name: {
                "queries": len(s.query_ids),
                "candidates": len(s.candidate_ids),
                "left_out": len(dict.fromkeys(entry.id for entry in s.left_out)),
                "gallery_sha256": s.gallery_sha256(),
            }
            for s in selections
        },
        "intervals": "95 %: Wilson for hit rates of independent queries, else 2000 bootstraps over items, seed 0",
    }
