"""What TARGET and DEVICE stand for: an open store, a torch device."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.cli.session import Session
    from gramcli.datasets import Dataset
    from gramcli.embed import EmbedOptions
    from gramcli.encoders.base import Encoder
    from gramcli.store import Store


@dataclass(frozen=True)
class ModelOptions:
    """What the command line says of a model; see `gramcli.encoders.load_encoder`."""

    frames: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    tokenizer: Path | None = None
    checkpoint_step: int | None = None
    allow_pickle: bool = False

    def load(self, spec: str) -> Encoder:
        """Load the model a spec names."""
        from gramcli.encoders import load_encoder

        return load_encoder(spec, **asdict(self))


def chosen_dataset(data: str, root: Path | None, split: str | None, limit: int | None) -> Dataset:
    """Open a dataset, of which no more is embedded than `evaluate` will look at.

    Args:
        data: Folder, manifest or name.
        root: Where its paths start from.
        split: A split, `all`, or None for the split that `evaluate` chooses.
        limit: At most so many items.

    Returns:
        The dataset. Where `evaluate` has yet to choose a split, the limit is left to it.

    Raises:
        UserError: As `open_dataset`.
    """
    from gramcli.datasets import open_dataset

    dataset = open_dataset(data, root, split=None if split == "all" else split)
    undecided = split is None and len({item.split for item in dataset.items}) > 1
    return dataset if undecided else replace(dataset, items=dataset.items[:limit])


def open_target(
    session: Session, target: str, dataset: Dataset | None, model: ModelOptions, options: EmbedOptions
) -> Store:
    """Open a store, or embed a dataset with the model `target` into the cache and open that.

    Args:
        session: For progress and messages.
        target: A store; a model's spec when there is a dataset.
        dataset: What to embed, None for a store.
        model: How a model is loaded.
        options: Workers, time limit and batch size.

    Returns:
        The open store.

    Raises:
        UserError: `target` is no store and there is no dataset, or what `embed` and `open_store` raise.
    """
    from gramcli.store import open_store

    if dataset is None:
        if not Path(target).exists():
            advice = "Write it with `gram embed`, or add --dataset DATA to evaluate a model."
            raise UserError("store", f"There is no store {target}. {advice}")
        return open_store(target)
    return open_store(_embedded(session, target, dataset, model, options))


def _embedded(session: Session, spec: str, dataset: Dataset, model: ModelOptions, options: EmbedOptions) -> Path:
    from gramcli.cache import cached_store_path
    from gramcli.embed import embed

    encoder = model.load(spec)
    path = cached_store_path(encoder.describe(), dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with session.progress("Embedding") as progress:
        summary = embed(dataset, encoder, path, options=options, progress=progress)
    session.say(f"Embeddings: {path} (shards written: {summary.shards_written}, found: {summary.shards_reused}).")
    return path


def device_named(text: str) -> str:
    """Return the torch device `auto`, `cpu`, `cuda` or `cuda:i` stands for.

    Raises:
        UserError: No such device here.
    """
    if text == "cpu":
        return text
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text == "auto":
        return "cuda" if cards else "cpu"
    name, _, index = text.partition(":")
    if name != "cuda" or not (index or "0").isdecimal():
        raise UserError("usage", f"--device '{text}' is not auto, cpu, cuda or cuda:i.")
    if int(index or 0) >= cards:
        raise UserError("usage", f"--device {text}: this machine has {cards} CUDA devices. Use --device auto.")
    return text
