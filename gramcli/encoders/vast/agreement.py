"""What the files of a checkpoint state against one another; the configuration that is used wins, and it is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.facts import shortened
from gramcli.encoders.vast.infer import PMRL_SETTINGS, infer_architecture, model_config
from gramcli.encoders.vast.layout import Found
from gramcli.encoders.vast.tensors import WeightFiles

# What a configuration states -> where arch.json states it too.
_LENGTHS: Final = {
    "audio_melbins": ("audio", "melbins"),
    "audio_target_length": ("audio", "target_length"),
    "max_caption_len": ("lengths", "max_caption_len"),
    "max_subtitle_len": ("lengths", "max_subtitle_len"),
}
_FOLLOWED: Final = "The configuration is followed; check that it belongs to these weights."


def understand(files: WeightFiles, found: Found) -> tuple[Architecture, tuple[str, ...]]:
    """Work out the architecture of a checkpoint that was found, and where its files contradict one another.

    Args:
        files: Its tensors.
        found: Its files.

    Returns:
        The architecture; what was assumed and what was overruled, one sentence each.

    Raises:
        UserError: As `infer_architecture`.
    """
    architecture, assumptions = infer_architecture(files.shapes, found.config, found.arch, files.stored)
    config = model_config(found.config)
    overruled = [
        *_family(config, str((found.arch or {}).get("model_type") or "").lower(), "arch.json", architecture.family),
        *_other_lengths(config, {name: _fact(found.arch, *place) for name, place in _LENGTHS.items()}, "arch.json"),
    ]
    if found.beside is not None:
        beside = model_config(found.beside)
        where = "the one that came with the weights"
        named = {name: beside.get(name) for name in (*_LENGTHS, "vision_resolution")}
        overruled += [
            *_family(config, _named_family(beside), where, architecture.family),
            *_other_lengths(config, named, where),
        ]
    return architecture, tuple(dict.fromkeys((*assumptions, *overruled)))


def _named_family(config: Mapping[str, Any]) -> str:
    pmrl = any(name in config for name in PMRL_SETTINGS)
    return "pmrl" if pmrl else str(config.get("model_type") or "").lower()


def _family(config: Mapping[str, Any], other: str, where: str, used: str) -> Iterator[str]:
    """A sentence where another file names another family than the configuration."""
    named = _named_family(config)
    if named and other and other not in (named, used):
        yield f"The configuration names {shortened(named)[1:-1]}, {where} {shortened(other)[1:-1]}. {_FOLLOWED}"


def _other_lengths(config: Mapping[str, Any], stated: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, value in stated.items():
        if name in config and value is not None and value != config[name]:
            yield f"The configuration names {name} {config[name]}, {where} {shortened(value)}. {_FOLLOWED}"


def _fact(arch: Mapping[str, Any] | None, section: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
    part = (arch or {}).get(section)
    return part.get(name) if isinstance(part, Mapping) else None
