"""Retrieval figures of a store: every task under every method, in both directions, with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.answering import answer_all, takes
from gramcli.evaluation.directions import direction_facts, every_split, joint_notes
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.orders import PAIRS_NOTE, Named, shown_by_default
from gramcli.evaluation.postprocessing import open_postprocessing
from gramcli.evaluation.questions import questions_of
from gramcli.evaluation.ranking_notes import TIE_RULES
from gramcli.evaluation.rankings import list_rankings
from gramcli.evaluation.same_rows import share_rows
from gramcli.evaluation.selection import Selection, default_tasks, select_directions, zero_note
from gramcli.evaluation.told import Told
from gramcli.evaluation.views import views_note
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import Task
from gramcli.results.records import Figures
from gramcli.scoring.ranking import RankOptions
from gramcli.store.reader import Store

POPULATION_NOTE: Final = (
    "Intervals of R@1 to R@10 and MRR allow for new items as queries and candidates; gains, and what has no interval, "
    "do not. Where a few items win most queries they cover less than 95 % (docs: understand/intervals)."
)


def retrieval_figures(
    store: Store, items: Tensor, tasks: Sequence[Task], methods: Sequence[str], options: EvalOptions
) -> Figures:
    """Rank tasks under methods, in both directions: all rankings are listed, made in one call, and then reported.

    Args:
        store: An open store.
        items: Positions of the items to use, int64.
        tasks: Tasks; none means every one the store allows (`default_tasks`).
        methods: Method names; none means for a joint task every one that its number of modalities and its dimension
            allow, for a single pair the cosine.
        options: Policy for missing modalities, device, normalisation, re-ranking.

    Returns:
        Figures, ranks per query, items left out and notes.

    Raises:
        UserError: As `gramcli.evaluation.measure.measure`.
    """
    named = [(name, get_method(name)) for name in dict.fromkeys(methods) or METHODS.names()]
    selections, notes = _selections(store, tasks, items, options)
    runs = [(selection, *one) for selection in selections for one in _shown(selection, named, methods, options)]
    if not runs:
        raise UserError("store", f"No method applies to the tasks of {store.path}; name --task and --method.")
    scores = open_postprocessing(store, selections, options.normalize, split=options.split, missing=options.missing)
    rankings = list_rankings(runs, scores, options)
    how = RankOptions(device=options.device, progress=options.progress)
    told = Told(rankings, *answer_all(rankings.questions, rankings.pooled, how))
    for run in rankings.runs:
        told.add(run)
    if options.reranker:
        told.rerank(store, options.reranker)
    if not methods:
        notes += _default_notes(selections, named)
    if options.directions == "all":
        notes += joint_notes(told.results, selections, named)
    return Figures(
        results=told.results,
        ranks=told.ranks,
        questions=questions_of(store, selections),
        left_out=[entry for selection in selections if selection.directions[0] for entry in selection.left_out],
        notes=[*scores.notes(), *notes, *_store_notes(store, selections, options), *told.notes, *_population(options)],
        provenance=_provenance(selections, options)
        | scores.provenance()
        | _second_stage(options)
        | ({"gains": told.gains} if told.gains else {})
        | (direction_facts(selections) if options.directions == "all" else {}),
    )


def _shown(
    selection: Selection, named: Sequence[Named], methods: Sequence[str], options: EvalOptions
) -> Sequence[Named]:
    """The methods that a task is shown under: those that were named, or by default those that tell more than others."""
    if methods and options.directions == "named":
        return named
    chosen = named if methods else shown_by_default(selection, named)
    return [one for one in chosen if _accepts(one[1], selection)]


def _default_notes(selections: Sequence[Selection], named: Sequence[Named]) -> list[str]:
    """What nobody asked to leave out and is left out."""
    hidden = any(len(shown_by_default(selection, named)) < len(named) for selection in selections)
    return [*_unfit_notes(selections, named), *([PAIRS_NOTE] if hidden else [])]


def _store_notes(store: Store, selections: Sequence[Selection], options: EvalOptions) -> list[str]:
    zeros = [zero_note(store, one) for one in selections if one.directions[0]] if options.missing == "zero" else []
    views = [views_note(store, s.named or s.task, s.directions) for s in selections if s.source is not None]
    return [*zeros, *views]


def _population(options: EvalOptions) -> list[str]:
    return [POPULATION_NOTE] if options.population == "items" else []


def _selections(
    store: Store, tasks: Sequence[Task], items: Tensor, options: EvalOptions
) -> tuple[list[Selection], list[str]]:
    """The rows of every task; of tasks that nobody named, those that no item has what it takes for are only noted."""

    def chosen(task: Task) -> list[Selection]:
        """The rows of a task; under `present` those of each of its parts."""
        return select_directions(store, task, items, options.missing, options.relevant)

    if tasks:
        return share_rows([selection for task in dict.fromkeys(tasks) for selection in chosen(task)]), []
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
    return share_rows(selections), notes


def _unfit_notes(selections: Sequence[Selection], named: Sequence[Named]) -> list[str]:
    """Name the methods that the dimension of the embeddings rules out."""
    notes = []
    for selection in selections:
        d = next(iter(selection.queries.values())).shape[1]
        m = len(selection.task.modalities)
        fitting = shown_by_default(selection, named)
        unfit = [name for name, method in fitting if d < m and not _accepts(method, selection)]
        if unfit:
            notes.append(f"{selection.label()}: {', '.join(unfit)} left out: {m} vectors need {m} dimensions, not {d}.")
    return notes


def _accepts(method: AlignmentMethod, selection: Selection) -> bool:
    if not takes(method, selection.queries, selection.candidates):
        return False
    return not (method.name == "triangle" and selection.present.queries is not None)


def _second_stage(options: EvalOptions) -> dict[str, Any]:
    if options.reranker is None:
        return {}
    return {"rerank": {"stage": options.reranker.stage, "top": options.reranker.top, "by": "matching head"}}


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
