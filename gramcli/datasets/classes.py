"""Folders as class names: `dog/a.mp4`, or with a folder per split, `test/dog/a.mp4` or `dog/test/a.mp4`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.datasets.items import Item

_SPLITS: Final = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
# Folders that sort files by kind, not by what they show.
_KINDS: Final = frozenset({"video", "videos", "audio", "audios", "image", "images", "media", "clips", "files", "all"})


def labelled_by_folder(items: Sequence[Item], notes: list[str]) -> tuple[Item, ...]:
    """Label items by the folder they lie in, where the folders can only be classes.

    That is so when there are two folders or more, every item lies in one, at one depth below the root, or below or
    above a folder named as a split, no folder is named after a kind of file, and no item has a label of its own.

    Args:
        items: Their ids are paths below the root.
        notes: Told that folders were taken as classes.

    Returns:
        The items, with label and split where folders say so; else as they were.

    Example:
        >>> from gramcli.datasets.items import Item
        >>> found = labelled_by_folder([Item("test/dog/a", {}), Item("test/cat/b", {})], [])
        >>> [(item.split, item.label) for item in found]
        [('test', 'dog'), ('test', 'cat')]
    """
    folders = [PurePosixPath(item.id).parts[:-1] for item in items]
    depth = len(folders[0]) if folders else 0
    if depth not in (1, 2) or any(len(parts) != depth for parts in folders) or any(item.label for item in items):
        return tuple(items)
    place = next((k for k in range(depth) if all(parts[k].lower() in _SPLITS for parts in folders)), None)
    if depth == 2 and place is None:
        return tuple(items)
    class_place = 1 if place == 0 else 0
    classes = {parts[class_place] for parts in folders if len(parts) > class_place}
    if len(classes) < 2 or any(name.lower() in _KINDS | _SPLITS for name in classes):
        return tuple(items)
    where = {None: "", 0: " below folders of splits", 1: " above folders of splits"}[place]
    notes.append(f"The {len(classes)} folders{where} were taken as classes: their names are the items' labels.")
    return tuple(
        replace(item, label=parts[class_place], split=item.split or (None if place is None else parts[place]))
        for item, parts in zip(items, folders, strict=True)
    )
