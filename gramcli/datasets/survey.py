"""Looking for a benchmark below a root: which annotation, which files, what is missing and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gramcli.datasets.annotations import Found, find_annotation, text_of
from gramcli.datasets.benchmark import Benchmark, Protocol
from gramcli.datasets.beside import Part, Shared, files_of, look_beside, shared_between, without_files
from gramcli.datasets.matching import Match
from gramcli.datasets.names import caseless
from gramcli.datasets.tree import File, Tree, scan

_NAMED: Final = 3


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
        parts: The splits beside the evaluated one that were looked for.
        shared: What items of two splits have in common.
    """

    benchmark: Benchmark
    protocol: Protocol
    tree: Tree
    found: Found | None
    matches: Mapping[str, Match]
    missing: Mapping[str, tuple[str, ...]]
    advice: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    shared: tuple[Shared, ...] = ()

    @property
    def borrowed(self) -> int:
        """How many items have a video and no sound file: their sound is the video's own track."""
        return len(self.matches["video"].files.keys() - self.matches["audio"].files.keys()) if self.matches else 0

    @property
    def complete(self) -> bool:
        """Whether there is an annotation, as many items as the protocol has, and a file for each."""
        return not self.advice


def survey(benchmark: Benchmark, root: Path, protocol: str | None = None, *, beside: Collection[str] = ()) -> Survey:
    """Look for a benchmark below a root; media files are looked for, not opened.

    Args:
        benchmark: Which.
        root: The folder that holds its annotation and media, in any subfolders.
        protocol: Name of the protocol; the benchmark's first by default.
        beside: Names of splits beside the evaluated one to look for too.

    Returns:
        What was found and what is missing.

    Raises:
        UserError: No such protocol, an unreadable root, a broken annotation, or two different ones of equal rank.
    """
    chosen = benchmark.protocol(protocol)
    tree = scan(root)
    found = find_annotation(benchmark, chosen.annotations, tree)
    if found is None:
        return Survey(benchmark, chosen, tree, None, {}, {}, tuple(_no_annotation(chosen, tree)))
    matches = files_of(found.entries, tree)
    missing = without_files(benchmark, found.entries, matches)
    taken = {file.stem for file in matches[benchmark.media].files.values()}
    free = [file for file in tree.media(benchmark.media) if file.stem not in taken]
    own = Part(chosen.evaluated, found, matches, missing)
    parts = look_beside(benchmark, chosen, tree, own, beside)
    shared = shared_between(benchmark, (own, *parts))
    advice = (
        *_size_advice(chosen, found),
        *_media_advice(benchmark, tree, found, missing, free),
        *(one.sentence for one in shared if one.what == "item"),
    )
    return Survey(benchmark, chosen, tree, found, matches, missing, advice, parts, shared)


def _no_annotation(protocol: Protocol, tree: Tree) -> list[str]:
    names = [annotation.expected for annotation in protocol.annotations]
    there = [text_of(file) for file in tree.files if file.name.lower().endswith((".json", ".csv", ".jsonl", ".tsv"))]
    also = f" Annotation-like files there: {_few(there)}." if there else ""
    return [f"No annotation of {protocol.name}: put one of {', '.join(names)} anywhere below the root.{also}"]


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
        said.append(f"Unpack {_few([text_of(file) for file in archives])} first.")
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


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
