"""Items with the splits that their names mean, and those of one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gramcli.catalog import did_you_mean
from gramcli.datasets.items import Dataset, Item
from gramcli.errors import UserError
from gramcli.store.split_names import meant_split, normal_splits, split_notes

ALL: Final = "all"


def with_normal_splits(items: Sequence[Item], notes: list[str]) -> tuple[tuple[Item, ...], dict[str, str]]:
    """Return the items with their splits' normal names, and those names by what was written; changes are noted."""
    names = normal_splits(item.split for item in items if item.split is not None)
    notes += split_notes(names)
    return tuple(item if item.split is None else replace(item, split=names[item.split]) for item in items), names


def of_split(dataset: Dataset, split: str | None) -> Dataset:
    """Return a dataset's items of a split.

    Args:
        dataset: The dataset.
        split: Its name, as written or as meant; `all`, or None, for every item.

    Raises:
        UserError: No item has that split.
    """
    splits = sorted({item.split for item in dataset.items if item.split is not None})
    if split is None or (split == ALL and ALL not in splits):
        return dataset
    meant = dataset.splits.get(split) or meant_split(split, splits)
    if meant not in splits:
        has = f"It has: {', '.join(splits)}." if splits else "Its items name no split: leave --split out."
        raise UserError("usage", f"{dataset.id} has no split '{split}'.{did_you_mean(split, splits)} {has}")
    return replace(dataset, items=tuple(item for item in dataset.items if item.split == meant))
