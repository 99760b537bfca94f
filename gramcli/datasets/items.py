"""What a dataset is: items, each with files and texts that describe the same thing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gramcli.modalities import LETTERS
from gramcli.results.records import LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Item:
    """One thing seen through several modalities.

    Attributes:
        id: Unique in its dataset.
        media: Modality name (`video`, `audio`, `image`, `depth`) to absolute path. An item with a video and
            no sound file of its own has the video's path as `audio`: the reader says if it has no track.
        captions: The text modality, in file order; may be empty.
        subtitle: What is said in the clip; None when absent.
        label: Class name, None when absent.
        split: Split name, None when absent.
        unreadable: Modality -> why its file could not be read, or was not found.
    """

    id: str
    media: Mapping[str, Path]
    captions: tuple[str, ...] = ()
    subtitle: str | None = None
    label: str | None = None
    split: str | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def has_file(self, kind: str) -> bool:
        """Whether the item has a file of a kind (`video`, `audio`) to itself: a video's own track is no sound file."""
        return kind in self.media and not (kind == "audio" and self.media[kind] == self.media.get("video"))

    @property
    def modalities(self) -> frozenset[str]:
        """Names of the modalities the item claims to have, before any media file is opened."""
        texts = {"text": bool(self.captions), "subtitle": self.subtitle is not None}
        return frozenset({*self.media, *self.unreadable, *(name for name, there in texts.items() if there)})


@dataclass(frozen=True)
class SplitFacts:
    """What is known of the splits of a registered protocol, where others than the evaluated one were opened.

    Attributes:
        evaluated: Name of the split that the protocol evaluates.
        annotations: Split beside it -> its annotation file (`annotation`), its fingerprint (`sha256`), and items (`n`).
        shared: What items of two splits have in common, as JSON objects: `what`, `splits`, `n`, `example`, `sentence`.
    """

    evaluated: str
    annotations: Mapping[str, Mapping[str, Any]]
    shared: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Origin:
    """What a dataset was opened from; paths are absolute.

    Attributes:
        data: A folder, a manifest, or the name of a registered dataset.
        root: Where paths start from, or where a registered dataset lies.
        split: The split asked for.
        protocol: The protocol asked for.
        text_only: Whether items without media were accepted.
    """

    data: str
    root: str | None = None
    split: str | None = None
    protocol: str | None = None
    text_only: bool = False


@dataclass(frozen=True)
class Dataset:
    """Items in a fixed order, and where they came from.

    Attributes:
        id: Folder name, or `folder/manifest` name, without the path above it.
        protocol: `folder`, `manifest`, or name and version of a registered protocol (`msrvtt-1k@1`).
        items: The items.
        annotation_sha256: Fingerprint of the annotation file's bytes, None without one.
        notes: What was passed over while reading: one sentence each.
        left_out: Items that the annotation names and the protocol leaves out, with the reason.
        size: Items of the whole registered protocol, of which `items` may be a part; None without one.
        rules: Kind of file -> the rule by which its names were compared with ids, of a registered dataset.
        splits: Name of a split as written -> as items have it.
        beside: The splits beside the one that a registered protocol evaluates; None where only that was opened.
        origin: Where it was opened from, None where it was made in memory.
    """

    id: str
    protocol: str
    items: tuple[Item, ...]
    annotation_sha256: str | None = None
    notes: tuple[str, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())
    size: int | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    beside: SplitFacts | None = None
    origin: Origin | None = field(default=None, compare=False)

    @property
    def told(self) -> tuple[str, ...]:
        """The notes, and what was found of the items' files, counted over the items that were chosen."""
        n, said = len(self.items), []
        files = {kind: sum(item.has_file(kind) for item in self.items) for kind in self.rules}
        for kind, rule in self.rules.items():
            said.append(f"{kind} files are named by the rule '{rule}': {files[kind]:,} of {n:,} found.")
        borrowed = sum("audio" in item.media and not item.has_file("audio") for item in self.items)
        if "audio" in self.rules and borrowed:
            said.append(f"Items without a sound file, whose video's own track is used: {borrowed:,}.")
        for kind, what in (("video", "no video file"), ("audio", "neither a sound file nor a video")):
            if self.rules and (lost := sum(kind in item.unreadable for item in self.items)):
                said.append(f"{'1 item has' if lost == 1 else f'{lost:,} items have'} {what}.")
        return (*self.notes, *said)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that any item has, in letter order (text, video, audio, subtitle, depth, image)."""
        there = frozenset().union(*(item.modalities for item in self.items))
        return tuple(name for name in LETTERS.values() if name in there)

    @property
    def media_root(self) -> Path:
        """The deepest folder that holds all media: paths below it survive moving the dataset."""
        folders = {path.parent for item in self.items for path in item.media.values()}
        return Path(os.path.commonpath(folders)) if folders else Path()


def is_registered(protocol: str | None) -> bool:
    """Whether a recorded protocol is a registered one: those have a version.

    Example:
        >>> is_registered("msrvtt-1k@1"), is_registered("manifest")
        (True, False)
    """
    name, _, version = (protocol or "").rpartition("@")
    return bool(name) and version.isdecimal()


def with_own_sound(media: dict[str, Path]) -> dict[str, Path]:
    """Return `media` with the video's own track as audio, where no sound file is named.

    Example:
        >>> from pathlib import Path
        >>> sorted(with_own_sound({"video": Path("/a.mp4")}))
        ['audio', 'video']
    """
    return {"audio": media["video"], **media} if "video" in media else media
