"""The loop: AdamW with a warmed-up cosine schedule, validation after every epoch, early stopping, resumption."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from gramcli.alignment.rows import Drawn, Rows, batches
from gramcli.alignment.state import WARM_UP, Progress, damaged_state, load_progress, save_progress
from gramcli.alignment.validation import MEASURES, better
from gramcli.errors import UserError
from gramcli.results.runs import Curve, Epoch
from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from gramcli.alignment.ranks import Ranks
    from gramcli.heads.model import Heads
    from gramcli.methods.base import AlignmentMethod

Tell = Callable[[int, int, str], None]

_LARGEST_GRADIENT: Final = 1.0
_HELD: Final = "validation loss"
_LOG_TEMPERATURE: Final = "log_temperature"
TEMPERATURES: Final = (1e-3, 10.0)
_MOMENTS: Final = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Schedule:
    """How the learning goes.

    Attributes:
        epochs: At most so many.
        steps: Steps of an epoch.
        lr: Peak learning rate.
        lr_warmup: Share of all steps over which it rises.
        weight_decay: Of weights, not of biases and temperature.
        patience: Epochs without a better validation figure after which it ends; 0 never ends early.
        metric: The validation figure.
        size: Items of a batch, over all ranks.
        dropout: Share of the features of every input that a step leaves out.
        seed: Of weights, batches, captions, dropout and sampled negatives.
    """

    epochs: int
    steps: int
    lr: float
    lr_warmup: float
    weight_decay: float
    patience: int
    metric: str
    size: int
    dropout: float
    seed: int

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0: linear up, then half a cosine down to 0."""
        total = self.epochs * self.steps
        rising = math.ceil(self.lr_warmup * total)
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))


@dataclass(frozen=True)
class Training:
    """Everything a stage of a run needs.

    Attributes:
        stage: Which one: `WARM_UP` or `MAIN`.
        method: Whose loss.
        options: Of the loss that do not change: `anchor`, `label_smoothing`.
        rows: What is trained on.
        schedule: How.
        validate: `MEASURES` of heads; rank 0 alone calls it.
        held: Loss of heads on the validation items; rank 0 alone calls it.
        plan: What the run is, to be recognised when it is resumed.
        folder: Where its state is kept.
        temperature: The loss's at the start.
    """

    stage: str
    method: AlignmentMethod
    options: Mapping[str, Any]
    rows: Rows
    schedule: Schedule
    validate: Callable[[Heads], dict[str, float]]
    held: Callable[[Heads], float]
    plan: Mapping[str, Any]
    folder: Path
    temperature: float

    def run(self, heads: Heads, ranks: Ranks, tell: Tell, before: Curve | None = None) -> Progress:
        """Train the heads in place from where an earlier run stopped in this stage.

        Args:
            heads: What the stage starts from, on the rank's device.
            ranks: The processes of the run.
            tell: Called with (epochs done, epochs in all, loss and recall), those of the stage before counted too.
            before: The stage before, where there was one.

        Returns:
            The stage's whole history; `heads` hold the best epoch's tensors.

        Raises:
            UserError: The loss is no number any more, or the state on disk is of another run.
        """
        state = _Learning(self, heads, ranks)
        done = load_progress(self.folder, self.plan)
        if done and done.stage == self.stage:
            progress = state.restored(done)
        else:
            start = ranks.told(MEASURES, lambda: self.validate(heads))
            progress = Progress(stage=self.stage, start=start, before=before)
        earlier = len(before.history) if before else 0
        while not self._is_over(progress):
            epoch = len(progress.history) + 1
            loss = state.epoch(epoch)
            figures = ranks.told((*MEASURES, _HELD), lambda: {**self.validate(heads), _HELD: self.held(heads)})
            held = figures.pop(_HELD)
            rate = self.schedule.rate(epoch * self.schedule.steps - 1)
            finite = held if math.isfinite(held) else None
            progress.history.append(Epoch(epoch, rate, loss, state.temperature_learnt(), figures, finite))
            state.note(progress)
            if ranks.rank == 0:
                save_progress(self.folder, self.plan, progress)
                tell(earlier + epoch, earlier + self.schedule.epochs, self._words(progress.history[-1]))
            ranks.wait()
        for name, one in heads.tensors.items():
            one.data.copy_(progress.tensors[f"best/{name}"])
        return progress

    def _is_over(self, progress: Progress) -> bool:
        n, schedule = len(progress.history), self.schedule
        return n >= schedule.epochs or (0 < schedule.patience <= n - progress.best and n > 0)

    def _words(self, epoch: Epoch) -> str:
        stage = f"warm-up by {self.method.name}: " if self.stage == WARM_UP else ""
        figures = f"R@1 {100 * epoch.measures['R@1']:.1f}, MRR {epoch.measures['MRR']:.3f}"
        return f"{stage}loss {epoch.loss:.4f}, {figures}"


class _Learning:
    """Heads, temperature and optimiser of one rank."""

    def __init__(self, training: Training, heads: Heads, ranks: Ranks) -> None:
        self._training, self._heads, self._ranks = training, heads, ranks
        start = torch.tensor(math.log(training.temperature), device=ranks.device)
        self._log_temperature = start.requires_grad_(training.method.temperature_learns)
        self._parameters = {name: one.requires_grad_() for name, one in heads.trainable.items()}
        if self._log_temperature.requires_grad:
            self._parameters[_LOG_TEMPERATURE] = self._log_temperature
        decayed = [one for one in self._parameters.values() if one.dim() > 1]
        plain = [one for one in self._parameters.values() if one.dim() <= 1]
        schedule = training.schedule
        self._optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=schedule.lr,
        )

    def epoch(self, number: int) -> float:
        """Train one epoch; the mean loss over steps and ranks."""
        schedule = self._training.schedule
        losses = []
        for k, drawn in enumerate(batches(self._training.rows, schedule.size, schedule.seed, number)):
            step = (number - 1) * schedule.steps + k
            for group in self._optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            losses.append(self._step(drawn, step))
        total = torch.stack(losses).mean()
        self._ranks.mean([total])
        finite = bool(total.isfinite()) and all(bool(one.isfinite().all()) for one in self._parameters.values())
        if not finite:
            where = f"epoch {number}{' of the warm-up' if self._training.stage == WARM_UP else ''}"
            raise UserError("input", f"Training blew up in {where} (loss {float(total):g}): lower --lr.")
        return float(total)

    def temperature_learnt(self) -> float | None:
        """The temperature where it learns."""
        return float(self._log_temperature.detach().exp()) if self._log_temperature.requires_grad else None

    def _step(self, drawn: Drawn, step: int) -> Tensor:
        loss = self._loss(drawn, step)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [one.grad for one in self._parameters.values() if one.grad is not None]
        self._ranks.mean(gradients)
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), _LARGEST_GRADIENT)
        self._optimiser.step()
        with torch.no_grad():
            self._log_temperature.clamp_(*map(math.log, TEMPERATURES))
        return loss.detach()

    def _loss(self, drawn: Drawn, step: int) -> Tensor:
        rows, training = self._training.rows, self._training
        items = self._ranks.part(drawn.items).to(self._ranks.device)
        captions = self._ranks.part(drawn.captions).to(self._ranks.device)
        generator = torch.Generator().manual_seed(training.schedule.seed * 1_000_003 + step)
        embeddings = {}
        for name, vectors in rows.vectors.items():
            # An item without captions points at no row of its own; it is masked.
            at = captions.clamp(max=len(vectors) - 1) if name == TEXT else items
            embeddings[name] = self._heads.project(name, vectors[at], self._kept(vectors.shape[1], generator))
        return training.method.loss(
            embeddings,
            present={name: one[items] for name, one in rows.present.items()},
            groups=None if rows.groups is None else rows.groups[items],
            temperature=self._log_temperature.exp(),
            generator=generator,
            **training.options,
        )

    def _kept(self, d: int, generator: torch.Generator) -> Tensor | None:
        """Factors of this rank's inputs: 0 for a feature that is left out; drawn for the whole batch, as if alone."""
        share = self._training.schedule.dropout
        if not share:
            return None
        drawn = torch.rand(self._training.schedule.size, d, generator=generator) >= share
        return self._ranks.part(drawn).to(self._ranks.device) / (1.0 - share)

    def note(self, progress: Progress) -> None:
        """Put the current tensors, and the best ones, into the progress."""
        last = progress.history[-1]
        best = progress.history[progress.best - 1] if progress.best else None
        if better(last, best, self._training.schedule.metric):
            progress.best = last.epoch
            progress.tensors |= {f"best/{name}": one.detach().clone() for name, one in self._heads.tensors.items()}
        progress.tensors |= {f"now/{name}": one.detach() for name, one in self._parameters.items()}
        for name, one in self._parameters.items():
            found = self._optimiser.state[one]
            progress.tensors |= {f"adam/{key}/{name}": found[key] for key in _MOMENTS}

    def restored(self, progress: Progress) -> Progress:
        """Take over the tensors of an earlier run."""
        wanted = {f"best/{name}": one.shape for name, one in self._heads.tensors.items()}
        for name, one in self._parameters.items():
            wanted |= {f"now/{name}": one.shape, f"adam/step/{name}": torch.Size(())}
            wanted |= {f"adam/{key}/{name}": one.shape for key in ("exp_avg", "exp_avg_sq")}
        for name, shape in wanted.items():
            found = progress.tensors.get(name)
            fits = found is not None and found.shape == shape and found.is_floating_point()
            if found is None or not fits or not bool(found.isfinite().all()):
                raise damaged_state(self._training.folder, ValueError(f"'{name}' is not a finite {list(shape)} tensor"))
        device = self._ranks.device
        with torch.no_grad():
            for name, one in self._parameters.items():
                one.copy_(progress.tensors[f"now/{name}"])
                self._optimiser.state[one] = {
                    key: progress.tensors[f"adam/{key}/{name}"].to("cpu" if key == "step" else device)
                    for key in _MOMENTS
                }
        return progress
