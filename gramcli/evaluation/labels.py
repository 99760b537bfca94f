"""Class labels of a store's items, and which of the items fit, choose and test a classifier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.selection import TRAIN
from gramcli.results.records import LeftOut
from gramcli.store.layout import TEXT, read_inputs
from gramcli.store.reader import Store

VALIDATION: Final = ("val", "validation")
LEARNT: Final = (TRAIN, *VALIDATION)
"""Splits that a classifier may learn from."""

_SEPARATORS: Final = re.compile(r"[|;]")
_NAMED: Final = 3


@dataclass(frozen=True)
class Labels:
    """The classes of a store and who has them.

    Attributes:
        classes: Names, sorted.
        members: Which item has which class, shape [items, C].
        several: Whether some item has more than one.
    """

    classes: tuple[str, ...]
    members: NDArray[np.bool_]
    several: bool

    def labelled(self, items: Tensor) -> Tensor:
        """Those of the items (positions, int64) that have a class."""
        return items[torch.from_numpy(self.members.any(axis=1))[items]]


@dataclass(frozen=True)
class Folds:
    """Positions of the items of each part, int64; no item is in two.

    Attributes:
        tested: The items that figures are of.
        train: Those that classifiers are fitted on, or that vote; empty where there is no train split.
        validation: Those that choose a parameter; None where there is no such split.
    """

    tested: Tensor
    train: Tensor
    validation: Tensor | None


def split_label(label: str | None) -> tuple[str, ...]:
    """Return the class names in a label: parts between `|` or `;`, underscores read as spaces, repeated ones once.

    A comma does not separate: class names hold commas (VGGSound: `vehicle horn, car horn, honking`).

    Args:
        label: The cell of the manifest; None where there is none.

    Example:
        >>> split_label("playing_flute|rain;rain"), split_label("car horn, honking"), split_label(None)
        (('playing flute', 'rain'), ('car horn, honking',), ())
    """
    names = (" ".join(part.replace("_", " ").split()) for part in _SEPARATORS.split(label or ""))
    return tuple(dict.fromkeys(name for name in names if name))


def read_labels(store: Store) -> Labels:
    """Read the labels of all items of a store, whatever their split.

    Args:
        store: An open store.

    Returns:
        The classes; every one that any item of the store has is a candidate for every item.

    Raises:
        UserError: No item has a label, there is one class only, or two labels are one class once underscores are read
            as spaces and case is not counted.
    """
    found = [split_label(label) for label in store.labels]
    classes = tuple(sorted({name for names in found for name in names}))
    _check_classes(store, classes)
    place = {name: k for k, name in enumerate(classes)}
    members = np.zeros((len(found), len(classes)), dtype=bool)
    for row, names in zip(members, found, strict=True):
        row[[place[name] for name in names]] = True
    return Labels(classes, members, any(len(names) > 1 for names in found))


def _check_classes(store: Store, classes: Sequence[str]) -> None:
    if not classes:
        advice = "Put the media into a folder per class, or add a column 'label' to the manifest; then embed it again."
        raise UserError("store", f"No item of {_source(store)} has a label. {advice}")
    spelled: dict[str, set[str]] = {}
    for label in store.labels:
        for part in _SEPARATORS.split(label or ""):
            if names := split_label(part):
                spelled.setdefault(names[0].casefold(), set()).add(part.strip())
    for spellings in spelled.values():
        if len(spellings) > 1:
            listed = " and ".join(f"'{name}'" for name in sorted(spellings))
            raise UserError("store", f"The labels {listed} of {store.path} are one class name; spell them alike.")
    if len(classes) == 1:
        raise UserError("store", f"Every label of {store.path} is '{classes[0]}': one class is nothing to tell apart.")


def _source(store: Store) -> str:
    """The dataset by name, which a user knows, and the store, which may lie in a cache, without one."""
    return str(store.manifest["dataset"].get("id") or store.path)


def fold(store: Store, labels: Labels, items: Tensor) -> tuple[Folds, list[LeftOut]]:
    """Divide the labelled items into those that fit, choose and test.

    Args:
        store: The store.
        labels: Its labels.
        items: Positions of the items to be tested.

    Returns:
        The parts. Where train items are among those to be tested there is nothing left to fit on, and `train` is empty.
        And the items to be tested that have no label.

    Raises:
        UserError: No item to be tested has a label, or leakage: a train or validation item has the id, or a media file,
            of one that is tested.
    """
    tested = labels.labelled(items)
    if len(tested) == 0:
        raise UserError("store", f"No item to be evaluated has a label ({store.path}); name another --split.")
    splits = np.array([split or "" for split in store.splits])
    chosen = set(items.tolist())

    def part(names: Iterable[str]) -> Tensor:
        """Labelled items of the splits of these names, none where one of them is to be tested."""
        rows = np.isin(splits, list(names)).nonzero()[0]
        return labels.labelled(torch.from_numpy(rows if chosen.isdisjoint(rows.tolist()) else rows[:0]))

    train, validation = part([TRAIN]), part(VALIDATION)
    files = _media_files(store)
    for fitted in (train, validation):
        check_leakage(*({store.ids[k]: files.get(k, {}) for k in rows.tolist()} for rows in (fitted, tested)))
    without = sorted(chosen - set(tested.tolist()))
    left_out = [LeftOut(store.ids[k], "label", "no label") for k in without]
    return Folds(tested, train, validation if len(validation) else None), left_out


def lacks_train(store: Store, labels: Labels, folds: Folds) -> str:
    """Say why there is nothing to learn from, which splits there are, and what may be meant by one.

    Args:
        store: The store.
        labels: Its labels.
        folds: Its parts, that to learn from empty.

    Returns:
        A clause without a full stop.
    """
    labelled = np.flatnonzero(labels.members.any(axis=1)).tolist()
    counts = Counter(split for k in labelled if (split := store.splits[k]))
    listed = ", ".join(f"'{split}' {number}" for split, number in counts.items())
    if any(store.splits[k] == TRAIN for k in folds.tested.tolist()):
        return f"split '{TRAIN}' is itself evaluated; name another with --split (labelled items: {listed})"
    said = f"there is no labelled item of split '{TRAIN}' to learn from"
    if not counts:
        return f"{said}; no labelled item names a split"
    meant = next((split for split in counts if split.strip().lower() in (TRAIN, "training")), None)
    return f"{said}; labelled items by split: {listed}" + (f"; rename '{meant}' to '{TRAIN}'" if meant else "")


def check_leakage(fitted: Mapping[str, Mapping[str, str]], tested: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse items that both fit and test.

    Args:
        fitted: Id -> modality -> fingerprint of the file it comes from; as much of it as is known.
        tested: The same.

    Raises:
        UserError: An id, or the file of a modality, is on both sides; names the first three.
    """
    owner = {(name, mark): one for one, files in fitted.items() for name, mark in files.items()}
    shared = {
        f"'{one}' and '{owner[name, mark]}'": None
        for one, files in tested.items()
        for name, mark in files.items()
        if (name, mark) in owner
    }
    for what, found in (("id", [f"'{one}'" for one in tested if one in fitted]), ("media file", list(shared))):
        if found:
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise UserError(
                "store",
                f"Leakage: the same {what} is fitted on and tested: {', '.join(found[:_NAMED])}{more}. "
                "Take it out of one of the splits.",
            )


def _media_files(store: Store) -> dict[int, dict[str, str]]:
    """Fingerprints of each item's media files (path, size, time), where the store was embedded from files."""
    found = read_inputs(store.path, len(store.ids))
    return {
        k: {name: mark for name, mark in one.items() if name not in (TEXT, "subtitle")} for k, one in enumerate(found)
    }


def copied_rows(store: Store, name: str, train: Tensor, tested: Tensor) -> int:
    """Count tested items whose embedding is, bit for bit, that of a train item: perhaps a copy under another name.

    Args:
        store: The store.
        name: A modality with one row per item.
        train: Positions, int64.
        tested: Positions, int64.
    """
    rows = store.embeddings(name).numpy()
    seen = {rows[k].tobytes() for k in train.tolist() if rows[k].any()}
    return sum(rows[k].tobytes() in seen for k in tested.tolist())
