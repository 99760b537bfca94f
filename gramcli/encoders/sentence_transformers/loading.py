"""From a spec to a loaded model of sentence-transformers: one folder, checked, and nothing fetched beside it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders.huggingface.hub import open_source
from gramcli.encoders.huggingface.loading import aligned, announce, compiled, quiet, transformers_library
from gramcli.encoders.huggingface.unsaid import refuse_empty_vocabulary, refuse_further_layers
from gramcli.encoders.sentence_transformers.folder import check_folder
from gramcli.encoders.sentence_transformers.needs import OfSentenceTransformers
from gramcli.encoders.sentence_transformers.spec import split_options
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder, EncoderOptions
    from gramcli.encoders.huggingface.source import Source

INSTALL: Final = "pip install 'gramcli[st]'"
_REPORTED: Final = re.compile(r"^([\w.{}, -]+?)\s*\|[^|\n]*(MISSING|UNEXPECTED)", re.MULTILINE)
_MISSING, _UNEXPECTED = "MISSING", "UNEXPECTED"


def load(argument: str, options: EncoderOptions) -> Encoder:
    """Load a model.

    Args:
        argument: A folder or a name of the hub, `@REVISION` and `:truncate_dim=N` after it if wanted.
        options: Device, precision, frames, and whether pickled weights may be read.

    Returns:
        The encoder.

    Raises:
        UserError: sentence-transformers is not installed, there is no such model, or it cannot be loaded.
    """
    named, truncate_dim = split_options(argument)
    _check_installed()
    source = open_source(_full_name(named), options, needs=OfSentenceTransformers(), word="st")
    weights = check_folder(source)
    announce(source, weights)
    from gramcli.encoders.sentence_transformers.encoder import SentenceTransformerEncoder  # noqa: PLC0415 - torch

    model = _loaded(source, f"st:{named}")
    return SentenceTransformerEncoder(model, source, weights, f"st:{argument}", truncate_dim)


def _full_name(named: str) -> str:
    """A name without an organisation is one of the library's own models, as the library has it.

    Example:
        >>> _full_name("all-MiniLM-L6-v2@main"), _full_name("org/model")
        ('sentence-transformers/all-MiniLM-L6-v2@main', 'org/model')
    """
    short = "/" not in named and not named.startswith(".") and not Path(named).expanduser().exists()
    return f"sentence-transformers/{named}" if short else named


def _check_installed() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - cheap, and only here

    if find_spec("sentence_transformers") is None:
        raise UserError("usage", f"st: needs sentence-transformers, which is not installed: {INSTALL}")


def _loaded(source: Source, spec: str) -> Any:  # noqa: ANN401 - a SentenceTransformer
    """Load the whole model from its folder, in eval mode."""
    import torch  # noqa: PLC0415 - slow, and only here

    from gramcli.scoring.checks import check_device  # noqa: PLC0415 - torch

    check_device(source.options.device)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[source.options.precision]
    how = {"dtype": dtype} | ({} if source.options.allow_pickle else {"use_safetensors": True})
    with _report_of_weights() as reported, _mistakes(spec):
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - as torch

        model: Any = SentenceTransformer(
            str(source.folder), device=source.options.device, local_files_only=True, model_kwargs=how
        )
    _check_lost(spec, model, [name for name, what in reported if what == _MISSING])
    _check_unsaid(source, model, [name for name, what in reported if what == _UNEXPECTED])
    model = aligned(model.requires_grad_(requires_grad=False).eval())
    return compiled(model, source.options.device) if source.options.compile else model


def _check_lost(spec: str, model: Any, lost: list[str]) -> None:  # noqa: ANN401 - a SentenceTransformer
    """Refuse weights that the files do not have, which the library would make at random; but for an unused pooler."""
    used = [params.get("method_output_name") for params in getattr(model[0], "modality_config", {}).values()]
    needed = [name for name in lost if "pooler_output" in used or "pooler." not in name]
    if needed:
        more = f" and {len(needed) - 3} more" if len(needed) > 3 else ""
        raise UserError(
            "checkpoint",
            f"{spec} lacks weights that its configuration asks for: {', '.join(needed[:3])}{more}. Download the model "
            "again, or give another one.",
        )


def _check_unsaid(source: Source, model: Any, unplaced: list[str]) -> None:  # noqa: ANN401 - a SentenceTransformer
    """Refuse layers that are left out, and a tokenizer made of nothing."""
    if model.transformers_model is not None:
        refuse_further_layers(model.transformers_model, unplaced, str(source.folder))
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is not None and "text" in model.modalities:
        loaded_from = Path(str(getattr(tokenizer, "name_or_path", "")))
        refuse_empty_vocabulary(tokenizer, loaded_from if loaded_from.is_dir() else source.folder)


@contextmanager
def _mistakes(spec: str) -> Iterator[None]:
    """Say in one sentence why the library could not load a model.

    Raises:
        UserError: It raised anything.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # files that nobody checked make a library raise anything
        raise unusable(spec, error) from error


def unusable(spec: str, error: Exception) -> UserError:
    """What is said where a model cannot be loaded or run: a package that it needs, code of its own, or what it says.

    Args:
        spec: The model.
        error: What the library raised.
    """
    said = " ".join(str(error).split())
    if "torchvision" in said:
        return UserError(
            "checkpoint",
            f"{spec} has a processor of video or pictures that transformers runs by torchvision only, which is not "
            "installed: pip install torchvision, or use a model that hf: takes, which needs none.",
        )
    if "trust_remote_code" in said:
        return UserError(
            "checkpoint",
            f"{spec} needs Python code that comes with the model, which gramcli never runs. Embed with that code "
            "yourself and bring the vectors (gram import), or write an encoder of your own: --model MODULE:FUNCTION.",
        )
    what = "needs a package that is not installed" if isinstance(error, ImportError) else "cannot be loaded"
    return UserError("checkpoint", f"{spec} {what} ({type(error).__name__}: {said[:300]}).")


class _Reports(logging.Handler):
    """Collects the names of weights that transformers reports as made anew, or as left over."""

    def __init__(self, names: list[tuple[str, str]]) -> None:
        super().__init__(logging.WARNING)
        self._names = names

    def emit(self, record: logging.LogRecord) -> None:
        """Read one report."""
        self._names += _REPORTED.findall(record.getMessage())


@contextmanager
def _report_of_weights() -> Iterator[list[tuple[str, str]]]:
    """Keep the libraries' bars and remarks off the terminal, and read what they say of missing and other weights."""
    transformers = transformers_library()
    names: list[tuple[str, str]] = []
    logger, handler = logging.getLogger("transformers.modeling_utils"), _Reports(names)
    with quiet(transformers):
        before = logger.level, logger.propagate
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(handler)
        try:
            yield names
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]
