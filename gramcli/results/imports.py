"""What an import recognised in foreign files, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gramcli.results.readable import Readable


@dataclass(frozen=True)
class ImportedModality:
    """One modality of an import.

    Attributes:
        name: In the store.
        source: File and key.
        shape: Of the features in the file, items first; None for sizes that differ.
        dtype: Number type in the file.
        time_axis: Which axis of one item's array is time, as `--time-axis` counts; None without.
        pool: How time became one vector; None without time.
        dim: Of the vectors.
        ok: Items that have one.
        absent: Reason -> items that have none.
    """

    name: str
    source: str
    shape: tuple[int | None, ...]
    dtype: str
    time_axis: int | None
    pool: str | None
    dim: int
    ok: int
    absent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Imported(Readable):
    """What an import recognised and wrote.

    Attributes:
        path: The store; None where nothing was written.
        formats: Which formats the files are of.
        items: How many.
        ids_from: Where their ids come from.
        modalities: In the store's order.
        captions: Rows of text.
        texts: Captions whose words are known.
        splits: Split -> items.
        labelled: Items with a label.
        labels: How many different ones.
        shared_space: Whether vectors of different modalities can be compared; None where nothing says so.
        notes: What the user should know, one sentence each.
    """

    path: Path | None
    formats: tuple[str, ...]
    items: int
    ids_from: str
    modalities: tuple[ImportedModality, ...]
    captions: int
    texts: int
    splits: Mapping[str, int]
    labelled: int
    labels: int
    shared_space: bool | None
    notes: tuple[str, ...] = ()
