"""The inner part of `embed` that runs beside the model: keep the workers busy, fill batches, say what is missing."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.embedding.batches import Batches
from gramcli.embedding.glance import Glance
from gramcli.embedding.reading import Had, Missing
from gramcli.embedding.vectors import vectors_of
from gramcli.embedding.workers import Lost, Pool
from gramcli.files.reading import Stamp
from gramcli.media.kinds import shown
from gramcli.modalities import base_of
from gramcli.store.layout import (
    ABSENT,
    FAILED,
    OK,
    TEXT,
    absent,
    failed,
    has_row,
    is_text,
    reason_of,
    stand_in,
    state,
    text_digest,
)
from gramcli.store.shards import ShardContent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.datasets.items import Dataset, Item
    from gramcli.encoders.base import Encoder

SUBTITLE: Final = "subtitle"
_PATIENCE: Final = 2.0  # seconds between signs of life while nothing comes
_HELD_BYTES: Final = 1 << 28  # of decoded inputs that wait for the model; one item may be larger

Inputs = dict[str, list[Had | Missing]]
"""What was found of one item: per modality the inputs, of which there are several only for text."""


def views_of(encoder: Encoder, modality: str) -> tuple[str, ...]:
    """The embeddings that an encoder makes of one input: its own, and those made for one side of a task."""
    return tuple(name for name in encoder.dims if name not in encoder.fused and base_of(name) == modality)


@dataclass(frozen=True)
class Job:
    """What to embed, and with what.

    Attributes:
        dataset: The items.
        encoder: The model.
        modalities: Inputs to embed, in order.
        fused: The embeddings made of several of them, with these.
        root: Folder that reasons of failures leave out of paths.
        batches: How many items are encoded together.
        ahead: Items decoded ahead of the model.
        glance: Looks at the first batches.
        planned: Per item, modality -> what the store is going to say of its file.
    """

    dataset: Dataset
    encoder: Encoder
    modalities: tuple[str, ...]
    fused: Mapping[str, tuple[str, ...]]
    root: Path
    batches: Batches
    ahead: int
    glance: Glance
    planned: Sequence[Mapping[str, Stamp]] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All embeddings, in the order of the store's columns."""
        return (*(made for name in self.modalities for made in self.made_of(name)), *self.fused)

    def made_of(self, modality: str) -> tuple[str, ...]:
        """The embeddings of one input: its own, and the views of it."""
        return views_of(self.encoder, modality)


@dataclass(frozen=True)
class ShardTask:
    """One shard to write.

    Attributes:
        index: Which.
        positions: The items' places in the dataset.
        previous: Its content where only what failed is to be tried again, else None.
    """

    index: int
    positions: range
    previous: ShardContent | None = None

    def to_do(self, row: int, job: Job) -> tuple[str, ...]:
        """The embeddings to be made of item `row` of the shard, and the inputs that they need."""
        if self.previous is None:
            return (*job.names, *job.modalities)
        failed_before = {name for name in job.names if state(self.previous.status[name][row]) == FAILED}
        inputs = {base_of(name) for name in failed_before - job.fused.keys()}
        inputs |= {part for name, parts in job.fused.items() if name in failed_before for part in parts}
        again = {made for name in inputs for made in job.made_of(name)} | failed_before
        return (*(name for name in job.names if name in again), *inputs)


@dataclass
class Clock:
    """Seconds the model waited for the workers, and seconds it worked."""

    waiting: float = 0.0
    working: float = 0.0

    @property
    def bottleneck(self) -> str:
        """Which side holds the other up."""
        return "decode" if self.waiting > self.working else "model"


def shard_contents(
    job: Job, tasks: Sequence[ShardTask], pool: Pool, done: Callable[[int, int], None], clock: Clock
) -> Iterator[ShardContent]:
    """Embed the items of some shards, decoding ahead across their borders.

    Args:
        job: What to embed, and with what.
        tasks: The shards.
        pool: Reads files: `gramcli.embedding.reading.Reader` behind it.
        done: Called with (items embedded since the last call, how many inputs of theirs failed).
        clock: Told how long each side took.

    Yields:
        Their contents in order; the same whatever the number of workers, batches or resumed runs.

    Raises:
        UserError: The encoder gave arrays of a wrong shape. What befalls one file or vector is a status instead.
    """
    found = _read_ahead(job, tasks, pool, clock, lambda: done(0, 0))
    for task in tasks:
        shard = _Shard(job, clock)
        for _ in task.positions:
            inputs, next_is_ready = next(found)
            shard.add(inputs, idle=not next_is_ready)
            done(1, shard.newly_failed())
        shard.finish()
        done(0, shard.newly_failed())
        yield _content(job, task, shard.columns)


@dataclass(frozen=True)
class _Asked:
    """A file that a worker is reading, or is going to."""

    path: Path
    future: Future[Any]

    @property
    def ready(self) -> bool:
        """Whether its answer is there."""
        return self.future.done()

    def answer(self, idle: Callable[[], None]) -> Had | Missing:
        """The result; while it is waited for, `idle` is called now and then."""
        while not wait([self.future], _PATIENCE).done:
            idle()
        result: Had | Missing | Lost = self.future.result()
        return (
            Missing(failed(f"{shown(Path(self.path.name))}: {result.reason}")) if isinstance(result, Lost) else result
        )


def _read_ahead(
    job: Job, tasks: Sequence[ShardTask], pool: Pool, clock: Clock, idle: Callable[[], None]
) -> Iterator[tuple[Inputs, bool]]:
    """Yield what was found of each item, in order, and whether the next one is there without waiting."""
    waiting: deque[dict[str, list[_Asked | Had | Missing]]] = deque()
    order = ((task, row) for task in tasks for row in range(len(task.positions)))
    while True:
        while len(waiting) <= job.ahead and _held(waiting) < _HELD_BYTES and (place := next(order, None)):
            task, row = place
            position = task.positions[row]
            item, planned = job.dataset.items[position], job.planned[position] if job.planned else {}
            wanted = set(task.to_do(row, job))
            ask = partial(_asked, item, planned=planned, pool=pool, root=job.root)
            waiting.append({name: ask(name) for name in job.modalities if name in wanted})
        if not waiting:
            return
        asked = waiting.popleft()
        start = time.perf_counter()
        inputs = {
            name: [_or_stand_in(job, name, one.answer(idle) if isinstance(one, _Asked) else one) for one in entries]
            for name, entries in asked.items()
        }
        clock.waiting += time.perf_counter() - start
        yield inputs, not waiting or _is_ready(waiting[0])


def _or_stand_in(job: Job, name: str, found: Had | Missing) -> Had | Missing:
    """What the model takes for silence or no words where there is nothing, if that was asked for."""
    if isinstance(found, Missing) and state(found.status) == ABSENT and name in job.encoder.stand_ins:
        return Had(job.encoder.stand_ins[name], stands_for=reason_of(found.status))
    return found


def _held(waiting: Iterable[Mapping[str, Sequence[_Asked | Had | Missing]]]) -> int:
    """Bytes of what has been read and not yet been taken."""
    entries = (one for asked in waiting for found in asked.values() for one in found)
    done = (one.future.result() for one in entries if isinstance(one, _Asked) and one.ready)
    return sum(result.nbytes for result in done if isinstance(result, Had))


def _is_ready(asked: Mapping[str, Sequence[_Asked | Had | Missing]]) -> bool:
    return all(one.ready for entries in asked.values() for one in entries if isinstance(one, _Asked))


def _asked(
    item: Item, name: str, *, planned: Mapping[str, Stamp], pool: Pool, root: Path
) -> list[_Asked | Had | Missing]:
    """Ask the pool for a file; texts are there already."""
    if name in item.unreadable and (name != TEXT or not item.captions):
        return [Missing(failed(item.unreadable[name].replace(f"{root}{os.sep}", "")))]
    if name == TEXT:
        return [Had(caption, digest=text_digest(caption)) for caption in item.captions] or [
            Missing(absent("no caption"))
        ]
    if name == SUBTITLE:
        return [Missing(absent("no subtitle")) if item.subtitle is None else Had(item.subtitle)]
    if name not in item.media:
        return [Missing(absent(f"no {name} file"))]
    path = item.media[name]
    return [_Asked(path, pool.submit(name, path, planned.get(name)))]


@dataclass
class _Shard:
    """Cells of the shard being made: per modality and item a list of vectors, or of what stands for them.

    Media of one item are encoded together, since fused embeddings need them all; a batch holds items that have the
    same modalities. Captions, of which an item has any number, are batches of their own.
    """

    job: Job
    clock: Clock
    columns: dict[str, list[list[Any]]] = field(default_factory=dict)
    _captions: list[tuple[dict[str, list[Any]], int]] = field(default_factory=list)
    _groups: dict[tuple[str, ...], list[dict[str, list[Any]]]] = field(default_factory=dict)
    _failed: int = 0
    _waiting: int = 0

    def add(self, inputs: Inputs, *, idle: bool) -> None:
        """Take what was found of the next item, and encode full batches; others too while the next is not there yet."""
        item: dict[str, list[Any]] = {name: list(inputs.get(name, ())) for name in self.job.modalities}
        for name, cells in tuple(item.items()):
            for made in self.job.made_of(name):
                item[made] = cells if made == name else list(cells)
                self.columns.setdefault(made, []).append(item[made])
            self._failed += sum(isinstance(one, Missing) and state(one.status) == FAILED for one in cells)
        self._captions += [(item, k) for k, one in enumerate(item.get(TEXT, ())) if isinstance(one, Had)]
        for name, parts in self.job.fused.items():
            item[name] = [_fused_place(item, parts)] if all(item[part] for part in parts) else []
            self.columns.setdefault(name, []).append(item[name])
        there = tuple(n for n in self.job.modalities if n != TEXT and item[n] and isinstance(item[n][0], Had))
        if there:
            self._groups.setdefault(there, []).append(item)
            self._waiting += sum(item[name][0].nbytes for name in there)
            full = idle or self._waiting > _HELD_BYTES
            for group in list(self._groups) if full else [there]:
                self._flush(group, 1 if full else self.job.batches.size(group))
        if idle and len(self._captions) >= self.job.batches.size((TEXT,)):
            self._flush_captions()

    def finish(self) -> None:
        """Encode what is left."""
        for there in list(self._groups):
            self._flush(there, 1)
        while self._captions:
            self._flush_captions()

    def newly_failed(self) -> int:
        """How many inputs failed since the last call."""
        failed_now, self._failed = self._failed, 0
        return failed_now

    def _flush(self, there: tuple[str, ...], least: int) -> None:
        """Encode the waiting items that have just these modalities, while there are at least so many."""
        waiting = self._groups[there]
        while len(waiting) >= least and waiting:
            size = self.job.batches.size(there)
            batch, waiting[:] = waiting[:size], waiting[size:]
            self._waiting -= sum(item[name][0].nbytes for item in batch for name in there)
            found = self._encode({name: [item[name][0].value for item in batch] for name in there})
            for name, vectors in found.items():
                for item, vector in zip(batch, vectors, strict=True):
                    self._put(item[name], 0, vector)

    def _flush_captions(self) -> None:
        """Encode a batch of the waiting captions, the shortest first: those of like length need little padding."""
        self._captions.sort(key=lambda place: len(place[0][TEXT][place[1]].value))
        size = self.job.batches.size((TEXT,))
        batch, self._captions[:] = self._captions[:size], self._captions[size:]
        found = self._encode({TEXT: [item[TEXT][k].value for item, k in batch]})
        for place, (item, k) in enumerate(batch):
            vectors = {name: rows[place] for name, rows in found.items()}
            bad = next((one for one in vectors.values() if isinstance(one, Missing)), None)
            for name, vector in vectors.items():  # views share their rows: all of a caption, or none
                self._put(item[name], k, bad or vector)

    def _put(self, cells: list[Any], k: int, vector: Any) -> None:  # noqa: ANN401 - a row or a `Missing`
        self._failed += isinstance(vector, Missing)
        cells[k] = vector if isinstance(vector, Missing) else replace(cells[k], value=vector)

    def _encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        start = time.perf_counter()
        found = vectors_of(self.job, inputs)
        self.job.glance.look(inputs, found, time.perf_counter() - start)
        self.clock.working += time.perf_counter() - start
        return found


def _fused_place(item: Mapping[str, Sequence[Had | Missing]], parts: Sequence[str]) -> Had | Missing:
    """What a fused embedding is before it is there: absent, or failed, as the first modality it lacks."""
    for part in parts:
        one = item[part][0]
        if isinstance(one, Missing):
            return Missing(failed(f"its {part} failed") if state(one.status) == FAILED else absent(f"no {part}"))
    standing = [part for part in parts if isinstance(one := item[part][0], Had) and one.stands_for]
    return Had(None, stands_for=f"no {' and '.join(standing)}" if standing else "")


def _content(job: Job, task: ShardTask, columns: Mapping[str, list[list[Any]]]) -> ShardContent:
    """Put vectors, statuses and, where a shard is only mended, its earlier rows together."""
    cells = columns if task.previous is None else _mended(job, task, task.previous, columns)
    status = {name: [_status(found) for found in cells[name]] for name in job.names}
    embeddings = {name: _rows(name, cells[name], job.encoder.dims[name]) for name in job.names}
    texts = next((cells[name] for name in job.names if is_text(name)), [])
    counts = [sum(isinstance(one, Had) for one in found) for found in texts]
    owners = np.repeat(np.array(task.positions, dtype=np.int64)[: len(counts)], np.array(counts, dtype=np.int64))
    digests = [one.digest for found in texts for one in found if isinstance(one, Had)]
    known = [digest for digest in digests if digest is not None]
    whole = np.array(known, dtype=np.int64) if len(known) == len(digests) else None
    return ShardContent(embeddings, status, owners, whole)


def _mended(
    job: Job, task: ShardTask, before: ShardContent, columns: Mapping[str, list[list[Any]]]
) -> dict[str, list[list[Any]]]:
    """The shard's cells: new where something was tried again, else as they were."""
    cells: dict[str, list[list[Any]]] = {}
    for name in job.names:
        owners = before.caption_items if is_text(name) else np.array(task.positions)
        cells[name] = []
        for row, position in enumerate(task.positions):
            old = before.status[name][row]
            rows = before.embeddings[name][owners == position]
            known = before.caption_digests if is_text(name) else None
            digests = repeat(None) if known is None else known[owners == position].tolist()
            had = [Had(vector, (old,), digest=one) for vector, one in zip(rows, digests, strict=False)]
            kept = had if has_row(old) else [Missing(old)]
            cells[name].append(columns[name][row] if name in task.to_do(row, job) else kept)
    return cells


def _status(cells: Sequence[Had | Missing]) -> str:
    """One status for an item's inputs: `ok` when any is there."""
    had = [one for one in cells if isinstance(one, Had)]
    if not had:
        return next(one.status for one in cells if isinstance(one, Missing))
    notes = list(dict.fromkeys(chain.from_iterable(one.notes for one in had)))
    if notes and has_row(notes[0]):  # a status taken over from before
        return notes[0]
    if had[0].stands_for:
        return stand_in(had[0].stands_for)
    return f"{OK}: {'; '.join(notes)}" if notes else OK


def _rows(name: str, column: Sequence[Sequence[Had | Missing]], dim: int) -> NDArray[np.float32]:
    """Stack the vectors: a zero row for an item without, but for text, where an item has any number of rows."""
    filler = [] if is_text(name) else [np.zeros(dim, dtype=np.float32)]
    rows = [row for cells in column for row in ([one.value for one in cells if isinstance(one, Had)] or filler)]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, dim), dtype=np.float32)
