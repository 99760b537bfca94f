"""Geometry figures of a store: of every modality, of every pair of modalities, and of the tasks' joint measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import combinations
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.geometry_joint import add_joint
from gramcli.evaluation.geometry_rows import GeometryRows
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.selection import Selection, default_tasks, select
from gramcli.evaluation.views import bases, can_ask, taken
from gramcli.methods import get_method
from gramcli.metrics.geometry import left_out, modality, neighbours, pair
from gramcli.metrics.geometry.rows import MOST_ROWS, check_rows, directions_vary, moments, subsample
from gramcli.modalities import Task, base_of
from gramcli.results.records import Figures
from gramcli.store.layout import is_text
from gramcli.store.reader import Store

JOINT_METHODS: Final = ("gram", "pmrl")
_INTERVALS: Final = "95 %: jackknife over items, Student's t of means, a score interval of AUCs"


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
    names, pairs = _named(store, tasks)
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
        results=work.found.results,
        left_out=[entry for selection in selections for entry in selection.left_out],
        notes=[*notes, *skipped, *dict.fromkeys(work.found.notes)],
        provenance={"geometry": {"seed": options.seed, "most_rows": MOST_ROWS, "intervals": _INTERVALS}},
    )


def _named(store: Store, tasks: Sequence[Task]) -> tuple[list[str], list[tuple[str, str]]]:
    """The embeddings to look at, and pairs of them: of several vectors of one modality those made for each other."""
    asked = {name for task in tasks for name in task.modalities} or set(store.modalities)
    wanted = set(map(base_of, asked))
    names = [name for name in store.modalities if name in asked or ("@" in name and base_of(name) in asked)]
    if strange := [name for name in asked if name not in names and base_of(name) not in bases(names)]:
        names += strange  # refused by the store, in its words
    tasks = [Task((a,), (b,)) for a, b in combinations([name for name in bases(store.modalities) if name in wanted], 2)]
    two = [taken(store, task).values() for task in tasks if can_ask(store, task)]
    return names, [(first, second) for first, second in two]


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
    found: GeometryRows = field(default_factory=GeometryRows)
    done: int = 0
    _nearest: dict[tuple[str, bytes], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def add_modality(self, name: str) -> None:
        """All figures of one modality."""
        rows = self._rows(name, self.items)
        x = self._vectors(name, rows)
        n, d = x.shape
        if not n:
            self.found.notes.append(f"{name}: no chosen item has it.")
            self._step()
            return
        found = moments(x)
        centred = modality.spectrum(found, centred=True)
        still = name if n > 1 and not found.varies else None
        add = partial(self.found.measured, name, still=still)
        add("effective_rank", n, lambda: modality.effective_rank(centred))
        add("rankme", n, lambda: modality.rankme(modality.spectrum(found, centred=False)))
        add("participation_ratio", n, lambda: modality.participation_ratio(centred))
        add("isoscore_star", n, lambda: modality.isoscore_star(centred, d))
        add("isoscore_star_chance", n, lambda: modality.isoscore_star_chance(n, d))
        self._add_pairwise(name, self._few(rows), still)
        norm = modality.mean_norm(x)
        self.found.row(name, "mean_norm", norm, n)
        if norm is None:
            self.found.notes.append("mean_norm: rows stored at length 1 do not tell how long they were before.")
        self._step()

    def _add_pairwise(self, name: str, few: Tensor, still: str | None) -> None:
        """Figures of one modality that look at all pairs of its rows."""
        n = len(few)
        k = min(neighbours.NEIGHBOURS, n - 1)
        add = partial(self.found.measured, name, still=still)
        potential = cache(lambda: modality.potentials(self._vectors(name, few)))
        add(
            "uniformity",
            n,
            lambda: modality.uniformity_left_out(potential()).value,
            lambda: modality.uniformity_left_out(potential()).interval((-8.0, 0.0)),
        )
        add("intrinsic_dimension", n, lambda: neighbours.intrinsic_dimension(self._neighbours(name, few)[0]))
        add("hubness", n, lambda: neighbours.hubness(self._neighbours(name, few)[1][:, :k]))
        add("hubness_chance", n, lambda: neighbours.hubness_chance(n, k) if k else None)

    def add_pair(self, first: str, second: str) -> None:
        """All figures of two modalities over the items that have both."""
        items = self.items[(self.store.present(first) & self.store.present(second))[self.items]]
        rows = [self._rows(name, items) for name in (first, second)]
        task, n = f"{first}~{second}", len(items)
        if not n:
            self.found.notes.append(f"{task}: no chosen item has both.")
            self._step()
            return
        x, y = (self._vectors(name, chosen) for name, chosen in zip((first, second), rows, strict=True))
        if x.shape[1] == y.shape[1]:
            self._one_space(task, x, y)
        else:
            self.found.notes.append(
                f"{task}: of {x.shape[1]} and {y.shape[1]} dimensions, so only what needs no one space."
            )
        still = next((name for name, side in ((first, x), (second, y)) if n > 1 and not directions_vary(side)), None)
        add = partial(self.found.measured, task, still=still)
        add("cka", n, lambda: pair.cka(x, y), lambda: left_out.cka_left_out(x, y).interval((-1.0, 1.0)))
        add("procrustes", n, lambda: pair.procrustes(x, y), lambda: pair.procrustes_interval(x, y))
        add("procrustes_chance", n, lambda: pair.procrustes_chance(x, y, seed=self.options.seed))
        few = self._few(torch.arange(n))
        self._add_mutual(task, {first: rows[0][few], second: rows[1][few]}, still)
        self._step()

    def _add_mutual(self, task: str, rows: Mapping[str, Tensor], still: str | None) -> None:
        n = len(next(iter(rows.values())))
        k = min(neighbours.NEIGHBOURS, n - 1)
        add = partial(self.found.measured, task, still=still)
        lists = cache(lambda: [self._neighbours(name, chosen)[1] for name, chosen in rows.items()])
        add(
            "mutual_knn",
            n,
            lambda: float(neighbours.mutual_knn(*(found[:, :k] for found in lists())).mean()),
            lambda: left_out.mutual_knn_left_out(*lists()).interval((0.0, 1.0)) if n > k + 1 else None,
        )
        add("mutual_knn_chance", n, lambda: neighbours.mutual_knn_chance(n, k) if k else None)

    def add_joint(self, selection: Selection, methods: Sequence[str]) -> None:
        """Volume and sigma_1 of matched and of shuffled instances, and the papers' own figures."""
        add_joint(self.found, selection, methods, self.options.seed)
        self._step()

    def _one_space(self, task: str, x: Tensor, y: Tensor) -> None:
        add = partial(self.found.measured, task)
        n, positive, seed = len(x), pair.cosines(x, y), self.options.seed
        cosines = cache(lambda: left_out.cosines_left_out(x, y))
        add("alignment", n, lambda: pair.alignment(x, y))
        add("cosine_positive", n, lambda: positive)
        add("cosine_negative", n, lambda: pair.negative_cosine(x, y), lambda: cosines()[0].interval((-1.0, 1.0)))
        add(
            "cosine_margin",
            n,
            lambda: float(positive.mean()) - pair.negative_cosine(x, y),
            lambda: cosines()[1].interval((-2.0, 2.0)),
        )
        gap = pair.modality_gap(x, y)
        add("modality_gap", n, lambda: gap, lambda: left_out.modality_gap_interval(x, y, gap))
        add("modality_gap_chance", n, lambda: pair.modality_gap_chance(x, y))
        relative = partial(left_out.relative_gap_left_out, x, y)
        add(
            "relative_modality_gap",
            n,
            lambda: pair.relative_modality_gap(x, y),
            lambda: relative().interval((0.0, 1.0)),
        )
        add("linear_separability", n, lambda: pair.linear_separability(x, y, seed=seed))

    def _rows(self, name: str, items: Tensor) -> Tensor:
        """Rows of the chosen items that have the modality; of text, the first caption of each."""
        items = items[self.store.present(name)[items]]
        if not is_text(name):
            return items
        owners = self.store.caption_items()
        chosen = torch.zeros(len(self.store.ids), dtype=torch.bool)
        chosen[items] = True
        rows = chosen[owners].nonzero().flatten()
        first = torch.ones_like(rows, dtype=torch.bool)
        first[1:] = owners[rows][1:] != owners[rows][:-1]
        if not bool(first.all()):
            self.found.notes.append("text: geometry of it and of its pairs is that of the first caption of each item.")
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
            self.found.notes.append(
                f"uniformity, intrinsic_dimension, hubness and mutual_knn: over {MOST_ROWS:,} rows drawn with seed "
                f"{self.options.seed} where there are more."
            )
        return rows[subsample(len(rows), MOST_ROWS, self.options.seed)]

    def _neighbours(self, name: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        key = (name, rows.numpy().tobytes())
        if key not in self._nearest:
            k = min(neighbours.NEIGHBOURS + 1, len(rows) - 1)  # one more takes the place of an item that is left out
            if k < 2:
                raise UserError("embedding", f"Neighbours need at least 3 rows; got {len(rows)}.")
            seed = self.options.seed + list(self.store.modalities).index(name)
            self._nearest[key] = neighbours.nearest(self._vectors(name, rows), k, seed=seed)
        return self._nearest[key]

    def _step(self) -> None:
        self.done += 1
        if self.options.progress:
            self.options.progress(self.done, self.total)
