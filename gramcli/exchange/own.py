"""Exports of ours, read back: `gram import` of what `gram export` wrote gives the same store, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.exchange.export_layout import ITEMS, MARK, VERSION, ExportFacts
from gramcli.exchange.own_arrays import Arrays, blob, open_arrays, unusable
from gramcli.exchange.own_tables import Line, lines, mark_of, taken
from gramcli.results.schema import Source, read_json
from gramcli.results.watch import NOBODY, Watch
from gramcli.store.items import ItemRow, parse_items
from gramcli.store.layout import Plan, PlannedItem, digest, has_row, is_text
from gramcli.store.notes import keep_notes
from gramcli.store.rows import DIGESTS, OWNERS
from gramcli.store.shards import ShardContent
from gramcli.store.writer import StoreWriter


@dataclass(frozen=True)
class Part:
    """One file of an export.

    Attributes:
        path: The file.
        facts: What it says of the store.
        rows: The items; the status of each embedding that it holds.
        content: Embeddings and caption digests of the items in a range, asked for in order.
    """

    path: Path
    facts: ExportFacts
    rows: tuple[ItemRow, ...]
    content: Callable[[range], tuple[dict[str, NDArray[np.float32]], NDArray[np.int64] | None]]


def is_export(path: Path) -> bool:
    """Whether a file is an export of ours, by its mark; a folder, whether its first file is.

    Raises:
        UserError: It is a file of such a format and damaged, or of a package that is not installed.
    """
    files = _files(path)
    if not files:
        return False
    with open_arrays(files[0]) as arrays:
        if arrays is not None:
            return True
    return mark_of(files[0]) is not None


@contextmanager
def read_export(paths: str | Path | Sequence[str | Path]) -> Iterator[tuple[Part, ...]]:
    """Open an export of ours.

    Args:
        paths: A file, a folder of files, or several files of one store.

    Yields:
        Its files, each embedding in one of them.

    Raises:
        UserError: A file is none of ours, of a newer layout, damaged, or of another store than the first.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    files = [file for one in given for file in _files(Path(one))]
    if not files:
        raise UserError("input", f"{', '.join(map(str, given))} holds no file that gram export wrote.")
    with ExitStack() as stack:
        parts = tuple(stack.enter_context(_open(file)) for file in files)
        _check_together(parts)
        yield parts


def restore(
    paths: str | Path | Sequence[str | Path], output: str | Path, *, overwrite: bool = False, watch: Watch = NOBODY
) -> str:
    """Write the store that was exported.

    Args:
        paths: As for `read_export`.
        output: The store to write; one that a killed run left is resumed.
        overwrite: Replace a store that stands there.
        watch: Sees the progress.

    Returns:
        The fingerprint of the store: that of the one that was exported, or where the files hold only some of its
        embeddings, another.

    Raises:
        UserError: As `read_export`; or the content is not what was exported.
    """
    with read_export(paths) as parts:
        plan = _plan(parts)
        progress = watch.stage("Importing", "shards")
        with StoreWriter.open(Path(output), plan, overwrite=overwrite) as writer:
            keep_notes(writer.path, parts[0].facts.findings)
            missing = set(writer.missing_shards())
            for index in range(plan.n_shards):  # also those that are there: files are read in order
                content = _content(parts, plan, plan.shard_range(index))
                if index in missing:
                    writer.write_shard(index, content)
                progress(index + 1, plan.n_shards)
            found = _fingerprint(parts, plan, writer)
            writer.finish()
    return found


def check_export(parts: Sequence[Part], watch: Watch = NOBODY) -> None:
    """Read all of an export and write nothing.

    Args:
        parts: Its files.
        watch: Sees the progress.

    Raises:
        UserError: As `restore`.
    """
    plan = _plan(parts)
    writer = StoreWriter(Path(), plan, lock=-1)
    progress = watch.stage("Reading", "shards")
    for index in range(plan.n_shards):
        writer.look_at(index, _content(parts, plan, plan.shard_range(index)))
        progress(index + 1, plan.n_shards)
    _fingerprint(parts, plan, writer)


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]


@contextmanager
def _open(path: Path) -> Iterator[Part]:
    with open_arrays(path) as arrays:
        if arrays is not None:
            yield _part_of_arrays(path, arrays)
            return
    mark = mark_of(path)
    if mark is None:
        raise UserError("input", f"{path} is not an export of gram, or was changed so that its mark is gone.")
    yield _part_of_table(path, _facts(mark, path))


def _facts(mark: bytes, path: Path) -> ExportFacts:
    found = read_json(mark, ExportFacts, Source(f"{path}: {MARK}", "input", "Export the store again."))
    if found.gram_export > VERSION:
        raise UserError("input", f"{path} was exported by a newer gramcli; upgrade gramcli to import it.")
    if len({len(digests) for digests in found.inputs.values()}) > 1:
        raise unusable(path, "it has inputs of more items for one embedding than for another")
    if not found.held or not set(found.held) <= set(found.modalities):
        raise unusable(path, "it holds embeddings that it does not name")
    return found


def _part_of_arrays(path: Path, arrays: Arrays) -> Part:
    facts = _facts(blob(arrays, MARK, path), path)
    try:
        rows = parse_items(blob(arrays, ITEMS, path).decode("utf-8"), f"{path}: {ITEMS}")
    except UnicodeDecodeError as error:
        raise unusable(path, f"{ITEMS} is not UTF-8 text") from error
    if not rows or list(rows[0].status) != list(facts.modalities):
        raise unusable(path, f"{ITEMS} is not of its embeddings")
    texts = any(map(is_text, facts.held))
    starts = _starts(rows)
    for name in (*facts.held, *([OWNERS] if texts else []), *([DIGESTS] if texts and facts.texts_known else [])):
        n = int(starts[-1]) if is_text(name) or name in (OWNERS, DIGESTS) else len(rows)
        dim = facts.modalities.get(name)
        wanted = (np.dtype("<i8"), (n,)) if dim is None else (np.dtype("<f4"), (n, dim))
        if arrays.kind(name) != wanted:
            raise unusable(path, f"'{name}' is missing or not {wanted[0]} {list(wanted[1])}")

    def content(items: range) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64] | None]:
        """The rows of some items."""
        captions = int(starts[items.start]), int(starts[items.stop])
        found = {
            name: arrays.read(name, *(captions if is_text(name) else (items.start, items.stop))) for name in facts.held
        }
        if texts and not np.array_equal(
            arrays.read(OWNERS, *captions),
            np.repeat(np.arange(items.start, items.stop), np.diff(starts[items.start : items.stop + 1])),
        ):
            raise unusable(path, f"'{OWNERS}' is not what {ITEMS} says")
        return found, arrays.read(DIGESTS, *captions) if texts and facts.texts_known else None

    return Part(path, facts, rows, content)


def _part_of_table(path: Path, facts: ExportFacts) -> Part:
    rows = _rows_of_table(path, facts)
    counts = np.diff(_starts(rows))
    stream = lines(path, vectors=True)

    def content(items: range) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.int64] | None]:
        """The next rows, which must be those of the items."""
        found, digests = {}, None
        for name in facts.held:
            wanted = [max(1, int(counts[k])) if is_text(name) else 1 for k in items]
            read = taken(stream, sum(wanted), path)
            owners = [rows[k].id for k, count in zip(items, wanted, strict=True) for _ in range(count)]
            if [line.id for line in read] != owners or any(line.modality != name for line in read):
                raise unusable(path, "its rows are not in the order they were written in")
            found[name] = _matrix(path, name, facts.modalities[name], read)
            if is_text(name) and facts.texts_known:
                digests = _digests(path, read)
        return found, digests

    return Part(path, facts, rows, content)


def _digests(path: Path, read: Sequence[Line]) -> NDArray[np.int64]:
    """The digests of captions, as the store holds them."""
    found = [line.digest or "" for line in read if line.caption is not None]
    try:
        return np.array([int(one, 16) for one in found], dtype=np.uint64).view(np.int64)
    except (ValueError, OverflowError) as error:
        raise unusable(path, f"a digest is none ({error})") from error


def _matrix(path: Path, name: str, dim: int, read: Sequence[Line]) -> NDArray[np.float32]:
    kept = [line for line in read if line.caption is not None] if is_text(name) else read
    found = np.zeros((len(kept), dim), np.float32)
    for place, line in enumerate(kept):
        if line.vector is None and has_row(line.status):
            raise unusable(path, f"item {line.id!r} has no vector of '{name}', though its status is '{line.status}'")
        if line.vector is not None:
            vector = np.asarray(line.vector, dtype=np.float64).astype(np.float32)
            if vector.shape != (dim,):
                raise unusable(path, f"a vector of '{name}' has {vector.size} numbers, not {dim}")
            found[place] = vector
    return found


def _rows_of_table(path: Path, facts: ExportFacts) -> tuple[ItemRow, ...]:
    """The items, put together from the rows of each embedding.

    Raises:
        UserError: Embeddings name other items.
    """
    items: dict[str, tuple[str | None, str | None]] = {}
    status: dict[str, dict[str, str]] = {name: {} for name in facts.held}
    captions: dict[str, int] = {}
    first_text = next(filter(is_text, facts.held), None)
    for line in lines(path, vectors=False):
        items.setdefault(line.id, (line.split, line.label))
        if line.modality not in status:
            raise unusable(path, f"it has rows of '{line.modality[:40]}', which it does not name")
        status[line.modality][line.id] = line.status
        if line.modality == first_text and line.caption is not None:
            captions[line.id] = captions.get(line.id, 0) + 1
    if not items or any(len(found) != len(items) for found in status.values()):
        raise unusable(path, "its embeddings are not all of the same items")
    return tuple(
        ItemRow(name, split, label, captions.get(name, 0), {one: status[one][name] for one in facts.held})
        for name, (split, label) in items.items()
    )


def _check_together(parts: Sequence[Part]) -> None:
    first = parts[0]
    held = [name for part in parts for name in part.facts.held]
    for part in parts[1:]:
        if _shared_facts(part.facts) != _shared_facts(first.facts):
            raise UserError("input", f"{part.path} was exported from another store than {first.path}; import each.")
        own, others = ([(row.id, row.split, row.label) for row in one.rows] for one in (part, first))
        if own != others:
            raise unusable(part.path, f"it has other items than {first.path}")
    counts = {tuple(row.captions for row in part.rows) for part in parts if any(map(is_text, part.facts.held))}
    if len(counts) > 1:
        raise unusable(first.path, "the files disagree on how many captions an item has")
    if len(set(held)) < len(held):
        twice = next(name for name in held if held.count(name) > 1)
        raise UserError("input", f"'{twice}' is in two of the files; name each embedding's file once.")


def _shared_facts(facts: ExportFacts) -> ExportFacts:
    return msgspec.structs.replace(facts, held=[])


def _plan(parts: Sequence[Part]) -> Plan:
    facts = parts[0].facts
    held = {name for part in parts for name in part.facts.held}
    whole = held == set(facts.modalities)
    some = {} if whole else {"part": digest(sorted(held))}
    return Plan(
        model=facts.model,
        dataset=facts.dataset,
        dims={name: dim for name, dim in facts.modalities.items() if name in held},
        items=tuple(PlannedItem(row.id, row.split, row.label) for row in parts[0].rows),
        shard_size=facts.shard_size,
        sources={**facts.sources, **some},
        digests=_inputs(parts[0]),
    )


def _inputs(part: Part) -> list[dict[str, str]]:
    """What inputs.json of the store said.

    Raises:
        UserError: It is of other items.
    """
    held = part.facts.inputs
    if any(len(digests) != len(part.rows) for digests in held.values()):
        raise unusable(part.path, "its inputs are not those of its items")
    if not held:
        return []
    rows = zip(*held.values(), strict=True)
    return [{name: one for name, one in zip(held, row, strict=True) if one is not None} for row in rows]


def _content(parts: Sequence[Part], plan: Plan, items: range) -> ShardContent:
    embeddings: dict[str, NDArray[np.float32]] = {}
    status: dict[str, list[str]] = {}
    owners: NDArray[np.int64] = np.zeros(0, np.int64)
    digests = None
    for part in parts:
        found, texts = part.content(items)
        embeddings |= found
        rows = part.rows[items.start : items.stop]
        status |= {name: [row.status[name] for row in rows] for name in part.facts.held}
        if any(map(is_text, part.facts.held)):
            owners = np.repeat(np.arange(items.start, items.stop), [row.captions for row in rows])
            digests = texts
    return ShardContent({name: embeddings[name] for name in plan.modalities}, status, owners, digests)


def _fingerprint(parts: Sequence[Part], plan: Plan, writer: StoreWriter) -> str:
    """The fingerprint of what was written, as `Store.fingerprint` makes it.

    Raises:
        UserError: It should be that of the exported store, and is not.
    """
    found = writer.fingerprint()
    facts = parts[0].facts
    if set(plan.modalities) == set(facts.modalities) and found != facts.fingerprint:
        raise UserError(
            "input",
            f"{', '.join(str(part.path) for part in parts)}: the content is not what gram exported. Restore the file, "
            f"or take its '{MARK}' out: then it is imported as any other."
            + (f" If it was restored since {writer.path} was begun, add --overwrite." if writer.reused else ""),
        )
    return found


def _starts(rows: Sequence[ItemRow]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum([row.captions for row in rows], dtype=np.int64)])
