"""The `export` verb for stores: one file, or one for each embedding, in a format that others open."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from gramcli.catalog import resolve
from gramcli.errors import UserError
from gramcli.exchange.base import needs_package
from gramcli.exchange.destination import check_destination, new_file, write_errors
from gramcli.exchange.export_layout import Columns, Outgoing
from gramcli.exchange.formats_out import OutFormat, format_for
from gramcli.exchange.projecting import projected
from gramcli.files.writing import make_folder
from gramcli.results.lists import RankedLists
from gramcli.results.runs import ExportedStore
from gramcli.results.watch import NOBODY, Watch
from gramcli.store.layout import is_text
from gramcli.store.reader import Store, open_store
from gramcli.store.rows import StoreRows

_FOLDERS: Final = " With --per-modality a folder is written."


def export_store(
    store: str | Path | Store,
    output: str | Path,
    *,
    to: str | None = None,
    per_modality: bool = False,
    project: str | None = None,
    lists: RankedLists | None = None,
    watch: Watch = NOBODY,
) -> ExportedStore:
    """Write a store as a file that others open; `gram import` makes the same store of it again, bit for bit.

    Vectors are read shard by shard, so memory does not grow with the store.

    Args:
        store: A store, open or by its path.
        output: The file, whose suffix names the format; with `per_modality` a folder.
        to: The format by name.
        per_modality: Write one file for each embedding, named after it.
        project: `pca` or `umap`: add `x` and `y` to a table.
        lists: Add `rank` and `neighbors` of a task to a table.
        watch: Sees the progress.

    Returns:
        What was written.

    Raises:
        UserError: An unknown format, a package that is not installed, more columns than arrays have room for, a damaged
            store, or an output that is no file, lies in the store or cannot be written.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    output = Path(output)
    row = _checked_format(output, to, per_modality=per_modality, more=bool(project or lists))
    files: dict[Path, tuple[str, ...]] = {output: opened.modalities}
    if per_modality:
        files = {output / f"{name}{row.suffix}": (name,) for name in opened.modalities}
    for path in files:
        check_destination(path, opened.path, folders="" if per_modality else _FOLDERS)
    columns, notes = _columns(opened, project, lists)
    if per_modality:
        with write_errors(output):
            make_folder(output)
    rows = StoreRows(opened)
    progress, total = watch.stage("Exporting", "shards"), rows.n_shards * len(opened.modalities)
    done = 0

    def advance() -> None:
        """Count one more shard of an embedding."""
        nonlocal done
        done += 1
        progress(done, total)

    write = resolve(row.target)
    for path, held in files.items():
        with new_file(path, own=per_modality) as file:
            write(file, Outgoing(opened, rows, held, _of_file(columns, held), advance))
    sizes = {str(path): path.stat().st_size for path in files}
    return ExportedStore(output, row.name, sizes, opened.modalities, len(opened.rows), opened.fingerprint(), notes)


def _checked_format(output: Path, to: str | None, *, per_modality: bool, more: bool) -> OutFormat:
    if per_modality and to is None:
        raise UserError("usage", "--per-modality writes a folder: name the format of its files, such as --to npz.")
    row = format_for(output, to)
    if row.needs and find_spec(row.needs) is None:
        raise needs_package(row.needs, str(output), " Or write .npz.")
    if more and not row.table:
        raise UserError(
            "usage", f"{output}: --project and --task add columns to a table; {row.name} has none. Write .parquet."
        )
    return row


def _columns(store: Store, project: str | None, lists: RankedLists | None) -> tuple[Columns, tuple[str, ...]]:
    points, notes = projected(store, store.modalities, project) if project else ({}, "")
    found: dict[str, Any] = {"xy": points}
    said = [notes] if notes else []
    if lists is not None:
        name = lists.queries.embedding
        ranks = np.full(store.manifest["modalities"][name]["rows"], np.nan)
        ranks[lists.queries.rows] = lists.ranks
        rows = lists.candidates.rows[lists.columns]
        near = dict(zip(lists.queries.rows.tolist(), zip(rows, lists.distances, strict=True), strict=True))
        found |= {"ranks": {name: ranks}, "neighbors": {name: near}, "neighbor_of": lists.candidates.embedding}
        said += [*lists.notes, _lists_note(lists)]
    return Columns(**found), tuple(said)


def _lists_note(lists: RankedLists) -> str:
    kind = "captions" if is_text(lists.queries.embedding) else "items"
    return (
        f"rank and neighbors are those of {lists.task} under {lists.method}, in rows of '{lists.queries.embedding}' "
        f"({kind} that ask); neighbors are rows of this table, from 0."
    )


def _of_file(columns: Columns, held: tuple[str, ...]) -> Columns:
    """The columns that a file of these embeddings can have: no neighbours whose rows are in another."""
    if columns.neighbors and columns.neighbor_of not in held:
        return Columns(columns.xy, columns.ranks)
    return columns
