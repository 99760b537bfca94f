"""The `eval` verb: a store's alignment under tasks and methods, as retrieval figures with their uncertainty."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import gramcli
from gramcli.errors import UserError
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.figures import direction_rows
from gramcli.metrics.ranking import RankOptions, Ranks
from gramcli.modalities import LETTERS, Task
from gramcli.postprocessing import PostProcessing, open_postprocessing
from gramcli.rerank import Ranked, Reranker, rerank_all
from gramcli.results import Evaluation, LeftOut, RankVector, ResultRow
from gramcli.scoring import score_matrix
from gramcli.selection import Selection, chosen_items, effective_split, select
from gramcli.store.reader import Store

_BASELINE = "cosine"


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
        normalize: Score post-processing, as `gramcli.metrics.normalize.parse_normalization` reads it; None for none.
        reranker: A second stage for the best few of each query, whose figures are given beside those of the first.
    """

    split: str | None = None
    limit: int | None = None
    missing: str = "drop"
    device: str = "cpu"
    protocol: str | None = None
    progress: Callable[[int, int], None] | None = None
    normalize: str | None = None
    reranker: Reranker | None = None


def evaluate(
    store: Store, *, tasks: Sequence[Task] = (), methods: Sequence[str] = (), options: EvalOptions | None = None
) -> Evaluation:
    """Rank every task under every method, in both directions.

    Args:
        store: An open store.
        tasks: Tasks; none means every one the store allows (`default_tasks`).
        methods: Method names; none means every one a task's number of modalities and dimension allow.
        options: Split, policy for missing modalities, device.

    Returns:
        Figures, ranks per query, items left out and notes.

    Raises:
        UserError: An unknown method or normalisation, a task whose modality is not in the store, nothing left to
            evaluate, no train split to take a querybank from.
    """
    options = options or EvalOptions()
    if options.reranker and options.normalize:
        raise UserError("usage", "--rerank orders the best of the raw scores; leave --normalize out, or --rerank.")
    items = chosen_items(store, options.split, options.limit)
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
    work.notes = [*_store_notes(store, options), *scores.notes(), *skipped, *work.notes]
    left_out = dict.fromkeys(entry for selection in selections for entry in selection.left_out)
    return Evaluation(
        provenance=_provenance(store, selections, options) | scores.provenance() | _second_stage(options),
        results=tuple(work.results),
        left_out=tuple(left_out),
        ranks=tuple(work.ranks),
        notes=tuple(dict.fromkeys(work.notes)),
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


def default_tasks(store: Store) -> list[Task]:
    """Every set of other modalities against text (or against the first modality where there is no text).

    Only modalities of the query's dimension count; with more than three others, the single ones and all together.

    Raises:
        UserError: The store holds fewer than two modalities of one dimension.
    """
    query = "text" if "text" in store.modalities else store.modalities[0]
    others = [name for name in store.modalities if name != query and store.dims[name] == store.dims[query]]
    if not others:
        raise UserError(
            "store", f"{store.path} holds no second modality of the dimension of '{query}': nothing to align."
        )
    letters = list(LETTERS.values())
    others.sort(key=lambda name: letters.index(name) if name in letters else len(letters))
    plain = [name for name in others if name in letters]
    sizes = range(2, len(plain) + 1) if len(plain) <= 3 else (len(plain),)
    singles = [Task((query,), (name,)) for name in others]
    joint = [Task((query,), chosen) for size in sizes for chosen in combinations(plain, size)]
    return singles + joint


@dataclass(frozen=True)
class AlignmentMatrix:
    """Scores of a task's queries against its candidates.

    Attributes:
        scores: Shape [queries, candidates], float32.
        query_ids: Item of each row; captions of one item share its id.
        candidate_ids: Item of each column.
        left_out: Items the task does not cover, and why.
        notes: What a reader must know.
    """

    scores: NDArray[np.float32]
    query_ids: tuple[str, ...]
    candidate_ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def alignment_matrix(store: Store, task: Task, method: str, options: EvalOptions | None = None) -> AlignmentMatrix:
    """The scores of a task's queries against its candidates.

    Args:
        store: An open store.
        task: Query and candidate modalities.
        method: Method name.
        options: Split, limit and policy for missing modalities.

    Returns:
        The matrix with the ids of its rows and columns.

    Raises:
        UserError: As `evaluate`.
    """
    options = options or EvalOptions()
    chosen = get_method(method)
    selection = select(store, task, chosen_items(store, options.split, options.limit), options.missing)
    scores = score_matrix(chosen, selection.queries, selection.candidates, present=selection.present)
    better = "higher" if chosen.higher_is_better else "lower"
    notes = (*_store_notes(store, options), f"{better.capitalize()} scores are better aligned.")
    return AlignmentMatrix(scores.numpy(), selection.query_ids, selection.candidate_ids, selection.left_out, notes)


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


def _store_notes(store: Store, options: EvalOptions) -> list[str]:
    notes = []
    split = effective_split(store, options.split)
    if split is not None and options.split is None:
        notes.append(f"Evaluated split '{split}'; --split all evaluates every item.")
    if not store.shared_space:
        notes.append(
            f"The model '{store.manifest['model'].get('id')}' does not put its modalities in one space: scores across "
            "modalities are chance until they are aligned."
        )
    notes += store.manifest["model"].get("assumptions", [])
    if options.missing == "zero":
        notes.append(
            "Absent modalities were scored as what the model makes of silence or no words, where the store has that "
            "(gram embed --stand-ins), else as zero vectors: a volume with one is 0, the best there is."
        )
    return notes


def _provenance(store: Store, selections: Sequence[Selection], options: EvalOptions) -> dict[str, Any]:
    dataset = store.manifest["dataset"]
    return {
        "protocol": options.protocol or dataset.get("protocol"),
        "model": store.manifest["model"],
        "dataset": dataset,
        "store": {"path": str(store.path), "fingerprint": store.fingerprint(), "items": len(store.ids)},
        "split": effective_split(store, options.split) or "all",
        "limit": options.limit,
        "missing": options.missing,
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
        "device": options.device,
        "versions": {
            "gramcli": gramcli.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
