"""Looking for an annotation file below a root: the first in circulation that holds what is asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from gramcli.datasets.benchmark import Annotation, Benchmark
from gramcli.datasets.catalog import DATASETS
from gramcli.datasets.entries import Entry, entries_of
from gramcli.datasets.records import read_records
from gramcli.datasets.tree import File, Tree
from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.store.split_names import normal_splits, split_notes

_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}\.")


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
        by: Path of the file that says which of its ids count; empty where all do.
        sources: Id -> the video it was cut from, where the file says, of whichever split.
    """

    file: str
    entries: tuple[Entry, ...]
    sha256: str
    others: tuple[str, ...]
    total: int
    notes: tuple[str, ...] = ()
    by: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> str:
        """The file, and what says which of its ids count, for people."""
        return f"{self.file} with {self.by}" if self.by else self.file


def find_annotation(
    benchmark: Benchmark, annotations: Sequence[Annotation], tree: Tree, tested: Collection[str] = ()
) -> Found | None:
    """Find the first of several annotation files that is there and is of this benchmark.

    Args:
        benchmark: Which.
        annotations: The files that would do, the best first.
        tree: The files below the root.
        tested: Ids that an annotation of untested items only leaves out.

    Returns:
        What it says; None where there is none.

    Raises:
        UserError: A broken annotation, or two different ones of equal rank.
    """
    taken: Found | None = None
    others: list[str] = []
    everything = [file for annotation in annotations for file in tree.named(annotation.pattern)]
    ours = set(_of_this_dataset(benchmark, everything))
    for annotation in annotations:
        files = [file for file in tree.named(annotation.pattern) if file in ours]
        if taken is not None:
            others += [text_of(file) for file in files]
            continue
        if annotation.ids and files and not any(tree.named(name) for name in annotation.ids):
            continue
        taken = _one_of(benchmark, annotation, tree, files)
        if taken is not None and annotation.untested:
            entries = tuple(entry for entry in taken.entries if entry.id not in tested)
            taken = replace(taken, entries=entries) if entries else None
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
        names = " and ".join(text_of(group[0]) for group, _ in ours[:2])
        message = f"--root {shown(tree.root)} holds two different annotations, {names}; point --root to a folder"
        raise UserError("input", f"{message} with one of them, or rename the other.")
    return replace(ours[0][1], others=tuple(text_of(group[0]) for group, _ in ours[1:]))


def _read(benchmark: Benchmark, annotation: Annotation, tree: Tree, files: list[File]) -> Found:
    records = [read_records(tree.path(file), annotation.header) for file in files]
    rows = [row for one in records for row in one.rows]
    entries = entries_of(rows, shown(tree.path(files[0])), benchmark.spelled)
    total, by = len(entries), ""
    sources = {entry.id: entry.source for entry in entries if entry.source}
    splits = normal_splits(entry.split for entry in entries if entry.split is not None)
    entries = tuple(replace(entry, split=splits[entry.split]) if entry.split else entry for entry in entries)
    if annotation.splits:
        wanted_splits = {None, *normal_splits(annotation.splits).values()}
        entries = tuple(entry for entry in entries if entry.split in wanted_splits)
    if annotation.ids:
        by, wanted = _wanted_ids(benchmark, annotation, tree)
        entries = tuple(entry for entry in entries if entry.id in wanted)
    entries = tuple(replace(entry, split=entry.split or annotation.split) for entry in entries)
    notes = (*(note for one in records for note in one.notes), *split_notes(splits))
    digest = "+".join(one.sha256 for one in records)
    return Found(text_of(files[0]), entries, digest, (), total, notes, by, sources)


def _wanted_ids(benchmark: Benchmark, annotation: Annotation, tree: Tree) -> tuple[str, set[str]]:
    for name in annotation.ids:
        for file in _of_this_dataset(benchmark, tree.named(name)):
            rows = read_records(tree.path(file)).rows
            entries = entries_of(rows, shown(tree.path(file)), benchmark.spelled)
            return text_of(file), {entry.id for entry in entries}
    return "", set()


def _fits(benchmark: Benchmark, entries: tuple[Entry, ...]) -> bool:
    fitting = sum(re.fullmatch(benchmark.id_pattern, entry.id) is not None for entry in entries)
    return 2 * fitting >= len(entries)


def text_of(file: File) -> str:
    """A file's path below the root, for people."""
    return shown(Path(file.folder) / file.name)
