"""How to align: what `gram align` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gramcli.alignment.validation import MEASURES
from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.selection import TRAIN, Relevant
from gramcli.methods import is_sign_blind
from gramcli.modalities import Task


@dataclass(frozen=True)
class AlignOptions:
    """How heads are trained.

    Attributes:
        modalities: Which embeddings of the store; none means all.
        anchor: Modality that the loss contrasts with the others, or `each` in turn; None is text, or the first, for
            losses whose paper has an anchor.
        dim: Dimension of the shared space.
        hidden: Width of a hidden layer; 0 for linear heads.
        epochs: At most so many.
        lr: Peak learning rate of AdamW.
        weight_decay: Of weights.
        dropout: Share of the features of every input that a step leaves out; for few items and many features.
        init: Heads to start from, as the papers start from pre-trained models; None starts at random.
        warm_up: Epochs, at most, of a stage by the cosine loss before the loss asked for; 0 for none. None is as many
            as `epochs` where the loss is sign-blind and there are no heads to start from, else none.
        lr_warmup: Share of a stage's steps over which the learning rate rises.
        batch_size: Items of a step, over all ranks.
        temperature: Of the loss; None for the method's own. It learns, but for pmrl. The stage before has cosine's own.
        seed: Of weights, batches, captions, sampled negatives and held-out items.
        train: Split that is trained on; `all` where the store has none.
        validation: Split that early stopping looks at; None is `val`, else a fifth of the train items.
        task: What early stopping looks at; None is the store's largest default task.
        method: Who ranks there; None is the loss. In the stage before it is always cosine.
        metric: One of `MEASURES`.
        patience: Epochs without a better figure after which it ends; 0 never ends early.
        relevant: `label`: items of one label are no negatives of each other, and right answers in validation.
        device: torch device.
        overwrite: Begin anew where heads are.

    Raises:
        UserError: A number out of range, or an unknown metric.
    """

    modalities: tuple[str, ...] = ()
    anchor: str | None = None
    dim: int = 64
    hidden: int = 0
    epochs: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.01
    dropout: float = 0.0
    init: Path | None = None
    warm_up: int | None = None
    lr_warmup: float = 0.1
    batch_size: int = 256
    temperature: float | None = None
    seed: int = 0
    train: str = TRAIN
    validation: str | None = None
    task: Task | None = None
    method: str | None = None
    metric: str = "MRR"
    patience: int = 20
    relevant: Relevant = "item"
    device: str = "cpu"
    overwrite: bool = False

    def warm_up_of(self, loss: str) -> int:
        """Epochs of the stage by the cosine loss before a loss: those asked for, else as many as the loss needs.

        Raises:
            UserError: Unknown method.
        """
        if self.warm_up is not None:
            return self.warm_up
        return self.epochs if self.init is None and is_sign_blind(loss) else 0

    def __post_init__(self) -> None:
        for name, least in (("dim", 1), ("hidden", 0), ("epochs", 1), ("batch_size", 2), ("patience", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(
                    "usage", f"--{name.replace('_', '-')} must be at least {least}; got {getattr(self, name)}."
                )
        if self.warm_up is not None and self.warm_up < 0:
            raise UserError("usage", f"--warm-up must be at least 0; got {self.warm_up}.")
        for name, value, fits, rule in (
            ("lr", self.lr, 0 < self.lr < float("inf"), "must be above 0"),
            ("weight-decay", self.weight_decay, 0 <= self.weight_decay < float("inf"), "must be at least 0"),
            ("lr-warmup", self.lr_warmup, 0 <= self.lr_warmup <= 1, "is a share from 0 to 1"),
            ("dropout", self.dropout, 0 <= self.dropout < 1, "is a share of at least 0 and below 1"),
        ):
            if not fits:
                raise UserError("usage", f"--{name} {rule}; got {value:g}.")
        if self.seed >= 2**31 or max(self.dim, self.hidden) > 2**16:
            raise UserError("usage", "--seed must be below 2^31, --dim and --hidden at most 65536.")
        if self.metric not in MEASURES:
            hint = did_you_mean(self.metric, MEASURES)
            raise UserError("usage", f"--metric '{self.metric}' is none of {', '.join(MEASURES)}.{hint}")
