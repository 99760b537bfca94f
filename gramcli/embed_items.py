"""The inner part of `embed`: decode items in threads, encode them in order, and mark what could not be had."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.errors import UserError
from gramcli.media.audio import NoAudioTrack, read_audio
from gramcli.media.image import read_image
from gramcli.media.video import read_video
from gramcli.store.layout import ABSENT, OK, TEXT, failed
from gramcli.store.shards import ShardContent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.datasets.items import Dataset, Item
    from gramcli.encoders.base import Encoder, Preprocessing

SUBTITLE: Final = "subtitle"
# Items decoded and encoded together: bounds memory (8 frames of a 1080p clip are 50 MB), and since it is counted
# from the shard's start, a resumed run forms the same batches.
_BATCH: Final = 4
_MOST_THREADS: Final = 8  # each holds a decoded clip


@dataclass(frozen=True)
class _Missing:
    """Stands where an input or a vector could not be had; `status` says why."""

    status: str


@dataclass(frozen=True)
class Job:
    """What to embed, and with what.

    Attributes:
        dataset: The items.
        encoder: The model.
        modalities: Those to embed, in order.
        root: Folder that reasons of failures leave out of paths.
        workers: Threads that decode, at least one; None for one per processor, at most 8.
    """

    dataset: Dataset
    encoder: Encoder
    modalities: tuple[str, ...]
    root: Path
    workers: int | None

    @property
    def threads(self) -> int:
        """How many threads decode."""
        return min(os.cpu_count() or 1, _MOST_THREADS) if self.workers is None else max(1, self.workers)


@contextmanager
def decoding_threads(job: Job) -> Iterator[ThreadPoolExecutor]:
    """Give threads that drop what waits, rather than decode it, when the run is interrupted.

    Args:
        job: Says how many.

    Raises:
        UserError: A negative number.
    """
    if job.workers is not None and job.workers < 0:
        raise UserError("usage", f"--workers must not be negative; got {job.workers}.")
    pool = ThreadPoolExecutor(job.threads, thread_name_prefix="decode")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def embed_shard(job: Job, positions: range, pool: ThreadPoolExecutor, done: Callable[[int], None]) -> ShardContent:
    """Embed the items of one shard.

    Args:
        job: What to embed, and with what.
        positions: The items' places in the dataset.
        pool: Threads that decode.
        done: Called with a number of items whenever so many more are embedded.

    Returns:
        The shard's content; the same whatever the number of threads.

    Raises:
        UserError: The encoder gave arrays of a wrong shape. What befalls one file or vector is a status instead.
    """
    columns: dict[str, list[list[Any]]] = {name: [] for name in job.modalities}
    decoded = _decoded(job, positions, pool)
    while batch := list(islice(decoded, _BATCH)):
        for name in job.modalities:
            columns[name] += _encoded(job.encoder, name, [inputs[name] for inputs in batch])
        done(len(batch))
    status = {name: [_status(vectors) for vectors in column] for name, column in columns.items()}
    embeddings = {name: _rows(name, column, job.encoder.dims[name]) for name, column in columns.items()}
    counts = [len(_had(vectors)) for vectors in columns.get(TEXT, [])]
    owners = np.repeat(np.array(positions, dtype=np.int64)[: len(counts)], np.array(counts, dtype=np.int64))
    return ShardContent(embeddings, status, owners)


def _had(vectors: Sequence[Any]) -> list[Any]:
    return [vector for vector in vectors if not isinstance(vector, _Missing)]


def _rows(name: str, column: Sequence[Sequence[Any]], dim: int) -> NDArray[np.float32]:
    """Stack the vectors: a zero row for an item without, but for text, where an item has any number of rows."""
    filler = [] if name == TEXT else [np.zeros(dim, dtype=np.float32)]
    rows = [row for vectors in column for row in (_had(vectors) or filler)]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, dim), dtype=np.float32)


def _status(vectors: Sequence[Any]) -> str:
    if not vectors:
        return ABSENT
    missing = [vector for vector in vectors if isinstance(vector, _Missing)]
    return missing[0].status if len(missing) == len(vectors) else OK


def _decoded(job: Job, positions: range, pool: ThreadPoolExecutor) -> Iterator[dict[str, list[Any]]]:
    """Decode items in threads, in order; only as far ahead as keeps the threads busy, for memory's sake."""
    waiting: deque[Future[dict[str, list[Any]]]] = deque()
    for position in positions:
        waiting.append(pool.submit(_inputs, job, job.dataset.items[position]))
        if len(waiting) > job.threads:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _inputs(job: Job, item: Item) -> dict[str, list[Any]]:
    """Return what the encoder gets of one item: per modality a list of inputs, empty where it is absent."""
    found: dict[str, list[Any]] = {}
    for name in job.modalities:
        if name == TEXT:
            found[name] = list(item.captions)
        elif name == SUBTITLE:
            found[name] = [] if item.subtitle is None else [item.subtitle]
        else:
            found[name] = _read(item, name, job.encoder.preprocessing, job.root) if name in item.media else []
    return found


def _read(item: Item, modality: str, preprocessing: Preprocessing, root: Path) -> list[Any]:
    path = item.media[modality]
    try:
        if modality == "video":
            return [read_video(path, preprocessing.frames, preprocessing.frame_rule)]
        if modality == "audio":
            return [read_audio(path, preprocessing.sample_rate)]
        return [read_image(path)]
    except NoAudioTrack as error:
        # Only a sound file that was named can be missed; a silent video has no sound to embed.
        return [] if path == item.media.get("video") else [_Missing(_reason(error, root))]
    except (UserError, OSError, MemoryError) as error:
        return [_Missing(_reason(error, root))]


def _reason(error: Exception, root: Path) -> str:
    # Without the path to the dataset, shards are the same wherever it lies.
    return failed((str(error) or type(error).__name__).replace(f"{root}{os.sep}", ""))


def _encoded(encoder: Encoder, modality: str, batch: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return a vector or a `_Missing` in the place of every input."""
    inputs = [one for inputs in batch for one in _had(inputs)]
    vectors = iter(_vectors(encoder, modality, inputs))
    return [[one if isinstance(one, _Missing) else next(vectors) for one in inputs] for inputs in batch]


def _vectors(encoder: Encoder, modality: str, inputs: Sequence[Any]) -> list[Any]:
    if not inputs:
        return []
    try:
        rows = encoder.encode(modality, inputs)
    except UserError as error:
        if len(inputs) == 1:
            return [_Missing(failed(str(error)))]
        return [vector for one in inputs for vector in _vectors(encoder, modality, [one])]
    if rows.shape != (len(inputs), encoder.dims[modality]):
        wanted = [len(inputs), encoder.dims[modality]]
        raise UserError("embedding", f"{encoder.spec} gave '{modality}' {list(rows.shape)} where {wanted} was due.")
    usable = [bool(np.isfinite(row).all() and row.any()) for row in rows]
    missing = _Missing(failed(f"{encoder.spec} gave a vector that is zero or not finite"))
    return [row if good else missing for row, good in zip(rows, usable, strict=True)]
