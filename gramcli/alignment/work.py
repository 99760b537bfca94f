"""What a run of alignment trains on, how it is validated, and the stages it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.alignment.loop import TEMPERATURES, Schedule, Training
from gramcli.alignment.options import AlignOptions
from gramcli.alignment.ranks import Ranks
from gramcli.alignment.rows import Rows, rows_of
from gramcli.alignment.state import MAIN, WARM_UP
from gramcli.alignment.validation import HeldOut, Validation
from gramcli.catalog import did_you_mean
from gramcli.datasets import DATASETS
from gramcli.datasets.benchmark import Benchmark
from gramcli.errors import UserError
from gramcli.evaluation.selection import groups_of
from gramcli.evaluation.views import as_asked, bases, taken
from gramcli.heads.files import SavedHeads, load_heads
from gramcli.heads.model import Heads, new_heads
from gramcli.methods import get_method
from gramcli.modalities import Task, base_of
from gramcli.store.layout import TEXT
from gramcli.store.reader import Store
from gramcli.store.split_names import meant_split, split_notes
from gramcli.store.splits import chosen_items

VALIDATION: Final = "val"
ALL: Final = "all"
EACH: Final = "each"
COSINE: Final = "cosine"
_HELD_OUT: Final = 5


class Work:
    """What a run trains on and is validated on."""

    def __init__(self, store: Store, options: AlignOptions, loss: str) -> None:
        self.inputs = _inputs(store, options.modalities)
        store = store.under(self.inputs)
        self.store, self.options, self.loss = store, options, loss
        self.modalities = store.modalities
        self.groups = groups_of(store, "label") if options.relevant == "label" else None
        views = ", ".join(f"{stored} as {name}" for name, stored in self.inputs.items() if name != stored)
        self.notes: list[str] = [f"Of several vectors of one modality heads take one: {views}."] if views else []
        self.splits = self._named_splits()
        self.notes += _shared_notes(store, self.splits[0])
        train, validation = self._split()
        enough = torch.stack([store.present(name) for name in self.modalities]).sum(dim=0) >= 2
        self.train, self.validation = train[enough[train]], validation
        if len(self.train) < len(train):
            self.notes.append(f"{len(train) - len(self.train)} train items have fewer than two modalities: left out.")
        if len(self.train) < 2:
            raise UserError("input", f"{store.path}: {len(self.train)} items to train on; heads need at least 2.")
        self.start = None if options.init is None else load_heads(options.init)
        self.task = options.task or _validation_task(store, self.modalities)
        self._check_rows()
        complete = torch.stack([store.present(name) for name in self._asked()]).all(dim=0)[validation]
        self.validation = validation[complete]
        if len(self.validation) < len(validation):
            n = len(validation) - len(self.validation)
            self.notes.append(f"{n} validation items lack a modality of {self.task.name}: left out.")
        if not len(self.validation):
            raise UserError("input", f"No validation item has all modalities of {self.task.name}: name another --task.")
        self.plan = self._plan()

    def _asked(self) -> tuple[str, ...]:
        """Modalities of the validation task.

        Raises:
            UserError: One of them gets no head.
        """
        for name in self.task.modalities:
            if name not in self.modalities:
                heads = ", ".join(self.modalities)
                raise UserError("usage", f"Task {self.task.name} needs {name}, which gets no head; heads: {heads}.")
        return self.task.modalities

    def _check_rows(self) -> None:
        """Refuse modalities that the train items say nothing of.

        Raises:
            UserError: One that no two train items have, or that is the same vector for all of them.
        """
        rows = rows_of(self.store, self.train, self.modalities, None)
        for name in self.modalities:
            seen = rows.seen_by(name)
            if len(seen) < 2 or not bool((seen != seen[:1]).any()):
                what = (
                    f"{len(seen)} train items have {name}" if len(seen) < 2 else f"All train items have one same {name}"
                )
                others = " ".join(f"--modality {other}" for other in self.modalities if other != name)
                raise UserError("input", f"{what}: nothing to learn from. Leave it out: {others}.")

    def _split(self) -> tuple[Tensor, Tensor]:
        """Items to train on and items that choose the epoch."""
        (name, other), store = self.splits, self.store
        train = chosen_items(store, name, None)
        if other is not None:
            if other == name:
                raise UserError("usage", f"--val-split '{other}' is the split that is trained on. Name another.")
            validation = chosen_items(store, other, None)
            keep = ~torch.isin(train, validation)
            return train[keep], validation
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(self.options.seed))
        n = max(len(train) // _HELD_OUT, 1)
        self.notes.append(
            f"No split '{VALIDATION}': {n} of {len(train)} items, drawn with --seed, were held out to choose the epoch."
        )
        return train[order[n:].sort().values], train[order[:n].sort().values]

    def _named_splits(self) -> tuple[str, str | None]:
        """The store's splits that the options mean: to train on, and to choose the epoch by, where there is one.

        Raises:
            UserError: The store has no such split to train on.
        """
        options, known = self.options, sorted({found for found in self.store.splits if found})
        train = options.train if options.train == ALL else meant_split(options.train, known)
        if train is None:
            there = f"Splits: {', '.join(known)}." if known else "It has no splits; --train-split all takes every item."
            raise UserError(
                "usage",
                f"{self.store.path} has no split '{options.train}' to train on.{did_you_mean(options.train, known)} "
                f"{there}{_remedy(self.store, options.train)}",
            )
        if options.validation is None:
            other = None if train == ALL else meant_split(VALIDATION, [name for name in known if name != train])
            self.notes += split_notes({options.train: train})
        else:
            other = meant_split(options.validation, known) or options.validation
            self.notes += split_notes({options.train: train, options.validation: other})
        return train, other

    def _plan(self) -> dict[str, Any]:
        """What decides the heads, as it is recorded."""
        skipped = ("device", "overwrite", "task", "method", "modalities", "init")
        chosen = {one.name: getattr(self.options, one.name) for one in fields(self.options) if one.name not in skipped}
        return {
            "loss": self.loss,
            "store": self.store.fingerprint(),
            **chosen,
            "modalities": list(self.modalities),
            "task": self.task.name,
            "method": self.method,
            "anchor": self.anchor(self.loss),
            "warm_up": self.warm_up,
            "train": self.splits[0],
            "validation": self.splits[1],
            "init": None if self.start is None else self.start.sha256,
        }

    @property
    def method(self) -> str:
        """Who ranks in validation."""
        return self.options.method or self.loss

    @property
    def warm_up(self) -> int:
        """Epochs, at most, of the stage by the cosine loss before the loss's own; 0 for none."""
        return self.options.warm_up_of(self.loss)

    def validator(self, method: str) -> Validation:
        """What is measured after every epoch, by the method that ranks."""
        return Validation(self.store, self.validation, self.task, method, self.options.relevant)

    def anchor(self, loss: str) -> str | None:
        """A loss's anchor; None is each in turn, or a loss that has none."""
        if self.options.anchor is not None:
            return None if self.options.anchor == EACH else self.options.anchor
        if not get_method(loss).anchored:
            return None
        return TEXT if TEXT in self.modalities else self.modalities[0]

    def stages(self, output: Path, ranks: Ranks) -> list[Training]:
        """The stages of the run; a step over the first batch shows that losses and validation fit the data."""
        rows = rows_of(self.store, self.train, self.modalities, self.groups).to(ranks.device)
        size = min(self.options.batch_size, len(self.train)) // ranks.size * ranks.size
        if size < max(2, ranks.size):
            raise UserError("usage", f"{len(self.train)} train items are too few for {ranks.size} ranks.")
        main = self._stage(MAIN, rows, size, output)
        self._check(main)
        return [self._stage(WARM_UP, rows, size, output), main] if self.warm_up else [main]

    def _stage(self, stage: str, rows: Rows, size: int, output: Path) -> Training:
        options, main = self.options, stage == MAIN
        loss = self.loss if main else COSINE
        method, anchor = get_method(loss), self.anchor(loss)
        given = {"anchor": anchor} if anchor is not None else {}
        temperature = options.temperature if main and options.temperature is not None else method.temperature
        schedule = Schedule(
            epochs=options.epochs if main else self.warm_up,
            steps=len(rows) // size,
            lr=options.lr,
            lr_warmup=options.lr_warmup,
            weight_decay=options.weight_decay,
            patience=options.patience,
            metric=options.metric,
            size=size,
            dropout=options.dropout,
            seed=options.seed,
        )
        held = rows_of(self.store, self.validation, self.modalities, self.groups).to(str(rows.captions.device))
        return Training(
            stage=stage,
            method=method,
            options=given,
            rows=rows,
            schedule=schedule,
            validate=self.validator(self.method if main else COSINE).measure,
            held=HeldOut(held, size, method, given, temperature).loss,
            plan=self.plan,
            folder=output,
            temperature=temperature,
        )

    def _check(self, main: Training) -> None:
        """Refuse now what would fail after the first epoch."""
        given_temperature = self.options.temperature
        if given_temperature is not None and not TEMPERATURES[0] <= given_temperature <= TEMPERATURES[1]:
            raise UserError("usage", f"--temperature must be from 0.001 to 10; got {given_temperature:g}.")
        unit = torch.eye(2, self.options.dim)
        main.method.loss(dict.fromkeys(self.modalities, unit), **main.options)
        judge = get_method(self.method)
        judge.check(len(self.task.query), len(self.task.candidates), self.options.dim)
        self.validator(self.method).measure(self.new_heads(Ranks(0, 1, "cpu")))

    def new_heads(self, ranks: Ranks) -> Heads:
        """Heads before training, the same on every rank; those of `init` where there are any."""
        if self.start is not None:
            return self._copied(self.start, ranks)
        rows = rows_of(self.store, self.train, self.modalities, None)
        seen = {name: rows.seen_by(name) for name in self.modalities}
        generator = torch.Generator().manual_seed(self.options.seed)
        heads = new_heads(seen, self.options.dim, self.options.hidden, generator)
        return replace(heads, tensors={name: one.to(ranks.device) for name, one in heads.tensors.items()})

    def _copied(self, start: SavedHeads, ranks: Ranks) -> Heads:
        found, options = start.heads, self.options
        wanted = {name: self.store.dims[name] for name in self.modalities}
        if found.dims != wanted or (found.dim, found.hidden) != (options.dim, options.hidden):
            raise UserError(
                "usage",
                f"The heads of {start.path} are for {_listed(found.dims)}, --dim {found.dim} --hidden {found.hidden}; "
                f"asked for are {_listed(wanted)}, --dim {options.dim} --hidden {options.hidden}. Make them agree.",
            )
        return replace(found, tensors={name: one.clone().to(ranks.device) for name, one in found.tensors.items()})


def _remedy(store: Store, split: str) -> str:
    """How a store of a registered dataset comes to have the split, where its protocol knows one."""
    dataset = store.manifest.get("dataset") or {}
    if (name := dataset.get("id")) not in DATASETS.names():
        return ""
    found = DATASETS.load(str(name))
    protocols = found.protocols if isinstance(found, Benchmark) else ()
    known = [one.name for protocol in protocols for one in protocol.beside if protocol.id == dataset.get("protocol")]
    if meant_split(split, known) is None:
        return ""
    return f" Embed the others too, into one store: gram embed {name} --root DIR --split all -o STORE."


def _shared_notes(store: Store, train: str) -> list[str]:
    """What train items share with those of other splits, as the store says."""
    shared = store.manifest["dataset"].get("shared") or ()
    return [one["sentence"] for one in shared if train in one["splits"]]


def _listed(dims: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {d}" for name, d in dims.items())


def _inputs(store: Store, wanted: tuple[str, ...]) -> dict[str, str]:
    """Modality -> the embedding that its head takes; of several the one that is made for all other modalities."""
    known = bases(store.modalities)
    for name in wanted:
        if name not in (*store.modalities, *known):
            hint = did_you_mean(name, store.modalities)
            raise UserError("usage", f"{store.path} holds no '{name}'.{hint} It holds: {', '.join(store.modalities)}.")
    named = {base_of(name): name for name in wanted} or {name: name for name in known}
    names = [named[name] for name in known if name in named]
    if len(names) < 2:
        raise UserError("usage", f"Two modalities at least are to be aligned; got {', '.join(names) or 'none'}.")
    query = named.get(TEXT, names[0])
    task = Task((query,), tuple(name for name in names if name != query))
    as_asked(store, task)  # refuses what there is no vector of
    used = taken(store, task)
    return {name: used[name] for name in map(base_of, names)}


def _validation_task(store: Store, modalities: tuple[str, ...]) -> Task:
    """Text, or the first modality, against all others."""
    query = TEXT if TEXT in modalities else modalities[0]
    return Task((query,), tuple(name for name in modalities if name != query))
