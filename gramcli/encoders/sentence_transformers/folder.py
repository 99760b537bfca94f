"""What may be loaded of a model of sentence-transformers: its modules, no code of its own, no pickles unasked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.files.reading import open_regular, read_regular

if TYPE_CHECKING:
    from gramcli.encoders.huggingface.source import Source

MODULES: Final = "modules.json"
SETTINGS: Final = "config_sentence_transformers.json"
ADAPTER: Final = "adapter_config.json"
ROUTER: Final = "router_config.json"
_LARGEST_JSON: Final = 1 << 20
_MOST_MODULES: Final = 64
_PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
# The library's own modules, under their names of before and after version 6.
_OURS: Final = ("sentence_transformers.models", "sentence_transformers.base.modules",
                "sentence_transformers.sentence_transformer.modules")  # fmt: skip


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
    folders = [source.folder, *_module_folders(source)]
    for path in sorted({path for folder in folders for path in folder.glob("*.json")}):
        _check_json(source, path)
    weights = [path for folder in dict.fromkeys(folders) for path in _weights(source, folder)]
    if not weights:
        raise UserError("checkpoint", f"{source.folder} has no weights (*.safetensors): fetch the model again.")
    return weights


def _module_folders(source: Source) -> list[Path]:
    """The folders of the modules, which lie below the model's."""
    if not (source.folder / MODULES).is_file():
        return []
    path = source.folder / MODULES
    rows = _json(path)
    if not isinstance(rows, list) or len(rows) > _MOST_MODULES or not all(isinstance(row, dict) for row in rows):
        raise UserError("checkpoint", f"{path} is no list of modules: fetch the model again.")
    folders = []
    for row in rows:
        _check_class(source, str(row.get("type")))
        part = PurePosixPath(str(row.get("path", "")))
        if part.is_absolute() or ".." in part.parts:
            raise UserError("checkpoint", f"{path} names {str(part)!r}, which is not below the model's folder.")
        folders += [source.folder / part, *_routes(source, source.folder / part)]
    return folders


def _routes(source: Source, folder: Path) -> list[Path]:
    """The folders of what a router chooses from."""
    if not (folder / ROUTER).is_file():
        return []
    types = _json(folder / ROUTER).get("types") or {}
    for one in types.values():
        _check_class(source, str(one))
    parts = [PurePosixPath(name) for name in types]
    if any(part.is_absolute() or ".." in part.parts for part in parts):
        raise UserError("checkpoint", f"{folder / ROUTER} names a folder that is not below it.")
    return [folder / part for part in parts]


def _check_class(source: Source, name: str) -> None:
    """Refuse a module that is no part of the library: loading it would run code of the model."""
    if not any(name.startswith(f"{ours}.") for ours in _OURS):
        raise UserError(
            "checkpoint",
            f"{source.name} is built with {name!r}, code that comes with the model and that gramcli never runs. "
            "Embed with that code yourself and bring the vectors as a store (gram import), or write an encoder of "
            "your own: --model MODULE:FUNCTION.",
        )


def _check_json(source: Source, path: Path) -> None:
    found = _json(path, lenient=path.name not in (SETTINGS, ADAPTER, "config.json"))
    if path.name == ADAPTER:
        base = found.get("base_model_name_or_path") if isinstance(found, Mapping) else None
        raise UserError(
            "checkpoint",
            f"{source.name} is an adapter of another model, {base!r}. Merge the two and save the whole: "
            "model.merge_and_unload() of peft.",
        )
    for key, value in _entries(found):
        if key == "auto_map" and value:
            raise UserError(
                "checkpoint",
                f"{source.name} needs code that comes with the model ({path.name}: auto_map), which gramcli never runs. "
                "Use a model that transformers knows by itself.",
            )
        if key == "activation_function" and not str(value).startswith("torch.nn."):
            raise UserError("checkpoint", f"{path} names {value!r} as its activation, which is none of torch.nn.")


def _json(path: Path, *, lenient: bool = False) -> Any:  # noqa: ANN401 - what a file says
    """Read JSON; a vocabulary, which may be large, is left to the library."""
    if lenient and path.stat().st_size > _LARGEST_JSON:
        return None
    try:
        return json.loads(read_regular(path, _LARGEST_JSON))
    except (OSError, ValueError, RecursionError) as error:
        if lenient:
            return None
        raise UserError("checkpoint", f"{path} cannot be read as JSON ({error}): fetch the model again.") from None


def _entries(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key), inner
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


def _weights(source: Source, folder: Path) -> list[Path]:
    """The weight files of one module: safetensors, or pickles where there are no others and they are allowed."""
    safe = sorted(folder.glob("*.safetensors"))
    if safe:
        return safe
    pickles = sorted(path for path in folder.glob("*") if path.suffix in _PICKLES and not _is_note(path))
    if pickles and not source.options.allow_pickle:
        raise UserError(
            "checkpoint",
            f"{source.name} has its weights as {pickles[0].name}, a pickle, which can run code when it is loaded. Use "
            "a model with .safetensors, or --allow-pickle if you trust whoever made this one.",
        )
    return pickles


def _is_note(path: Path) -> bool:
    """Arguments of a training run, which no module reads."""
    return path.name in {"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"}


def digests(source: Source, weights: list[Path]) -> dict[str, str]:
    """Compute the SHA-256 of every weight file, by its path below the model's folder."""
    import hashlib  # noqa: PLC0415 - when a store is about to be written

    found = {}
    for path in weights:
        with open_regular(path) as file:
            found[path.relative_to(source.folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
