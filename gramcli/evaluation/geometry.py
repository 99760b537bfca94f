"""Geometry figures of a store: of every modality, of every pair of modalities, and of the tasks' joint measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Final

import numpy as np
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.selection import TEXT, Selection, default_tasks, select
from gramcli.methods import get_method
from gramcli.metrics.geometry import joint, modality, neighbours, pair
from gramcli.metrics.geometry.catalog import QUANTILES
from gramcli.metrics.geometry.rows import MOST_ROWS, check_rows, mean_interval, moments, subsample
from gramcli.modalities import Task
from gramcli.results.records import Figures, ResultRow
from gramcli.store.reader import Store

METHOD: Final = "geometry"
JOINT_METHODS: Final = ("gram", "pmrl")
_STAGE: Final = "raw"
_INTERVALS: Final = "95 %: normal approximation of means, variance between items"


def geometry_figures(
    store: Store, items: Tensor, tasks: Sequence[Task], methods: Sequence[str], options: EvalOptions
) -> Figures:
    """Measure modalities, pairs of modalities and joint instances.

    A modality is measured over the chosen items that have it, a pair over those that have both (text: the first
    caption of an item, else captions of one item would be each other's neighbours), a joint measure over the rows
    that retrieval of the task would use.

    Args:
        store: An open store.
        items: Positions of the items to use, int64.
        tasks: Their modalities, pairs of them, and joint figures; none means everything in the store, and joint
            figures of `default_tasks`.
        methods: Joint figures of `gram` and `pmrl` where they are among these; none means both.
        options: Policy for missing modalities (`present` is `drop` here: joint figures of different numbers of
            modalities are not on one scale), and seed.

    Returns:
        Figures; an undefined one is None and a note says why. No ranks.

    Raises:
        UserError: An unknown method, a task whose modality is not in the store or that no item has, rows that are zero.
    """
    chosen_tasks, notes = _tasks(store, tasks)
    missing = "drop" if options.missing == "present" else options.missing
    selections, skipped = _selections(store, chosen_tasks, items, missing, named=bool(tasks))
    names = list(dict.fromkeys(name for task in tasks for name in task.modalities)) or list(store.modalities)
    pairs = list(combinations([name for name in store.modalities if name in names], 2))
    asked = {get_method(name).name for name in methods}
    joints = [name for name in JOINT_METHODS if not methods or name in asked]
    if not joints:
        notes.append(f"No joint geometry: it is that of {' and '.join(JOINT_METHODS)}, and neither was asked for.")
    total = len(names) + len(pairs) + (len(selections) if joints else 0)
    work = _Work(store, items, options, total)
    for name in names:
        work.add_modality(name)
    for first, second in pairs:
        work.add_pair(first, second)
    for selection in selections if joints else ():
        work.add_joint(selection, joints)
    if options.missing == "present" and joints and selections:
        notes.append("Joint geometry is over items that have every modality of the task: arities are not on one scale.")
    return Figures(
        results=work.results,
        left_out=[entry for selection in selections for entry in selection.left_out],
        notes=[*notes, *skipped, *dict.fromkeys(work.notes)],
        provenance={"geometry": {"seed": options.seed, "most_rows": MOST_ROWS, "intervals": _INTERVALS}},
    )


def _tasks(store: Store, tasks: Sequence[Task]) -> tuple[list[Task], list[str]]:
    if tasks:
        return list(dict.fromkeys(tasks)), []
    try:
        return default_tasks(store), []
    except UserError as error:
        return [], [f"No joint geometry: {error}"]


def _selections(
    store: Store, tasks: Sequence[Task], items: Tensor, missing: str, *, named: bool
) -> tuple[list[Selection], list[str]]:
    """The rows of every task; of tasks that nobody named, those that no item has what it takes for are only noted."""
    found, notes = [], []
    for task in tasks:
        try:
            found.append(select(store, task, items, missing))
        except UserError:
            if named or missing == "error":
                raise
            notes.append(f"{task.name} was left out: no item has all of its modalities.")
    return found, notes


@dataclass
class _Work:
    """Figures as they come in; nearest neighbours are kept, since pairs share them."""

    store: Store
    items: Tensor
    options: EvalOptions
    total: int
    results: list[ResultRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    _nearest: dict[tuple[str, bytes], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def add_modality(self, name: str) -> None:
        """All figures of one modality."""
        rows = self._rows(name, self.items)
        x = self._vectors(name, rows)
        n, d = x.shape
        if not n:
            self.notes.append(f"{name}: no chosen item has it.")
            self._step()
            return
        found = moments(x)
        centred = modality.spectrum(found, centred=True)
        add = partial(self._add, name)
        add("effective_rank", n, lambda: modality.effective_rank(centred))
        add("rankme", n, lambda: modality.rankme(modality.spectrum(found, centred=False)))
        add("participation_ratio", n, lambda: modality.participation_ratio(centred))
        add("isoscore_star", n, lambda: modality.isoscore_star(centred, d))
        few = self._few(rows)
        add("uniformity", len(few), lambda: modality.uniformity(self._vectors(name, few), t=2.0))
        add("intrinsic_dimension", len(few), lambda: neighbours.intrinsic_dimension(self._neighbours(name, few)[0]))
        add("hubness", len(few), lambda: neighbours.hubness(self._neighbours(name, few)[1]))
        norm = modality.mean_norm(x)
        self._row(name, METHOD, "mean_norm", norm, n)
        if norm is None:
            self.notes.append("mean_norm: rows stored at length 1 do not tell how long they were before.")
        self._step()

    def add_pair(self, first: str, second: str) -> None:
        """All figures of two modalities over the items that have both."""
        items = self.items[(self.store.present(first) & self.store.present(second))[self.items]]
        rows = [self._rows(name, items) for name in (first, second)]
        task, n = f"{first}~{second}", len(items)
        if not n:
            self.notes.append(f"{task}: no chosen item has both.")
            self._step()
            return
        x, y = (self._vectors(name, chosen) for name, chosen in zip((first, second), rows, strict=True))
        add = partial(self._add, task)
        if x.shape[1] == y.shape[1]:
            self._one_space(task, x, y)
        else:
            self.notes.append(f"{task}: of {x.shape[1]} and {y.shape[1]} dimensions, so only what needs no one space.")
        add("cka", n, lambda: pair.cka(x, y))
        add("procrustes", n, lambda: pair.procrustes(x, y))
        few = self._few(torch.arange(n))
        k = min(neighbours.NEIGHBOURS, len(few) - 1)
        lists = [
            partial(self._neighbours, name, chosen[few]) for name, chosen in zip((first, second), rows, strict=True)
        ]
        add("mutual_knn", len(few), lambda: neighbours.mutual_knn(*(find()[1] for find in lists)))
        add("mutual_knn_chance", len(few), lambda: neighbours.mutual_knn_chance(len(few), k) if k else None)
        self._step()

    def add_joint(self, selection: Selection, methods: Sequence[str]) -> None:
        """Volume and sigma_1 of matched and of shuffled instances, and the papers' own figures."""
        task, sides = selection.task.name, (selection.queries, selection.candidates)
        m, d = len(selection.task.modalities), next(iter(selection.queries.values())).shape[1]
        wanted = [name for name in methods if name != "gram" or d >= m]
        if len(wanted) < len(methods):
            self.notes.append(f"{task}: no volumes: {m} vectors need {m} dimensions, not {d}.")
        places, item_of = _instance_rows(selection)
        vectors = [x for side in sides for x in side.values()]
        matched = joint.instances(vectors, _spread(places, sides))
        shuffled = self._shuffled(task, vectors, sides, places, item_of)
        for method in wanted:
            add = {"gram": self._add_volume, "pmrl": self._add_sigma}[method]
            add(selection, matched, shuffled, item_of[0])
        self._step()

    def _shuffled(
        self,
        task: str,
        vectors: Sequence[Tensor],
        sides: tuple[dict[str, Tensor], dict[str, Tensor]],
        places: tuple[Tensor, Tensor],
        item_of: tuple[Tensor, Tensor],
    ) -> joint.Instances | None:
        """Every matched query with the candidate side of another item: a seeded cyclic permutation of the items."""
        try:
            moved = joint.derangement(int(item_of[1].max()) + 1, self.options.seed)
        except UserError as error:
            self.notes.append(f"{task}: {error}")
            return None
        first = torch.full((len(moved),), len(item_of[1]), dtype=torch.int64)
        first.scatter_reduce_(0, item_of[1], torch.arange(len(item_of[1])), "amin")
        other = first[moved[item_of[0]]]
        return joint.instances(vectors, _spread((places[0], other), sides))

    def _add_volume(
        self, selection: Selection, matched: joint.Instances, shuffled: joint.Instances | None, items: Tensor
    ) -> None:
        task, negative = selection.task.name, None if shuffled is None else shuffled.volume
        self._distribution(task, "gram", "volume", (matched.volume, negative), items, higher=False)
        self._row(task, "gram", "degenerate_share", float(matched.degenerate.double().mean()), len(matched.volume))
        value, n = joint.gramian_value(
            selection.queries, selection.candidates, present=selection.present, seed=self.options.seed
        )
        self._row(task, "gram", "gramian_value", value, n)
        if n < len(selection.query_ids):
            self.notes.append(
                f"{task}: gramian_value over {n} of the queries (seeded), each against the whole gallery."
            )

    def _add_sigma(
        self, selection: Selection, matched: joint.Instances, shuffled: joint.Instances | None, items: Tensor
    ) -> None:
        task, n = selection.task.name, len(matched.volume)
        negative = None if shuffled is None else shuffled.sigma_1
        self._distribution(task, "pmrl", "sigma1", (matched.sigma_1, negative), items, higher=True)
        self._mean(task, "sigma1_share", matched.share, items, "pmrl")
        if shuffled is not None:
            self._row(task, "pmrl", "sigma1_share_negative", float(shuffled.share.mean()), n)
        self._row(task, "pmrl", "eigenvalue_max", joint.eigenvalue_max(matched.sigma_1), n)
        self._row(task, "pmrl", "eigenvector_uniformity", joint.eigenvector_uniformity(matched.mean_direction), n)

    def _distribution(
        self,
        task: str,
        method: str,
        name: str,
        scores: tuple[Tensor, Tensor | None],
        items: Tensor,
        *,
        higher: bool,
    ) -> None:
        for which, values in zip(("positive", "negative"), scores, strict=True):
            if values is None:
                continue
            self._mean(task, f"{name}_{which}", values, items, method)
            for q in QUANTILES:
                self._row(task, method, f"{name}_{which}_q{q:02d}", float(np.percentile(values, q)), len(values))
        positive, negative = scores
        if negative is not None:
            value = joint.auc(positive, negative, higher_is_better=higher)
            self._row(task, method, f"{name}_auc", value, len(positive))

    def _one_space(self, task: str, x: Tensor, y: Tensor) -> None:
        n = len(x)
        own = torch.arange(n)
        self._mean(task, "alignment", pair.alignment(x, y), own)
        positive = pair.cosines(x, y)
        self._mean(task, "cosine_positive", positive, own)
        self._add(task, "cosine_negative", n, lambda: pair.negative_cosine(x, y))
        self._add(task, "cosine_margin", n, lambda: float(positive.mean()) - pair.negative_cosine(x, y))
        self._add(task, "modality_gap", n, lambda: pair.modality_gap(x, y))
        self._add(task, "relative_modality_gap", n, lambda: pair.relative_modality_gap(x, y))
        self._add(task, "linear_separability", n, lambda: pair.linear_separability(x, y, seed=self.options.seed))

    def _rows(self, name: str, items: Tensor) -> Tensor:
        """Rows of the chosen items that have the modality; of text, the first caption of each."""
        items = items[self.store.present(name)[items]]
        if name != TEXT:
            return items
        owners = self.store.caption_items()
        chosen = torch.zeros(len(self.store.ids), dtype=torch.bool)
        chosen[items] = True
        rows = chosen[owners].nonzero().flatten()
        first = torch.ones_like(rows, dtype=torch.bool)
        first[1:] = owners[rows][1:] != owners[rows][:-1]
        if not bool(first.all()):
            self.notes.append("text: geometry of it and of its pairs is that of the first caption of each item.")
        return rows[first]

    def _vectors(self, name: str, rows: Tensor) -> Tensor:
        x = self.store.embeddings(name)
        if len(rows) < len(x):
            x = x[rows]
        if len(x):
            check_rows(f"Embeddings of {self.store.path}: {name}", x)
        return x

    def _few(self, rows: Tensor) -> Tensor:
        if len(rows) > MOST_ROWS:
            self.notes.append(
                f"uniformity, intrinsic_dimension, hubness and mutual_knn: over {MOST_ROWS:,} rows drawn with seed "
                f"{self.options.seed} where there are more."
            )
        return rows[subsample(len(rows), MOST_ROWS, self.options.seed)]

    def _neighbours(self, name: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        key = (name, rows.numpy().tobytes())
        if key not in self._nearest:
            k = min(neighbours.NEIGHBOURS, len(rows) - 1)
            if k < 2:
                raise UserError("embedding", f"Neighbours need at least 3 rows; got {len(rows)}.")
            self._nearest[key] = neighbours.nearest(self._vectors(name, rows), k)
        return self._nearest[key]

    def _add(self, task: str, metric: str, n: int, measure: Callable[[], float | Tensor | None]) -> None:
        """Add a figure; one that is undefined for these rows is None, with a note."""
        try:
            value = measure()
        except UserError as error:
            value = None
            self.notes.append(f"{task}: {error}")
        if isinstance(value, Tensor):
            self._mean(task, metric, value, torch.arange(len(value)))
        else:
            self._row(task, METHOD, metric, value, n)

    def _mean(self, task: str, metric: str, values: Tensor, items: Tensor, method: str = METHOD) -> None:
        low, high = mean_interval(values, items) or (None, None)
        self.results.append(ResultRow(task, method, _STAGE, metric, float(values.mean()), low, high, len(values)))

    def _row(self, task: str, method: str, metric: str, value: float | None, n: int) -> None:
        self.results.append(ResultRow(task, method, _STAGE, metric, value, None, None, n))

    def _step(self) -> None:
        self.done += 1
        if self.options.progress:
            self.options.progress(self.done, self.total)


def _instance_rows(selection: Selection) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Query and candidate row of every matched pair; item of every pair's query, item of every candidate row."""
    indptr, candidates = selection.positives
    queries = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    numbers = {name: k for k, name in enumerate(dict.fromkeys(selection.candidate_ids))}
    of_candidate = torch.tensor([numbers[name] for name in selection.candidate_ids])
    return (queries, candidates), (of_candidate[candidates], of_candidate)


def _spread(places: tuple[Tensor, Tensor], sides: tuple[dict[str, Tensor], dict[str, Tensor]]) -> list[Tensor]:
    """The row of every instance, once for each modality of either side."""
    return [rows for rows, side in zip(places, sides, strict=True) for _ in side]
