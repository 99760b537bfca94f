"""`gram import` of what `gram export` wrote: the same store, so nothing of it is told, renamed or pooled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gramcli.errors import UserError
from gramcli.exchange.base import Operand, Recognised
from gramcli.exchange.own import Part, check_export, is_export, read_export, restore
from gramcli.results.imports import Imported, ImportedModality
from gramcli.results.watch import Watch
from gramcli.store.layout import OK, is_text, reason_of, state

NAME: Final = "export"


def are_exports(files: Sequence[str | Path], named: str | None) -> bool:
    """Whether files are to be imported as exports of ours.

    Args:
        files: Files or folders.
        named: The format, where the user names it.
    """
    return bool(files) and (named == NAME or (named is None and all(_is_export(Path(one)) for one in files)))


def read_own(operands: Sequence[Operand]) -> Recognised | None:
    """The reader of the catalog: exports are imported before any reader is asked, so here they are among others.

    Raises:
        UserError: One of the files is an export.
    """
    if own := next((one.path for one in operands if _is_export(one.path)), None):
        raise UserError("usage", f"{own} is an export of a store; import it by itself, then: gram join STORE OTHER.")
    return None


def import_own(
    files: Sequence[str | Path],
    output: Path | None,
    told: Mapping[str, object],
    *,
    overwrite: bool,
    watch: Watch,
) -> Imported:
    """Write the store that was exported, or only say what is in it.

    Args:
        files: The export.
        output: The store to write; None to write nothing.
        told: Option -> what was given that an export knows itself.
        overwrite: Replace a store that stands there.
        watch: Sees the progress.

    Raises:
        UserError: Something was told; or as `restore`.
    """
    if given := next((option for option, value in told.items() if value), None):
        raise UserError(
            "usage", f"{given}: {files[0]} is an export of a store, which is imported as it was. Leave it out."
        )
    with read_export(list(files)) as parts:
        found = _described(parts, output)
        if output is None:
            check_export(parts, watch)
    if output is not None:
        restore(list(files), output, overwrite=overwrite, watch=watch)
    return found


def _is_export(path: Path) -> bool:
    try:
        return is_export(path)
    except (UserError, OSError, ValueError):
        return False  # another reader says what is wrong with it


def _described(parts: Sequence[Part], output: Path | None) -> Imported:
    rows, facts = parts[0].rows, parts[0].facts
    captions = next((sum(row.captions for row in one.rows) for one in parts if any(map(is_text, one.facts.held))), 0)
    splits, labels = Counter(row.split for row in rows if row.split), [row.label for row in rows if row.label]
    lacking = [name for name in facts.modalities if not any(name in part.facts.held for part in parts)]
    some = f"Of the exported store, {', '.join(lacking)} are in other files: this is a store without them."
    return Imported(
        path=output,
        formats=(NAME,),
        items=len(rows),
        ids_from="from the export",
        modalities=tuple(_modality(part, name, captions) for part in parts for name in part.facts.held),
        captions=captions,
        texts=captions if facts.texts_known else 0,
        splits=dict(splits),
        labelled=len(labels),
        labels=len(set(labels)),
        shared_space=found if isinstance(found := facts.model.get("shared_space"), bool) else None,
        notes=(some,) if lacking else (f"The store that was exported, of fingerprint {facts.fingerprint}.",),
    )


def _modality(part: Part, name: str, captions: int) -> ImportedModality:
    statuses = Counter(row.status[name] for row in part.rows)
    absent: Counter[str] = Counter()
    for status, n in statuses.items():
        if state(status) != OK:
            absent[reason_of(status)] += n
    dim = part.facts.modalities[name]
    return ImportedModality(
        name=name,
        source=str(part.path),
        shape=(captions if is_text(name) else len(part.rows), dim),
        dtype="float32",
        time_axis=None,
        pool=None,
        dim=dim,
        ok=sum(n for status, n in statuses.items() if state(status) == OK),
        absent=absent,
    )
