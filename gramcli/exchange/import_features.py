"""The `import` verb: feature files that other tools wrote into a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.exchange.assemble import Assembler, Pooling, dim_of, shard_size_for, stamped, time_notes, write
from gramcli.exchange.base import MOST_ITEMS, Features, Recognised, wrong
from gramcli.exchange.import_own import are_exports, import_own
from gramcli.exchange.item_tables import Told, read_told
from gramcli.exchange.names import near_of
from gramcli.exchange.opening import operands_of
from gramcli.exchange.placing import LazyItems, Matched, matched
from gramcli.exchange.pooling import POOLS
from gramcli.exchange.recognise import recognised
from gramcli.media.kinds import shown
from gramcli.results.imports import Imported, ImportedModality
from gramcli.results.watch import NOBODY, Watch
from gramcli.store.layout import OK, TEXT, Plan, digest, is_text, reason_of, state
from gramcli.store.writer import StoreWriter, counted

if TYPE_CHECKING:
    from gramcli.exchange.base import Operand

PathLike = str | Path
_ORDER: Final = ("text", "video", "audio", "subtitle", "depth", "image")


# fmt: off
def import_features(  # noqa: PLR0913 - a keyword for each option of the command
    files: PathLike | Sequence[PathLike], output: PathLike | None = None, *,
    from_format: str | None = None, ids: str | None = None, table: PathLike | None = None,
    texts: PathLike | None = None, pool: str = "mean", time_axis: int | None = None,
    shared_space: bool | None = None, rename: Mapping[str, str] | None = None, dataset: str | None = None,
    model: str | None = None, overwrite: bool = False, dry_run: bool = False, watch: Watch = NOBODY,
) -> Imported:
    """Write features that other tools made into a store, as `gram import` does.

    Vectors are kept as they are: not of unit length, where they were not. An item whose features are all NaN, -inf or
    zeros is absent, never a zero vector.

    Args:
        files: Files or folders; `video=clip.npy` names the modality of one.
        output: The store to write; None with `dry_run`.
        from_format: Name of a format; None recognises it.
        ids: A file with the ids of the rows, in order; `FILE:COLUMN` names the column.
        table: A table of id, split, label and caption, one row an item or one row a caption.
        texts: The texts whose vectors are wanted, for formats that store vectors by text.
        pool: How time steps become one vector: `mean`, `max`, `first`, `last`.
        time_axis: Which axis of one item's array is time; None for the first, unless it counts the captions of each.
        shared_space: Whether vectors of different modalities can be compared; None where that is not known.
        rename: Name of a modality as recognised -> as stored.
        dataset: A name for the items; the first file's by default.
        model: A name for what made the features; imports of one name are of one model.
        overwrite: Begin anew where a store of something else is.
        dry_run: Read everything, write nothing.
        watch: Told of progress.

    Returns:
        What was recognised, and what is in the store.

    Raises:
        UserError: As `gram import` says in one sentence.

    Example:
        >>> import_features(["text.npy", "video.npy"], "store", ids="ids.txt").items  # doctest: +SKIP
        1000
    """
    if pool not in POOLS:
        raise UserError("usage", f"--pool '{pool}' is not known. Known: {', '.join(POOLS)}.")
    if output is None and not dry_run:
        raise UserError("usage", "Name the store to write, -o STORE, or look first with --dry-run.")
    listed = [files] if isinstance(files, str | Path) else list(files)
    if are_exports(listed, from_format):
        given = {
            "--ids": ids, "--table": table, "--texts": texts, "--pool": pool != "mean", "--model": model,
            "--time-axis": time_axis is not None, "--shared-space": shared_space is not None, "--rename": rename,
            "--dataset": dataset,
        }
        path = None if dry_run or output is None else Path(output)
        return import_own(listed, path, given, overwrite=overwrite, watch=watch)
    operands = operands_of(listed, None if texts is None else Path(texts), time_axis or 0)
    parts = recognised(operands, from_format)
    told = read_told(ids, table)
    _rename(parts, rename or {})
    _suspect(parts, {one.name for one in operands} | set((rename or {}).values()))
    found = matched(parts, told, fold=time_axis is None)
    work = _Work(operands, parts, told, found, Pooling(pool, time_axis or 0), None if output is None else Path(output))
    plan = work.plan(shared_space, dataset, model)
    progress = watch.stage("Reading" if dry_run else "Importing")
    if dry_run or output is None:
        return work.looked(plan, progress)
    with StoreWriter.open(Path(output), plan, overwrite=overwrite) as writer:
        assembler = work.assembler()
        write(writer, plan, assembler, progress)
        found.notes += assembler.notes()
        captions = sum(sum(record.rows.captions) for record in writer.records)
        return work.summary(plan, writer.states(), captions, Path(output))
# fmt: on


def _rename(parts: Sequence[Recognised], names: Mapping[str, str]) -> None:
    features = [one for part in parts for one in part.features]
    known = [one.name for one in features]
    for old, new in names.items():
        if old not in known:
            raise UserError("usage", f"--rename {old}={new}: there is no '{old}'. Found: {', '.join(known)}.")
    for one in features:
        one.name = names.get(one.name, one.name)
        if is_text(one.name) and one.name != TEXT:
            remedy = "Import it as text into a store of its own, and join: gram join A B:text=" + one.name
            raise wrong(one.source, f"would be '{one.name}', a second text", remedy)
    for part in parts:
        part.status = {names.get(name, name): status for name, status in part.status.items()}


def _suspect(parts: Sequence[Recognised], named: Collection[str | None]) -> None:
    """Mark modalities whose names, which the user did not give, seem to mean one that is not there."""
    features = [one for part in parts for one in part.features]
    held = {one.name for one in features}
    for one in features:
        meant = None if one.name in named else near_of(one.name)
        one.meant = None if meant in held else meant


@dataclass
class _Work:
    """What one import knows.

    Attributes:
        operands: The files.
        parts: What readers found.
        told: What the user's own files say.
        found: The items.
        pooling: How time becomes one vector.
        output: The store to write.
    """

    operands: Sequence[Operand]
    parts: Sequence[Recognised]
    told: Told
    found: Matched
    pooling: Pooling
    output: Path | None = None

    def __post_init__(self) -> None:
        if not len(self.found.ids):
            raise wrong(shown(self.operands[0].path), "holds no items: it has no rows")
        if len(self.found.ids) > MOST_ITEMS:
            raise wrong(shown(self.operands[0].path), f"has {len(self.found.ids):,} items; at most {MOST_ITEMS:,}")
        for one in self.found.placed:
            self.found.notes += time_notes(one.features, self.pooling.time_axis)
        self.found.placed.sort(key=lambda one: _ORDER.index(n) if (n := one.features.name) in _ORDER else len(_ORDER))

    @property
    def shared_space(self) -> bool | None:
        """Whether the files say that modalities share a space; only where they all come from one."""
        return self.parts[0].shared_space if len(self.parts) == 1 else None

    def assembler(self) -> Assembler:
        """What makes the shards."""
        status: dict[str, dict[str, str]] = {}
        for part in self.parts:
            status |= part.status
        return Assembler(self.found, self.pooling, status)

    def plan(self, shared_space: bool | None, dataset: str | None, named: str | None) -> Plan:
        """What the store will hold."""
        facts, first = self.found.facts, self.parts[0]
        dims = {one.features.name: dim_of(one, self.pooling) for one in self.found.placed}
        model, data = self._model(shared_space, named), self._dataset(dataset)
        sources = {
            "feature files": digest(stamped([one.path for one in self.operands], self.output)),
            "ids and texts": digest([self.told.sha256, _texts_of(self.found)]),
        }
        items = LazyItems(self.found.ids, facts)
        size = first.shard_size if len(self.parts) == 1 and first.shard_size else shard_size_for(dims)
        return Plan(model, data, dims, items, size, sources)

    def _model(self, shared_space: bool | None, named: str | None) -> dict[str, Any]:
        known = self.parts[0].model if len(self.parts) == 1 else None
        said: dict[str, Any] = {} if named is None else {"id": named}
        if known is not None:
            return dict(known) | said | ({} if shared_space is None else {"shared_space": shared_space})
        alone = len(self.found.placed) == 1
        return {
            "id": named or _stem(self.operands[0].path),
            "shared_space": self.shared_space if shared_space is None else shared_space,
            "imported": {
                "formats": sorted({part.format for part in self.parts}),
                "pool": None if alone and not self._has_time() else self.pooling.how,
                "time_axis": self.pooling.time_axis,
                "files": [one.path.name for one in self.operands],
                **({} if named is None else {"model": named}),
            },
        }

    def _has_time(self) -> bool:
        return any(len(one.features.rows.inner) > 1 for one in self.found.placed)

    def _dataset(self, named: str | None) -> dict[str, Any]:
        known = self.parts[0].dataset if len(self.parts) == 1 else None
        if known is not None:
            return dict(known) | ({} if named is None else {"id": named})
        name = named or _stem(self.operands[0].path)
        return {"id": name, "protocol": "imported", "annotation_sha256": self.told.sha256}

    def looked(self, plan: Plan, progress: Any) -> Imported:  # noqa: ANN401 - a `Progress`
        """Read everything and write nothing."""
        assembler, statuses, captions = self.assembler(), list[Mapping[str, str]](), 0
        for index in range(plan.n_shards):
            positions = plan.shard_range(index)
            content = assembler.content(positions, plan.dims)
            statuses += [
                dict(zip(content.status, one, strict=True)) for one in zip(*content.status.values(), strict=True)
            ]
            captions += len(content.caption_items)
            progress(positions.stop, len(plan.items))
        self.found.notes += assembler.notes()
        return self.summary(plan, counted(statuses), captions, None)

    def summary(
        self, plan: Plan, states: Iterable[tuple[Mapping[str, str], int]], captions: int, output: Path | None
    ) -> Imported:
        """Return what was recognised and what became of it."""
        counts: Counter[tuple[str, str]] = Counter()
        for status, n in states:
            for pair in status.items():
                counts[pair] += n
        modalities = tuple(self._modality(one.features, counts, plan.dims) for one in self.found.placed)
        if not any(one.ok for one in modalities):
            raise wrong(shown(self.operands[0].path), "holds no vector: every one is NaN, -inf or zeros")
        facts = self.found.facts
        shared = plan.model.get("shared_space")
        notes = list(dict.fromkeys(self.found.notes))
        if shared is None and len(modalities) > 1:
            notes.append("Nothing says whether the modalities share one space: say it with --shared-space yes or no.")
        return Imported(
            path=output,
            formats=tuple(dict.fromkeys(part.format for part in self.parts)),
            items=len(plan.items),
            ids_from=self.found.ids_from,
            modalities=modalities,
            captions=captions,
            texts=sum(map(len, facts.captions.values())),
            splits=dict(Counter(facts.splits.values())),
            labelled=len(facts.labels),
            labels=len(set(facts.labels.values())),
            shared_space=shared if isinstance(shared, bool) else None,
            notes=tuple(notes),
        )

    def _modality(
        self, one: Features, counts: Mapping[tuple[str, str], int], dims: Mapping[str, int]
    ) -> ImportedModality:
        states = {status: n for (name, status), n in counts.items() if name == one.name}
        absent: dict[str, int] = {}
        for status, n in states.items():
            if state(status) != OK:
                absent[reason_of(status)] = absent.get(reason_of(status), 0) + n
        axes = len(one.rows.inner)
        time = axes > 1
        return ImportedModality(
            name=one.name,
            source=one.source,
            shape=(one.rows.n, *one.rows.inner),
            dtype=one.rows.dtype,
            time_axis=self.pooling.time_axis % axes if time else None,
            pool=self.pooling.how if time else None,
            dim=dims[one.name],
            ok=sum(n for status, n in states.items() if state(status) == OK),
            absent=absent,
        )


def _texts_of(found: Matched) -> str | None:
    return digest(list(found.facts.captions.items())) if found.facts.captions else None


def _stem(path: Path) -> str:
    return path.resolve().name.partition(".")[0] or "features"
