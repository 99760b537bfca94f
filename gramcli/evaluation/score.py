"""The `score` verb: which items of a store are misaligned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.evaluation.measure import store_notes, store_provenance
from gramcli.evaluation.misalignment.mismatched import Draw, draw_pool
from gramcli.evaluation.misalignment.part import PER, Part, parts_of
from gramcli.evaluation.misalignment.standing import Held, Measure
from gramcli.evaluation.misalignment.verdicts import Stood, Verdicts, judge
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.selection import default_tasks
from gramcli.evaluation.views import views_note
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.noise import varies
from gramcli.modalities import Task, listed, tasks_from
from gramcli.results.making import MADE, making
from gramcli.results.records import LeftOut
from gramcli.results.scores import ItemScores, Scores
from gramcli.results.watch import NOBODY, Progress, Watch
from gramcli.store.reader import Store, open_store
from gramcli.store.splits import chosen_items

_ASKING: Final = ("cosine", "centroid", "span")
"""Measures to which it matters who asks."""
LEAST: Final = 20
"""Items that a part must have: fewer say nothing of each other."""


@dataclass(frozen=True)
class ScoreOptions:
    """How to score.

    Attributes:
        fdr: Share of aligned items among the flagged ones, at most, on average.
        per: What is scored: `item`, by the mean over its captions, or each `caption`.
        split: As for `evaluate`.
        limit: As for `evaluate`.
        missing: `drop`, `present` or `error`.
        seed: Of what is drawn.

    Raises:
        UserError: A rate that is none, or another `per`.
    """

    fdr: float = 0.1
    per: str = "item"
    split: str | None = None
    limit: int | None = None
    missing: str = "drop"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.fdr < 1:
            raise UserError("usage", f"--fdr is a share between 0 and 1, such as 0.1; got {self.fdr:g}.")
        if self.per not in PER:
            raise UserError("usage", f"--per '{self.per}' is none of {', '.join(PER)}.")


def score(  # noqa: PLR0913 - a keyword for each option of the command
    store: str | Path | Store,
    tasks: Sequence[str | Task] = (),
    methods: Sequence[str] = (),
    *,
    query: str | None = None,
    candidates: str | None = None,
    fdr: float = 0.1,
    per: str = "item",
    split: str | None = None,
    limit: int | None = None,
    missing: str = "drop",
    seed: int = 0,
    watch: Watch = NOBODY,
) -> Scores:
    """Say of every item how well its modalities fit each other, and flag those that do not, as `gram score` does.

    Args:
        store: A store, open or by its path.
        tasks: For instance `t2va`; none means that of all modalities, text asking.
        methods: As `gram methods` lists them; none means `gram`.
        query: Query embeddings by name, comma between.
        candidates: Candidate embeddings by name.
        fdr: Of the flagged items at most this share is aligned, on average.
        per: What is scored: `item`, by the mean over its captions, or each `caption`.
        split: Only the items of this split.
        limit: Only the first so many items.
        missing: Items that lack a modality: `drop`, `present` or `error`.
        seed: Of what is drawn.
        watch: Told how far it is.

    Returns:
        A row for every item, task and method; `flagged` has the ids.

    Raises:
        UserError: As `gram score` says in one sentence.
    """
    made = making(score, locals())
    opened = store if isinstance(store, Store) else open_store(store)
    options = ScoreOptions(fdr, per, split, limit, missing, seed)
    named = [(name, get_method(name)) for name in dict.fromkeys(listed(methods) or ("gram",))]
    chosen = tasks_from(tasks, query, candidates) or default_tasks(opened)[-1:]
    found = _Work(opened, options, watch).all(list(dict.fromkeys(chosen)), named)
    return replace(found, provenance=found.provenance | {MADE: made})


@dataclass(frozen=True)
class _Work:
    store: Store
    options: ScoreOptions
    watch: Watch

    def all(self, tasks: Sequence[Task], methods: Sequence[tuple[str, AlignmentMethod]]) -> Scores:
        options = self.options
        items = chosen_items(self.store, options.split, options.limit)
        found: list[ItemScores] = []
        left_out: dict[LeftOut, None] = {}
        notes: list[str] = []
        for task in tasks:
            parts, lacking = parts_of(self.store, task, items, options.missing, options.per)
            left_out |= dict.fromkeys(lacking)
            notes.append(views_note(self.store, task, (True,)))
            for part in parts:
                draw = draw_pool(part, options.seed)
                if why := _unfit(draw, alone=len(parts) == 1):
                    lone = [self.store.ids[k] for k in part.items.tolist()]
                    left_out |= dict.fromkeys(LeftOut(name, part.label, why) for name in lone)
                    continue
                found += self._part(draw, methods)
        how = EvalOptions(options.split, options.limit, options.missing, seed=options.seed)
        provenance = store_provenance(self.store, how)
        provenance |= {"fdr": options.fdr, "per": options.per, "seed": options.seed, "kinds": ["score"]}
        said = [*store_notes(self.store, how), *notes, *_notes(found)]
        return Scores(provenance, tuple(found), tuple(left_out), tuple(dict.fromkeys(filter(None, said))))

    def _part(self, draw: Draw, methods: Sequence[tuple[str, AlignmentMethod]]) -> list[ItemScores]:
        """Score the items of a part by every method: one pass over them, one over mismatched ones."""
        part = draw.part
        measures = [Measure(part.task, method, draw.pool) for _, method in methods]
        made, truth = self._mismatched(draw, measures)
        held = self._held(draw, measures)
        return [
            _scores(part, name, one, judge(Stood(one.z, one.z_without), reference, truth, self.options.fdr))
            for (name, _), one, reference in zip(methods, held, made, strict=True)
        ]

    def _mismatched(self, draw: Draw, measures: Sequence[Measure]) -> tuple[list[Stood], NDArray[np.int64]]:
        found: list[list[Held]] = [[] for _ in measures]
        truth = []
        names = draw.part.task.modalities
        for number, (name, block) in enumerate(draw.mismatched(self.options.seed)):
            drawn = draw.stand_ins(self.options.seed + 1, number)
            for one, measure in zip(found, measures, strict=True):
                one.append(measure.hold(block, drawn, exact=False))
            truth.append(np.full(found[0][-1].z.shape[1], names.index(name)))
        stood = [
            Stood(*(np.concatenate([getattr(one, what) for one in each], axis=1) for what in ("z", "z_without")))
            for each in found
        ]
        return stood, np.concatenate(truth)

    def _held(self, draw: Draw, measures: Sequence[Measure]) -> list[Held]:
        part, m = draw.part, len(draw.part.task.modalities)
        every = [_room(m, part.units) for _ in measures]
        told: Progress = self.watch.stage(f"Scoring {part.label}", f"{part.label} {self.options.per}s")
        start = 0
        for number, block in enumerate(part.blocks()):
            drawn = draw.stand_ins(self.options.seed, number)
            stop = start + int(block.units[-1]) + 1
            for whole, measure in zip(every, measures, strict=True):
                one = measure.hold(block, drawn)
                for name in ("score", "z", "without", "z_without"):
                    getattr(whole, name)[..., start:stop] = getattr(one, name)
            start = stop
            told(start, part.units)
        return every


def _room(m: int, units: int) -> Held:
    """Columns to fill; a z in float32, which is more digits than it has."""
    z, z_without = (np.empty((m, units), np.float32) for _ in range(2))
    return Held(np.empty(units), z, np.empty((m, units)), z_without)


def _unfit(draw: Draw, *, alone: bool) -> str:
    """Why the items of a part cannot be held against each other; empty where they can.

    Raises:
        UserError: They cannot, and the part is all there is.
    """
    part, n = draw.part, len(draw.part.items)
    same = " and ".join(name for name, rows in draw.pool.vectors.items() if not varies(rows))
    if n < LEAST:
        why = f"Task {part.label}: {n} items are too few to be held against each other; score needs {LEAST} or more."
        other = f"only {n} items have just {part.task.name}, of {LEAST} needed"
    elif same:
        drawn = len(draw.chosen)
        which = f"all {n:,} items" if drawn == n else f"all {drawn:,} items that were drawn of {n:,}"
        why = f"Task {part.label}: {which} have the same {same}, so by that none is told from another. Ask without it."
        other = f"{which} that have just {part.task.name} have the same {same}"
    else:
        return ""
    if alone:
        raise UserError("input", why)
    return other


def _scores(part: Part, name: str, held: Held, verdicts: Verdicts) -> ItemScores:
    names = part.task.modalities
    columns: dict[str, NDArray[Any]] = {
        "score": held.score, **{k: getattr(verdicts, k) for k in ("z", "percentile", "p_mismatched", "p_aligned", "q")},
        "flagged": verdicts.flagged, **{f"z_{one}": held.z[k] for k, one in enumerate(names)},
    }  # fmt: skip
    if len(names) > 2:
        columns |= {f"without_{one}": held.without[k] for k, one in enumerate(names)}
        columns |= {f"z_without_{one}": held.z_without[k] for k, one in enumerate(names)}
    ids = _Ids(part)
    numbers = rows = None
    if part.per == "caption":
        counts = part.captions
        numbers = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(part.first, counts) + numbers
    return ItemScores(part.label, name, names, ids, numbers, rows, columns, verdicts.culprit, verdicts.facts)


class _Ids(Sequence[str]):
    """Item of each row, looked up when asked for."""

    def __init__(self, part: Part) -> None:
        self._ids = part.store.ids
        self._places = np.repeat(part.items, part.captions) if part.per == "caption" else part.items

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._ids[k] for k in self._places[place].tolist()]
        return self._ids[int(self._places[place])]


def _notes(found: Sequence[ItemScores]) -> list[str]:
    """What a reader of the flags must know."""
    said = []
    for one in found:
        if one.facts["lower_quality"]:
            share = f"{one.facts['mismatched_share_likeliest']:.0%}"
            said.append(
                f"{one.task} {one.method}: nothing is flagged. About {share} stand apart below the "
                "others, but fit better than mismatched ones do: they may be aligned, and of a lower "
                "quality, and no false discovery rate can be held among them. Sort by z and look."
            )
        elif one.facts["mismatched_share"] == 0:
            said.append(
                f"{one.task} {one.method}: nothing is flagged, for no share of mismatched items is needed to explain "
                "the scores: there are none, too few, or the model does not tell them from aligned ones."
            )
        if one.method.partition(":")[0] in _ASKING and len(one.modalities) > 2:
            said.append(
                f"{one.task} {one.method}: each z is measured with its modality asking for all others, score as the "
                "task asks."
            )
        if one.method.partition(":")[0] == "triangle":
            said.append(f"{one.task} {one.method}: what is left without a modality is measured by cosine.")
    if any(one.facts["flagged"] for one in found):
        said.append(
            "The rate supposes aligned items of one quality: aligned ones that the model can hardly tell from "
            "mismatched ones are flagged beyond it. Look at what is flagged before you drop it."
        )
    return said
