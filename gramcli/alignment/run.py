"""One run of alignment: what it trains on, where it goes on, and what it writes."""

from __future__ import annotations

import csv
import io
import platform
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

import gramcli
from gramcli.alignment.loop import TEMPERATURES, Schedule, Training
from gramcli.alignment.options import AlignOptions
from gramcli.alignment.ranks import Ranks, open_ranks
from gramcli.alignment.rows import rows_of
from gramcli.alignment.state import STATE, check_plan
from gramcli.alignment.validation import MEASURES, Validation
from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.selection import groups_of
from gramcli.heads.files import CONFIG, WEIGHTS, SavedHeads, load_heads, save_heads
from gramcli.heads.model import Heads, new_heads
from gramcli.methods import get_method
from gramcli.modalities import Task
from gramcli.results.runs import Alignment, Epoch
from gramcli.store.atomic import disk_errors, write_atomic
from gramcli.store.layout import TEXT
from gramcli.store.reader import Store
from gramcli.store.splits import chosen_items

__all__ = ["AlignOptions", "Alignment", "train_heads"]

CURVES: Final = "curves.csv"
VALIDATION: Final = "val"
EACH: Final = "each"
_HELD_OUT: Final = 5
_OPPOSITE: Final = -0.05  # a mean cosine below is no chance of a few items
_OURS: Final = {CONFIG, WEIGHTS, STATE, CURVES, "curves.svg"} | {
    f".{name}.tmp" for name in (CONFIG, WEIGHTS, STATE, CURVES)
}

Tell = Callable[[int, int, str], None]


def train_heads(
    store: Store, output: Path | str, loss: str, *, options: AlignOptions | None = None, progress: Tell | None = None
) -> Alignment:
    """Train heads with a method's loss, going on where an earlier run of the same plan stopped.

    On a CPU the same store, options and number of threads give the same heads, bit for bit, stopped in between or not.
    Under torchrun every rank takes its part of each batch.

    Args:
        store: Frozen embeddings with a train split.
        output: The folder of heads to write.
        loss: A method's name, with its options.
        options: How.
        progress: Called with (epochs done, epochs in all, loss and recall).

    Returns:
        The learning curve and which epoch was kept.

    Raises:
        UserError: Too few items, a loss that does not fit, heads of another run at `output`, a loss that is no number.
    """
    options, output = options or AlignOptions(), Path(output)
    method = get_method(loss)
    if not hasattr(method, "loss"):
        raise UserError("usage", f"Method '{loss}' has no loss to train with.")
    work = _Work(store, options, loss)
    with open_ranks(options.device) as ranks:
        if done := _finished(output, work, ranks):
            return done
        training = work.training(method, output, ranks)
        heads = work.new_heads(ranks)
        if work.options.overwrite:
            _remove(output, ranks)
        reached = training.run(heads, ranks, progress or (lambda *_: None))
        found = {"mean_cosines": work.validator.mean_cosines(heads), "start": work.before_training()}
        if ranks.rank == 0:
            _write(output, work, heads, (reached.history, reached.best), found)
        ranks.wait()
        return work.alignment(output, reached.history, reached.best, *_notes(found))


def _finished(output: Path, work: _Work, ranks: Ranks) -> Alignment | None:
    """What an earlier run of the same plan finished; other heads are refused, unless they are to be replaced."""
    with disk_errors(output):
        strangers = {one.name for one in output.iterdir()} - _OURS if output.is_dir() else _files(output)
    if strangers:
        example = min(strangers, key=lambda name: (name.startswith("."), name))
        raise UserError("usage", f"{output} holds something else than heads ({example}). Name another -o.")
    if work.options.overwrite or not (output / CONFIG).exists():
        return None
    saved = load_heads(output)
    check_plan(output, saved.config["plan"], work.plan)
    history = [Epoch(**one) for one in saved.config["history"]]
    notes = ["These heads were there already: nothing was trained.", *_notes(saved.config)]
    return work.alignment(output, history, saved.config["best"], *notes)


def _remove(output: Path, ranks: Ranks) -> None:
    """Remove heads of another run, now that everything about the new one was found to fit."""
    ranks.wait()
    if ranks.rank == 0:
        with disk_errors(output):
            for name in (CONFIG, STATE, WEIGHTS):
                (output / name).unlink(missing_ok=True)
    ranks.wait()


def _files(output: Path) -> set[str]:
    return {output.name} if output.exists() else set()


class _Work:
    """What a run trains on and is validated on."""

    def __init__(self, store: Store, options: AlignOptions, loss: str) -> None:
        self.store, self.options, self.loss = store, options, loss
        self.modalities = _modalities(store, options.modalities)
        self.groups = groups_of(store, "label") if options.relevant == "label" else None
        self.notes: list[str] = []
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
        options, splits = self.options, self.store.splits
        if options.train != "all" and options.train not in splits:
            known = sorted({found for found in splits if found})
            there = f"Splits: {', '.join(known)}." if known else "It has no splits; --train-split all takes every item."
            raise UserError("usage", f"{self.store.path} has no split '{options.train}' to train on. {there}")
        train = chosen_items(self.store, options.train, None)
        name = options.validation or (VALIDATION if VALIDATION in splits and options.train != "all" else None)
        if name is not None:
            if name == options.train:
                raise UserError("usage", f"--val-split '{name}' is the split that is trained on. Name another.")
            validation = chosen_items(self.store, name, None)
            keep = ~torch.isin(train, validation)
            return train[keep], validation
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(options.seed))
        n = max(len(train) // _HELD_OUT, 1)
        self.notes.append(
            f"No split '{VALIDATION}': {n} of {len(train)} items, drawn with --seed, were held out to choose the epoch."
        )
        return train[order[n:].sort().values], train[order[:n].sort().values]

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
            "anchor": self.anchor,
            "init": None if self.start is None else self.start.sha256,
        }

    @property
    def method(self) -> str:
        """Who ranks in validation."""
        return self.options.method or self.loss

    @property
    def validator(self) -> Validation:
        """What is measured after every epoch."""
        return Validation(self.store, self.validation, self.task, self.method, self.options.relevant)

    @property
    def anchor(self) -> str | None:
        """The loss's anchor; None is each in turn, or a loss that has none."""
        if self.options.anchor is not None:
            return None if self.options.anchor == EACH else self.options.anchor
        if not get_method(self.loss).anchored:
            return None
        return TEXT if TEXT in self.modalities else self.modalities[0]

    def training(self, method: Any, output: Path, ranks: Ranks) -> Training:  # noqa: ANN401 - a method with a loss
        """The run; a step over the first batch shows that loss and validation fit the data."""
        options = self.options
        rows = rows_of(self.store, self.train, self.modalities, self.groups).to(ranks.device)
        size = min(options.batch_size, len(self.train)) // ranks.size * ranks.size
        if size < max(2, ranks.size):
            raise UserError("usage", f"{len(self.train)} train items are too few for {ranks.size} ranks.")
        schedule = Schedule(
            options.epochs,
            len(rows) // size,
            options.lr,
            options.warmup,
            options.weight_decay,
            options.patience,
            options.metric,
            size,
            options.dropout,
            options.seed,
        )
        given = {"anchor": self.anchor} if self.anchor is not None else {}
        self._check(method, given)
        start = method.temperature if options.temperature is None else options.temperature
        return Training(method, given, rows, schedule, self.validator.measure, self.plan, output, start)

    def _check(self, method: Any, given: Mapping[str, Any]) -> None:  # noqa: ANN401 - as above
        """Refuse now what would fail after the first epoch."""
        given_temperature = self.options.temperature
        if given_temperature is not None and not TEMPERATURES[0] <= given_temperature <= TEMPERATURES[1]:
            raise UserError("usage", f"--temperature must be from 0.001 to 10; got {given_temperature:g}.")
        unit = torch.eye(2, self.options.dim)
        method.loss(dict.fromkeys(self.modalities, unit), **given)
        judge = get_method(self.method)
        judge.check(len(self.task.query), len(self.task.candidates), self.options.dim)
        self.validator.measure(self.new_heads(Ranks(0, 1, "cpu")))

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

    def before_training(self) -> dict[str, float] | None:
        """Validation figures of the heads that training started from, where there are any."""
        return None if self.start is None else self.validator.measure(self.start.heads)

    def alignment(self, output: Path, history: list[Epoch], best: int, *notes: str) -> Alignment:
        """The answer."""
        metric = self.options.metric
        figure = f"{metric} {history[best - 1].measures[metric]:.3f} of {self.task.name} under {self.method}"
        said = [
            *notes,
            *self.notes,
            f"Epoch {best} of {len(history)} was kept: {figure} on {len(self.validation)} validation items, "
            "mean of both directions.",
        ]
        if best == self.options.epochs:
            said.append("The last epoch was the best: more --epochs may help.")
        n, m = len(self.train), len(self.validation)
        return Alignment(output, self.loss, self.modalities, n, m, tuple(history), best, metric, tuple(said))


def _listed(dims: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {d}" for name, d in dims.items())


def _modalities(store: Store, wanted: tuple[str, ...]) -> tuple[str, ...]:
    for name in wanted:
        if name not in store.modalities:
            hint = did_you_mean(name, store.modalities)
            raise UserError("usage", f"{store.path} holds no '{name}'.{hint} It holds: {', '.join(store.modalities)}.")
    names = tuple(name for name in store.modalities if not wanted or name in wanted)
    if len(names) < 2:
        raise UserError("usage", f"Two modalities at least are to be aligned; got {', '.join(names) or 'none'}.")
    return names


def _validation_task(store: Store, modalities: tuple[str, ...]) -> Task:
    """Text, or the first modality, against all others."""
    query = TEXT if TEXT in modalities else modalities[0]
    return Task((query,), tuple(name for name in modalities if name != query))


def _write(output: Path, work: _Work, heads: Heads, reached: tuple[list[Epoch], int], found: Mapping[str, Any]) -> None:
    history, best = reached
    ids = work.store.ids
    config = {
        "plan": work.plan,
        "model": work.store.manifest["model"],
        "dataset": work.store.manifest["dataset"],
        "trained": _seen(work, "trained", [ids[k] for k in work.train.tolist()]),
        "selected": _seen(work, "selected", [ids[k] for k in work.validation.tolist()]),
        "history": [{**vars(one), "measures": dict(one.measures)} for one in history],
        "best": best,
        **found,
        "versions": {"gramcli": gramcli.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    with disk_errors(output):
        write_atomic(output / CURVES, curves_csv(history).encode())
    save_heads(output, heads, config)
    with disk_errors(output):
        (output / STATE).unlink(missing_ok=True)


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What the heads started from achieved, and whose signs are opposite."""
    start = found.get("start")
    before = (
        [f"The heads it started from had R@1 {100 * start['R@1']:.1f}, MRR {start['MRR']:.3f} there."] if start else []
    )
    return [*before, *sign_notes(found["mean_cosines"])]


def _seen(work: _Work, kind: str, own: list[str]) -> list[str]:
    """Ids of the items that these heads, those they started from, or those that made their store have seen."""
    dataset, before = work.store.manifest["dataset"].get("id"), []
    if work.start is not None and work.start.config["dataset"].get("id") == dataset:
        before += work.start.config[kind]
    made = work.store.manifest["model"].get("heads") or {}
    if made.get("dataset") == dataset:
        before += made.get(kind, [])
    return list(dict.fromkeys([*own, *before]))


def sign_notes(cosines: Mapping[str, float]) -> list[str]:
    """Say which modalities of an item point opposite ways: volumes and singular values do not see signs, cosines do.

    Args:
        cosines: Two modalities -> mean cosine over the validation items.

    Example:
        >>> sign_notes({"text and video": -0.5, "text and audio": 0.4})[0][:62]
        'text and video of an item point opposite ways (mean cosine -0.'
    """
    return [
        f"{pair} of an item point opposite ways (mean cosine {value:.2f}): this loss does not see signs, cosine does. "
        "Starting from heads of the cosine loss avoids it: --init HEADS."
        for pair, value in cosines.items()
        if value < _OPPOSITE
    ]


def curves_csv(history: list[Epoch]) -> str:
    """The learning curve as CSV: one line per epoch."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "lr", "loss", "temperature", *MEASURES])
    for one in history:
        measures = [one.measures[name] for name in MEASURES]
        writer.writerow([one.epoch, one.lr, one.loss, "" if one.temperature is None else one.temperature, *measures])
    return text.getvalue()
