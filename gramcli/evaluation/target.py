"""What TARGET stands for: a store, a model and its dataset, or a store seen through heads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from gramcli.datasets import open_dataset
from gramcli.encoders import looks_like_checkpoint, looks_like_heads
from gramcli.errors import UserError
from gramcli.files.locking import Taken, wait_for_lock
from gramcli.files.writing import check_own_folder, disk_errors, make_folder
from gramcli.heads.files import PREFIX, load_heads
from gramcli.heads.projection import project
from gramcli.results.watch import Progress, Watch
from gramcli.store import open_store
from gramcli.store.layout import LOCK, is_text
from gramcli.store.split_names import default_split

if TYPE_CHECKING:
    from gramcli.datasets import Dataset
    from gramcli.embedding.options import EmbedOptions
    from gramcli.encoders.base import Encoder
    from gramcli.evaluation.rerank import Reranker
    from gramcli.metrics.prompts import TextEncoder
    from gramcli.modalities import Task
    from gramcli.store import Store

CACHE_PATIENCE: Final = 6 * 3600.0
"""Seconds that an evaluation waits for another one that embeds the same."""

_HOUR: Final = 3600.0


def chosen_dataset(
    data: str,
    root: str | Path | None,
    split: str | None,
    limit: int | None,
    protocol: str | None = None,
    *,
    with_train: bool = False,
    text_only: bool = False,
) -> Dataset:
    """Open a dataset, of which no more is embedded than `evaluate` will look at.

    Args:
        data: Folder, manifest or name.
        root: Where its paths start from.
        split: A split, `all`, or None for the split that `evaluate` chooses.
        limit: At most so many items.
        protocol: Which of a registered dataset's protocols.
        text_only: Accept items of a manifest that name no media.
        with_train: Also the splits that are learnt from, whatever the split and the limit.

    Returns:
        The dataset; where neither a split nor a limit is named, all of its splits, of which `evaluate` chooses.

    Raises:
        UserError: As `open_dataset`.
    """
    root = None if root is None else Path(root)
    dataset = open_dataset(data, root, split=None if split == "all" else split, protocol=protocol, text_only=text_only)
    test = default_split([item.split for item in dataset.items], dataset.id) if split is None else None
    if test is not None and limit is None:
        return dataset
    asked = [item for item in dataset.items if test is None or item.split == test]
    found = replace(dataset, items=tuple(asked[:limit]))
    if not with_train:
        return found
    from gramcli.evaluation.labels import LEARNT  # noqa: PLC0415 - where classifiers learn

    tested = {item.id for item in found.items}
    learnt = None if found.beside is None else "all"  # a split beside the evaluated one: train is not opened with it
    items = open_dataset(data, root, split=learnt, protocol=protocol, text_only=text_only).items
    return replace(found, items=tuple(item for item in items if item.id in tested or item.split in LEARNT))


@dataclass(frozen=True)
class Target:
    """A store, or a model and the dataset it is to embed.

    Attributes:
        text: As given.
        opened: The store, once it was handed over open; None for a path and for a model.
        dataset: None for a store.
        encoder: None for a store.
    """

    text: str
    opened: Store | None
    dataset: Dataset | None
    encoder: Encoder | None

    def store(self, watch: Watch, options: EmbedOptions, tasks: Sequence[Task]) -> Store:
        """Open the store; a model's dataset is embedded into the cache first, if it can serve the tasks.

        Raises:
            UserError: As `check_tasks`, `write_embeddings` and `open_store`.
        """
        if self.opened is not None:
            return self.opened
        if self.dataset is None or self.encoder is None:
            return open_store(self.text)
        from gramcli.embedding.writing import check_tasks  # noqa: PLC0415 - decoders load here

        check_tasks(self.dataset, self.encoder, tasks)
        return open_store(_embedded(watch, self.encoder, self.dataset, options))

    def class_texts(self) -> dict[str, TextEncoder]:
        """Per embedding of text what makes it, texts to unit rows; none of a store, or a model without text."""
        encoder = self.encoder
        if encoder is None or "text" not in encoder.modalities:
            return {}

        def texts_by(name: str) -> TextEncoder:
            return lambda texts: encoder.encode({"text": list(texts)})[name]

        return {name: texts_by(name) for name in encoder.dims if is_text(name)}

    def reranker(self, how: str, top: int, options: EmbedOptions, progress: Progress) -> Reranker:
        """The second stage that `--rerank` asks for.

        Raises:
            UserError: Another word than `itm`, a store without its media, or a model without a matching head.
        """
        from gramcli.evaluation.rerank import Reranker  # noqa: PLC0415 - decoders load here

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


def open_target(
    target: str | Path | Store | Encoder, dataset: Dataset | None, load: Callable[[str], Encoder]
) -> Target:
    """Find out what TARGET is: a store, or with a dataset a model, which is loaded.

    Args:
        target: A store, open or by its path; a model or its spec when there is a dataset.
        dataset: What to embed, None for a store.
        load: Makes an encoder of a spec.

    Raises:
        UserError: `target` is no store and there is no dataset, or what `load_encoder` raises.
    """
    if dataset is not None:
        if hasattr(target, "fingerprint"):
            raise UserError("usage", "An open store is evaluated as it is: leave dataset out, or name a model with it.")
        encoder: Any = load(str(target)) if isinstance(target, (str, Path)) else target
        return Target(str(getattr(target, "spec", target)), None, dataset, encoder)
    if not isinstance(target, (str, Path)):
        opened: Any = target
        if not hasattr(opened, "fingerprint"):
            raise UserError("usage", f"A {type(target).__name__} is no store. A model needs dataset=, what to embed.")
        return Target(str(opened.path), opened, None, None)
    if not Path(target).exists():
        advice = _advice_on_dataset(str(target)) or "Write it with `gram embed`, or add --dataset DATA."
        raise UserError("store", f"There is no store {target}. {advice}")
    _refuse_heads(Path(target))
    _refuse_checkpoint(Path(target))
    _refuse_media(Path(target))
    return Target(str(target), None, None, None)


def seen_through(store: Store, model: str | None) -> Store:
    """The store, or what the heads of `--model heads:DIR` make of it.

    Raises:
        UserError: Another model, heads that cannot be read, or a store of another base model.
    """
    if model is None:
        return store
    if not model.startswith(PREFIX) and Path(model).exists() and (Path(model) / "manifest.json").is_file():
        raise UserError("usage", f"--model {model} is a store; heads that `gram align` wrote belong here: heads:DIR.")
    if looks_like_heads(Path(model)):
        named = quote(f"{PREFIX}{model}")
        raise UserError("usage", f"--model {model} is a folder of heads; name it with {PREFIX} before it: {named}")
    if not model.startswith(PREFIX):
        raise UserError(
            "usage",
            f"--model {model}: a STORE is seen through heads only, heads:DIR. For a model: gram eval {quote(model)} "
            "--dataset DATA.",
        )
    return project(store, load_heads(model))


def _refuse_heads(path: Path) -> None:
    if looks_like_heads(path):
        advice = f"See a store through them: gram eval STORE --model {quote(f'{PREFIX}{path}')}"
        raise UserError("usage", f"{path} holds heads that `gram align` wrote, not a store. {advice}")


def _refuse_checkpoint(path: Path) -> None:
    if not (path / "manifest.json").is_file() and looks_like_checkpoint(path):
        loose = (
            " Embeddings in a file become a store with: gram import FILE -o STORE, or gramcli.store.write_store."
            if path.is_file()
            else ""
        )
        raise UserError(
            "usage",
            f"{path} looks like a checkpoint, not a store. Add --dataset DATA, the media to evaluate it on.{loose}",
        )


def _advice_on_dataset(name: str) -> str:
    from gramcli.datasets.catalog import known_names, spelled  # noqa: PLC0415 - for this message only

    known = spelled(name) in known_names()
    return (
        f"It is a dataset: gram eval MODEL --dataset {spelled(name)} --root DIR evaluates a model on it."
        if known
        else ""
    )


def _refuse_media(path: Path) -> None:
    """Refuse what is a dataset by its looks: a manifest, or a folder with media among its first files."""
    from gramcli.datasets.tables import PARSERS  # noqa: PLC0415 - for this message only
    from gramcli.media.kinds import holds_media  # noqa: PLC0415 - as above

    if (path / "manifest.json").exists():
        return
    if path.is_file():
        what = "a manifest" if path.suffix.lower() in PARSERS and not _is_evaluation(path) else ""
    else:
        what = "a media folder" if holds_media(path) else ""
    if what:
        advice = f"Name a model too: gram eval MODEL --dataset {quote(str(path))}"
        raise UserError("usage", f"{path} is {what}, not a store. {advice}")


def _is_evaluation(path: Path) -> bool:
    from gramcli.results.documents import is_evaluation, read_document  # noqa: PLC0415 - for this message only

    try:
        return path.suffix.lower() == ".json" and is_evaluation(read_document(path))
    except UserError:
        return False


def _embedded(watch: Watch, encoder: Encoder, dataset: Dataset, options: EmbedOptions) -> Path:
    from gramcli.embedding.cache import cached_store_path  # noqa: PLC0415 - decoders load here
    from gramcli.embedding.writing import write_embeddings  # noqa: PLC0415 - as above

    path = cached_store_path(encoder.describe(dataset.modalities), dataset)
    for folder in (path.parent, path):  # the folder above them is the user's: it may be a link
        check_own_folder(folder)
    with disk_errors(path):
        make_folder(path.parent)
    end, progress = time.monotonic() + CACHE_PATIENCE, watch.stage("Embedding")
    while True:
        try:
            summary = write_embeddings(dataset, encoder, path, options=options, progress=progress)
            break
        except Taken as taken:
            _wait(watch, path, taken, end)
    watch.say(f"Embeddings: {path} (shards written: {summary.shards_written}, found: {summary.shards_reused}).")
    for note in summary.notes:
        watch.say(f"Note: {note}")
    return path


def _wait(watch: Watch, path: Path, taken: Taken, end: float) -> None:
    """Wait for the process that embeds the same; what it has written by then is found."""
    patience = f"{CACHE_PATIENCE / _HOUR:g} h"
    holder = f" ({taken.holder})" if taken.holder else ""
    watch.say(f"Waiting for another gram process{holder}, which embeds the same into {path}; for at most {patience}.")
    if not wait_for_lock(path / LOCK, path, end - time.monotonic()):
        raise UserError(
            "store", f"{path} is still being written by another gram process{holder} after {patience}. End it, or wait."
        ) from taken
