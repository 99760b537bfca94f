"""What a page can show of an evaluation's items: the store that it was made from, and what is behind that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gramcli.embedding.origin import Originals, originals
from gramcli.errors import UserError
from gramcli.heads.projection import seen_as
from gramcli.results.records import Comparison
from gramcli.store.reader import Store, open_store


@dataclass(frozen=True)
class Material:
    """Behind the ids of an evaluation.

    Attributes:
        store: The store that its figures are of, where it is there unchanged; top answers are ranked anew from it.
        captions: Item id -> its texts, None where one is not known.
        files: Item id -> modality -> file.
        facts: Item id -> its label and split.
        notes: Why something is missing, one sentence each.
    """

    store: Store | None = None
    captions: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    facts: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


NOTHING = Material()


def material_of(provenance: Mapping[str, Any], data: str | None = None, root: str | Path | None = None) -> Material:
    """Find the store that an evaluation names, and the captions and media behind it.

    Args:
        provenance: Of the evaluation.
        data: Folder, manifest or dataset name to look in, where media have moved.
        root: Where that starts from.

    Returns:
        What is there; nothing is raised for a store that is gone or changed: the notes say it.

    Raises:
        UserError: `data` was named and cannot be opened.
    """
    recorded = provenance.get("store")
    if not isinstance(recorded, Mapping) or not recorded.get("path"):
        return Material(notes=("The evaluation names no store, so its items are shown by their ids.",))
    path = Path(str(recorded["path"]))
    try:
        store = open_store(path)
    except UserError as error:
        return Material(notes=(f"Items are shown by their ids, for the store is not there: {error}",))
    try:
        seen = seen_as(store, recorded)
    except UserError as error:
        why = f"Answers and vectors are not shown, for the heads that the store was seen through are not there: {error}"
        return replace(unseen := behind(store, None, originals(store, data, root)), notes=(*unseen.notes, why))
    if seen.fingerprint() == recorded.get("fingerprint"):
        return behind(store, seen, originals(store, data, root))
    if store.manifest["dataset"] == provenance.get("dataset") and len(store.ids) == recorded.get("items"):
        return behind(store, None, originals(store, data, root))
    said = f"Items are shown by their ids: {path} is not the store that was evaluated, its fingerprint differs."
    return Material(notes=(said,))


def materials_of(comparison: Comparison, data: str | None = None, root: str | Path | None = None) -> list[Material]:
    """Find what is behind each side of a comparison; a store that several sides name is opened once.

    Args:
        comparison: With its sides.
        data: As for `material_of`.
        root: As there.

    Raises:
        UserError: As there.
    """
    found: dict[str, Material] = {}
    for side in comparison.sides:
        key = str(side.provenance.get("store"))
        if key not in found:
            found[key] = material_of(side.provenance, data, root)
    return [found[str(side.provenance.get("store"))] for side in comparison.sides]


def behind(store: Store, ranked: Store | None, found: Originals) -> Material:
    """What a store says of its items, with what is behind them.

    Args:
        store: Whose items.
        ranked: The store to rank answers from; None where its vectors are not those of the figures.
        found: Its captions and media.
    """
    captions, row = {}, 0
    for entry in store.rows:
        captions[entry.id] = [found.captions.get(row + k) for k in range(entry.captions)]
        row += entry.captions
    facts = {entry.id: (entry.label, entry.split) for entry in store.rows}
    return Material(ranked, captions, found.media, facts, (found.note,) if found.note else ())
