"""Folders as class names: `dog/a.mp4`, or below a folder per split, `test/dog/a.mp4`."""

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

    That is so when there are two folders or more, every item lies in one, at one depth below the root or below a
    folder named as a split, no folder is named after a kind of file, and no item has a label of its own.

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
    splits = {parts[0].lower() for parts in folders if parts} <= _SPLITS and all(folders)
    depth = 2 if splits else 1
    classes = {parts[-1] for parts in folders if len(parts) == depth}
    plain = all(len(parts) == depth for parts in folders) and not any(item.label for item in items)
    if not plain or len(classes) < 2 or any(name.lower() in _KINDS | _SPLITS for name in classes):
        return tuple(items)
    below = " below folders of splits" if splits else ""
    notes.append(f"The {len(classes)} folders{below} were taken as classes: their names are the items' labels.")
    return tuple(
        replace(item, label=parts[-1], split=item.split or (parts[0] if splits else None))
        for item, parts in zip(items, folders, strict=True)
    )
