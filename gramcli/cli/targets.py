"""What TARGET and DEVICE stand for: an open store, a torch device."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gramcli.cli.session import Session
    from gramcli.datasets import Dataset
    from gramcli.embedding.embed import EmbedOptions
    from gramcli.encoders.base import Encoder
    from gramcli.evaluation.rerank import Reranker
    from gramcli.metrics.prompts import TextEncoder
    from gramcli.modalities import Task
    from gramcli.store import Store

_LOOKED_AT = 1000


@dataclass(frozen=True)
class ModelOptions:
    """What the command line says of a model; see `gramcli.encoders.load_encoder`."""

    frames: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    tokenizer: Path | None = None
    checkpoint_step: int | None = None
    config: Path | None = None
    allow_pickle: bool = False
    stand_ins: bool = False

    def load(self, spec: str) -> Encoder:
        """Load the model a spec names.

        Raises:
            UserError: It is a store, or what `load_encoder` raises.
        """
        _refuse_store(spec)
        from gramcli.encoders import load_encoder

        return load_encoder(spec, **asdict(self))


def chosen_dataset(
    data: str,
    root: Path | None,
    split: str | None,
    limit: int | None,
    protocol: str | None = None,
    *,
    with_train: bool = False,
) -> Dataset:
    """Open a dataset, of which no more is embedded than `evaluate` will look at.

    Args:
        data: Folder, manifest or name.
        root: Where its paths start from.
        split: A split, `all`, or None for the split that `evaluate` chooses.
        limit: At most so many items.
        protocol: Which of a registered dataset's protocols.
        with_train: Also the splits that a classifier learns from, whatever the split and the limit.

    Returns:
        The dataset. Where `evaluate` has yet to choose a split, the limit is left to it.

    Raises:
        UserError: As `open_dataset`.
    """
    from gramcli.datasets import open_dataset
    from gramcli.datasets.splits import default_split

    dataset = open_dataset(data, root, split=None if split == "all" else split, protocol=protocol)
    if split is None:
        default_split([item.split for item in dataset.items], dataset.id)
    undecided = split is None and len({item.split for item in dataset.items}) > 1
    found = dataset if undecided else replace(dataset, items=dataset.items[:limit])
    if not with_train or undecided:
        return found
    from gramcli.evaluation.labels import LEARNT

    tested = {item.id for item in found.items}
    items = open_dataset(data, root, protocol=protocol).items
    return replace(found, items=tuple(item for item in items if item.id in tested or item.split in LEARNT))


@dataclass(frozen=True)
class Target:
    """A store, or a model and the dataset it is to embed.

    Attributes:
        text: As given.
        dataset: None for a store.
        encoder: None for a store.
    """

    text: str
    dataset: Dataset | None
    encoder: Encoder | None

    def store(self, session: Session, options: EmbedOptions, tasks: Sequence[Task]) -> Store:
        """Open the store; a model's dataset is embedded into the cache first, if it can serve the tasks.

        Raises:
            UserError: As `check_tasks`, `embed` and `open_store`.
        """
        from gramcli.embedding.embed import check_tasks
        from gramcli.store import open_store

        if self.dataset is None or self.encoder is None:
            return open_store(self.text)
        check_tasks(self.dataset, self.encoder, tasks)
        return open_store(_embedded(session, self.encoder, self.dataset, options))

    def class_texts(self) -> TextEncoder | None:
        """Texts to unit rows by the model; None for a store, or for a model that takes no text."""
        encoder = self.encoder
        if encoder is None or "text" not in encoder.modalities:
            return None
        return lambda texts: encoder.encode({"text": list(texts)})["text"]

    def reranker(self, how: str, top: int, options: EmbedOptions, progress: Callable[[int, int], None]) -> Reranker:
        """The second stage that `--rerank` asks for.

        Raises:
            UserError: Another word than `itm`, a store without its media, or a model without a matching head.
        """
        from gramcli.evaluation.rerank import Reranker

        if how != "itm":
            raise UserError("usage", f"--rerank '{how}' is not known; known: itm, the model's matching head.")
        if self.dataset is None or self.encoder is None:
            raise UserError("usage", "--rerank needs the media and the model again: gram eval MODEL --dataset DATA.")
        if not hasattr(self.encoder, "match"):
            raise UserError(
                "usage", f"--rerank itm: '{self.text}' has no matching head. Use a checkpoint that has one."
            )
        encoder: Any = self.encoder
        return Reranker(self.dataset, encoder, top, options.processes, options.time_limit, progress)


def open_target(target: str, dataset: Dataset | None, model: ModelOptions) -> Target:
    """Find out what TARGET is: a store, or with a dataset a model, which is loaded.

    Args:
        target: A store; a model's spec when there is a dataset.
        dataset: What to embed, None for a store.
        model: How a model is loaded.

    Raises:
        UserError: `target` is no store and there is no dataset, or what `load_encoder` raises.
    """
    if dataset is None:
        if not Path(target).exists():
            advice = _advice_on_dataset(target) or "Write it with `gram embed`, or add --dataset DATA."
            raise UserError("store", f"There is no store {target}. {advice}")
        _refuse_checkpoint(Path(target))
        _refuse_media(Path(target))
        return Target(target, None, None)
    return Target(target, dataset, model.load(target))


def seen_through(store: Store, model: str | None) -> Store:
    """The store, or what the heads of `--model heads:DIR` make of it.

    Raises:
        UserError: Another model, heads that cannot be read, or a store of another base model.
    """
    if model is None:
        return store
    from gramcli.heads.files import PREFIX, load_heads
    from gramcli.heads.projection import project

    if not model.startswith(PREFIX):
        raise UserError(
            "usage",
            f"--model {model}: a STORE is seen through heads only, heads:DIR. For a model: gram eval {model} "
            "--dataset DATA.",
        )
    return project(store, load_heads(model))


def _refuse_checkpoint(path: Path) -> None:
    from gramcli.inspection.describe import looks_like_checkpoint

    if not (path / "manifest.json").is_file() and looks_like_checkpoint(path):
        loose = " Embeddings in a file become a store with gramcli.store.write_store." if path.is_file() else ""
        raise UserError(
            "usage",
            f"{path} looks like a checkpoint, not a store. Add --dataset DATA, the media to evaluate it on.{loose}",
        )


def _refuse_store(model: str) -> None:
    path = Path(model)
    if (path / "manifest.json").is_file() and (path / "shards").is_dir():
        advice = f"Evaluate it with gram eval {model}, without --dataset, or name a model, such as signal"
        raise UserError("usage", f"{model} is a store, where a model belongs. {advice}.")


def _advice_on_dataset(name: str) -> str:
    from gramcli.datasets.catalog import known_names, spelled

    known = spelled(name) in known_names()
    return (
        f"It is a dataset: gram eval MODEL --dataset {spelled(name)} --root DIR evaluates a model on it."
        if known
        else ""
    )


def _refuse_media(path: Path) -> None:
    """Refuse what is a dataset by its looks: a manifest, or a folder with media among its first files."""
    from gramcli.datasets.tables import PARSERS
    from gramcli.media.kinds import kind_of

    if (path / "manifest.json").exists():
        return
    if path.is_file():
        what = "a manifest" if path.suffix.lower() in PARSERS and not _is_evaluation(path) else ""
    else:
        media = any(kind_of(one) in ("video", "audio", "image") for one in islice(path.rglob("*"), _LOOKED_AT))
        what = "a media folder" if media else ""
    if what:
        raise UserError("usage", f"{path} is {what}, not a store. Name a model too: gram eval MODEL --dataset {path}")


def _is_evaluation(path: Path) -> bool:
    from gramcli.results.documents import is_evaluation, read_document

    try:
        return path.suffix.lower() == ".json" and is_evaluation(read_document(path))
    except UserError:
        return False


def _embedded(session: Session, encoder: Encoder, dataset: Dataset, options: EmbedOptions) -> Path:
    from gramcli.embedding.cache import cached_store_path
    from gramcli.embedding.embed import embed

    path = cached_store_path(encoder.describe(dataset.modalities), dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with session.progress("Embedding") as progress:
        summary = embed(dataset, encoder, path, options=options, progress=progress)
    session.say(f"Embeddings: {path} (shards written: {summary.shards_written}, found: {summary.shards_reused}).")
    for note in summary.notes:
        session.say(f"Note: {note}")
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
        raise UserError(
            "usage",
            f"--device {text}: this machine has {cards} CUDA device{'' if cards == 1 else 's'}. Use --device auto.",
        )
    return text
