"""The `align` verb: projection heads for a store, trained with a method's loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gramcli.alignment.options import AlignOptions
from gramcli.alignment.run import train_heads
from gramcli.modalities import Task, listed, one_task
from gramcli.results.runs import Alignment
from gramcli.results.watch import NOBODY, Watch
from gramcli.scoring.checks import device_named
from gramcli.store.reader import Store, open_store


# fmt: off
def align(  # noqa: PLR0913 - a keyword for each option of the command
    store: str | Path | Store, output: str | Path, *, loss: str,
    modalities: Sequence[str] = (), anchor: str | None = None, dim: int = 64, hidden: int = 0,
    epochs: int = 100, lr: float = 1e-3, weight_decay: float = 0.01, dropout: float = 0.0,
    init: str | Path | None = None, warm_up: int | None = None, lr_warmup: float = 0.1,
    batch_size: int = 256, temperature: float | None = None,
    seed: int = 0, train_split: str = "train", val_split: str | None = None,
    task: str | Task | None = None, query: str | None = None, candidates: str | None = None,
    method: str | None = None, metric: str = "MRR", patience: int = 20, relevant: str = "item",
    device: str = "cpu", overwrite: bool = False,
    watch: Watch = NOBODY,
) -> Alignment:
    """Train projection heads on a store's train split, as `gram align` does; a stopped run resumes.

    Args:
        store: A store, open or by its path.
        output: The folder of heads to write or to resume.
        loss: The method whose loss it is, as `gram methods` lists them.
        modalities: Only these embeddings; none means all.
        anchor: What the loss contrasts with the rest, or `each`; None is text.
        dim: Dimension of the shared space.
        hidden: Width of a hidden layer; 0 is linear.
        epochs: At most so many.
        lr: Peak learning rate of AdamW.
        weight_decay: Of the weights.
        dropout: Share of input features left out, for few items.
        init: Heads to start from.
        warm_up: Epochs by the cosine loss first, 0 for none; None decides by the loss.
        lr_warmup: Share of steps in which the rate rises.
        batch_size: Items of a step.
        temperature: The loss's; it learns, but for pmrl.
        seed: Of all that is drawn at random.
        train_split: What is trained on, or `all`.
        val_split: What chooses the epoch; None is val, else a fifth of train.
        task: What is validated; None is the largest that the store allows.
        query: Query embeddings by name, with `candidates`.
        candidates: Candidate embeddings by name.
        method: Who ranks in validation; None is the loss.
        metric: What chooses the epoch: `R@1`, `R@5`, `R@10` or `MRR`.
        patience: Epochs without a better one that end it; 0 never.
        relevant: What answers a query: its own `item`, or all items of its `label`.
        device: `cpu`, `cuda`, `cuda:i` or `auto`.
        overwrite: Begin anew instead of resuming.
        watch: Told of progress.

    Returns:
        The learning curve and which epoch was kept.

    Raises:
        UserError: As `gram align` says in one sentence.

    Example:
        >>> align("clips_store", "heads", loss="gram").best  # doctest: +SKIP
    """
    options = AlignOptions(
        tuple(listed(modalities)), anchor, dim, hidden, epochs, lr, weight_decay, dropout,
        None if init is None else Path(init), warm_up, lr_warmup, batch_size, temperature, seed, train_split, val_split,
        one_task(task, query, candidates) if task or query or candidates else None,
        method, metric, patience, relevant, device_named(device), overwrite,  # type: ignore[arg-type]
    )
    opened = store if isinstance(store, Store) else open_store(store)
    return train_heads(opened, output, loss, options=options, progress=watch.stage("Aligning", "epochs"))
# fmt: on
