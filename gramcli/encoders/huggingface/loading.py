"""What transformers does for us: the one module that imports it. No code of a model is ever run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders.huggingface.limits import check_config
from gramcli.encoders.huggingface.source import INSTALL, VOCABULARIES
from gramcli.encoders.huggingface.unsaid import refuse_empty_vocabulary, refuse_further_layers
from gramcli.encoders.huggingface.weights import Weights, find_weights
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.huggingface.source import Source

_OLDEST: Final = 5
_LARGE: Final = 4 * 10**8  # bytes: some seconds of loading
_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def transformers_library() -> Any:  # noqa: ANN401 - a module
    """Import transformers.

    Raises:
        UserError: It is not installed, or too old.
    """
    try:
        import transformers  # noqa: PLC0415 - an extra, and seconds to import
    except ImportError as error:
        raise UserError(
            "usage", f"Models of Hugging Face need the package transformers ({error}). Install it: {INSTALL}"
        ) from error
    if int(transformers.__version__.partition(".")[0]) < _OLDEST:
        raise UserError(
            "usage", f"transformers {transformers.__version__} is too old; {_OLDEST} or newer is needed: {INSTALL}"
        )
    return transformers


def load_model(source: Source, name: Any) -> Any:  # noqa: ANN401 - a model of transformers
    """Load a model's weights; see `Source.load`."""
    import torch  # noqa: PLC0415 - as transformers

    from gramcli.scoring.checks import check_device  # noqa: PLC0415 - as above

    options, config = source.options, dict(source.config)
    check_device(options.device)
    weights = find_weights(source.folder, allow_pickle=options.allow_pickle)
    announce(source, weights.files)
    library = transformers_library()
    kind: Any = getattr(library, name, None) if isinstance(name, str) else name
    if kind is None:
        raise UserError("usage", f"transformers {library.__version__} has no {name}; a newer one may: {INSTALL} -U")
    with quiet(library), _mistakes(source, f"its {kind.__name__}"):
        config = kind.config_class.from_dict(config)
        _check_size(source, kind, config, weights)
        model, found = kind.from_pretrained(
            str(source.folder),
            config=config,
            dtype=getattr(torch, _DTYPES[options.precision]),
            local_files_only=True,
            use_safetensors=not weights.pickled,
            output_loading_info=True,
            attn_implementation="sdpa" if getattr(kind, "_supports_sdpa", False) else "eager",
        )
        _check_found(source, model, found)
        model = aligned(model.requires_grad_(requires_grad=False).eval().to(options.device))
    return compiled(model, options.device) if options.compile else model


def announce(source: Source, files: Sequence[Path]) -> None:
    """Say that a model is being loaded, where its size makes that take a while.

    Args:
        source: Of the model; its options are told.
        files: Its weights.
    """
    size = sum(path.stat().st_size for path in files)
    if size >= _LARGE:
        source.options.say(f"Loading {source.name} ({size / 10**9:.1f} GB).")


def aligned(model: Any) -> Any:  # noqa: ANN401 - a model
    """Move weights on the CPU from where the file has them to where torch lays them out, in place.

    Kernels round otherwise where a matrix begins at an odd address, so that the same weights in another file, or in
    several, gave vectors of other bits.
    """
    for one in (*model.parameters(), *model.buffers()):
        if one.device.type == "cpu":
            one.data = one.data.clone()
    return model


def compiled(model: Any, device: str) -> Any:  # noqa: ANN401 - a model of transformers
    """Compile a model's towers in place, after trying whether anything can be compiled here.

    Raises:
        UserError: There is no compiler.
    """
    import torch  # noqa: PLC0415 - as above

    try:
        torch.compile(lambda x: x * 2 + 1)(torch.ones(8, device=device))
    except Exception as error:  # whatever a missing compiler makes of it
        first = str(error).strip().partition("\n")[0][:200]
        raise UserError(
            "usage", f"--compile finds no compiler that works here ({type(error).__name__}: {first}). Leave it out."
        ) from error
    for tower in model.children():
        tower.compile(dynamic=True)
    return model


def load_tokenizer(source: Source) -> Any:  # noqa: ANN401 - a tokenizer of transformers
    """Load a model's tokenizer; see `Source.tokenizer`."""
    if not any(source.has(name) for name in VOCABULARIES):
        raise UserError(
            "checkpoint",
            f"{source.folder} has no tokenizer (tokenizer.json), so texts cannot be encoded. Download the whole model.",
        )
    kind = ""
    if source.has("tokenizer_config.json"):
        settings = check_config(source.json("tokenizer_config.json"), source.folder / "tokenizer_config.json")
        kind = str(settings.get("tokenizer_class", ""))
    library = transformers_library()
    with quiet(library), _mistakes(source, "its tokenizer"):
        # The library's own class for SigLIP needs another package, and tokenizer.json says the same.
        fast = source.has("tokenizer.json") and kind.startswith("SiglipTokenizer")
        loader = library.PreTrainedTokenizerFast if fast else library.AutoTokenizer
        found = loader.from_pretrained(str(source.folder), local_files_only=True, trust_remote_code=False)
        refuse_empty_vocabulary(found, source.folder)
        return found


@contextmanager
def quiet(library: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Keep transformers from writing on stderr: what matters is checked, and said in our words."""
    logging = library.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _mistakes(source: Source, what: str) -> Iterator[None]:
    """Say in one sentence what the library could not do with a folder.

    Raises:
        UserError: It raised anything.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # files that nobody checked make a library raise anything
        first = " ".join(str(error).split())[:300]
        raise UserError(
            "checkpoint",
            f"transformers cannot load {what} from {source.folder} ({type(error).__name__}: {first}). Download the "
            "model again, or give another one.",
        ) from error


def _check_size(source: Source, kind: Any, config: Any, weights: Weights) -> None:  # noqa: ANN401 - the library's
    """Refuse a configuration that asks for more numbers than the files hold, before memory is set aside for them."""
    import torch  # noqa: PLC0415 - as above

    if weights.pickled:
        return
    with torch.device("meta"):
        model = kind(config)
        model.tie_weights()  # files hold tied weights once
    needed = sum(one.numel() for one in model.parameters())
    if needed > weights.parameters:
        raise UserError(
            "checkpoint",
            f"{source.folder / 'config.json'} describes a {kind.__name__} of {needed:,} parameters, but the weights "
            f"hold {weights.parameters:,}: they are not of the same model. Download the model again.",
        )


def _check_found(source: Source, model: Any, found: Any) -> None:  # noqa: ANN401 - the library's report
    report = found if isinstance(found, dict) else vars(found)
    lost = sorted(map(str, report.get("missing_keys") or ()))
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise UserError(
            "checkpoint",
            f"{source.folder} lacks weights that its configuration asks for: {', '.join(lost[:3])}{more}. Download "
            "the model again.",
        )
    refuse_further_layers(model, map(str, report.get("unexpected_keys") or ()), str(source.folder))
