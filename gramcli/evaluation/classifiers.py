"""The runs of a classification: every classifier over one set of modalities, as class scores of consecutive items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.labels import Folds, Labels
from gramcli.evaluation.questions import class_questions
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.average_precision import lacking_positives
from gramcli.metrics.class_intervals import lacking_items
from gramcli.metrics.classification import (
    TIED,
    Blocks,
    confusion_matrix,
    multi_label_rows,
    outcomes,
    single_label_rows,
    stacked,
)
from gramcli.metrics.knn import joined, knn_blocks
from gramcli.metrics.probe import Examples, Probe, fit_probe
from gramcli.metrics.zero_shot import zero_shot_blocks
from gramcli.modalities import LETTERS
from gramcli.results.records import LeftOut, Questions, RankVector, ResultRow
from gramcli.scoring.screening import Presence
from gramcli.store.layout import OK, reason_of, state
from gramcli.store.reader import Store

_ANYTHING: Final = ("present", "zero")


@dataclass(frozen=True)
class Material:
    """What one set of modalities offers a classifier.

    Attributes:
        store: The store.
        labels: Its labels.
        folds: Its parts.
        names: The modalities.
        has: Which items have which of them, shape [modalities, items], bool.
        missing: What happens to an item that lacks some.
        device: Where arithmetic runs; no figure depends on it.
    """

    store: Store
    labels: Labels
    folds: Folds
    names: tuple[str, ...]
    has: Tensor
    missing: str
    device: str

    @property
    def name(self) -> str:
        """As `set_name`."""
        return set_name(self.names)

    def complete(self, rows: Tensor) -> Tensor:
        """Those of the items that have every modality of the set."""
        return rows[self.has[:, rows].all(dim=0)]

    def usable(self) -> Tensor:
        """Tested items that can be scored under the policy: with every modality, or under `present` with any."""
        rows = self.folds.tested
        return rows[self.has[:, rows].any(dim=0)] if self.missing in _ANYTHING else self.complete(rows)

    def left_out(self) -> list[LeftOut]:
        """Tested items that cannot be, and the modalities that they lack.

        Raises:
            UserError: There are some, and the policy is `error`.
        """
        kept = set(self.usable().tolist())
        found = [
            LeftOut(self.store.ids[k], name, reason_of(status[k]))
            for name, status in ((name, self.store.status(name)) for name in self.names)
            for k in self.folds.tested.tolist()
            if k not in kept and state(status[k]) != OK
        ]
        if found and self.missing == "error":
            first = found[0]
            raise UserError(
                "store", f"Item '{first.id}' has no {first.modality} ({first.reason}). Use --missing drop or present."
            )
        return found

    def rows(self, items: Tensor) -> dict[str, Tensor]:
        """Embeddings of some items, as stored."""
        return {name: self.store.embeddings(name)[items] for name in self.names}


def set_name(names: Sequence[str]) -> str:
    """Return `va` for video and audio; an embedding of the model's own is `fused-vas`, which is no `vas`.

    Example:
        >>> set_name(("video", "audio")), set_name(("vas",))
        ('va', 'fused-vas')
    """
    letters = {name: letter for letter, name in LETTERS.items()}
    known = "".join(letters[name] for name in names if name in letters)
    return "+".join([*([known] if known else []), *(f"fused-{name}" for name in names if name not in letters)])


@dataclass
class Record:
    """Figures as they come in.

    Attributes:
        labels: The classes and who has them.
        ids: Of all items of the store.
        seed: Of the folds of a probe.
        results: Rows.
        ranks: Of the right class, per item; only where items have one class each.
        questions: Per task, which items were classified among which classes.
        confusions: Per run, the cells of the confusion matrix that are not 0.
        ties: Per run, how many items tie at the top.
        lacking: Figures without interval and why, to the runs that they are of.
    """

    labels: Labels
    ids: tuple[str, ...]
    seed: int
    results: list[ResultRow] = field(default_factory=list)
    ranks: list[RankVector] = field(default_factory=list)
    questions: dict[str, Questions] = field(default_factory=dict)
    confusions: list[dict[str, Any]] = field(default_factory=list)
    ties: dict[str, int] = field(default_factory=dict)
    lacking: dict[str, list[str]] = field(default_factory=dict)

    def add(self, task: str, method: str, items: Tensor, blocks: Blocks, train: Tensor | None = None) -> None:
        """Turn the class scores of some items (positions, int64), learnt from others, into figures."""
        members = self.labels.members[items.numpy()]
        if self.labels.several:
            self.results += multi_label_rows(task, method, stacked(blocks), members)
            self._lacks(f"{task} {method}", "mAP has", lacking_positives(members))
            return
        found = outcomes(blocks, members.argmax(axis=1))
        self.results += single_label_rows(task, method, found)
        ids = tuple(self.ids[k] for k in items.tolist())
        self.ranks.append(RankVector(task, method, ids, tuple(found.ranks.tolist()), found.n_classes))
        shown = {} if train is None else self._classes_of(train)
        self.questions[task] = class_questions(task, self._classes_of(items), self.labels.classes, shown)
        confusion = confusion_matrix(found)
        self._lacks(f"{task} {method}", "macro_f1 and mean_recall have", lacking_items(confusion))
        truth, predicted = confusion.nonzero()
        cells = {
            "truth": truth.tolist(),
            "predicted": [None if k == found.n_classes else k for k in predicted.tolist()],
        }
        self.confusions.append({"task": task, "method": method, **cells, "count": confusion[truth, predicted].tolist()})
        if tied := int((found.predicted == TIED).sum()):
            self.ties[f"{task} {method}: {tied} of {len(ids)}"] = tied

    def _classes_of(self, items: Tensor) -> dict[str, str]:
        """Ids of items and their classes."""
        classes = self.labels.classes
        return {self.ids[k]: "|".join(classes[c] for c in self.labels.members[k].nonzero()[0]) for k in items.tolist()}

    def _lacks(self, run: str, figures: str, why: str) -> None:
        if why:
            self.lacking.setdefault(f"{figures} no 95 % interval: {why}", []).append(run)


def run_zero_shot(
    material: Material, texts: Tensor, methods: Sequence[tuple[str, AlignmentMethod]], record: Record
) -> None:
    """Classify the usable items by class vectors [C, d] under every method that takes the set.

    Raises:
        UserError: As `gramcli.scoring.score_matrix`.
    """
    items = material.usable()
    there = material.has[:, items]
    partial = not bool(there.all())
    masks = dict(zip(material.names, there, strict=True)) if partial else None
    present = Presence(None, masks, material.missing == "zero")
    rows = material.rows(items)
    for name, method in methods:
        if _accepts(method, len(material.names), texts.shape[1]) and not (partial and method.name == "triangle"):
            blocks = zero_shot_blocks(method, texts, rows, present=present, device=material.device)
            record.add(f"{material.name}2class", name, items, blocks)


def _accepts(method: AlignmentMethod, p: int, d: int) -> bool:
    try:
        method.check(1, p, d)
    except UserError:
        return False
    return True


def run_knn(material: Material, k: int, record: Record) -> None:
    """Classify the complete items by their nearest neighbours in train."""
    items, train = material.complete(material.folds.tested), material.complete(material.folds.train)
    tested_rows, train_rows = (joined(list(material.rows(rows).values())) for rows in (items, train))
    members = material.labels.members[train.numpy()]
    blocks = knn_blocks(train_rows, members, tested_rows, k, device=material.device)
    record.add(material.name, f"knn(k={k})", items, blocks, train)


def run_probe(material: Material, record: Record) -> Probe:
    """Classify the complete items by a linear probe fitted on train; returns it."""
    items, train = material.complete(material.folds.tested), material.complete(material.folds.train)
    validation = material.folds.validation
    chosen_on = None if validation is None else _examples(material, material.complete(validation))
    several = material.labels.several
    probe = fit_probe(_examples(material, train), chosen_on, several=several, seed=record.seed)
    record.add(material.name, "probe", items, probe.blocks(_examples(material, items).rows), train)
    return probe


def _examples(material: Material, items: Tensor) -> Examples:
    rows = torch.cat(list(material.rows(items).values()), dim=1).numpy()
    return Examples(rows, material.labels.members[items.numpy()])
