"""From a spec to a loaded model of sentence-transformers: one folder, checked, and nothing fetched beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders.sentence_transformers.folder import check_folder
from gramcli.encoders.sentence_transformers.spec import split_options
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder, EncoderOptions
    from gramcli.encoders.huggingface.source import Source

INSTALL: Final = "pip install 'gramcli[st]'"


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
    source = _found(named, options)
    weights = check_folder(source)
    from gramcli.encoders.sentence_transformers.encoder import SentenceTransformerEncoder  # noqa: PLC0415 - torch

    model = _loaded(source, f"st:{named}")
    return SentenceTransformerEncoder(model, source, weights, f"st:{argument}", truncate_dim)


def _check_installed() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - cheap, and only here

    if find_spec("sentence_transformers") is None:
        raise UserError("usage", f"st: needs sentence-transformers, which is not installed: {INSTALL}")


def _found(named: str, options: EncoderOptions) -> Source:
    from gramcli.encoders.huggingface.source import Source  # noqa: PLC0415 - as above

    folder = Path(named)
    return Source(folder, options, folder.resolve().name)


def _loaded(source: Source, spec: str) -> Any:  # noqa: ANN401 - a SentenceTransformer
    """Load the whole model from its folder, in eval mode."""
    import torch  # noqa: PLC0415 - slow, and only here

    from gramcli.encoders.sentence_transformers.encoder import needs_more  # noqa: PLC0415 - torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[source.options.precision]
    how = {"dtype": dtype} | ({} if source.options.allow_pickle else {"use_safetensors": True})
    with _quietly():
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - as torch

        try:
            model = SentenceTransformer(
                str(source.folder), device=source.options.device, local_files_only=True, model_kwargs=how
            )
        except ImportError as error:
            raise needs_more(spec, error) from error
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            said = str(error).strip().splitlines()
            raise UserError(
                "checkpoint",
                f"{spec} cannot be loaded by sentence-transformers: {said[0] if said else type(error).__name__}",
            ) from error
    return model.eval()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the libraries' bars and remarks off the terminal while a model is loaded."""
    from transformers.utils import logging  # noqa: PLC0415 - slow, and only here

    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
