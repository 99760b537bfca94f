"""`gram embed`: media -> store. Decodes in worker processes, encodes beside them, writes one shard at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets.items import is_registered
from gramcli.embedding.batches import Batches
from gramcli.embedding.glance import Glance
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.origin import write_origin
from gramcli.embedding.pipeline import SUBTITLE, Clock, Job, ShardTask, shard_contents, views_of
from gramcli.embedding.reading import Reader, identity, no_track
from gramcli.embedding.workers import open_pool
from gramcli.errors import UserError
from gramcli.files.writing import disk_errors
from gramcli.media.kinds import shown
from gramcli.results.records import LeftOut
from gramcli.results.runs import EmbedSummary
from gramcli.store.differences import differences
from gramcli.store.layout import (
    ABSENT,
    CAPTIONS,
    FAILED,
    MANIFEST,
    MEDIA_FILES,
    OK,
    STAND_IN,
    SUBTITLES,
    TEXT,
    Plan,
    PlannedItem,
    digest,
    is_text,
    read_manifest,
    reason_of,
    shard_file,
    state,
)
from gramcli.store.notes import keep_notes, read_notes
from gramcli.store.writer import StoreWriter

if TYPE_CHECKING:
    from gramcli.datasets.items import Dataset, Item
    from gramcli.encoders.base import Encoder
    from gramcli.modalities import Task
    from gramcli.store.items import ItemRow

Progress = Callable[[int, int, str], None]
"""Called with (items done, items in all, a few words on failures and the slower side)."""

PARTIAL: Final = "partial: "


def write_embeddings(
    dataset: Dataset,
    encoder: Encoder,
    output: Path | str,
    *,
    overwrite: bool = False,
    retry_failed: bool = False,
    options: EmbedOptions | None = None,
    progress: Progress | None = None,
) -> EmbedSummary:
    """Embed a dataset into a store, resuming where an earlier run of the same plan stopped.

    The modalities are those the dataset has and the encoder knows. A file that does not decode, hangs or crashes its
    decoder costs its item that modality (`failed: reason`), never the run; a whole file without a track of the modality
    is `absent`, and files named for it are counted in a note.

    Args:
        dataset: What to embed.
        encoder: With what.
        output: The store's directory.
        overwrite: Begin anew where a store of another plan is.
        retry_failed: Try again what failed before, in finished shards too. Its files may have been replaced.
        options: Workers, time limit, batches, shards.
        progress: Called from this thread.

    Returns:
        The whole store's counts, so that a run repeated returns the same but for the shards written and reused.

    Raises:
        UserError: The encoder knows none of the modalities, or see `StoreWriter.open`.
    """
    options = options or EmbedOptions()
    modalities, notes = _modalities(dataset, encoder)
    notes += encoder.describe(modalities).get("assumptions", [])
    root = dataset.media_root
    fused = {name: parts for name, parts in encoder.fused.items() if set(parts) <= set(modalities)}
    plan = _plan(dataset, encoder, modalities, fused, options.shard_size)
    ahead = options.batch_size + 2 * options.processes
    planned = [
        {name: one[name][1:] for name in item.media} for item, one in zip(dataset.items, plan.inputs, strict=True)
    ]
    batches, glance = Batches(options.batch_size, options.grows), Glance(encoder, len(dataset.items))
    job = Job(dataset, encoder, modalities, fused, root, batches, ahead, glance, planned)
    reader = Reader(encoder.preprocessing, encoder.prepare, root)
    clock = Clock()
    with (
        StoreWriter.open(Path(output), plan, overwrite=overwrite, retry_failed=retry_failed) as writer,
        open_pool(reader, options.processes, options.time_limit) as pool,
    ):
        with disk_errors(writer.path):
            write_origin(writer.path, dataset)
        if retry_failed:
            notes.append(_retried(writer))
        tasks = [
            ShardTask(index, plan.shard_range(index), writer.before.get(index)) for index in writer.missing_shards()
        ]
        tell = _Counter(progress, len(dataset.items), sum(len(task.positions) for task in tasks), clock)
        for task, content in zip(tasks, shard_contents(job, tasks, pool, tell.add, clock), strict=True):
            keep_notes(writer.path, glance.found)  # before the shard: one that was looked at is never there without
            writer.write_shard(task.index, content)
        writer.finish()
        rows = [row for record in writer.records for row in record.rows]
        return _summary(writer, dataset, rows, len(tasks), [*notes, *read_notes(writer.path).values()])


def preview(dataset: Dataset, encoder: Encoder, output: Path, options: EmbedOptions | None = None) -> str:
    """Say what `embed` would find at its output; nothing is written.

    Args:
        dataset: What would be embedded.
        encoder: With what.
        output: The store's directory.
        options: As for `embed`.

    Returns:
        One sentence.

    Raises:
        UserError: The encoder knows none of the modalities, or what is there is no store.
    """
    modalities, _ = _modalities(dataset, encoder)
    fused = {name: parts for name, parts in encoder.fused.items() if set(parts) <= set(modalities)}
    plan = _plan(dataset, encoder, modalities, fused, (options or EmbedOptions()).shard_size)
    if not (output / MANIFEST).exists():
        return f"A new store of {_shards(plan.n_shards)} would be written to {output}."
    manifest = read_manifest(output)
    found = differences(manifest, plan.identity())
    if found:
        return (
            f"{output} is a store of something else ({'; '.join(found[:3])}): it would be refused without --overwrite."
        )
    there = sum((output / shard_file(index)).exists() for index in range(plan.n_shards))
    if there == plan.n_shards:
        return f"{output} has all it needs ({_shards(there)}): nothing would be written."
    return f"{output} has {there} of {_shards(plan.n_shards)}: the others would be written."


def _shards(n: int) -> str:
    return "1 shard" if n == 1 else f"{n} shards"


def _retried(writer: StoreWriter) -> str:
    """How many items `--retry-failed` tries again: those of finished shards of which some modality had failed."""
    statuses = [list(content.status.values()) for content in writer.before.values()]
    n = sum(any(state(status) == FAILED for status in item) for one in statuses for item in zip(*one, strict=True))
    if not n:
        return "--retry-failed: nothing in the finished shards had failed; nothing was tried again."
    which = "1 item that had failed was" if n == 1 else f"{n} items that had failed were"
    return f"--retry-failed: {which} tried again."


class _Counter:
    """Turns items into calls of the progress callback."""

    def __init__(self, progress: Progress | None, total: int, to_do: int, clock: Clock) -> None:
        self._progress, self._total, self._done, self._clock = progress, total, total - to_do, clock
        self._failed = 0
        self.add(0, 0)

    def add(self, n: int, n_failed: int) -> None:
        """Count n more items, and n_failed more files or texts that failed."""
        self._done += n
        self._failed += n_failed
        if self._progress is not None:
            words = [f"{self._failed} failed"] * bool(self._failed)
            words += [f"bottleneck: {self._clock.bottleneck}"] * bool(self._clock.waiting + self._clock.working)
            self._progress(self._done, self._total, ", ".join(words))


def _modalities(dataset: Dataset, encoder: Encoder) -> tuple[tuple[str, ...], list[str]]:
    known = ", ".join(encoder.modalities)
    chosen = tuple(name for name in dataset.modalities if name in encoder.modalities)
    if not chosen:
        has = ", ".join(dataset.modalities) or "none"
        raise UserError("input", f"{encoder.spec} embeds {known}; {dataset.id} has {has}. Use another model.")
    skipped = [name for name in dataset.modalities if name not in encoder.modalities]
    # Where no item at all has sound or subtitles, what stands for them is still asked for.
    chosen += tuple(name for name in encoder.stand_ins if name not in chosen)
    return chosen, [f"{name} was not embedded: {encoder.spec} embeds {known}." for name in skipped]


def check_tasks(dataset: Dataset, encoder: Encoder, tasks: Sequence[Task]) -> None:
    """Refuse tasks whose embeddings this dataset and encoder do not give, before anything is embedded.

    Raises:
        UserError: A task names what the encoder does not encode, or what no item of the dataset has.
    """
    chosen, _ = _modalities(dataset, encoder)
    given = [made for name in chosen for made in (*views_of(encoder, name), name)]
    given += [name for name, parts in encoder.fused.items() if set(parts) <= set(chosen)]
    gives = ", ".join(dict.fromkeys(given))
    for task in tasks:
        for name in task.modalities:
            if name not in encoder.dims and name not in encoder.modalities:
                known = ", ".join(encoder.dims)
                why = f"{encoder.spec} does not encode; it encodes {known}"
            elif name not in given:
                parts = encoder.fused.get(name, ())
                lacking = ", ".join(part for part in parts if part not in chosen)
                why = f"{dataset.id} does not have{f' ({lacking})' if parts else ''}; it gives {gives}"
            else:
                continue
            raise UserError("usage", f"Task {task.name} needs {name}, which {why}. Name another --task.")


def _plan(
    dataset: Dataset, encoder: Encoder, modalities: tuple[str, ...], fused: Iterable[str], shard_size: int
) -> Plan:
    sources: dict[str, str] = {}
    inputs = tuple(_inputs(item, dataset.media_root) for item in dataset.items)
    names = [*(made for name in modalities for made in views_of(encoder, name)), *fused]
    if TEXT in modalities:
        sources[CAPTIONS] = digest([one[TEXT] for one in inputs])
    if SUBTITLE in modalities:
        sources[SUBTITLES] = digest([one[SUBTITLE] for one in inputs])
    sources[MEDIA_FILES] = digest(
        [{name: one[name] for name in item.media} for item, one in zip(dataset.items, inputs, strict=True)]
    )
    return Plan(
        model=encoder.describe(list(modalities)),
        dataset=_described(dataset),
        dims={name: encoder.dims[name] for name in names},
        items=tuple(PlannedItem(item.id, item.split, item.label) for item in dataset.items),
        shard_size=shard_size,
        sources=sources,
        inputs=inputs,
    )


def _described(dataset: Dataset) -> dict[str, Any]:
    """What the manifest says of the dataset; of a registered protocol also its size and whom it leaves out."""
    said: dict[str, Any] = {
        "id": dataset.id,
        "protocol": dataset.protocol,
        "annotation_sha256": dataset.annotation_sha256,
    }
    if is_registered(dataset.protocol):
        tested = None if dataset.beside is None else dataset.beside.evaluated
        said |= {
            "n": sum(tested in (None, item.split) for item in dataset.items),
            "protocol_n": dataset.size,
            "left_out": [asdict(entry) for entry in dataset.left_out],
        }
    if dataset.beside is not None:
        beside = dataset.beside
        said |= {"evaluated": beside.evaluated, "beside": dict(beside.annotations), "shared": list(beside.shared)}
    return said


def _inputs(item: Item, root: Path) -> dict[str, Any]:
    """What an item's embeddings are made from, by modality: texts themselves, and the identity of files."""
    files = {name: identity(path, root) for name, path in item.media.items()}
    return {TEXT: item.captions, SUBTITLE: item.subtitle, **files}


def _summary(
    writer: StoreWriter, dataset: Dataset, rows: Sequence[ItemRow], written: int, notes: Sequence[str]
) -> EmbedSummary:
    counts = {name: Counter(state(row.status[name]) for row in rows) for name in writer.plan.modalities}
    partial = {name: sum(_is_partial(row.status[name]) for row in rows) for name in writer.plan.modalities}
    absent = {name: n for name, count in counts.items() if (n := count[ABSENT] + count[STAND_IN])}
    standing = {name: count[STAND_IN] for name, count in counts.items() if count[STAND_IN]}
    summary = EmbedSummary(
        path=writer.path,
        items=len(rows),
        captions=sum(row.captions for row in rows),
        ok={name: count[OK] for name, count in counts.items()},
        left_out=tuple(_left_out(dataset, rows)),
        shards_written=written,
        shards_reused=writer.reused,
        absent=absent,
        partial={name: n for name, n in partial.items() if n},
    )
    told = [*dataset.told, *notes]
    told += [f"{name}: absent from {n} of {len(rows)} items." for name, n in absent.items()]
    told += [
        f"{name}: {n} of the absent have a stand-in, which --missing zero evaluates." for name, n in standing.items()
    ]
    told += [
        f"{name}: {n} of {len(rows)} items were decoded in part; items.csv says how far."
        for name, n in summary.partial.items()
    ]
    told += _without_a_track(dataset, rows)
    if not summary.usable:
        told.append(_nothing_usable(rows))
    return replace(summary, notes=tuple(told))


def _nothing_usable(rows: Sequence[ItemRow]) -> str:
    """Say what stood in the way: a file, the encoder, or that there is nothing; of media, where there are any."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, status in row.status.items():
            if state(status) != OK:
                found.setdefault(name, []).append(status)
    if not found:
        return "Nothing usable was embedded."
    name = max(found, key=lambda one: (not is_text(one), any(state(status) == FAILED for status in found[one])))
    counts = Counter(sorted(found[name], key=lambda status: state(status) != FAILED))
    first, n = counts.most_common(1)[0]
    example = "" if n == len(found[name]) else "for instance "
    return (
        f"Nothing usable was embedded: {name} of {len(found[name])} of {len(rows)} items is lacking, {example}"
        f"{reason_of(first).rstrip('.')}; items.csv holds the reasons."
    )


def _without_a_track(dataset: Dataset, rows: Sequence[ItemRow]) -> Iterator[str]:
    """Count the files that were named for a modality of which they have no track: a wrong column, perhaps."""
    for name in ("video", "audio"):
        files = [
            item.media[name].name
            for item, row in zip(dataset.items, rows, strict=True)
            if item.has_file(name) and reason_of(row.status.get(name, "")) == reason_of(no_track(name))
        ]
        if files:
            yield (
                f"{name}: {len(files)} of {len(rows)} items {'names' if len(files) == 1 else 'name'} a file without "
                f"{'an' if name == 'audio' else 'a'} {name} track, for instance {shown(Path(files[0]))}."
            )


def _left_out(dataset: Dataset, rows: Sequence[ItemRow]) -> Iterator[LeftOut]:
    for item, row in zip(dataset.items, rows, strict=True):
        for name, status in row.status.items():
            if state(status) == FAILED:
                yield LeftOut(row.id, name, reason_of(status))
            elif is_text(name) and row.captions < len(item.captions):
                lost = len(item.captions) - row.captions
                yield LeftOut(row.id, name, f"{lost} of {len(item.captions)} captions could not be embedded")


def _is_partial(status: str) -> bool:
    return state(status) == OK and PARTIAL in status
