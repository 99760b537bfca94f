"""Which files of the hub a model of sentence-transformers is made of: its modules lie in folders."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.files.reading import read_regular

if TYPE_CHECKING:
    from gramcli.encoders.base import EncoderOptions

MODULES: Final = "modules.json"
PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
# What a training run leaves, which no module reads.
LEFT_OVER: Final = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "optimizer.bin"})
_SMALL: Final = re.compile(r".+\.(?:json|txt|model|jinja)|README\.md")
_INDEX: Final = "model.safetensors.index.json"
# The same weights for other programs.
_OTHERS: Final = frozenset({"onnx", "openvino", "coreml", "flax", "rust", "gguf", "original"})
_NO_FILES: Final = (".Normalize",)


@dataclass(frozen=True)
class OfSentenceTransformers:
    """What a model of sentence-transformers needs."""

    def complete(self, folder: Path, options: EncoderOptions) -> bool:
        """Whether a snapshot has its modules' folders, and all parts of weights that are in parts."""
        if not (folder / MODULES).is_file():
            return (folder / "config.json").is_file() and _parts_are_there(folder)
        rows = [row for row in _json(folder / MODULES, []) if isinstance(row, dict)]
        needed = [str(row.get("path", "")) for row in rows if not str(row.get("type")).endswith(_NO_FILES)]
        return all((folder / part).is_dir() and _parts_are_there(folder / part) for part in needed)

    def whole(self, folder: Path) -> bool:
        """Nothing else is wished for: a module without its files says so itself."""
        return True

    def chosen(self, names: Sequence[str], name: str, options: EncoderOptions) -> set[str]:
        """Choose the small files of all folders and the weights; pickles only where they may be loaded.

        Raises:
            UserError: It is no model, or has no weights that may be loaded.
        """
        ours = [one for one in names if _OTHERS.isdisjoint(PurePosixPath(one).parts[:-1]) and not one.startswith(".")]
        if not {MODULES, "config.json"} & set(ours):
            raise UserError("input", f"{name} has neither {MODULES} nor config.json: it is no model. Name another one.")
        small = {one for one in ours if _SMALL.fullmatch(one)}
        tensors = {one for one in ours if one.endswith(".safetensors")}
        safe = {PurePosixPath(one).parent for one in tensors}
        pickles = {one for one in ours if is_pickle(one) and PurePosixPath(one).parent not in safe}
        if not options.allow_pickle and (pickles or not tensors):
            what = "weights as pickles, which can run code (--allow-pickle)" if pickles else "no weights"
            raise UserError("checkpoint", f"{name} has {what}. Name another revision, name@REVISION, or another model.")
        return small | tensors | (pickles if options.allow_pickle else set())


def is_pickle(name: str) -> bool:
    """Whether a file holds weights that can run code when they are loaded.

    Example:
        >>> is_pickle("1_Dense/pytorch_model.bin"), is_pickle("training_args.bin"), is_pickle("model.safetensors")
        (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix in PICKLES and path.name not in LEFT_OVER


def _parts_are_there(folder: Path) -> bool:
    if not (folder / _INDEX).is_file():
        return True
    index = _json(folder / _INDEX, {})
    named = index.get("weight_map") if isinstance(index, dict) else None
    return isinstance(named, dict) and all((folder / str(part)).is_file() for part in set(map(str, named.values())))


def _json(path: Path, otherwise: Any) -> Any:  # noqa: ANN401 - what a file says
    """What a file says; `otherwise` where it cannot be read, which is said when the model is looked through."""
    try:
        return json.loads(read_regular(path, 1 << 24))
    except (OSError, ValueError, RecursionError):
        return otherwise
