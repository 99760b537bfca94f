"""Where a checkpoint keeps its weights and its configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gramcli.errors import UserError
from gramcli.files.reading import open_regular, read_regular
from gramcli.results.schema import Source, parse_json

WEIGHT_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
# The key of our own metadata in a safetensors file.
METADATA_KEY: Final = "gramcli"

_CONFIG_NAMES: Final = ("hps.json", "log/hps.json", "config.json")
_STEP: Final = re.compile(r"^(?:model_step_|checkpoint-)(\d+)(?:\.(?:pt|pth|bin|ckpt|safetensors))?$", re.IGNORECASE)
_SHARD: Final = re.compile(r"^(.+)-(\d+)-of-(\d+)\.(?:bin|safetensors)$")
_MANY_SHARDS: Final = 1000
_LARGEST_HEADER: Final = 10**8  # as the format has it
# What trainers leave beside the weights.
_NOT_WEIGHTS: Final = re.compile(
    r"(?:optimizer|scheduler|scaler|rng_state|training_args)|.*_optim_states\.", re.IGNORECASE
)
_TRAINER_FILES: Final = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The files of one checkpoint.

    Attributes:
        weights: The weight file, or all its shards.
        config: The training configuration (`hps.json`), or empty.
        config_path: Where it was read; None when there is none, or when the weight file itself holds it.
        arch: Facts about the architecture (`arch.json`) that shapes do not tell; None without such a file.
        step: Training step, as the names of files and folders or our metadata state it.
        folders: Folders of the checkpoint, nearest first: where a tokenizer may lie.
        beside: The configuration beside the weights or within them, where another one was given to be used.
    """

    weights: tuple[Path, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    config_path: Path | None = None
    arch: Mapping[str, Any] | None = None
    step: int | None = None
    folders: tuple[Path, ...] = ()
    beside: Mapping[str, Any] | None = None


def find_checkpoint(path: Path, step: int | None = None, config: Path | None = None) -> Found:
    """Find the weights and the configuration of a checkpoint.

    Args:
        path: A weight file, or a folder: one with `ckpt/model_step_N.pt` and `log/hps.json`, one with Hugging Face
            Trainer folders `checkpoint-N`, or one that holds the weights itself.
        step: Training step wanted; None takes the largest.
        config: Configuration to use instead of the one beside the weights.

    Returns:
        What was found. Nothing of the weights is read.

    Raises:
        UserError: There is no such file, no weights or no such step; there are several candidates; a shard is missing;
            a configuration cannot be read.
    """
    if not path.exists():
        raise UserError("checkpoint", f"{path} does not exist; give a checkpoint folder or a weight file.")
    weights, found_step = _weights(path, step)
    if step is not None and found_step != step:
        raise UserError("checkpoint", f"{path} is not of step {step}; leave the step out, or give the folder.")
    folders = _folders(path, weights[0])
    inside = _metadata(weights[0]) if len(weights) == 1 and weights[0].suffix.lower() == ".safetensors" else {}
    config_path = config or (None if "config" in inside else _first_file(folders, _CONFIG_NAMES))
    arch_path = None if "arch" in inside else _first_file(folders, ("arch.json", "log/arch.json"))
    return Found(
        weights=weights,
        config=read_json(config_path) if config_path else inside.get("config", {}),
        config_path=config_path,
        arch=read_json(arch_path) if arch_path else inside.get("arch"),
        step=inside.get("step", found_step),
        folders=folders,
        beside=_beside(folders, inside) if config else None,
    )


def _beside(folders: Iterable[Path], inside: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The configuration that another one replaces; it may be a broken one, which is then no matter."""
    path = None if "config" in inside else _first_file(folders, _CONFIG_NAMES)
    try:
        return read_json(path) if path else inside.get("config")
    except UserError:
        return None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: The file cannot be read, is not JSON, or holds something else than an object.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise UserError(
            "checkpoint", f"{path} does not exist; give the path of a configuration, an hps.json."
        ) from None
    except OSError as error:
        raise UserError("checkpoint", f"{path} cannot be read ({error.strerror}); restore the file.") from error
    document = parse_json(data, Source(path, "checkpoint", "Restore the file.", ours=False))
    if not isinstance(document, dict):
        raise UserError("checkpoint", f"{path} holds no JSON object; give the hps.json of the training run.")
    return document


def _weights(path: Path, step: int | None) -> tuple[tuple[Path, ...], int | None]:
    if path.is_file():
        return _of_file(path), _step_of(path) if _step_of(path) is not None else _step_of(path.parent)
    # Where steps lie in several layouts, the first that has any wins, as in the original; a step that is named is
    # looked for in all.
    layouts = [_trainer_folders(path), _model_files(path / "ckpt"), _model_files(path)]
    if held := [steps for steps in layouts if steps]:
        steps = next((steps for steps in held if step in steps), held[0])
        chosen = _chosen(path, sorted(set().union(*held)) if step is not None else sorted(steps), step)
        return steps[chosen], chosen
    for folder in (path, path / "ckpt"):
        if files := _trainer_files(folder) or _only_file(folder):
            return files, _step_of(folder)
    raise UserError(
        "checkpoint",
        f"No weights in {path}; looked for ckpt/model_step_N.pt, checkpoint-N/pytorch_model*.bin and a single "
        f"{', '.join(WEIGHT_SUFFIXES)} file. Give the folder of one training run, or the weight file itself.",
    )


def _of_file(path: Path) -> tuple[Path, ...]:
    if path.name.endswith(".index.json"):
        return _of_index(path)
    if shard := _SHARD.match(path.name):
        return _all_shards(path.parent, shard)
    if path.suffix.lower() not in WEIGHT_SUFFIXES:
        raise UserError(
            "checkpoint", f"{path} is no weight file; give one that ends in {', '.join(WEIGHT_SUFFIXES)}, or a folder."
        )
    return (path,)


def _trainer_folders(folder: Path) -> dict[int, tuple[Path, ...]]:
    children = ((child, _step_of(child)) for child in _children(folder) if child.is_dir())
    return {step: files for child, step in children if step is not None and (files := _trainer_files(child))}


def _model_files(folder: Path) -> dict[int, tuple[Path, ...]]:
    files = (child for child in _children(folder) if child.name.startswith("model_step_") and child.is_file())
    return {step: (child,) for child in files if (step := _step_of(child)) is not None}


def _chosen(folder: Path, steps: Sequence[int], step: int | None) -> int:
    if step is None:
        return max(steps)
    if step not in steps:
        raise UserError("checkpoint", f"{folder} has no step {step}; it has {', '.join(map(str, steps))}.")
    return step


def _trainer_files(folder: Path) -> tuple[Path, ...]:
    """Find the weights that the Hugging Face Trainer wrote into a folder."""
    for name in _TRAINER_FILES:
        if (folder / name).is_file():
            return _of_file(folder / name)
    shards = [shard for child in _children(folder) if (shard := _SHARD.match(child.name))]
    return _all_shards(folder, shards[0]) if shards else ()


def _of_index(path: Path) -> tuple[Path, ...]:
    names = read_json(path).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise UserError("checkpoint", f"{path} lists no weight files; copy the whole checkpoint folder again.")
    if outside := [name for name in names.values() if Path(name).name != name]:
        raise UserError("checkpoint", f"{path} names {outside[0]}, outside its folder; copy the checkpoint again.")
    return _existing(path.parent, sorted(set(names.values())))


def _all_shards(folder: Path, shard: re.Match[str]) -> tuple[Path, ...]:
    stem, number, total = shard.groups()
    suffix = Path(shard.string).suffix
    width = len(number)
    held = sum(1 for child in _children(folder) if (other := _SHARD.match(child.name)) and other.group(1) == stem)
    if held < int(total) > _MANY_SHARDS:  # too many to name
        raise UserError(
            "checkpoint", f"{folder} should hold {int(total)} shards and holds {held} of them; copy all of them."
        )
    return _existing(folder, [f"{stem}-{i:0{width}}-of-{total}{suffix}" for i in range(1, int(total) + 1)])


def _existing(folder: Path, names: Iterable[str]) -> tuple[Path, ...]:
    paths = tuple(folder / name for name in names)
    if missing := [path.name for path in paths if not path.is_file()]:
        raise UserError("checkpoint", f"{folder} lacks {', '.join(missing)}; copy all shards of the checkpoint.")
    return paths


def _only_file(folder: Path) -> tuple[Path, ...]:
    """Take the one weight file of a folder; the best by some measure only when there is nothing else."""
    files = [
        child
        for child in _children(folder)
        if child.suffix.lower() in WEIGHT_SUFFIXES and child.is_file() and not _NOT_WEIGHTS.match(child.name)
    ]
    files = [child for child in files if not child.name.startswith("best_")] or files
    if len(files) > 1:
        names = ", ".join(child.name for child in files)
        raise UserError("checkpoint", f"{folder} holds several weight files ({names}); give the path of one.")
    return tuple(files)


def _children(folder: Path) -> list[Path]:
    """List what a folder shows; hidden files are an editor's or a file system's, such as macOS's `._model.pt`."""
    return sorted(child for child in folder.iterdir() if not child.name.startswith(".")) if folder.is_dir() else []


def _step_of(path: Path) -> int | None:
    match = _STEP.match(path.name)
    return int(match.group(1)) if match else None


def _folders(path: Path, weights: Path) -> tuple[Path, ...]:
    """List the folders of a checkpoint: those that hold it, up to the one given, or one above a file."""
    nearest = weights.absolute().parent
    top = path.absolute() if path.is_dir() else nearest
    between = [folder for folder in (nearest, *nearest.parents) if folder.is_relative_to(top)]
    return tuple(dict.fromkeys((*between, nearest.parent)))


def _first_file(folders: Iterable[Path], names: Iterable[str]) -> Path | None:
    candidates = [folder / name for name in names for folder in folders]  # hps.json anywhere before config.json
    return next((path for path in candidates if path.is_file()), None)


def _metadata(path: Path) -> dict[str, Any]:
    """Read what our export wrote into the header of a safetensors file; nothing from other files."""
    try:
        with open_regular(path) as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if 0 < size <= min(_LARGEST_HEADER, path.stat().st_size - 8) else {}
        ours = json.loads(header.get("__metadata__", {}).get(METADATA_KEY, "{}"))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        # Not a safetensors file after all: reading its tensors says so, with the reason.
        return {}
    kinds = {"config": dict, "arch": dict, "step": int}
    return {key: ours[key] for key, kind in kinds.items() if isinstance(ours, dict) and isinstance(ours.get(key), kind)}
