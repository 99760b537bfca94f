"""Writing a store so that it survives being killed: whole shards, one writer, one plan.

States of a directory, in the order a run goes through them: empty; manifest.json with `complete: false`; shards one by
one; items.csv; manifest.json with `complete: true`. Each step is one rename, so a killed run is in exactly one of them.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from gramcli.errors import ANEW_IN_A_SHELL, ANEW_IN_PYTHON, UserError
from gramcli.files.locking import take_lock
from gramcli.files.reading import read_regular
from gramcli.files.writing import (
    disk_errors,
    make_folder,
    make_own_folder,
    prepared,
    remove_files,
    remove_leftovers,
    replacing,
    write_atomic,
)
from gramcli.modalities import base_of
from gramcli.store.differences import differences
from gramcli.store.items import format_items
from gramcli.store.layout import (
    CAPTIONS,
    FAILED,
    INPUTS,
    ITEMS,
    LOCK,
    MANIFEST,
    MEDIA_FILES,
    OK,
    SHARDS,
    SUBTITLES,
    canonical,
    digest,
    is_shard_name,
    is_text,
    read_inputs,
    read_manifest,
    seal,
    shard_file,
    state,
)
from gramcli.store.notes import NOTES
from gramcli.store.shards import ShardRecord, damaged, pack_shard, read_content, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gramcli.store.layout import Plan
    from gramcli.store.shards import Pieces, ShardContent


class StoreWriter:
    """The one writer of a store; made by `open`, used as a context manager.

    Attributes:
        path: The store's directory.
        plan: What it will hold.
        reused: How many shards were there before, and stay.
        before: Shards to be mended -> what they hold.
    """

    def __init__(self, path: Path, plan: Plan, lock: int) -> None:
        self.path, self.plan, self._lock = path, plan, lock
        self._records: dict[int, ShardRecord] = {}
        self._complete = False
        self.reused = 0
        self.before: dict[int, ShardContent] = {}

    @classmethod
    def open(cls, path: Path, plan: Plan, *, overwrite: bool = False, retry_failed: bool = False) -> Self:
        """Begin a store, or resume one that was begun with the same plan.

        Args:
            path: The directory; made when missing.
            plan: What the store will hold.
            overwrite: Empty an existing store first. What is not a store is never touched.
            retry_failed: Count finished shards that hold a failure as missing; `before` has their content. The files
                of what failed may have changed since.

        Returns:
            A writer that holds the store's lock until `close`.

        Raises:
            UserError: The path is a file or a directory of something else, the store has another plan or a newer
                format, another process writes it, a finished shard is damaged, or the disk refuses.
        """
        _refuse_foreign(path)
        with disk_errors(path):
            make_folder(path)
        writer = cls(path, plan, take_lock(path / LOCK, path))
        try:
            writer._begin(overwrite=overwrite, retry_failed=retry_failed)
        except BaseException:
            writer.close()
            raise
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def records(self) -> tuple[ShardRecord, ...]:
        """The finished shards in order."""
        return tuple(self._records[index] for index in sorted(self._records))

    def missing_shards(self) -> list[int]:
        """Indices of the shards still to be written, in order."""
        return [index for index in range(self.plan.n_shards) if index not in self._records]

    def write_shard(self, index: int, content: ShardContent) -> None:
        """Write one shard, whole or not at all.

        Args:
            index: One of `missing_shards()`.
            content: Embeddings and status of its items.

        Raises:
            UserError: The content does not fit the plan, holds a vector that is not finite, or the disk refuses.
            ValueError: The shard is finished: finished shards are never rewritten.
        """
        self.put(index, *self.packed(index, content))

    def packed(self, index: int, content: ShardContent) -> tuple[Pieces, ShardRecord]:
        """Check a shard and make its file in memory: the part of `write_shard` before the disk.

        Args:
            index: As for `write_shard`.
            content: As for `write_shard`.

        Raises:
            UserError: The content does not fit the plan, or holds a vector that is not finite.
            ValueError: As `write_shard`.
        """
        if index in self._records or not 0 <= index < self.plan.n_shards:
            raise ValueError(f"shard {index} is finished or not planned")
        return pack_shard(self.plan, index, content)

    def put(self, index: int, pieces: Pieces, record: ShardRecord) -> None:
        """Write what `packed` made, whole or not at all: the part of `write_shard` that waits for the disk.

        Args:
            index: As for `write_shard`.
            pieces: Of the file.
            record: Of the shard.

        Raises:
            UserError: The disk refuses.
        """
        if self._complete:
            self._write_manifest(complete=False)
        path = self.path / record.file
        with disk_errors(path), replacing(path, own_folder=True) as file:
            file.writelines(pieces)
        self._records[index] = record

    def look_at(self, index: int, content: ShardContent) -> None:
        """Check a shard and count it as written, which it is not: for `fingerprint` of what is only looked at.

        Raises:
            UserError: As `write_shard`, but for the disk.
        """
        self._records[index] = pack_shard(self.plan, index, content)[1]

    def finish(self) -> None:
        """Write items.csv and the final manifest; does nothing when they are there already.

        Raises:
            UserError: The disk refuses.
            ValueError: Shards are missing.
        """
        if self.missing_shards():
            raise ValueError(f"shards are missing: {self.missing_shards()}")
        items = format_items((record.rows for record in self.records), self.plan.modalities).encode("utf-8")
        _write_changed(self.path / ITEMS, items)
        self._write_manifest(complete=True, items_sha256=hashlib.sha256(items).hexdigest())

    def states(self) -> list[tuple[Mapping[str, str], int]]:
        """The states that items of the finished shards are in, with how many of a shard share them."""
        return [pair for record in self.records for pair in counted(record.rows.status)]

    def fingerprint(self) -> str:
        """What `Store.fingerprint` says once the store is finished; all its shards are there."""
        found = self._manifest(complete=True)
        kept = {key: found[key] for key in ("format", "model", "dataset", "modalities")}
        return digest({**kept, "shards": [shard["sha256"] for shard in found["shards"]]})

    def close(self) -> None:
        """Let other writers in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _begin(self, *, overwrite: bool, retry_failed: bool) -> None:
        _refuse_foreign(self.path)  # again, now that nobody else can change it
        manifest = read_manifest(self.path) if (self.path / MANIFEST).exists() else None
        with disk_errors(self.path):
            remove_leftovers(self.path, (MANIFEST, ITEMS, INPUTS, NOTES).__contains__)
            if manifest:
                make_own_folder(self.path / SHARDS)  # refuses a link before anything is emptied
        empty = manifest and not manifest["complete"] and not any(map(is_shard_name, _names(self.path / SHARDS)))
        if manifest and (overwrite or empty):  # of a plan that nothing was made of yet, nothing can be lost
            self._clear(manifest)
            manifest = None
        if manifest:
            self._refuse_other_plan(manifest, inputs_may_change=retry_failed)
            self._complete = manifest["complete"]
        else:
            self._write_manifest(complete=False)
        with disk_errors(self.path):
            make_own_folder(self.path / SHARDS)
            remove_leftovers(self.path / SHARDS, is_shard_name, own_folder=True)
        self._take_over((manifest or {}).get("shards", []))
        if manifest and retry_failed:
            self._reopen_failed()
        if self.plan.inputs or self.plan.digests:
            _write_changed(self.path / INPUTS, canonical(self.plan.input_digests()))
        self.reused = len(self._records)

    def _take_over(self, written: Sequence[Mapping[str, Any]]) -> None:
        known = {shard["file"]: shard["sha256"] for shard in written}
        for index in range(self.plan.n_shards):
            path = self.path / shard_file(index)
            if not path.exists():
                continue
            record = read_record(self.path, self.plan, index)
            if known.get(record.file, record.sha256) != record.sha256:
                raise damaged(path, "it is not the file that was written")
            self._records[index] = record

    def _reopen_failed(self) -> None:
        """Take finished shards that hold a failure back, and check that nothing else has changed."""
        changed = self._changed_inputs()
        for index, record in list(self._records.items()):
            positions = self.plan.shard_range(index)
            for position, row in zip(positions, record.rows, strict=True):
                for name in changed.get(position, ()):
                    made = [status for view, status in row.status.items() if base_of(view) == name]
                    if not made or any(state(status) != FAILED for status in made):
                        raise UserError(
                            "store",
                            f"{self.path}: the {name} of item {row.id!r} changed after it was embedded; --retry-failed "
                            "takes new inputs only where the old ones failed. Start anew with --overwrite.",
                        )
            if any(state(status) == FAILED for row in record.rows for status in row.status.values()):
                self.before[index] = read_content(self.path, self.plan, index)
                del self._records[index]
        if changed:
            self._write_manifest(complete=False)

    def _changed_inputs(self) -> dict[int, list[str]]:
        """Items whose inputs are not those the store was begun with -> the modalities; by inputs.json."""
        now = self.plan.input_digests()
        # None are left by a run killed right after the manifest was written: nothing was embedded yet.
        before = read_inputs(self.path, len(now)) or now
        pairs = enumerate(zip(before, now, strict=True))
        return {k: [n for n in {**a, **b} if a.get(n) != b.get(n)] for k, (a, b) in pairs if a != b}

    def _refuse_other_plan(self, manifest: Mapping[str, Any], *, inputs_may_change: bool) -> None:
        others = differences(manifest, self._with_inputs_of(manifest))
        found = others if inputs_may_change else differences(manifest, self.plan.identity())
        if found:
            state_of = "is a finished store of" if manifest["complete"] else "was begun with"
            more = f"; and {len(found) - 3} more differences" if len(found) > 3 else ""
            anew = ANEW_IN_A_SHELL if self.plan.inputs else ANEW_IN_PYTHON
            advice = f"Name another output, or {anew}."
            if not others and self.plan.inputs:
                advice = f"If you mended what had failed, use --retry-failed; else: {advice[0].lower()}{advice[1:]}"
            raise UserError("store", f"{self.path} {state_of} something else: {'; '.join(found[:3])}{more}. {advice}")

    def _with_inputs_of(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """This plan, but with the captions, subtitles and media files of another."""
        plan = self.plan.identity()
        changeable = {CAPTIONS, SUBTITLES, MEDIA_FILES} & plan["sources"].keys() & manifest["sources"].keys()
        return {**plan, "sources": {**plan["sources"], **{name: manifest["sources"][name] for name in changeable}}}

    def _clear(self, manifest: Mapping[str, Any]) -> None:
        # Marked unfinished first: killed half-way, this is a store of the old plan with shards missing.
        write_atomic(self.path / MANIFEST, seal({**manifest, "complete": False, "shards": []}))
        with disk_errors(self.path):
            remove_files(self.path, (ITEMS, INPUTS, NOTES).__contains__)
            remove_files(self.path / SHARDS, is_shard_name, own_folder=True)

    def _write_manifest(self, *, complete: bool, items_sha256: str | None = None) -> None:
        _write_changed(self.path / MANIFEST, seal(self._manifest(complete=complete, items_sha256=items_sha256)))
        self._complete = complete

    def _manifest(self, *, complete: bool, items_sha256: str | None = None) -> dict[str, Any]:
        records = self.records if complete else ()
        captions = sum(sum(record.rows.captions) for record in records)
        states = self.states() if complete else []
        identity = self.plan.identity()
        plan = {**identity, "modalities": {name: dict(entry) for name, entry in identity["modalities"].items()}}
        for name, entry in plan["modalities"].items():
            entry["rows"] = (captions if is_text(name) else len(self.plan.items)) if complete else None
            entry["present"] = sum(n for status, n in states if state(status[name]) == OK) if complete else None
        shards = [{"file": r.file, "bytes": r.size, "sha256": r.sha256} for r in records]
        return {
            **plan,
            "plan_sha256": digest(identity),
            "counts": {"items": len(self.plan.items), "captions": captions if complete else None},
            "shards": shards,
            "items_sha256": items_sha256,
            "complete": complete,
        }


def counted(states: Sequence[Mapping[str, str]]) -> list[tuple[Mapping[str, str], int]]:
    """Each mapping once, with how many rows share it: those of a shard that are alike are one object."""
    found = dict(zip(map(id, states), states, strict=True))
    return [(found[key], n) for key, n in Counter(map(id, states)).items()]


def _refuse_foreign(path: Path) -> None:
    advice = "name another output; only a store written by gram is ever replaced"
    with disk_errors(path):
        if path.exists() and not path.is_dir():
            raise UserError("store", f"{path} is a file, not a store; {advice}.")
        names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if MANIFEST in names:
        read_manifest(path)
    elif {name for name in names if name != LOCK and prepared(name) != MANIFEST}:
        raise UserError("store", f"{path} holds other files and is not a store; {advice}.")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def _write_changed(path: Path, data: bytes) -> None:
    try:
        same = read_regular(path, len(data)) == data
    except OSError:
        same = False
    if not same:
        write_atomic(path, data)
