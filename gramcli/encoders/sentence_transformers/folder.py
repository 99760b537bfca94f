"""What may be loaded of a model of sentence-transformers: its modules, no code of its own, no pickles unasked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders.huggingface.limits import check_config
from gramcli.encoders.huggingface.weights import find_weights
from gramcli.encoders.sentence_transformers.needs import MODULES, is_pickle
from gramcli.errors import UserError
from gramcli.files.reading import open_regular, read_regular
from gramcli.results.schema import Source as Document
from gramcli.results.schema import parse_json

if TYPE_CHECKING:
    from gramcli.encoders.huggingface.source import Source

ADAPTER: Final = "adapter_config.json"
ROUTER: Final = "router_config.json"
_LARGEST_JSON: Final = 1 << 24
_MOST_MODULES: Final = 64
_REMEDY: Final = "Download the model again, or give another one."
# The library's own modules, under their names of before and after version 6.
_OURS: Final = (
    "sentence_transformers.models.",
    "sentence_transformers.base.modules.",
    "sentence_transformers.sentence_transformer.modules.",
)


def check_folder(source: Source) -> list[Path]:
    """Look through a model's folder before the library loads it.

    Args:
        source: The snapshot.

    Returns:
        The weight files that are going to be read.

    Raises:
        UserError: It needs code of its own or another model, its weights are pickles and that was not allowed, or its
            JSON cannot be read.
    """
    folders = list(dict.fromkeys([source.folder, *_module_folders(source)]))
    for path in sorted({path for folder in folders for path in folder.glob("*config.json")}):
        _check_settings(source, path)
    weights = [path for folder in folders for path in _weights(source, folder)]
    if not weights:
        raise UserError("checkpoint", f"{source.folder} has no weights (*.safetensors). {_REMEDY}")
    return weights


def _module_folders(source: Source) -> Iterator[Path]:
    """The folders of the modules, which lie below the model's."""
    path = source.folder / MODULES
    if not path.is_file():
        return
    rows = _json(path)
    if not isinstance(rows, list) or len(rows) > _MOST_MODULES or not all(isinstance(row, dict) for row in rows):
        raise UserError("checkpoint", f"{path} is no list of modules. {_REMEDY}")
    for row in rows:
        _check_class(source, str(row.get("type")))
        folder = source.folder / _below(path, str(row.get("path", "")))
        yield folder
        yield from _routes(source, folder / ROUTER)


def _routes(source: Source, path: Path) -> Iterator[Path]:
    """The folders of what a router chooses from."""
    found = _json(path) if path.is_file() else {}
    types = found.get("types") if isinstance(found, dict) else None
    for name, kind in (types if isinstance(types, dict) else {}).items():
        _check_class(source, str(kind))
        yield path.parent / _below(path, str(name))


def _below(path: Path, name: str) -> PurePosixPath:
    part = PurePosixPath(name)
    if part.is_absolute() or ".." in part.parts:
        raise UserError("checkpoint", f"{path} names the folder {name!r}, which is not below it. {_REMEDY}")
    return part


def _check_class(source: Source, name: str) -> None:
    """Refuse a module that is no part of the library: loading it would run code of the model."""
    if not name.startswith(_OURS):
        raise UserError(
            "checkpoint",
            f"{source.name} is built with {name!r}, code that comes with the model and that gramcli never runs. "
            "Embed with that code yourself and bring the vectors (gram import), or write an encoder of your own: "
            "--model MODULE:FUNCTION.",
        )


def _check_settings(source: Source, path: Path) -> None:
    found = _json(path)
    if not isinstance(found, dict):
        return
    if path.name == ADAPTER:
        raise UserError(
            "checkpoint",
            f"{source.name} is an adapter of another model, {found.get('base_model_name_or_path')!r}: load and merge "
            "the two with peft (merge_and_unload), save the whole, and give that folder.",
        )
    # A model may bring code that transformers needs no more, since it knows the model by now.
    check_config({key: value for key, value in found.items() if key != "auto_map"}, path)
    activation = found.get("activation_function", "torch.nn.")
    if not str(activation).startswith("torch.nn."):
        raise UserError("checkpoint", f"{path} names {activation!r} as its activation, none of torch.nn. {_REMEDY}")


def _json(path: Path) -> Any:  # noqa: ANN401 - what a file says
    try:
        data = read_regular(path, _LARGEST_JSON)
    except OSError as error:
        raise UserError("checkpoint", f"{path} cannot be read: {error.strerror or error}.") from error
    return parse_json(data, Document(path, "checkpoint", _REMEDY, ours=False))


def _weights(source: Source, folder: Path) -> list[Path]:
    """The weight files of one module: safetensors, or pickles where there are no others and they are allowed."""
    safe = list(find_weights(folder).files) if _is_safe(folder) else []
    pickles = [] if safe else sorted(path for path in folder.glob("*") if is_pickle(path.name))
    if pickles and not source.options.allow_pickle:
        raise UserError(
            "checkpoint",
            f"{source.name} has its weights as {pickles[0].name}, a pickle, which can run code. Give a model with "
            ".safetensors, or use --allow-pickle if you trust it.",
        )
    return safe or pickles


def _is_safe(folder: Path) -> bool:
    """Whether the library takes safetensors, by the names it looks for, and not the pickle beside them."""
    return any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))


def digests(source: Source, weights: list[Path]) -> Mapping[str, str]:
    """Compute the SHA-256 of every weight file, by its path below the model's folder."""
    import hashlib  # noqa: PLC0415 - when a store is about to be written

    found = {}
    for path in weights:
        with open_regular(path) as file:
            found[path.relative_to(source.folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
