"""The `embed` verb: a dataset or a media folder through a model into a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gramcli.datasets import Dataset, open_dataset
from gramcli.embedding.options import options_from
from gramcli.embedding.through_heads import ids_of, write_through_heads
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.encoders.base import Encoder
from gramcli.errors import UserError
from gramcli.results.runs import EmbedSummary
from gramcli.results.watch import NOBODY, Watch
from gramcli.store import Store, open_store

PathLike = str | Path


# fmt: off
def embed(  # noqa: PLR0913 - a keyword for each option of the command
    data: PathLike | Dataset, output: PathLike, *,
    model: str | Path | Encoder = "signal", from_store: PathLike | Store | None = None,
    root: PathLike | None = None, protocol: str | None = None, split: str | None = None, limit: int | None = None,
    text_only: bool = False,
    frames: int | None = None, device: str = "cpu", precision: str = "fp32", tokenizer: PathLike | None = None,
    checkpoint_step: int | None = None, config: PathLike | None = None, allow_pickle: bool = False,
    stand_ins: bool = False, compile: bool = False, overwrite: bool = False, retry_failed: bool = False,
    workers: int | None = None, timeout: str | float = "60s", batch_size: int = 16,
    watch: Watch = NOBODY,
) -> EmbedSummary:
    """Embed media into a store, as `gram embed` does; a stopped run resumes.

    Args:
        data: A media folder, a manifest, a dataset's name, or an open dataset.
        output: The store to write or to resume.
        model: `signal`, `hf:NAME`, a checkpoint, `heads:DIR`, or an encoder.
        from_store: With `heads:DIR`: embeddings of the base model, nothing is decoded again.
        root: Folder that holds a dataset, or that paths start from.
        protocol: A dataset's protocol, or a name to record.
        split: Only the items of this split; `all` for all of them: of a registered dataset train and val, too.
        limit: Only the first so many items.
        text_only: Accept items of a manifest that name no media.
        frames: Frames of each video; None leaves it to the model.
        device: `cpu`, `cuda`, `cuda:i` or `auto`.
        precision: `fp32`, `bf16` or `fp16`.
        tokenizer: A vocabulary, where it is not found by itself.
        checkpoint_step: Which saved step; None takes the last.
        config: The hps.json of the weights, where it is not beside them.
        allow_pickle: Load weight files that can run code.
        stand_ins: Also encode silence and no words for absent sound and subtitles.
        compile: Compile the towers of a model first.
        overwrite: Begin anew instead of resuming.
        retry_failed: Also try again what failed.
        workers: Processes that decode; None is one per processor, 0 none.
        timeout: How long one file may take to decode.
        batch_size: Items encoded together, to begin with: grows on a GPU, halves when memory runs out.
        watch: Told of progress.

    Returns:
        What is in the store and what was left out.

    Raises:
        UserError: As `gram embed` says in one sentence.

    Example:
        >>> embed("clips", "clips_store").ok  # doctest: +SKIP
        {'text': 4, 'video': 4, 'audio': 4}
    """
    path, where = Path(output), None if root is None else Path(root)
    if from_store is not None:
        refuse_idle({"--retry-failed": retry_failed, "--stand-ins": stand_ins, "--frames": frames})
        store = open_store(from_store) if isinstance(from_store, (str, Path)) else from_store
        ids = ids_of(store, str(data), where, split, limit, protocol)
        return write_through_heads(store, str(model), ids, path, overwrite=overwrite)
    options = options_from(workers, timeout, batch_size, device)
    dataset, encoder = opened_work(
        data, model=model, root=where, split=split, limit=limit, protocol=protocol, text_only=text_only,
        frames=frames, device=device,
        precision=precision, tokenizer=tokenizer, config=config, checkpoint_step=checkpoint_step,
        allow_pickle=allow_pickle, stand_ins=stand_ins, compile=compile, watch=watch,
    )
    progress = watch.stage("Embedding")
    return write_embeddings(
        dataset, encoder, path, overwrite=overwrite, retry_failed=retry_failed, options=options, progress=progress
    )
# fmt: on


def opened_work(
    data: PathLike | Dataset,
    *,
    model: str | Path | Encoder,
    root: Path | None,
    split: str | None,
    limit: int | None,
    protocol: str | None,
    text_only: bool,
    **options: Any,  # noqa: ANN401 - those of load_encoder
) -> tuple[Dataset, Encoder]:
    """Return what is to be embedded and the encoder.

    Args:
        data: As for `embed`.
        model: As for `embed`.
        root: As for `embed`.
        split: As for `embed`.
        limit: As for `embed`.
        protocol: As for `embed`.
        text_only: As for `embed`.
        **options: Of `load_encoder`.

    Raises:
        UserError: As `open_dataset` and `load_encoder`, or stand-ins of an encoder that has none.
    """
    dataset = data
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(str(dataset), root, split=split, limit=limit, protocol=protocol, text_only=text_only)
    encoder = load_encoder(model, **options) if isinstance(model, (str, Path)) else model
    if options.get("stand_ins") and not encoder.stand_ins:
        raise UserError("usage", f"--stand-ins: {model} has no encoding of silence or of no words. Leave it out.")
    return dataset, encoder


def refuse_idle(options: Mapping[str, object]) -> None:
    """Refuse options that mean nothing where a store is seen through heads.

    Args:
        options: Option -> what was given.

    Raises:
        UserError: One was given.
    """
    if given := next((option for option, value in options.items() if value), None):
        raise UserError("usage", f"{given} has no effect with --from, where nothing is decoded. Leave it out.")
