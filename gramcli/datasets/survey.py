"""Looking for a benchmark below a root: which annotation, which files, what is missing and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from gramcli.datasets.benchmark import Annotation, Benchmark, Protocol
from gramcli.datasets.catalog import DATASETS
from gramcli.datasets.entries import Entry, entries_of
from gramcli.datasets.matching import Match, match
from gramcli.datasets.names import caseless
from gramcli.datasets.records import read_records
from gramcli.datasets.tree import File, Tree, scan
from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.store.split_names import normal_splits, split_notes

_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}\.")
_KINDS: Final[tuple[Literal["video", "audio"], ...]] = ("video", "audio")
_NAMED: Final = 3


@dataclass(frozen=True)
class Found:
    """An annotation file and what it says under a protocol.

    Attributes:
        file: Path below the root; of several shards the first.
        entries: In file order.
        sha256: Of the file's bytes, or of its shards' hashes.
        others: Paths of other annotation files that would have done.
        total: Entries before any were left out for their split or id.
        notes: What is odd about the file, one sentence each.
    """

    file: str
    entries: tuple[Entry, ...]
    sha256: str
    others: tuple[str, ...]
    total: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What was found of a benchmark below a root.

    Attributes:
        benchmark: Which.
        protocol: Under which protocol.
        tree: The files below the root.
        found: The annotation; None where there is none.
        matches: `video` and `audio` -> files by id. Items without a sound file take their video's own track.
        missing: Modality -> ids without a file, of the modalities that the root holds at all.
        advice: What to do, one sentence each; empty when nothing is missing.
    """

    benchmark: Benchmark
    protocol: Protocol
    tree: Tree
    found: Found | None
    matches: Mapping[str, Match]
    missing: Mapping[str, tuple[str, ...]]
    advice: tuple[str, ...]

    @property
    def borrowed(self) -> int:
        """How many items have a video and no sound file: their sound is the video's own track."""
        return len(self.matches["video"].files.keys() - self.matches["audio"].files.keys()) if self.matches else 0

    @property
    def complete(self) -> bool:
        """Whether there is an annotation, as many items as the protocol has, and a file for each."""
        return not self.advice


def survey(benchmark: Benchmark, root: Path, protocol: str | None = None) -> Survey:
    """Look for a benchmark below a root; media files are looked for, not opened.

    Args:
        benchmark: Which.
        root: The folder that holds its annotation and media, in any subfolders.
        protocol: Name of the protocol; the benchmark's first by default.

    Returns:
        What was found and what is missing.

    Raises:
        UserError: No such protocol, an unreadable root, a broken annotation, or two different ones of equal rank.
    """
    chosen = benchmark.protocol(protocol)
    tree = scan(root)
    found = _annotation(benchmark, chosen, tree)
    if found is None:
        return Survey(benchmark, chosen, tree, None, {}, {}, tuple(_no_annotation(chosen, tree)))
    ids = [entry.id for entry in found.entries]
    matches: dict[str, Match] = {kind: match(ids, tree.media(kind)) for kind in _KINDS}
    missing = _missing(benchmark, ids, matches)
    taken = {file.stem for file in matches[benchmark.media].files.values()}
    free = [file for file in tree.media(benchmark.media) if file.stem not in taken]
    advice = (*_size_advice(chosen, found), *_media_advice(benchmark, tree, found, missing, free))
    return Survey(benchmark, chosen, tree, found, matches, missing, advice)


def _annotation(benchmark: Benchmark, protocol: Protocol, tree: Tree) -> Found | None:
    taken: Found | None = None
    others: list[str] = []
    everything = [file for annotation in protocol.annotations for file in tree.named(annotation.pattern)]
    ours = set(_of_this_dataset(benchmark, everything))
    for annotation in protocol.annotations:
        files = [file for file in tree.named(annotation.pattern) if file in ours]
        if taken is not None:
            others += [_text(file) for file in files]
            continue
        if annotation.ids and files and not any(tree.named(name) for name in annotation.ids):
            continue
        taken = _one_of(benchmark, annotation, tree, files)
    return replace(taken, others=tuple(dict.fromkeys([*taken.others, *others]))) if taken else None


def _of_this_dataset(benchmark: Benchmark, files: list[File]) -> list[File]:
    """Of several files, those in folders that speak of this dataset, if there are such; else of no other."""
    words = (benchmark.name, *benchmark.folders)
    ours = [file for file in files if _speaks(file, words)]
    others = [name.rstrip("0123456789") for name in DATASETS.names() if name != benchmark.name]
    return ours or [file for file in files if not _speaks(file, others)]


def _speaks(file: File, words: Iterable[str]) -> bool:
    return any(word in file.folder.lower() for word in words)


def _one_of(benchmark: Benchmark, annotation: Annotation, tree: Tree, files: list[File]) -> Found | None:
    shards = [file for file in files if _SHARD.search(file.name)]
    groups = [shards] if shards else [[file] for file in files]
    read = [(group, _read(benchmark, annotation, tree, group)) for group in groups]
    ours = [(group, found) for group, found in read if found.entries and _fits(benchmark, found.entries)]
    if not ours:
        return None
    if len({found.sha256 for _, found in ours}) > 1:
        names = " and ".join(_text(group[0]) for group, _ in ours[:2])
        message = f"--root {shown(tree.root)} holds two different annotations, {names}; point --root to a folder"
        raise UserError("input", f"{message} with one of them, or rename the other.")
    return replace(ours[0][1], others=tuple(_text(group[0]) for group, _ in ours[1:]))


def _read(benchmark: Benchmark, annotation: Annotation, tree: Tree, files: list[File]) -> Found:
    records = [read_records(tree.path(file), annotation.header) for file in files]
    rows = [row for one in records for row in one.rows]
    entries = entries_of(rows, shown(tree.path(files[0])), benchmark.spelled)
    total = len(entries)
    splits = normal_splits(entry.split for entry in entries if entry.split is not None)
    entries = tuple(replace(entry, split=splits[entry.split]) if entry.split else entry for entry in entries)
    if annotation.splits:
        wanted_splits = {None, *normal_splits(annotation.splits).values()}
        entries = tuple(entry for entry in entries if entry.split in wanted_splits)
    if annotation.ids:
        wanted = _wanted_ids(benchmark, annotation, tree)
        entries = tuple(entry for entry in entries if entry.id in wanted)
    entries = tuple(replace(entry, split=entry.split or annotation.split) for entry in entries)
    notes = (*(note for one in records for note in one.notes), *split_notes(splits))
    return Found(_text(files[0]), entries, "+".join(one.sha256 for one in records), (), total, notes)


def _wanted_ids(benchmark: Benchmark, annotation: Annotation, tree: Tree) -> set[str]:
    for name in annotation.ids:
        for file in _of_this_dataset(benchmark, tree.named(name)):
            rows = read_records(tree.path(file)).rows
            return {entry.id for entry in entries_of(rows, shown(tree.path(file)), benchmark.spelled)}
    return set()


def _fits(benchmark: Benchmark, entries: tuple[Entry, ...]) -> bool:
    fitting = sum(re.fullmatch(benchmark.id_pattern, entry.id) is not None for entry in entries)
    return 2 * fitting >= len(entries)


def _missing(benchmark: Benchmark, ids: list[str], matches: Mapping[str, Match]) -> dict[str, tuple[str, ...]]:
    video, audio = (matches[kind].files for kind in _KINDS)
    without_video = tuple(one for one in ids if one not in video)
    without_sound = tuple(one for one in ids if one not in video and one not in audio)
    found = {}
    if without_video and (video or benchmark.media == "video"):
        found["video"] = without_video
    if without_sound:
        found["audio"] = without_sound
    return found


def _no_annotation(protocol: Protocol, tree: Tree) -> list[str]:
    names = [_with_ids(annotation) for annotation in protocol.annotations]
    there = [_text(file) for file in tree.files if file.name.lower().endswith((".json", ".csv", ".jsonl", ".tsv"))]
    also = f" Annotation-like files there: {_few(there)}." if there else ""
    return [f"No annotation of {protocol.name}: put one of {', '.join(names)} anywhere below the root.{also}"]


def _with_ids(annotation: Annotation) -> str:
    return f"{annotation.pattern} (with {' or '.join(annotation.ids)})" if annotation.ids else annotation.pattern


def _size_advice(protocol: Protocol, found: Found) -> list[str]:
    n = len(found.entries)
    if protocol.n in (None, n):
        return []
    return [f"{found.file} holds {n:,} items where {protocol.id} has {protocol.n:,}: download it again, or compare n."]


def _media_advice(
    benchmark: Benchmark, tree: Tree, found: Found, missing: Mapping[str, tuple[str, ...]], free: list[File]
) -> list[str]:
    """What to do about items without a file; `free` are the files that no other item has."""
    lost = missing.get(benchmark.media, ())
    if not lost:
        return []
    n, name = len(found.entries), benchmark.media
    said = [f"{len(lost):,} of {n:,} items have no {name} file below the root, for instance {_few(list(lost))}."]
    if archives := tree.archives():
        said.append(f"Unpack {_few([_text(file) for file in archives])} first.")
    near = _near_miss(lost, free)
    if near:
        said.append(f"The name {near[1]} resembles the id {near[0]}: rename it to {near[0]}{_suffix(near[1])}.")
    elif len(lost) == n:
        suffix = ".mp4" if name == "video" else ".wav"
        said.append(f"Point --root to the folder above the {name} files, or name them {lost[0]}{suffix}.")
    else:
        said.append("Copy them beside the others; else they end as failed, and every figure names them.")
    return said


def _near_miss(lost: tuple[str, ...], files: list[File]) -> tuple[str, str] | None:
    """An id, and the name of a file that contains it, or is contained in it up to some letters before."""
    for one in lost[:_NAMED]:
        for file in files:
            stem, name = caseless(file.stem), caseless(one)
            if name in stem or (len(stem) >= 4 and name.endswith(stem)):
                return one, file.name
    return None


def _suffix(name: str) -> str:
    return Path(name).suffix


def _text(file: File) -> str:
    return shown(Path(file.folder) / file.name)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
