"""What the JSON of a model may say: sizes that some model has, and no code of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gramcli.errors import UserError

# Part of a setting's name -> the largest value that any published model comes near.
_LARGEST: Final[tuple[tuple[str, int], ...]] = (
    ("layers", 1024),
    ("depth", 1024),
    ("num_frames", 4096),
    ("image_size", 4096),
    ("patch_size", 1024),
    ("heads", 4096),
    ("hidden_size", 2**17),
    ("intermediate_size", 2**19),
    ("projection_dim", 2**17),
    ("projection_size", 2**17),
    ("vocab_size", 2**23),
    ("max_position_embeddings", 2**21),
    ("max_num_patches", 2**16),
)
_LARGEST_NUMBER: Final = 2**40
_CODE: Final = ("auto_map", "custom_pipelines")
_ATTENTION: Final = ("attn_implementation", "_attn_implementation")  # with a slash: kernels of the hub


def check_config(config: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Refuse settings that no model has, and a model that is code.

    Args:
        config: What a JSON file of a model holds.
        path: That file, for messages.

    Returns:
        The same.

    Raises:
        UserError: It names code of its own, or a size beyond its limit.
    """
    for name, value in _entries(config):
        if (name in _CODE and value) or (name in _ATTENTION and "/" in str(value)):
            raise UserError(
                "checkpoint",
                f"{path} asks for Python code of its own ({name}), which is never run. Use a model that transformers "
                "itself has, or embed with the model's own package and bring the vectors as a store.",
            )
        if name == "quantization_config" and value:
            raise UserError(
                "checkpoint",
                f"{path}: the weights are quantised, which only makes sense with packages of their own; give weights "
                "in float32, bfloat16 or float16.",
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(name, value, path)
    return config


def _check_number(name: str, value: float, path: Path) -> None:
    largest = next((limit for part, limit in _LARGEST if part in name), _LARGEST_NUMBER)
    if not math.isfinite(value) or (abs(value) > largest and not _is_length(name, value)):
        raise UserError("checkpoint", f"{path}: {name} is {value:g}, beyond {largest:,}, which no model has.")


def _is_length(name: str, value: float) -> bool:
    """Tokenizers write "no limit" as 1e30."""
    return name == "model_max_length" and value > 0


def _entries(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Walk all settings, those in lists under the list's name; nesting is limited by the reader of JSON."""
    yield name, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entries(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner, name)
