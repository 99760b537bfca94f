"""Encoders: a catalog of model families, and the one function that turns a spec into an encoder.

A spec is `name` or `name:argument`. An encoder is one file here plus one row in `ENCODERS`; third parties add
rows through the entry-point group `gramcli.encoders`. A row's target is called with (argument, options).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from gramcli.catalog import Catalog, late_names
from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.specs import is_composite, own_code
from gramcli.encoders.vast.layout import WEIGHT_SUFFIXES
from gramcli.errors import UserError
from gramcli.files.reading import read_regular
from gramcli.results.watch import NOBODY, Watch

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder
    from gramcli.encoders.functions import from_functions as from_functions

__getattr__ = late_names(__name__, {"from_functions": "functions"})

CHECKPOINTS: Final = "vast"
"""The family a path is taken to be a checkpoint of."""
_SMALL_CONFIG: Final = 2**20


@dataclass(frozen=True)
class EncoderRow:
    """One model family.

    Attributes:
        name: The part of a spec before the colon.
        target: `module:attribute` of a callable (argument: str, options: EncoderOptions) -> Encoder.
        modalities: What it can encode.
        summary: One line for help and docs.
        source: Where the method or the weights come from.
    """

    name: str
    target: str
    modalities: tuple[str, ...]
    summary: str
    source: str


ENCODERS: Final = Catalog(
    "encoder",
    (
        EncoderRow(
            "signal",
            target="gramcli.encoders.signal:SignalEncoder",
            modalities=("text", "video", "audio", "subtitle", "depth", "image"),
            summary="Hand-made statistics; no download, no training, no shared space: a baseline, not a good model.",
            source="built in",
        ),
        EncoderRow(
            "vast",
            target="gramcli.encoders.vast.encoder:load",
            modalities=("text", "video", "audio", "subtitle", "depth"),
            summary="Checkpoints of GRAM, PMRL, TRIANGLE and VAST, by their path; fused embeddings va, vs and vas too.",
            source="arXiv:2412.11959, arXiv:2507.17343",
        ),
        EncoderRow(
            "hf",
            target="gramcli.encoders.huggingface.encoder:load",
            modalities=("text", "video", "audio", "subtitle", "image"),
            summary="Models of Hugging Face, hf:org/name or hf:FOLDER: CLIP, SigLIP, X-CLIP, CLAP, PE-AV and others.",
            source="transformers",
        ),
        EncoderRow(
            "st",
            target="gramcli.encoders.sentence_transformers.loading:load",
            modalities=("text", "video", "audio", "subtitle", "image"),
            summary="Models of sentence-transformers, st:org/name or st:FOLDER, for what each says it takes.",
            source="sentence-transformers",
        ),
        EncoderRow(
            "heads",
            target="gramcli.encoders.heads:HeadsEncoder",
            modalities=("text", "video", "audio", "subtitle", "depth", "image"),
            summary="A built-in encoder seen through heads that `gram align` wrote: heads:DIR.",
            source="built in",
        ),
    ),
    group="gramcli.encoders",
    unnamed=(CHECKPOINTS,),
)


def load_encoder(  # noqa: PLR0913 - a keyword for each field of EncoderOptions
    spec: str | Path,
    *,
    frames: int | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    tokenizer: str | Path | None = None,
    checkpoint_step: int | None = None,
    config: str | Path | None = None,
    allow_pickle: bool = False,
    stand_ins: bool = False,
    compile: bool = False,
    watch: Watch = NOBODY,
) -> Encoder:
    """Build the encoder a spec names.

    Args:
        spec: `name` or `name:argument`, for instance `signal`; the path of a checkpoint; `module:function` of your own;
            or one of these for each modality, `text=SPEC,video=SPEC`.
        frames: Frames taken from each video; None leaves it to the model.
        device: Where a model runs: `cpu`, `cuda`, `cuda:i`, or `auto`.
        precision: `fp32`, `bf16` or `fp16`.
        tokenizer: A vocabulary, where it is not found by itself.
        checkpoint_step: Which of several saved steps; None takes the last.
        config: The training configuration (`hps.json`) of the weights, where it is not beside them.
        allow_pickle: Load a weight file that can run code.
        stand_ins: Offer encodings of silence and of no words for items that have no sound or no subtitle.
        compile: Compile the towers of a model before they are used.
        watch: Told before something long begins, such as a download.

    Returns:
        The encoder.

    Raises:
        UserError: No encoder has that name and no checkpoint is there, or it refuses an option.
    """
    if device != "cpu":
        from gramcli.scoring.checks import device_named  # noqa: PLC0415 - torch, which the built-in encoder does without

        device = device_named(device)
    vocabulary, configuration = (None if path is None else Path(path) for path in (tokenizer, config))
    options = EncoderOptions(
        frames,
        device,
        precision,
        vocabulary,
        checkpoint_step,
        configuration,
        allow_pickle,
        stand_ins,
        compile,
        watch.say,
    )
    return _encoder_of(str(spec), options)


def _encoder_of(spec: str, options: EncoderOptions) -> Encoder:
    """Build the encoder of a spec: one per modality, a checkpoint's, one of the catalog or the user's own."""
    if is_composite(spec):
        from gramcli.encoders.composite import CompositeEncoder  # noqa: PLC0415 - as the others, when it is named

        unseen = replace(options, frames=None)  # --frames is no matter of a model that sees no video
        return CompositeEncoder(spec, lambda part, sees: _encoder_of(part, options if sees else unseen))
    _refuse_store(spec)
    _refuse_heads(spec)
    _refuse_transformers(spec)
    name, _, argument = spec.partition(":")
    known = ENCODERS.names()
    if spec and name not in known and Path(spec).exists():
        name, argument = CHECKPOINTS, spec
    elif name not in known and ("/" in name or Path(name).suffix) and not own_code(spec):
        raise UserError("input", f"There is no checkpoint at {spec}, and no encoder of that name; check the path.")
    if (own := own_code(spec)) and not ENCODERS.has(name):
        from gramcli.encoders.own import load  # noqa: PLC0415 - numpy

        return load(*own, options)
    build: Callable[[str, EncoderOptions], Encoder] = _loaded(name)
    return build(argument, options)


def _loaded(name: str) -> Any:  # noqa: ANN401 - what a row's target is
    try:
        return ENCODERS.load(name)
    except UserError as error:
        advice = (
            "Give one of these names, the path of a checkpoint (there is no file or folder of that name), or "
            "MODULE:FUNCTION of your own."
        )
        raise UserError(error.kind, f"{error} {advice}") from None


def looks_like_transformers(path: Path) -> bool:
    """Whether a folder is a model as transformers saves it, and no checkpoint of the VAST family."""
    if not (path / "config.json").is_file() or any((path / name).exists() for name in ("hps.json", "ckpt", "log")):
        return False
    try:
        config = json.loads(read_regular(path / "config.json", _SMALL_CONFIG))
    except (OSError, ValueError, RecursionError):
        return False
    stated = isinstance(config, dict) and isinstance(config.get("model_type"), str)
    return stated and ("architectures" in config or "transformers_version" in config)


def _refuse_transformers(model: str) -> None:
    path = Path(model)
    if looks_like_transformers(path):
        kind = "st" if (path / "modules.json").is_file() else "hf"
        library = "sentence-transformers" if kind == "st" else "transformers"
        raise UserError(
            "usage", f"{model} is a model of {library}. Name it with {kind}: before it: {quote(f'{kind}:{model}')}"
        )


def looks_like_heads(path: Path) -> bool:
    """Whether a path is a folder of heads that `gram align` wrote, or is writing."""
    return (path / "heads.json").is_file() or (path / "training.safetensors").is_file()


def looks_like_checkpoint(path: Path) -> bool:
    """Whether a path is a weight file, or a folder that training code or an export would leave; heads are none."""
    if looks_like_heads(path):
        return False
    if path.is_file():
        return path.suffix.lower() in WEIGHT_SUFFIXES
    names = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")] if path.is_dir() else []
    trained = any(name in {"ckpt", "log", "hps.json", "arch.json"} or name.startswith("checkpoint-") for name in names)
    return trained or any(Path(name).suffix.lower() in WEIGHT_SUFFIXES for name in names)


def _refuse_store(model: str) -> None:
    path = Path(model)
    if (path / "manifest.json").is_file() and (path / "shards").is_dir():
        advice = f"Evaluate it with gram eval {quote(model)}, without --dataset, or name a model, such as signal"
        raise UserError("usage", f"{model} is a store, where a model belongs. {advice}.")


def _refuse_heads(model: str) -> None:
    if looks_like_heads(Path(model)):
        raise UserError(
            "usage",
            f"{model} is a folder of heads that `gram align` wrote, where a model belongs. Name it with heads: before "
            f"it: {quote(f'heads:{model}')}",
        )
