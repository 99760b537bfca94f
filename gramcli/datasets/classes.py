"""Folders as class names: `dog/a.mp4`, or with a folder per split, `test/dog/a.mp4` or `dog/test/a.mp4`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from gramcli.store.split_names import is_split, normal_splits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.datasets.items import Item

    _Folders = list[tuple[str, ...]]

# Folders that sort files by kind, not by what they show.
_KINDS: Final = frozenset({"video", "videos", "audio", "audios", "image", "images", "media", "clips", "files", "all"})


def labelled_by_folder(items: Sequence[Item], notes: list[str]) -> tuple[Item, ...]:
    """Label items by the folder they lie in, where the folders can only be classes, and split them by folder.

    Folders are classes when there are two or more, every item lies in one, at one depth below the root, or below or
    above a folder named as a split, no folder is named after a kind of file, and no item has a label of its own.
    Folders are splits when every item lies below or in one that is named so, or when two splits lie below the root.

    Args:
        items: Their ids are paths below the root.
        notes: Told that folders were taken as classes or splits.

    Returns:
        The items, with label and split, as the folders spell it, where folders say so; else as they were.

    Example:
        >>> from gramcli.datasets.items import Item
        >>> found = labelled_by_folder([Item("test/dog/a", {}), Item("test/cat/b", {})], [])
        >>> [(item.split, item.label) for item in found]
        [('test', 'dog'), ('test', 'cat')]
    """
    folders = [PurePosixPath(item.id).parts[:-1] for item in items]
    named = _splits_of(folders)
    classes = None if any(item.label for item in items) else _classes_of(folders, notes)
    taken = list(dict.fromkeys(name for item, name in zip(items, named, strict=True) if name and not item.split))
    if taken and classes is None:
        notes.append(f"Folders were taken as splits: {', '.join(taken)}.")
    return tuple(
        replace(item, label=item.label if classes is None else classes[k], split=item.split or named[k])
        for k, item in enumerate(items)
    )


def _splits_of(folders: _Folders) -> list[str | None]:
    """Per item the folder that is its split."""
    depth = min(map(len, folders), default=0)
    for place in (*range(depth), -1):
        if depth and all(is_split(parts[place]) for parts in folders):
            return [parts[place] for parts in folders]
    tops = [parts[0] if parts and is_split(parts[0]) else None for parts in folders]
    splits = set(normal_splits(name for name in tops if name).values())
    return tops if len(splits) > 1 else [None] * len(folders)


def _classes_of(folders: _Folders, notes: list[str]) -> list[str] | None:
    """Per item the folder that is its class; None where folders are no classes."""
    depth = len(folders[0]) if folders else 0
    if depth not in (1, 2) or any(len(parts) != depth for parts in folders):
        return None
    place = next((k for k in range(depth) if all(is_split(parts[k]) for parts in folders)), None)
    if depth == 2 and place is None:
        return None
    class_place = 1 if place == 0 else 0
    classes = {parts[class_place] for parts in folders if len(parts) > class_place}
    if len(classes) < 2 or any(name.lower() in _KINDS or is_split(name) for name in classes):
        return None
    where = {None: "", 0: " below folders of splits", 1: " above folders of splits"}[place]
    notes.append(f"The {len(classes)} folders{where} were taken as classes: their names are the items' labels.")
    return [parts[class_place] for parts in folders]
