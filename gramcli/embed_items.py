"""The inner part of `embed` that runs beside the model: keep the workers busy, fill batches, say what is missing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.errors import UserError
from gramcli.media.kinds import shown
from gramcli.read_items import Had, Missing
from gramcli.store.layout import FAILED, OK, TEXT, absent, failed, state
from gramcli.store.shards import ShardContent
from gramcli.workers import Lost, Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.datasets.items import Dataset, Item
    from gramcli.encoders.base import Encoder

SUBTITLE: Final = "subtitle"

Inputs = dict[str, list[Had | Missing]]
"""What was found of one item: per modality the inputs, of which there are several only for text."""


@dataclass(frozen=True)
class Job:
    """What to embed, and with what.

    Attributes:
        dataset: The items.
        encoder: The model.
        modalities: Those to embed, in order.
        root: Folder that reasons of failures leave out of paths.
        batch_size: Inputs of one modality that are encoded together.
        ahead: Items decoded ahead of the model.
    """

    dataset: Dataset
    encoder: Encoder
    modalities: tuple[str, ...]
    root: Path
    batch_size: int
    ahead: int


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

    def to_do(self, row: int, modalities: Sequence[str]) -> tuple[str, ...]:
        """The modalities that have to be read for item `row` of the shard."""
        if self.previous is None:
            return tuple(modalities)
        return tuple(name for name in modalities if self.previous.status[name][row].startswith(FAILED))


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
        pool: Reads files: `gramcli.read_items.Reader` behind it.
        done: Called with (items embedded since the last call, how many inputs of theirs failed).
        clock: Told how long each side took.

    Yields:
        Their contents in order; the same whatever the number of workers, batches or resumed runs.

    Raises:
        UserError: The encoder gave arrays of a wrong shape. What befalls one file or vector is a status instead.
    """
    found = _read_ahead(job, tasks, pool, clock)
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
        return self.future.done()

    def answer(self) -> Had | Missing:
        result: Had | Missing | Lost = self.future.result()
        return (
            Missing(failed(f"{shown(Path(self.path.name))}: {result.reason}")) if isinstance(result, Lost) else result
        )


def _read_ahead(job: Job, tasks: Sequence[ShardTask], pool: Pool, clock: Clock) -> Iterator[tuple[Inputs, bool]]:
    """Yield what was found of each item, in order, and whether the next one is there without waiting."""
    waiting: deque[dict[str, list[_Asked | Had | Missing]]] = deque()
    order = ((task, row) for task in tasks for row in range(len(task.positions)))
    while True:
        while len(waiting) <= job.ahead and (place := next(order, None)):
            task, row = place
            item = job.dataset.items[task.positions[row]]
            waiting.append({name: _asked(item, name, pool) for name in task.to_do(row, job.modalities)})
        if not waiting:
            return
        asked = waiting.popleft()
        start = time.perf_counter()
        inputs = {
            name: [one.answer() if isinstance(one, _Asked) else one for one in entries]
            for name, entries in asked.items()
        }
        clock.waiting += time.perf_counter() - start
        yield inputs, not waiting or _is_ready(waiting[0])


def _is_ready(asked: Mapping[str, Sequence[_Asked | Had | Missing]]) -> bool:
    return all(one.ready for entries in asked.values() for one in entries if isinstance(one, _Asked))


def _asked(item: Item, name: str, pool: Pool) -> list[_Asked | Had | Missing]:
    """Ask the pool for a file; texts are there already."""
    if name == TEXT:
        return [Had(caption) for caption in item.captions] or [Missing(absent("no caption"))]
    if name == SUBTITLE:
        return [Missing(absent("no subtitle")) if item.subtitle is None else Had(item.subtitle)]
    if name not in item.media:
        return [Missing(absent(f"no {name} file"))]
    path = item.media[name]
    own = not (name == "audio" and path == item.media.get("video"))
    return [_Asked(path, pool.submit(name, path, own))]


@dataclass
class _Shard:
    """Vectors of the shard being made: per modality and item a list of vectors or of what stands for them."""

    job: Job
    clock: Clock
    columns: dict[str, list[list[Any]]] = field(default_factory=dict)
    _pending: dict[str, list[tuple[list[Any], int, Any]]] = field(default_factory=dict)
    _failed: int = 0

    def add(self, inputs: Inputs, *, idle: bool) -> None:
        """Take what was found of the next item, and encode full batches; any, when there is nothing else to do."""
        for name in self.job.modalities:
            cells: list[Any] = list(inputs.get(name, ()))
            self.columns.setdefault(name, []).append(cells)
            pending = self._pending.setdefault(name, [])
            pending += [(cells, k, one.value) for k, one in enumerate(cells) if isinstance(one, Had)]
            self._failed += sum(isinstance(one, Missing) and one.status.startswith(FAILED) for one in cells)
            if name not in (TEXT, SUBTITLE):
                while len(pending) >= (1 if idle else self.job.batch_size):
                    self._encode(name, pending[: self.job.batch_size])
                    del pending[: self.job.batch_size]

    def finish(self) -> None:
        """Encode what is left; texts in the order of their lengths, so that a batch needs little padding."""
        for name, pending in self._pending.items():
            if name in (TEXT, SUBTITLE):
                pending.sort(key=lambda entry: len(entry[2]))
            for start in range(0, len(pending), self.job.batch_size):
                self._encode(name, pending[start : start + self.job.batch_size])
            pending.clear()

    def newly_failed(self) -> int:
        """How many inputs failed since the last call."""
        failed_now, self._failed = self._failed, 0
        return failed_now

    def _encode(self, name: str, batch: Sequence[tuple[list[Any], int, Any]]) -> None:
        start = time.perf_counter()
        vectors = _vectors(self.job.encoder, name, [value for _, _, value in batch])
        self.clock.working += time.perf_counter() - start
        for (cells, k, _), vector in zip(batch, vectors, strict=True):
            self._failed += isinstance(vector, Missing)
            cells[k] = vector if isinstance(vector, Missing) else Had(vector, cells[k].notes)


def _vectors(encoder: Encoder, modality: str, inputs: Sequence[Any]) -> list[Any]:
    """Return a vector or a `Missing` in the place of every input."""
    try:
        rows = encoder.encode(modality, inputs)
    except UserError as error:
        if len(inputs) == 1:
            return [Missing(failed(str(error)))]
        return [vector for one in inputs for vector in _vectors(encoder, modality, [one])]
    if rows.shape != (len(inputs), encoder.dims[modality]):
        wanted = [len(inputs), encoder.dims[modality]]
        raise UserError("embedding", f"{encoder.spec} gave '{modality}' {list(rows.shape)} where {wanted} was due.")
    usable = [bool(np.isfinite(row).all() and row.any()) for row in rows]
    missing = Missing(failed(f"{encoder.spec} gave a vector that is zero or not finite"))
    return [row if good else missing for row, good in zip(rows, usable, strict=True)]


def _content(job: Job, task: ShardTask, columns: Mapping[str, list[list[Any]]]) -> ShardContent:
    """Put vectors, statuses and, where a shard is only mended, its earlier rows together."""
    cells = columns if task.previous is None else _mended(job, task, task.previous, columns)
    status = {name: [_status(found) for found in cells[name]] for name in job.modalities}
    embeddings = {name: _rows(name, cells[name], job.encoder.dims[name]) for name in job.modalities}
    counts = [sum(isinstance(one, Had) for one in found) for found in cells.get(TEXT, [])]
    owners = np.repeat(np.array(task.positions, dtype=np.int64)[: len(counts)], np.array(counts, dtype=np.int64))
    return ShardContent(embeddings, status, owners)


def _mended(
    job: Job, task: ShardTask, before: ShardContent, columns: Mapping[str, list[list[Any]]]
) -> dict[str, list[list[Any]]]:
    """The shard's cells: new where something was tried again, else as they were."""
    cells: dict[str, list[list[Any]]] = {}
    for name in job.modalities:
        owners = before.caption_items if name == TEXT else np.array(task.positions)
        cells[name] = []
        for row, position in enumerate(task.positions):
            old = before.status[name][row]
            rows = before.embeddings[name][owners == position]
            kept = [Had(vector, (old,)) for vector in rows] if state(old) == OK else [Missing(old)]
            cells[name].append(columns[name][row] if name in task.to_do(row, job.modalities) else kept)
    return cells


def _status(cells: Sequence[Had | Missing]) -> str:
    """One status for an item's inputs: `ok` when any is there."""
    had = [one for one in cells if isinstance(one, Had)]
    if not had:
        return next(one.status for one in cells if isinstance(one, Missing))
    notes = list(dict.fromkeys(chain.from_iterable(one.notes for one in had)))
    if notes and state(notes[0]) == OK:  # a status taken over from before
        return notes[0]
    return f"{OK}: {'; '.join(notes)}" if notes else OK


def _rows(name: str, column: Sequence[Sequence[Had | Missing]], dim: int) -> NDArray[np.float32]:
    """Stack the vectors: a zero row for an item without, but for text, where an item has any number of rows."""
    filler = [] if name == TEXT else [np.zeros(dim, dtype=np.float32)]
    rows = [row for cells in column for row in ([one.value for one in cells if isinstance(one, Had)] or filler)]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, dim), dtype=np.float32)
