"""What a model of Hugging Face is, from its JSON and the headers of its weights; nothing of it is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.families import family_of
from gramcli.encoders.huggingface.hub import header_numbers, open_source
from gramcli.encoders.huggingface.source import Source
from gramcli.encoders.huggingface.weights import find_weights
from gramcli.files.reading import read_regular

_LARGEST_CARD: Final = 2**20
_LICENCE: Final = re.compile(r"^license(?:_name)?:\s*[\"']?([\w.+ -]{1,60}?)[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class ModelFacts:
    """A model in words.

    Attributes:
        spec: What `--model` calls it.
        facts: Name and value, in order.
        notes: What a user should know of it, one sentence each.
    """

    spec: str
    facts: dict[str, str]
    notes: tuple[str, ...]


def describe_model(argument: str, options: EncoderOptions) -> ModelFacts:
    """Describe a model.

    Args:
        argument: A folder, or a name of the hub.
        options: Whether pickled weights may be used; what is told of a download.

    Returns:
        Its family, licence, commit and parameters. Of a model that is not here, only small files are downloaded.

    Raises:
        UserError: It is not there, or no model of transformers.
    """
    source = open_source(argument, options, weights=False)
    row = family_of(source.config)
    numbers, files = _numbers(source, options)
    towers = {name.removesuffix("_config"): part for name, part in source.config.items() if name.endswith("_config")}
    facts = {
        "model": source.name,
        "family": row.name if row else "not in the table; used if transformers has a dual encoder of this type",
        "model type": str(source.config.get("model_type", "not stated")),
        "modalities": ", ".join(row.modalities) if row else "text and pictures, if it is one",
        **{f"{name} tower": _tower(part) for name, part in towers.items() if isinstance(part, dict)},
        "parameters": f"{sum(numbers.values()):,}" if numbers else "not known before pickled weights are loaded",
        "numbers": ", ".join(f"{kind} ({count:,})" for kind, count in numbers.items()) or "not known",
        "weights": files,
        "licence": licence_of(source),
        "commit": source.revision or "none: a folder",
    }
    spec = f"{'st' if source.has('modules.json') else 'hf'}:{argument}"
    if spec.startswith("st:"):
        facts |= {"family": "sentence-transformers", "modalities": "as the model says once it is loaded"}
    return ModelFacts(
        spec, {name: str(value) for name, value in facts.items() if value}, (f"Use it as --model {spec}",)
    )


def licence_of(source: Source) -> str:
    """The licence that the model's card states in its head, or its configuration."""
    try:
        card = read_regular(source.folder / "README.md", _LARGEST_CARD).decode("utf-8", "replace")
    except OSError:
        card = ""
    head = card.split("\n---", 1)[0] if card.startswith("---") else ""
    named = [found.strip() for found in _LICENCE.findall(head)]
    stated = source.config.get("license")
    return ", ".join(dict.fromkeys(named)) or (stated[:60] if isinstance(stated, str) else "not stated")


def _numbers(source: Source, options: EncoderOptions) -> tuple[dict[str, int], str]:
    """Parameters by number type, and the names of the weight files; from the hub's headers where they are not here."""
    if source.revision and not any(_is_weights(path) for path in source.folder.iterdir()):
        return header_numbers(source.name, source.revision), "on the hub, not downloaded"
    weights = find_weights(source.folder, allow_pickle=options.allow_pickle)
    names = [path.name for path in weights.files]
    return dict(weights.numbers), names[0] if len(names) == 1 else f"{len(names)} files, {names[0]} and on"


def _is_weights(path: Path) -> bool:
    return path.suffix in {".safetensors", ".bin"}


def _tower(part: dict[str, Any]) -> str:
    """The sizes of one tower that its JSON states."""
    words = {
        "num_hidden_layers": "layers", "hidden_size": "wide", "num_attention_heads": "heads", "image_size": "pixels",
        "patch_size": "pixels a patch", "num_frames": "frames", "vocab_size": "words",
    }  # fmt: skip
    return ", ".join(f"{part[name]} {word}" for name, word in words.items() if isinstance(part.get(name), int))
