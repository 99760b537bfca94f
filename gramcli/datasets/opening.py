"""A benchmark below a root as a dataset: what the survey found, under the rules of a protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gramcli.catalog import did_you_mean
from gramcli.datasets.beside import KINDS, Part, Shared
from gramcli.datasets.items import Dataset, Item, SplitFacts, with_own_sound
from gramcli.datasets.splits import ALL, of_split
from gramcli.datasets.survey import Survey, survey
from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.results.records import LeftOut
from gramcli.store.split_names import TRAIN, meant_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gramcli.datasets.annotations import Found
    from gramcli.datasets.benchmark import Benchmark, Captions, Protocol
    from gramcli.datasets.beside import Kind
    from gramcli.datasets.entries import Entry


def open_benchmark(benchmark: Benchmark, root: Path, protocol: str | None = None, split: str | None = None) -> Dataset:
    """Open a benchmark.

    An item whose files are not there stays an item, and says so (`Item.unreadable`); one that the protocol leaves
    out is named in `Dataset.left_out`.

    Args:
        benchmark: Which.
        root: The folder that holds its annotation and media.
        protocol: Name of the protocol; the benchmark's first by default.
        split: The evaluated one by default; one beside it, or `all` of them.

    Returns:
        The items in the annotation's order, those of the evaluated split first.

    Raises:
        UserError: As `survey`; no annotation, or no media file of any item; no such split; two splits with one item.
    """
    chosen = benchmark.protocol(protocol)
    wanted = _wanted(chosen, split)
    seen = survey(benchmark, root, protocol, beside=wanted)
    tested = split is None or not wanted or chosen.evaluated in wanted
    if seen.found is None or (tested and not any(match.files for match in seen.matches.values())):
        advice = " ".join(seen.advice)
        raise UserError("input", f"{benchmark.name} was not found below {shown(root)}. {advice} {_look(seen)}")
    _check_split(seen, seen.found, split, wanted)
    own = Part(chosen.evaluated, seen.found, seen.matches, seen.missing)
    items = tuple(_item(entry, own, seen, chosen.captions) for entry in seen.found.entries)
    items, silent = _with_sound(items, seen)
    left_out = silent if tested else ()
    dataset = Dataset(
        benchmark.name,
        seen.protocol.id,
        items,
        seen.found.sha256,
        tuple(_notes(seen, seen.found, left_out)),
        left_out,
        len(items),
        {kind: match.rule for kind, match in seen.matches.items() if match.rule},
    )
    return _with_parts(dataset, seen, wanted) if wanted else of_split(dataset, split)


def _wanted(protocol: Protocol, split: str | None) -> tuple[str, ...]:
    """The splits that a name means, of those that the protocol knows; none where it is evaluated as ever."""
    names = (protocol.evaluated, *(beside.name for beside in protocol.beside))
    if split is None or not protocol.beside:
        return ()
    meant = meant_split(split, names)
    return names if split == ALL else (meant,) if meant else ()


def _check_split(seen: Survey, found: Found, split: str | None, wanted: Sequence[str]) -> None:
    """Refuse a split that neither the protocol nor its annotation knows."""
    names = [seen.protocol.evaluated, *(beside.name for beside in seen.protocol.beside)]
    named = {entry.split for entry in found.entries if entry.split}
    if split in (None, ALL) or wanted or meant_split(str(split), named):
        return
    hint = did_you_mean(str(split), names)
    message = f"{seen.benchmark.name} has no split '{split}'.{hint} It has: {', '.join(names)}."
    raise UserError("usage", message)


def _with_parts(dataset: Dataset, seen: Survey, wanted: Sequence[str]) -> Dataset:
    """The items of several splits, of which the evaluated one was opened.

    Raises:
        UserError: Two splits have an item in common, or a split that is wanted was not found.
    """
    evaluated = seen.protocol.evaluated
    if taken := next((one for one in seen.shared if one.what == "item" or _learnt_and_tested(one, evaluated)), None):
        raise UserError("input", f"{seen.protocol.id} below {shown(seen.tree.root)}: {taken.sentence} {_look(seen)}")
    items = [replace(item, split=evaluated) for item in dataset.items] if evaluated in wanted else []
    notes, parts = list(dataset.notes), []
    for part in seen.parts:
        if why := _absent(part, seen):
            if len(wanted) == 1 or part.name == TRAIN:
                raise UserError("input", f"{why} {_look(seen)}") from part.trouble
            notes.append(f"{why} Left out; gram align holds a part of {TRAIN} out instead.")
            continue
        found = tuple(_item(entry, part, seen, _learnt(seen.protocol.captions)) for entry in part.entries)
        kept, silent = _with_sound(found, seen)
        notes += _part_notes(part, len(kept), len(silent))
        items += kept
        parts.append(part)
    if not parts:
        return replace(dataset, items=tuple(items))
    kept_names = {evaluated, *(part.name for part in parts)}
    shared = [one for one in seen.shared if kept_names.issuperset(one.splits)]
    annotations = {part.name: _facts(part, items) for part in parts}
    facts = SplitFacts(evaluated, annotations, tuple(one.document() for one in shared))
    notes += [one.sentence for one in shared]
    named = [kind for kind in KINDS if any(part.matches[kind].rule for part in parts) or kind in dataset.rules]
    rules: dict[str, str] = {kind: _rules(kind, dataset.rules if evaluated in wanted else {}, parts) for kind in named}
    return replace(dataset, items=tuple(items), notes=tuple(notes), rules=rules, beside=facts)


def _learnt_and_tested(shared: Shared, evaluated: str) -> bool:
    """Whether what is trained on and what is tested are one media file."""
    return shared.what == "file" and set(shared.splits) == {evaluated, TRAIN}


def _look(seen: Survey) -> str:
    protocol = "" if seen.protocol is seen.benchmark.protocols[0] else f" --protocol {seen.protocol.name}"
    return f"See: gram datasets {seen.benchmark.name} --root {shown(seen.tree.root)}{protocol}"


def _absent(part: Part, seen: Survey) -> str | None:
    """Why a split cannot be opened; None where it can."""
    name, root = f"Split {part.name} of {seen.protocol.name}", shown(seen.tree.root)
    if part.trouble:
        return f"{name}: {part.trouble.message}"
    if part.found is None:
        return f"{name} has no annotation below {root}: put one of {', '.join(part.expected)} there."
    if not part.has_media:
        return f"{name}: none of its {len(part.entries):,} items ({part.found.files}) has a media file below {root}."
    return None


def _learnt(captions: Captions) -> Captions:
    """Training takes every caption, also where the first of an item is tested."""
    return "joined" if captions == "joined" else "all"


def _facts(part: Part, items: Sequence[Item]) -> dict[str, Any]:
    found = part.found
    n = sum(item.split == part.name for item in items)
    return {"annotation": found and found.files, "sha256": found and found.sha256, "n": n}


def _rules(kind: Kind, own: Mapping[str, str], parts: Sequence[Part]) -> str:
    """The rules by which a kind of file was found, each once."""
    rules = [own.get(kind), *(part.matches[kind].rule for part in parts)]
    return "' or '".join(dict.fromkeys(rule for rule in rules if rule))


def _part_notes(part: Part, n: int, silent: int) -> list[str]:
    found = part.found
    said = [f"Split {part.name}: {n:,} items by {found.files}."] if found else []
    if silent:
        said.append(f"{silent:,} items of {part.name} were left out: no sound.")
    if part.n not in (None, len(part.entries)):
        said.append(f"Split {part.name} has {part.n:,} items by definition; this names {len(part.entries):,}.")
    return [*said, *(found.notes if found else ())]


def _with_sound(items: tuple[Item, ...], seen: Survey) -> tuple[tuple[Item, ...], tuple[LeftOut, ...]]:
    """The items that a protocol of sound keeps, and those it leaves out."""
    if not seen.protocol.needs_audio:
        return items, ()
    silent = {item.id: why for item in items if (why := _silent(item))}
    reason = f"{seen.protocol.id} leaves it out"
    left_out = tuple(LeftOut(one, "audio", f"{why}: {reason}") for one, why in silent.items())
    return tuple(item for item in items if item.id not in silent), left_out


def _item(entry: Entry, part: Part, seen: Survey, captions: Captions) -> Item:
    media = {
        kind: seen.tree.path(match.files[entry.id]) for kind, match in part.matches.items() if entry.id in match.files
    }
    where = f"below {shown_root(seen)}"
    expected = [kind for kind in KINDS if kind in part.missing]
    unreadable: dict[str, str] = {
        kind: f"no file named {entry.id}.* {where}"
        for kind in expected
        if kind not in media and not (kind == "audio" and "video" in media)
    }
    return Item(
        id=entry.id,
        media=with_own_sound(media),
        captions=_captions(entry.captions, captions),
        subtitle=entry.subtitle,
        label=entry.label,
        split=entry.split,
        unreadable=unreadable,
    )


def shown_root(seen: Survey) -> str:
    """The root's own name: reasons are kept in stores, which must not depend on where a dataset lies."""
    return f"{seen.tree.root.name}/"


def _captions(captions: tuple[str, ...], wanted: Captions) -> tuple[str, ...]:
    if wanted == "first":
        return captions[:1]
    return (" ".join(captions),) if wanted == "joined" and captions else captions


def _silent(item: Item) -> str | None:
    """Why an item has no sound; None where it has, or where its file cannot be opened and will say so itself."""
    from gramcli.media.audio import has_audio_track  # noqa: PLC0415 - decoders load where files are opened

    if "audio" in item.unreadable:
        return None
    if "audio" not in item.media:
        return "no audio file"
    if item.media["audio"] != item.media.get("video"):
        return None
    try:
        return None if has_audio_track(item.media["video"]) else "no audio track"
    except UserError:
        return None


def _notes(seen: Survey, found: Found, left_out: tuple[LeftOut, ...]) -> list[str]:
    said = [f"Annotation: {found.file}; protocol {seen.protocol.id}."]
    if left_out:
        said.append(f"{len(left_out):,} items were left out by {seen.protocol.id}: no sound.")
    n = len(found.entries)
    if seen.protocol.n not in (None, n):
        said.append(f"{seen.protocol.id} has {seen.protocol.n:,} items by definition; this annotation names {n:,}.")
    said += [*found.notes, *seen.tree.notes]
    return said
