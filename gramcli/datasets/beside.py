"""The splits of a protocol below a root: the evaluated one, those beside it, and what they share and must not."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, Literal

from gramcli.datasets.annotations import Found, find_annotation, text_of
from gramcli.datasets.matching import Match, match
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.datasets.benchmark import Benchmark, Beside, Protocol
    from gramcli.datasets.entries import Entry
    from gramcli.datasets.tree import Tree

Kind = Literal["video", "audio"]
KINDS: Final[tuple[Kind, ...]] = ("video", "audio")


@dataclass(frozen=True)
class Part:
    """What was found of one split.

    Attributes:
        name: `train`, `val` or `test`.
        found: Its annotation; None where there is none.
        matches: `video` and `audio` -> files by id.
        missing: Modality -> ids without a file, of the modalities that the root holds at all.
        expected: The annotation files that would do, the best first, for people.
        n: How many items it has by definition; None where that is not known.
        trouble: Why its annotation cannot be used, where there is one.
    """

    name: str
    found: Found | None
    matches: Mapping[str, Match] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    n: int | None = None
    trouble: UserError | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its items; none without an annotation."""
        return self.found.entries if self.found else ()

    @property
    def has_media(self) -> bool:
        """Whether any of its items has a file."""
        return any(found.files for found in self.matches.values())


@dataclass(frozen=True)
class Shared:
    """What items of two splits have in common.

    Attributes:
        what: `item`: their id; `file`: a media file; `source`: the video that both were cut from.
        splits: The two.
        n: How many items of the first split share it with an item of the second.
        example: One item of each.
    """

    what: Literal["item", "file", "source"]
    splits: tuple[str, str]
    n: int
    example: tuple[str, str]

    @property
    def sentence(self) -> str:
        """What it means for figures, for people."""
        (first, second), (one, other) = self.splits, self.example
        count = f"{self.n:,} item{'s' if self.n > 1 else ''} of {first}"
        are, have = ("is", "has") if self.n == 1 else ("are", "have")
        if self.what == "item":
            remedy = "what learns from one would be tested on it: correct an annotation, or take it away"
            return f"{count} {are} in {second} too, for instance '{one}'; {remedy}."
        example = f"for instance '{one}' and '{other}'"
        if self.what == "file":
            remedy = "rename one of the files, or cut the two clips"
            return f"{count} {have} the media file of an item of {second}, {example}: {remedy}."
        return f"{count} {are} cut from a video of which {second} has a part too, {example}."

    def document(self) -> dict[str, Any]:
        """It as a JSON object."""
        return {**asdict(self), "splits": list(self.splits), "example": list(self.example), "sentence": self.sentence}


def files_of(entries: Sequence[Entry], tree: Tree) -> dict[str, Match]:
    """Find the video and the sound file of each entry."""
    ids = [entry.id for entry in entries]
    return {kind: match(ids, tree.media(kind)) for kind in KINDS}


def without_files(
    benchmark: Benchmark, entries: Sequence[Entry], matches: Mapping[str, Match]
) -> dict[str, tuple[str, ...]]:
    """Modality -> ids without a file, of the modalities that the root holds at all."""
    ids = [entry.id for entry in entries]
    video, audio = (matches[kind].files for kind in KINDS)
    without_video = tuple(one for one in ids if one not in video)
    without_sound = tuple(one for one in ids if one not in video and one not in audio)
    found = {}
    if without_video and (video or benchmark.media == "video"):
        found["video"] = without_video
    if without_sound:
        found["audio"] = without_sound
    return found


def look_beside(
    benchmark: Benchmark, protocol: Protocol, tree: Tree, own: Part, names: Collection[str]
) -> tuple[Part, ...]:
    """Look for the splits beside the evaluated one.

    Args:
        benchmark: Which.
        protocol: Which of its protocols.
        tree: The files below the root.
        own: What was found of the evaluated split.
        names: Which splits.

    Returns:
        One part for each, in the protocol's order; one whose annotation is broken says so in `trouble`.
    """
    tested = {entry.id for entry in own.entries}
    return tuple(_part(benchmark, beside, tree, tested) for beside in protocol.beside if beside.name in names)


def _part(benchmark: Benchmark, beside: Beside, tree: Tree, tested: Collection[str]) -> Part:
    empty = Part(beside.name, None, expected=beside.expected, n=beside.n)
    try:
        found = find_annotation(benchmark, beside.annotations, tree, tested)
    except UserError as error:
        return replace(empty, trouble=error)
    if found is None:
        return empty
    entries = tuple(replace(entry, split=beside.name) for entry in found.entries)
    matches = files_of(entries, tree)
    missing = without_files(benchmark, entries, matches)
    return replace(empty, found=replace(found, entries=entries), matches=matches, missing=missing)


def shared_between(benchmark: Benchmark, parts: Sequence[Part]) -> tuple[Shared, ...]:
    """Find what two splits share: ids first, then files, then the videos that clips were cut from.

    Args:
        benchmark: Which.
        parts: The splits, the evaluated one first.

    Returns:
        At most three for a pair of splits; the same items are not counted twice.
    """
    sources = {one: source for part in parts if part.found for one, source in part.found.sources.items()}
    cut = re.compile(benchmark.source) if benchmark.source else None

    def source(part: Part, one: str) -> Hashable | None:
        """The video that an item was cut from."""
        found = cut.fullmatch(one) if cut else None
        return sources.get(one) or (found[1] if found else None)

    kinds: tuple[tuple[Literal["item", "file", "source"], _Key], ...] = (
        ("item", lambda _, one: one),
        ("file", _file),
        ("source", source),
    )
    found = []
    for first, second in combinations([part for part in parts if part.found], 2):
        counted: set[str] = set()
        for what, key in kinds:
            pairs = [pair for pair in _pairs(first, second, key) if pair[0] not in counted]
            if pairs:
                found.append(Shared(what, (first.name, second.name), len(pairs), pairs[0]))
            counted |= {one for one, _ in pairs}
    return tuple(found)


_Key = Callable[[Part, str], "Hashable | None"]


def _pairs(first: Part, second: Part, key: _Key) -> list[tuple[str, str]]:
    """Items of the first split, each with the first item of the second that has the same key."""
    theirs: dict[Hashable, str] = {}
    for entry in second.entries:
        if (what := key(second, entry.id)) is not None:
            theirs.setdefault(what, entry.id)
    ours = ((entry.id, key(first, entry.id)) for entry in first.entries)
    return [(one, theirs[what]) for one, what in ours if what is not None and what in theirs]


def _file(part: Part, one: str) -> Hashable | None:
    """The media file of an item, its video where it has one."""
    return next((text_of(files[one]) for kind in KINDS if one in (files := part.matches[kind].files)), None)
