"""Classification figures of a store: zero-shot, nearest neighbours and linear probe, by every set of modalities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.classifiers import Material, Record, run_knn, run_probe, run_zero_shot
from gramcli.evaluation.labels import Folds, Labels, copied_rows, fold, lacks_train, read_labels
from gramcli.evaluation.options import CLASSIFIERS, Classifier, EvalOptions
from gramcli.evaluation.views import fitting
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.probe import GRID, Probe
from gramcli.metrics.prompts import class_vectors
from gramcli.modalities import LETTERS, Task
from gramcli.results.records import Figures, LeftOut
from gramcli.store.layout import TEXT, is_text
from gramcli.store.reader import Store

ZERO_SHOT: Final = "zero-shot"
_LARGEST_JOINT: Final = 3
_RUNS_NAMED: Final = 3


def classification_figures(
    store: Store, items: Tensor, tasks: Sequence[Task], methods: Sequence[str], options: EvalOptions
) -> Figures:
    """Classify by every set of modalities, with every classifier.

    Zero-shot (task `va2class`, method an alignment method) scores each class text against all modalities of an item;
    `knn(k=10)` and `probe` (task `va`) learn from the train split. Text never classifies: captions name the class.

    Args:
        store: An open store whose items have labels.
        items: Positions of the items to be classified, int64.
        tasks: Their modalities but text are the sets to classify by: `t2va` is video and audio; none means every
            modality, and every set of them as in retrieval.
        methods: Alignment methods of zero-shot; none means every one that fits.
        options: Classifiers, templates, policy for missing modalities, device, seed.

    Returns:
        Figures, ranks of the right class per item (where items have one class each), items left out, notes, and in the
        provenance the classes and the cells of every confusion matrix.

    Raises:
        UserError: No labels, leakage, a classifier that was asked for and cannot be, or nothing to classify by.
    """
    labels = read_labels(store)
    folds, left_out = fold(store, labels, items)
    wanted, notes = _classifiers(store, labels, folds, options)
    work = _Work(store, labels, folds, options, wanted, Record(labels, store.ids, options.seed), left_out, notes)
    named = [(name, get_method(name)) for name in methods or METHODS.names()]
    sets = _modality_sets(store, tasks)
    for done, names in enumerate(sets, 1):
        work.add(names, named, asked=bool(tasks))
        if options.progress:
            options.progress(done, len(sets))
    if not work.record.results:
        raise UserError("store", f"Nothing was classified. {' '.join(work.notes)}")
    return work.figures()


def _classifiers(
    store: Store, labels: Labels, folds: Folds, options: EvalOptions
) -> tuple[tuple[Classifier, ...], list[str]]:
    """The classifiers there can be, and why the others cannot."""
    reason = lacks_train(store, labels, folds)
    lacks_texts = "the model must encode class names: gram eval MODEL --dataset DATA --metrics classification"
    reasons: dict[Classifier, str] = {} if options.classes.texts else {ZERO_SHOT: lacks_texts}
    if not len(folds.train):
        reasons |= {"knn": reason, "probe": reason}
    elif "knn" in (options.classes.classifiers or CLASSIFIERS):
        options.classes.k(len(folds.train))  # refuses more neighbours than there are
    asked = options.classes.classifiers
    wanted = asked or CLASSIFIERS
    if asked and (cannot := [name for name in asked if name in reasons]):
        raise UserError("usage", f"--classifier {cannot[0]}: {reasons[cannot[0]]}.")
    why: dict[str, list[str]] = {}
    for name in wanted:
        if name in reasons:
            why.setdefault(reasons[name], []).append(name)
    notes = [f"No {' and no '.join(names)}: {one}." for one, names in why.items()]
    return tuple(name for name in wanted if name not in reasons), notes


def _modality_sets(store: Store, tasks: Sequence[Task]) -> list[tuple[str, ...]]:
    """Which modalities classify together, letters first; text is never one of them."""
    order = [*LETTERS.values(), *(name for name in store.modalities if name not in LETTERS.values())]
    if tasks:
        for name in (name for task in tasks for name in task.modalities if name != TEXT):
            store.status(name)  # refuses what the store does not hold
        sets = [tuple(name for name in order if name in task.modalities and name != TEXT) for task in tasks]
    else:
        there = [name for name in order if name in store.modalities and not is_text(name)]
        plain = [name for name in there if name in LETTERS.values()]
        sizes = range(2, len(plain) + 1) if len(plain) <= _LARGEST_JOINT else (len(plain),)
        sets = [(name,) for name in there] + [chosen for size in sizes for chosen in combinations(plain, size)]
    if not any(sets):
        raise UserError(
            "store", f"{store.path}: there is nothing but text to classify by, and captions name the class."
        )
    return [names for names in dict.fromkeys(sets) if names]


@dataclass
class _Work:
    """A classification under way."""

    store: Store
    labels: Labels
    folds: Folds
    options: EvalOptions
    wanted: tuple[Classifier, ...]
    record: Record
    left_out: list[LeftOut]
    notes: list[str]
    _texts: dict[str, Tensor] = field(default_factory=dict)
    _probes: dict[str, Probe] = field(default_factory=dict)

    def _class_texts(self, names: tuple[str, ...]) -> Tensor | None:
        """Class texts as the model embeds them to stand against a set of modalities, where zero-shot is wanted."""
        how = self.options.classes
        name = fitting(TEXT, names, how.texts, asks=True)
        if ZERO_SHOT not in self.wanted or name is None:
            return None
        if name not in self._texts:
            found = class_vectors(how.texts[name], self.labels.classes, how.templates)
            self._texts[name] = found
            if alike := len(self.labels.classes) - len(torch.unique(found, dim=0)):
                self.notes.append(f"The model gives {alike} class texts the vector of another class: they always tie.")
        return self._texts[name]

    def add(self, names: tuple[str, ...], methods: Sequence[tuple[str, AlignmentMethod]], *, asked: bool) -> None:
        """Classify by one set of modalities."""
        zero = self.options.missing == "zero"
        has = torch.stack([self.store.present(name, stand_ins=zero) for name in names])
        material = Material(self.store, self.labels, self.folds, names, has, self.options.missing, self.options.device)
        self.left_out += material.left_out()
        if not len(material.usable()):
            self._skip(asked, f"{material.name} was left out: no item to be classified has what it needs")
            return
        texts = self._class_texts(names)
        if texts is not None:
            self._zero_shot(material, texts, methods, asked)
        if "knn" in self.wanted or "probe" in self.wanted:
            self._learn(material, asked)

    def _skip(self, asked: bool, reason: str) -> None:
        if asked:
            raise UserError("store", f"{reason}.")
        self.notes.append(f"{reason}.")

    def _zero_shot(
        self, material: Material, texts: Tensor, methods: Sequence[tuple[str, AlignmentMethod]], asked: bool
    ) -> None:
        other = [name for name in material.names if self.store.dims[name] != texts.shape[1]]
        if other:
            d = self.store.dims[other[0]]
            what = f"class texts have {texts.shape[1]} dimensions, {other[0]} {d}"
            self._skip(asked, f"{material.name}2class was left out: {what}")
            return
        run_zero_shot(material, texts, methods, self.record)

    def _learn(self, material: Material, asked: bool) -> None:
        parts = [material.complete(rows) for rows in (self.folds.tested, self.folds.train)]
        if not all(len(rows) for rows in parts):
            self._skip(
                asked, f"No knn and no probe for {material.name}: no item to learn from, or none to test, is whole"
            )
            return
        if "knn" in self.wanted:
            run_knn(material, self.options.classes.k(len(self.folds.train)), self.record)
        if "probe" in self.wanted:
            self._probe(material, parts[1])

    def _probe(self, material: Material, train: Tensor) -> None:
        """Fit a linear probe, where train has two classes; that it cannot be costs no other classifier."""
        known = int(self.labels.members[train.numpy()].any(axis=0).sum())
        if known < 2:
            asked = "probe" in (self.options.classes.classifiers or ())
            reason = "the train split has one class with it, and a probe needs two"
            self._skip(asked, f"No probe for {material.name}: {reason}")
            return
        self._probes[material.name] = run_probe(material, self.record)

    def figures(self) -> Figures:
        """What was found."""
        notes = [
            *self.notes,
            *self._zero_shot_notes(),
            *self._learning_notes(),
            *self._tie_notes(),
            *self._interval_notes(),
        ]
        provenance = {"classification": self._provenance()}
        asked = list(self.record.questions.values())
        return Figures(self.record.results, self.record.ranks, self.left_out, notes, provenance, asked)

    def _zero_shot_notes(self) -> list[str]:
        if not self._texts:
            return []
        templates = self.options.classes.templates
        more = f" and {len(templates) - 1} more" if len(templates) > 1 else ""
        return [
            f"Zero-shot ranks the {len(self.labels.classes)} class texts for each clip (not clips for each text); "
            f"prompts: '{templates[0]}'{more}, averaged at unit length."
        ]

    def _learning_notes(self) -> list[str]:
        if self.wanted in ((), (ZERO_SHOT,)):
            return []
        members = self.labels.members
        known = members[self.folds.train.numpy()].any(axis=0)
        unseen = int((~(members[self.folds.tested.numpy()] & known).any(axis=1)).sum())
        found = [
            f"{unseen} of {len(self.folds.tested)} items have no class that occurs in train: misses of knn and probe."
        ]
        found = found if unseen else []
        if any(probe.chosen for probe in self._probes.values()):
            where = "a seeded fifth of train" if self.folds.validation is None else "the validation split"
            found.append(f"The probe's C was chosen on {where}, of {len(GRID)} from {GRID[0]:g} to {GRID[-1]:g}.")
        if free := [name for name, probe in self._probes.items() if not probe.chosen]:
            found.append(f"The probe of {', '.join(free)} had no item to choose C on: C = 1.")
        if slow := [name for name, probe in self._probes.items() if not probe.converged]:
            found.append(f"The probe of {', '.join(slow)} had not converged after its last iteration.")
        for name in self.store.modalities:
            if not is_text(name) and (n := copied_rows(self.store, name, self.folds.train, self.folds.tested)):
                found.append(
                    f"{n} items have the {name} embedding of a train item, bit for bit: copies, or nothing in it."
                )
        return found

    def _tie_notes(self) -> list[str]:
        ties = list(self.record.ties)
        if not ties:
            return []
        more = f"; so it is in {len(ties) - _RUNS_NAMED} more" if len(ties) > _RUNS_NAMED else ""
        return [f"Several classes share the top, which is no hit: {', '.join(ties[:_RUNS_NAMED])} items{more}."]

    def _interval_notes(self) -> list[str]:
        """Why figures have no interval, and which runs' where it is not all of them."""
        runs = {(row.task, row.method) for row in self.record.results}
        return [
            f"{why}." if len(names) == len(runs) else f"{why} ({_few(names)})."
            for why, names in self.record.lacking.items()
        ]

    def _provenance(self) -> dict[str, Any]:
        how, validation = self.options.classes, self.folds.validation
        return {
            "classes": list(self.labels.classes),
            "several_per_item": self.labels.several,
            "axis": "rank of the classes for each item; a tie takes the middle of its range",
            "items": {
                "tested": len(self.folds.tested),
                "train": len(self.folds.train),
                "validation": None if validation is None else len(validation),
            },
            "templates": list(how.templates) if self._texts else None,
            "knn": how.k(len(self.folds.train)) if "knn" in self.wanted else None,
            "probe": {
                name: {"C": probe.strength, "converged": probe.converged} for name, probe in self._probes.items()
            },
            "intervals": "95 %: plus-four; of macro_f1, mean_recall and mAP Wilson's, less their bias",
            "seed": self.options.seed,
            "confusion": self.record.confusions,
        }


def _few(runs: Sequence[str]) -> str:
    """Name the first few runs, and say how many more there are."""
    more = f" and {len(runs) - _RUNS_NAMED} more" if len(runs) > _RUNS_NAMED else ""
    return f"{', '.join(runs[:_RUNS_NAMED])}{more}"
