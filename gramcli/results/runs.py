"""What runs leave on disk: a store that was embedded, heads that were aligned, a checkpoint that was exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gramcli.errors import EXIT_DONE, EXIT_FAILED, EXIT_LEFT_OUT
from gramcli.results.readable import Readable
from gramcli.results.records import LeftOut

_TEXTS: Final = ("text", "subtitle")


@dataclass(frozen=True, repr=False)
class EmbedSummary(Readable):
    """What a run of `embed` left in the store, whichever part of it was there before.

    Attributes:
        path: The store.
        items: Items in it.
        captions: Rows of its text embedding.
        ok: Modality -> items that have the embedding.
        left_out: What failed, with the reason; `absent` is not a failure.
        shards_written: By this run.
        shards_reused: Finished before this run.
        absent: Modality -> items that do not have it, where there are any.
        partial: Modality -> items of which a part could not be decoded, where there are any; they are ok too.
        notes: What the user should know, one sentence each.
    """

    path: Path
    items: int
    captions: int
    ok: Mapping[str, int]
    left_out: tuple[LeftOut, ...]
    shards_written: int
    shards_reused: int
    absent: Mapping[str, int] = field(default_factory=dict)
    partial: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """False when nothing was embedded, or texts only though the dataset has media."""
        media = [name for name in self.ok if name not in _TEXTS]
        return any(self.ok[name] for name in media or self.ok)

    @property
    def exit_code(self) -> int:
        """0; 3 when something failed; 1 when nothing in the store is usable."""
        if not self.usable:
            return EXIT_FAILED
        return EXIT_LEFT_OUT if self.left_out else EXIT_DONE


@dataclass(frozen=True)
class Epoch:
    """One line of the learning curve.

    Attributes:
        epoch: From 1.
        lr: At its end.
        loss: Mean over its steps.
        temperature: At its end; None where the loss has a fixed one.
        measures: Name -> figure on the validation items, mean of both directions.
        validation_loss: The loss on the validation items, at the temperature that training starts with; None where it
            is no finite number.
    """

    epoch: int
    lr: float
    loss: float
    temperature: float | None
    measures: Mapping[str, float]
    validation_loss: float | None = None


@dataclass(frozen=True)
class Curve:
    """The learning curve of a stage that is over.

    Attributes:
        history: Its epochs.
        best: Number of the one that was kept.
    """

    history: tuple[Epoch, ...]
    best: int


@dataclass(frozen=True, repr=False)
class Alignment(Readable):
    """What a run of `align` left in its folder.

    Attributes:
        path: The folder.
        loss: The method.
        modalities: Which have heads.
        n_train: Items trained on.
        n_validation: Items that chose the epoch.
        history: The learning curve.
        best: Number of the epoch whose heads were kept.
        metric: What chose it.
        notes: What the user should know, one sentence each.
        warm_up: The stage by the cosine loss that came before; None where there was none.
    """

    path: Path
    loss: str
    modalities: tuple[str, ...]
    n_train: int
    n_validation: int
    history: tuple[Epoch, ...]
    best: int
    metric: str
    notes: tuple[str, ...] = ()
    warm_up: Curve | None = None


@dataclass(frozen=True, repr=False)
class Exported(Readable):
    """What an export wrote.

    Attributes:
        path: The file.
        tensors: Tensors in it; tied ones once.
        bytes_before: Size of the checkpoint's weight files.
        bytes_after: Size of the file.
        sha256: Of the file.
        dtypes: Number types in it, with counts of tensors.
        half: Whether numbers were rounded to float16 (`--half`).
        notes: What was assumed of the checkpoint, one sentence each.
    """

    path: Path
    tensors: int
    bytes_before: int
    bytes_after: int
    sha256: str
    dtypes: Mapping[str, int] = field(default_factory=dict)
    half: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Joined(Readable):
    """What a run of `join` left in the store.

    Attributes:
        path: The store.
        items: Items in it.
        parts: Each store that was read -> the names of its embeddings in the new one.
        shared_space: Whether one model made all parts, in one space; None where that is not known.
        shards_reused: Finished before this run.
        notes: What the user should know, one sentence each.
    """

    path: Path
    items: int
    parts: Mapping[str, tuple[str, ...]]
    shared_space: bool | None
    shards_reused: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class ExportedStore(Readable):
    """What an export of a store wrote.

    Attributes:
        path: The file, or the folder of one file for each embedding.
        format: As `--to` names it.
        files: File -> bytes.
        modalities: The embeddings.
        items: Items of the store.
        fingerprint: Of the store: that of a store imported from the export.
        notes: What the user should know, one sentence each.
    """

    path: Path
    format: str
    files: Mapping[str, int]
    modalities: tuple[str, ...]
    items: int
    fingerprint: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class ExportedRun(Readable):
    """What an export of ranked lists wrote.

    Attributes:
        path: The run.
        qrels: The judgements; None where none were asked for.
        task: As in results.
        method: As in results.
        queries: How many.
        candidates: Size of the gallery.
        depth: Lines of each query.
        left_out: Items that the task does not cover.
        notes: What the user should know, one sentence each.
    """

    path: Path
    qrels: Path | None
    task: str
    method: str
    queries: int
    candidates: int
    depth: int
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
