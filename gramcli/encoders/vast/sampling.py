"""How a checkpoint was evaluated, as its configuration records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.facts import positive_count
from gramcli.encoders.vast.frontends import TRANSFORMS, Transform
from gramcli.encoders.vast.infer import LARGEST_SAMPLES
from gramcli.errors import UserError

_LARGEST_CLIP: Final = 1 << 31  # bytes


@dataclass(frozen=True)
class SamplingDefaults:
    """How a checkpoint was evaluated, which is how it should be fed.

    Attributes:
        frames: Frames of a clip.
        audio_slices: Slices of a sound.
        transform: What is done to frames: `crop_flip` or `none`.
        caption_length: Tokens of a caption.
        subtitle_length: Tokens of a subtitle.
        task: The task as the configuration names it, for instance `ret%tvas`; None when it names none.
    """

    frames: int
    audio_slices: int
    transform: Transform
    caption_length: int
    subtitle_length: int
    task: str | None


def sampling_defaults(config: Mapping[str, Any], architecture: Architecture) -> SamplingDefaults:
    """Read how a checkpoint was evaluated: the first validation entry of its configuration, or else a training entry.

    Args:
        config: The training configuration (`hps.json`), or empty.
        architecture: What stands in for numbers it does not state: one frame or slice for each row of the frame
            embeddings.

    Returns:
        The defaults. A configuration that names no transform means `none`, as the released code has it.

    Raises:
        UserError: The configuration states something that is no count, or a transform nobody knows.
    """
    entry = _entry(config)
    transform = entry.get("vision_transforms", "none")
    if transform not in TRANSFORMS:
        raise UserError(
            "checkpoint", f"The configuration names the transform {transform!r}; known: {', '.join(TRANSFORMS)}."
        )
    task = entry.get("task")
    frames, slices = (
        positive_count(name, entry.get(name, otherwise), LARGEST_SAMPLES)
        for name, otherwise in (
            ("vision_sample_num", architecture.vision_samples),
            ("audio_sample_num", architecture.audio_samples),
        )
    )
    _check_size("frames", frames, 3 * architecture.vision.resolution**2)
    _check_size("slices of sound", slices, architecture.audio.target_length * architecture.audio.mel_bins)
    return SamplingDefaults(
        frames=frames,
        audio_slices=slices,
        transform=transform,
        caption_length=architecture.caption_length,
        subtitle_length=architecture.subtitle_length,
        task=task if isinstance(task, str) else None,
    )


def sampling_assumptions(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what had to be assumed of how a checkpoint is fed, one sentence each."""
    if _entry(config):
        return ()
    return (
        "Assumed a frame and a slice of sound for each frame embedding, and frames squeezed into a square (transform "
        "none): no hps.json says how the checkpoint was evaluated.",
    )


def _check_size(what: str, count: int, numbers: int) -> None:
    """Refuse a configuration under which one clip alone would fill the memory."""
    if 4 * count * numbers > _LARGEST_CLIP:
        raise UserError(
            "checkpoint",
            f"The configuration asks for {count} {what} of {numbers} numbers each, {4 * count * numbers / 2**30:.0f} "
            "GiB for a single clip; mend it.",
        )


def _entry(config: Mapping[str, Any]) -> Mapping[str, Any]:
    data = config.get("data_cfg", {})
    for split in ("val", "train"):
        entries = data.get(split) if isinstance(data, Mapping) else None
        first = entries[0] if isinstance(entries, list) and entries else entries
        if isinstance(first, Mapping) and first:
            return first
    return {}
