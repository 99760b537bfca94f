"""Items with the splits that their names mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gramcli.datasets.items import Item
from gramcli.store.split_names import normal_splits, split_notes


def with_normal_splits(items: Sequence[Item], notes: list[str]) -> tuple[tuple[Item, ...], dict[str, str]]:
    """Return the items with their splits' normal names, and those names by what was written; changes are noted."""
    names = normal_splits(item.split for item in items if item.split is not None)
    notes += split_notes(names)
    return tuple(item if item.split is None else replace(item, split=names[item.split]) for item in items), names
