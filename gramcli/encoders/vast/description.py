"""What a checkpoint is, told from the shapes of its tensors without building the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gramcli.encoders.vast.agreement import understand
from gramcli.encoders.vast.architecture import Architecture, Family
from gramcli.encoders.vast.layout import find_checkpoint
from gramcli.encoders.vast.names import (
    Shape,
    count_by_part,
    expected_shapes,
    is_unused,
    parameters_by_part,
    tied_name,
)
from gramcli.encoders.vast.sampling import SamplingDefaults, sampling_assumptions, sampling_defaults
from gramcli.encoders.vast.tensors import WeightFiles, dtype_counts, file_sha256
from gramcli.encoders.vast.weights import is_resized

_BLOCKS: Final = {"eva01": "EVA01-CLIP", "eva02": "EVA02-CLIP", "clip": "OpenAI CLIP"}


@dataclass(frozen=True)
class CheckpointDescription:
    """A checkpoint in words and numbers. Keys are counted by part of the model.

    Attributes:
        weights: Its weight files.
        config_path: Its configuration file; None when there is none or the weight file holds it.
        family: Whose checkpoint it is.
        modalities: What it can embed.
        architecture: All sizes.
        rows: The same for people: name and value.
        sampling: How it was evaluated.
        parameters: Distinct parameters of each part.
        step: Training step, when a name states it.
        tensors: How many, each of several tied ones counted.
        dtypes: Number types, with counts of tensors.
        missing: Tensors of the official model that the files lack.
        unexpected: Tensors that the official model does not have.
        misshapen: Tensors whose shape contradicts the architecture.
        assumptions: What was stripped from names, what lies beside, what had to be assumed; one sentence each.
        sha256: Of every weight file, by its name.
    """

    weights: tuple[Path, ...]
    config_path: Path | None
    family: Family
    modalities: tuple[str, ...]
    architecture: Architecture
    rows: tuple[tuple[str, str], ...]
    sampling: SamplingDefaults
    parameters: Mapping[str, int]
    step: int | None
    tensors: int
    dtypes: Mapping[str, int]
    missing: Mapping[str, int]
    unexpected: Mapping[str, int]
    misshapen: tuple[str, ...]
    assumptions: tuple[str, ...]
    sha256: Mapping[str, str]

    @property
    def total_parameters(self) -> int:
        """Distinct parameters of all parts."""
        return sum(self.parameters.values())


def describe_checkpoint(
    path: Path,
    step: int | None = None,
    config: Path | None = None,
    *,
    verify: bool = False,
    allow_pickle: bool = False,
) -> CheckpointDescription:
    """Describe a checkpoint; of its weights only names and shapes are looked at, and the files are hashed.

    Args:
        path: A checkpoint folder or weight file.
        step: Training step wanted; None takes the largest.
        config: Configuration to use instead of the one beside the weights.
        verify: Also read every tensor.
        allow_pickle: Whether the weight file may run code of its own.

    Returns:
        The description. That tensors are missing is reported, not refused: loading decides which it can do without.

    Raises:
        UserError: There is no readable checkpoint, or it is of no VAST-family model we support; `verify` found a
            damaged file, or numbers that are not finite.
    """
    found = find_checkpoint(path, step, config)
    files = WeightFiles(found.weights, allow_pickle=allow_pickle)
    architecture, assumptions = understand(files, found)
    if verify:
        files.verify()
    missing, unexpected, misshapen = compare_keys(files.shapes, architecture)
    return CheckpointDescription(
        weights=found.weights,
        config_path=found.config_path,
        family=architecture.family,
        modalities=("text", "video", "audio", "subtitle", *(("depth",) if architecture.depth else ())),
        architecture=architecture,
        rows=_rows(architecture),
        sampling=sampling_defaults(found.config, architecture),
        parameters=parameters_by_part(files.shapes),
        step=found.step,
        tensors=len(files.shapes),
        dtypes=dtype_counts(files.dtypes.values()),
        missing=missing,
        unexpected=unexpected,
        misshapen=misshapen,
        assumptions=(*files.remarks, *assumptions, *sampling_assumptions(found.config)),
        sha256={path.name: file_sha256(path) for path in found.weights},
    )


def compare_keys(
    shapes: Mapping[str, Shape], architecture: Architecture
) -> tuple[dict[str, int], dict[str, int], tuple[str, ...]]:
    """Hold the tensors of a checkpoint against those of the official model of its architecture.

    Returns:
        Missing and unexpected tensors, counted by part, and the names of those with another shape. One of several tied
        tensors is enough; unused tables that can be computed are neither missed nor unexpected, and tables of
        positions may be of another length: loading interpolates them.
    """
    expected = expected_shapes(architecture)
    held, known = ({tied_name(key) for key in keys} for keys in (shapes, expected))
    return (
        count_by_part(key for key in expected if tied_name(key) not in held),
        count_by_part(key for key in shapes if tied_name(key) not in known and not is_unused(key)),
        tuple(key for key, shape in shapes.items() if expected.get(key, shape) != shape and not is_resized(key)),
    )


def _rows(a: Architecture) -> tuple[tuple[str, str], ...]:
    v, s, t = a.vision, a.audio, a.text
    return (
        ("vision tower", f"{_BLOCKS[v.kind]}, {v.layers} layers, width {v.width}, {v.heads} heads"),
        (
            "vision input",
            f"{v.resolution} x {v.resolution} pixels, patches of {v.patch_size}, {v.tokens} tokens a frame",
        ),
        ("audio tower", f"BEATs, {s.layers} layers, width {s.width}, {s.heads} heads"),
        ("audio input", f"slices of {s.target_length} frames (10 ms each), {s.mel_bins} mel bands"),
        ("text tower", f"BERT with cross-attention, {t.layers} layers, width {t.hidden}, {t.heads} heads"),
        ("text input", f"captions of {a.caption_length} tokens, subtitles of {a.subtitle_length}"),
        ("vocabulary", str(t.vocab_size)),
        ("shared space", f"{a.contra_dim} dimensions"),
        ("frame embeddings", f"{a.vision_samples} for frames, {a.audio_samples} for audio slices"),
        ("depth", "yes" if a.depth else "no"),
    )
