"""Checkpoints made for tests: a stand-in model with the tensors of a real one, and files to break."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import Architecture, AudioConfig, TextConfig, UnusedTextConfig, VisionConfig
from gramcli.encoders.vast.names import tied_name

HPS: dict[str, Any] = {
    "run_cfg": {"vision_resolution": 28},
    "model_cfg": {
        "model_type": "gram", "max_caption_len": 8, "max_subtitle_len": 12, "vision_resolution": 28,
        "vision_encoder_type": "evaclip01_giant", "audio_encoder_type": "beats", "audio_melbins": 64,
        "audio_target_length": 32,
    },
    "data_cfg": {
        "train": [{"vision_sample_num": 4, "audio_sample_num": 2, "task": "ret%tva"}],
        "val": [{"vision_sample_num": 8, "audio_sample_num": 2, "vision_transforms": "crop_flip", "task": "ret%tvas"}],
    },
}  # fmt: skip

SMALL = Architecture(
    family="gram",
    vision=VisionConfig("eva01", 88, 2, 1, 24, 14, 28, 6),
    vision_text=UnusedTextConfig(5, 9, 8, 1),
    audio=AudioConfig(32, 2, 2, 20, 12, 16, 6, 4, 320, 800, 64, 32),
    text=TextConfig(30, 64, 2, 1, 40, 16),
    contra_dim=10,
    vision_samples=4,
    audio_samples=2,
    depth=True,
    caption_length=8,
    subtitle_length=12,
)
"""A very small model whose sizes differ from one another."""


def stand_in(shapes: Mapping[str, tuple[int, ...]], *, tie: bool = True) -> nn.Module:
    """A module on the meta device whose state_dict has these keys and shapes, tied as the official model is."""
    root, made = nn.Module(), {}
    for key, shape in shapes.items():
        *path, name = key.split(".")
        owner = root
        for part in path:
            if not hasattr(owner, part):
                owner.add_module(part, nn.Module())
            owner = getattr(owner, part)
        if name == "position_ids":
            owner.register_buffer(name, torch.empty(shape, dtype=torch.int64, device="meta"))
            continue
        group = tied_name(key) if tie else key
        made.setdefault(group, nn.Parameter(torch.empty(shape, device="meta")))
        owner.register_parameter(name, made[group])
    return root


def random_state(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Random values for these tensors, tied ones alike but apart, as a checkpoint saved from a GPU holds them."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for key, shape in shapes.items():
        if key.endswith("position_ids"):
            made[key] = torch.arange(shape[1])[None]
        elif tied_name(key) in made:
            made[key] = made[tied_name(key)].clone()
        else:
            made[key] = torch.randn(shape, generator=generator)
    return made


class Attack:
    """An object whose unpickling runs code: it would make a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.witness,))
