"""From matched rows to a store: shard by shard, so that no more than one shard of the features is in memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.base import MOST_ITEMS, wrong
from gramcli.exchange.pooling import INFINITE, NANS, NULL, PARTIAL, pooled
from gramcli.exchange.values import ALL_STEPS
from gramcli.store.layout import ABSENT, OK, TEXT, Plan, absent, has_row, text_digest
from gramcli.store.shards import ShardContent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.errors import UserError
    from gramcli.exchange.base import Features, Rows
    from gramcli.exchange.placing import Matched, Placed
    from gramcli.results.watch import Progress
    from gramcli.store.writer import StoreWriter

_SHARD_BYTES: Final = 16 * 2**20
_LEAST, _MOST = 64, 16_384
_LOOKED_AT: Final = 1000  # items, to say how they differ
NOT_THERE: Final = "not in the file"


@dataclass(frozen=True)
class Pooling:
    """How time steps become one vector.

    Attributes:
        how: `mean`, `max`, `first` or `last`.
        time_axis: Which axis of an item's array is time.
    """

    how: str = "mean"
    time_axis: int = 0


def dim_of(placed: Placed, pooling: Pooling) -> int:
    """Return the dimension of a modality's vectors.

    Raises:
        UserError: Items have arrays without axes, or no dimensions.
    """
    inner = list(placed.features.rows.inner)
    if len(inner) > 1:
        if not -len(inner) <= pooling.time_axis < len(inner):
            said = f"has {len(inner)} axes for an item, and --time-axis {pooling.time_axis} is none of them"
            raise wrong(placed.features.source, said, f"Name one of 0 to {len(inner) - 1}")
        del inner[pooling.time_axis]
    if inner and inner[-1] is None:
        raise _of_different_dims(placed.features, pooling)
    if not inner or not inner[-1]:
        said = "holds single numbers, no vectors" if not inner else "holds vectors of no dimensions"
        raise wrong(placed.features.source, said, "Name the axis of time with --time-axis, or save [n, d]")
    return int(inner[-1])


def time_notes(features: Features, time_axis: int) -> list[str]:
    """What to know of the time steps of a modality: lengths that are none, and texts whose steps may be captions."""
    inner, name = features.rows.inner, features.name
    if len(inner) < 2 or not -len(inner) <= time_axis < len(inner):
        return []
    steps, notes = inner[time_axis], []
    if features.lengths is not None and steps is not None:
        beyond = features.lengths[(features.lengths > steps) & (features.lengths < ALL_STEPS)]
        if len(beyond):
            verb = "is more than its" if len(beyond) == 1 else "are more than their"
            said = (
                f"{name}: {len(beyond):,} of {features.rows.n:,} lengths {verb} {steps:,} steps, such as {beyond[0]:,}"
            )
            notes.append(f"{said}: all steps count.")
    if name == TEXT and features.lengths is None:
        notes.append(
            f"{name}: axis {time_axis % len(inner)} of an item was taken for tokens and pooled. If it counts captions, "
            "give as many of each item in --table, or save a row for each and say whose it is."
        )
    return notes


def _of_different_dims(features: Features, pooling: Pooling) -> UserError:
    """Say of which dimensions items are; and which axis is time, where they differ in no other."""
    inner, n = features.rows.inner, features.rows.n
    looked = (features.rows.read(np.array([k]))[0] for k in range(min(n, _LOOKED_AT)))
    dims = {_dim(one, pooling.time_axis) for one in looked}
    said = "of " + " and of ".join(map(str, sorted(dims)[:2])) if len(dims) > 1 else "of different"
    varying = [axis for axis, size in enumerate(inner) if size is None]
    remedy = "Keep those of one model"
    if len(inner) > 1 and len(varying) == 1:
        remedy = f"If axis {varying[0]} of each is time, say --time-axis {varying[0]}; else keep those of one model"
    return wrong(features.source, f"has items {said} dimensions", remedy)


def _dim(item: NDArray[Any], time_axis: int) -> int:
    shape = list(item.shape)
    if len(shape) > 1:
        del shape[time_axis]
    return int(shape[-1])


def _nulls_named(rows: Rows, positions: NDArray[np.int64], reasons: list[str | None]) -> list[str | None]:
    """The reasons for which rows have no vector, where a table says that nothing is there."""
    is_null = getattr(rows, "is_null", None)
    if is_null is None or NANS not in reasons:
        return reasons
    pairs = zip(positions.tolist(), reasons, strict=True)
    return [NULL if why == NANS and is_null(row) else why for row, why in pairs]


def _rows_at_once(rows: Rows) -> int:
    """How many rows to read at a time: all of plain vectors, of which a shard is small; one where sizes are unknown."""
    if len(rows.inner) < 2:
        return MOST_ITEMS
    if None in rows.inner:
        return 1
    return max(1, _SHARD_BYTES // max(1, 8 * prod(size or 1 for size in rows.inner)))


def shard_size_for(dims: Mapping[str, int]) -> int:
    """Return how many items a shard holds: some 16 MB of vectors, so that neither memory nor files become many.

    Example:
        >>> shard_size_for({"video": 512}), shard_size_for({"video": 100_000})
        (8192, 64)
    """
    fits = _SHARD_BYTES // max(1, 4 * sum(dims.values()))
    return max(_LEAST, min(_MOST, 1 << max(0, fits.bit_length() - 1)))


class Assembler:
    """Makes the content of shards.

    Args:
        found: What is imported.
        pooling: How time steps become vectors.
        status: Modality -> id -> status that the file gave; others follow from the vectors.
    """

    def __init__(self, found: Matched, pooling: Pooling, status: Mapping[str, Mapping[str, str]]) -> None:
        self.found, self.pooling, self.status = found, pooling, status
        self._odd = {one.features.name: Counter[str]() for one in found.placed}
        captions = found.facts.captions
        text = next((one for one in found.placed if one.features.name == TEXT), None)
        self._digests = self._texts(text, captions) if text and captions else None

    def _texts(self, text: Placed, captions: Mapping[str, tuple[str, ...]]) -> NDArray[np.int64] | None:
        """The digest of each text row, where the texts of all are known."""
        owners = text.owners
        if owners is None:
            return None
        counts = np.bincount(owners, minlength=len(self.found.ids))
        every = [captions.get(identity, ()) for identity in self.found.ids]
        if any(len(texts) != n for texts, n in zip(every, counts.tolist(), strict=True)):
            self.found.notes.append("The texts of some text rows are not known; none were recorded.")
            return None
        return np.array([text_digest(one) for texts in every for one in texts], dtype=np.int64)

    def content(self, positions: range, dims: Mapping[str, int]) -> ShardContent:
        """Return what one shard holds.

        Args:
            positions: Of its items.
            dims: Modality -> dimension.

        Raises:
            UserError: A file is damaged, or its numbers are no features.
        """
        embeddings: dict[str, NDArray[np.float32]] = {}
        status: dict[str, Sequence[str]] = {}
        owners, digests = np.zeros(0, np.int64), None
        for one in self.found.placed:
            name = one.features.name
            if name == TEXT and one.owners is not None:
                embeddings[name], owners, digests, states = self._text(one, positions, dims[name])
            else:
                embeddings[name], states = self._media(one, positions, dims[name])
            status[name] = self._said(name, positions, states)
        return ShardContent(embeddings, status, owners, digests)

    def notes(self) -> list[str]:
        """What was left out of time steps that were read, one sentence for each kind."""
        found = []
        for name, odd in self._odd.items():
            if n := odd[INFINITE]:
                found.append(f"{name}: {_steps(n)} hold{'s' * (n == 1)} infinity, which was left out.")
            if n := odd[PARTIAL]:
                lack = "lacks" if n == 1 else "lack"
                said = "single values (NaN or -inf), left out of their dimensions alone"
                found.append(f"{name}: {_steps(n)} {lack} {said}.")
        return found

    def _said(self, name: str, positions: range, states: list[str]) -> list[str]:
        """The states that follow from vectors, in the words of the file where it has some."""
        given = self.status.get(name)
        if not given:
            return states
        ids = self.found.ids
        told = [given.get(ids[k], states[row]) for row, k in enumerate(positions)]
        return [one if has_row(one) == has_row(other) else other for one, other in zip(told, states, strict=True)]

    def _vectors(self, one: Placed, rows: NDArray[np.int64], dim: int) -> tuple[NDArray[np.float32], list[str | None]]:
        """Vectors of some rows: those with time some at a time, for the steps of a whole shard are beyond memory."""
        features, step = one.features, _rows_at_once(one.features.rows)
        odd = self._odd[features.name]
        found: list[NDArray[np.float32]] = []
        why: list[str | None] = []
        for start in range(0, max(1, len(rows)), step):
            some = rows[start : start + step]
            lengths = None if features.lengths is None else features.lengths[some]
            read = features.rows.read(some)
            vectors, reasons = pooled(read, self.pooling.how, self.pooling.time_axis, lengths, features.source, odd)
            self._check(one, vectors, dim)
            found.append(vectors)
            why += _nulls_named(features.rows, some, reasons)
        return found[0] if len(found) == 1 else np.concatenate(found), why

    def _media(self, one: Placed, positions: range, dim: int) -> tuple[NDArray[np.float32], list[str]]:
        rows = (
            np.arange(positions.start, positions.stop)
            if one.rows is None
            else one.rows[positions.start : positions.stop]
        )
        there = np.flatnonzero(rows >= 0)
        vectors, why = self._vectors(one, rows[there], dim)
        if len(there) == len(rows):
            return vectors, [OK if reason is None else absent(reason) for reason in why]
        whole = np.zeros((len(rows), dim), np.float32)
        states = [absent(NOT_THERE)] * len(rows)
        if len(there):
            whole[there] = vectors
        for place, reason in zip(there.tolist(), why, strict=True):
            states[place] = OK if reason is None else absent(reason)
        return whole, states

    def _text(
        self, one: Placed, positions: range, dim: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64] | None, list[str]]:
        owners = one.owners
        if owners is None:
            owners = np.arange(one.features.rows.n)
        start, stop = np.searchsorted(owners, [positions.start, positions.stop]).tolist()
        rows = np.arange(start, stop) if one.rows is None else one.rows[start:stop]
        mine = owners[start:stop]
        digests = None if self._digests is None else self._digests[start:stop]
        states = [ABSENT] * len(positions)
        if not len(rows):
            return np.zeros((0, dim), np.float32), mine, digests, states
        vectors, why = self._vectors(one, rows, dim)
        kept = np.array([reason is None for reason in why], dtype=bool)
        for owner, reason in zip(mine.tolist(), why, strict=True):
            if reason:
                states[owner - positions.start] = absent(reason)
        if not kept.all():
            vectors, mine, digests = vectors[kept], mine[kept], None if digests is None else digests[kept]
        for owner in np.unique(mine).tolist():
            states[owner - positions.start] = OK
        return vectors, mine, digests, states

    def _check(self, one: Placed, vectors: NDArray[Any], dim: int) -> None:
        if len(vectors) and vectors.shape[1] != dim:
            raise wrong(one.features.source, f"gives vectors of {vectors.shape[1]} and of {dim} dimensions")


def _steps(n: int) -> str:
    return f"{n:,} time step{'s' * (n != 1)}"


def write(writer: StoreWriter, plan: Plan, assembler: Assembler, progress: Progress) -> None:
    """Write the shards that are missing, then what describes them.

    Args:
        writer: Of the store.
        plan: What it will hold.
        assembler: What to write.
        progress: Told of items.

    Raises:
        UserError: A file is damaged, or the disk refuses.
    """
    total, missing = len(plan.items), writer.missing_shards()
    done = total - sum(len(plan.shard_range(index)) for index in missing)
    # at a time: one shard is read, the one before it is checked and hashed, the one before that waits for the disk
    with _no_collection(), ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(1) as behind:

        def begin(index: int) -> Future[ShardContent]:
            return ahead.submit(assembler.content, plan.shard_range(index), plan.dims)

        pending = begin(missing[0]) if missing else None
        written: Future[None] | None = None
        for place, index in enumerate(missing, 1):
            content = pending.result() if pending else None
            pending = begin(missing[place]) if place < len(missing) else None
            if content is not None:
                packed = writer.packed(index, content)
                if written is not None:
                    written.result()
                written = behind.submit(writer.put, index, *packed)
            done += len(plan.shard_range(index))
            progress(done, total)
        if written is not None:
            written.result()
    writer.finish()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the search for cycles away from millions of records, none of which has one: a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def stamped(paths: Sequence[Path], output: Path | None = None) -> list[list[Any]]:
    """Return name, size and modification time of files, in folders of each below: what changes when they do.

    Args:
        paths: Files and folders.
        output: A store that is being written, which may lie in one of the folders and is none of what is read.
    """
    found = []
    own = None if output is None else output.resolve()
    for path in paths:
        holds = own is not None and own.is_relative_to(path.resolve())
        for one in (path, *_below(path)):
            if holds and own and (own.is_relative_to(place := one.resolve()) or place.is_relative_to(own)):
                continue
            status = one.stat()
            found.append([str(one.relative_to(path.parent)), status.st_size, status.st_mtime_ns])
    return found


def _below(folder: Path) -> list[Path]:
    """The files of a folder and of those in it."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
