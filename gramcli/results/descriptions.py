"""What a path was found to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gramcli.results.readable import Readable
from gramcli.results.records import LeftOut


@dataclass(frozen=True)
class ModalityCount:
    """How many items have a modality.

    Attributes:
        modality: Its name.
        dim: Dimension of its embeddings; None where nothing is embedded yet.
        ok: Items that have it.
        absent: Items that never had it.
        failed: Items whose file could not be embedded.
    """

    modality: str
    dim: int | None
    ok: int
    absent: int
    failed: int


@dataclass(frozen=True, repr=False)
class Description(Readable):
    """What `gram inspect` found.

    Attributes:
        kind: What the path is.
        path: The path as given.
        facts: Name and value, in reading order.
        counts: One entry per modality; empty for an evaluation.
        missing: What failed or was left out, and why.
        notes: What else a reader must know.
    """

    kind: Literal["store", "evaluation", "dataset", "checkpoint", "heads", "model"]
    path: str
    facts: tuple[tuple[str, str], ...]
    counts: tuple[ModalityCount, ...]
    missing: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()
