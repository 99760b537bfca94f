"""A benchmark below a root as a dataset: what the survey found, under the rules of a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.datasets.items import Dataset, Item, with_own_sound
from gramcli.datasets.survey import Found, Survey, survey
from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.results.records import LeftOut

if TYPE_CHECKING:
    from pathlib import Path

    from gramcli.datasets.benchmark import Benchmark, Captions
    from gramcli.datasets.entries import Entry


def open_benchmark(benchmark: Benchmark, root: Path, protocol: str | None = None) -> Dataset:
    """Open a benchmark.

    An item whose files are not there stays an item, and says so (`Item.unreadable`); one that the protocol leaves
    out is named in `Dataset.left_out`.

    Args:
        benchmark: Which.
        root: The folder that holds its annotation and media.
        protocol: Name of the protocol; the benchmark's first by default.

    Returns:
        The items in the annotation's order.

    Raises:
        UserError: As `survey`; no annotation, or no media file of any item.
    """
    seen = survey(benchmark, root, protocol)
    if seen.found is None or not any(match.files for match in seen.matches.values()):
        advice = " ".join(seen.advice)
        look = f"See: gram datasets {benchmark.name} --root {shown(root)}"
        raise UserError("input", f"{benchmark.name} was not found below {shown(root)}. {advice} {look}")
    items = tuple(_item(entry, seen) for entry in seen.found.entries)
    left_out: tuple[LeftOut, ...] = ()
    if seen.protocol.needs_audio:
        silent = {item.id: why for item in items if (why := _silent(item))}
        reason = f"{seen.protocol.id} leaves it out"
        left_out = tuple(LeftOut(one, "audio", f"{why}: {reason}") for one, why in silent.items())
        items = tuple(item for item in items if item.id not in silent)
    notes = tuple(_notes(seen, seen.found, left_out))
    rules = {kind: match.rule for kind, match in seen.matches.items() if match.rule}
    return Dataset(benchmark.name, seen.protocol.id, items, seen.found.sha256, notes, left_out, len(items), rules)


def _item(entry: Entry, seen: Survey) -> Item:
    media = {
        kind: seen.tree.path(match.files[entry.id]) for kind, match in seen.matches.items() if entry.id in match.files
    }
    where = f"below {shown_root(seen)}"
    expected = [kind for kind in ("video", "audio") if kind in seen.missing]
    unreadable = {
        kind: f"no file named {entry.id}.* {where}"
        for kind in expected
        if kind not in media and not (kind == "audio" and "video" in media)
    }
    return Item(
        id=entry.id,
        media=with_own_sound(media),
        captions=_captions(entry.captions, seen.protocol.captions),
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
