"""Reference checkpoints with the outputs of the authors' code, and what our model makes of the same inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from gramcli.encoders.vast.architecture import (
    Architecture,
    AudioConfig,
    TextConfig,
    UnusedTextConfig,
    VisionConfig,
)
from gramcli.encoders.vast.model import VastModel

NAMES = {"t": "text", "s": "subtitle", "v": "video", "a": "audio", "d": "depth"}


@dataclass
class Reference:
    """One reference checkpoint.

    Attributes:
        architecture: Read from its `arch.json`.
        weights: Its state dict.
        tensors: Inputs and official outputs.
        notes: Its `golden.json`.
        folder: Where it lies.
    """

    architecture: Architecture
    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]
    notes: dict[str, Any]
    folder: Path

    def model(self) -> VastModel:
        """Our model with these weights, ties kept."""
        model = VastModel(self.architecture).eval().requires_grad_(False)
        model.load_state_dict(self.weights, strict=True)
        return model


def read_reference(folder: Path) -> Reference:
    (weights,) = (folder / "ckpt").glob("*.pt")
    return Reference(
        small_architecture(json.loads((folder / "arch.json").read_text())),
        torch.load(weights, weights_only=True),
        load_file(folder / "golden.safetensors"),
        json.loads((folder / "golden.json").read_text()),
        folder,
    )


def small_architecture(sizes: dict[str, Any]) -> Architecture:
    vision, unused, heads = sizes["vision"], sizes["vision_text_tower_unused"], sizes["heads"]
    return Architecture(
        family=sizes["model_type"],
        vision=VisionConfig(
            "eva01",
            width=vision["width"],
            layers=vision["layers"],
            heads=vision["heads"],
            mlp_hidden=vision["mlp_hidden"],
            patch_size=vision["patch_size"],
            resolution=vision["image_size"],
            embed_dim=vision["embed_dim"],
            layer_norm_eps=vision["layer_norm_eps"],
        ),
        vision_text=unused_text(unused),
        audio=audio_config(sizes["audio"], sizes["audio"]["melbins"], sizes["audio"]["target_length"]),
        text=text_config(sizes["text"]),
        contra_dim=heads["contra_dim"],
        vision_samples=heads["max_vision_sample_num"],
        audio_samples=heads["max_audio_sample_num"],
        depth=sizes["model_class"] == "GRAM",
    )


def full_architecture(manifest: dict[str, Any]) -> Architecture:
    """The sizes behind a full-size manifest."""
    config, vision = manifest["model_cfg"], manifest["eva_cfg"]["vision_cfg"]
    return Architecture(
        family=config["model_type"],
        vision=VisionConfig(
            "eva01",
            width=vision["width"],
            layers=vision["layers"],
            heads=vision["width"] // vision["head_width"],
            mlp_hidden=int(vision["width"] * vision["mlp_ratio"]),
            patch_size=vision["patch_size"],
            resolution=config["vision_resolution"],
            embed_dim=manifest["eva_cfg"]["embed_dim"],
        ),
        vision_text=unused_text(manifest["eva_cfg"]["text_cfg"]),
        audio=audio_config(manifest["beats_cfg"], config["audio_melbins"], config["audio_target_length"]),
        text=text_config(manifest["bert_cfg"]),
        contra_dim=config["contra_dim"],
        vision_samples=config["max_vision_sample_num"],
        audio_samples=config["max_audio_sample_num"],
        depth=manifest["class"] == "GRAM",
    )


def unused_text(sizes: dict[str, Any]) -> UnusedTextConfig:
    return UnusedTextConfig(sizes["context_length"], sizes["vocab_size"], sizes["width"], sizes["layers"])


def audio_config(sizes: dict[str, Any], mel_bins: int, target_length: int) -> AudioConfig:
    return AudioConfig(
        width=sizes["encoder_embed_dim"],
        layers=sizes["encoder_layers"],
        heads=sizes["encoder_attention_heads"],
        ffn=sizes["encoder_ffn_embed_dim"],
        embed_dim=sizes["embed_dim"],
        patch_size=sizes["input_patch_size"],
        conv_pos=sizes["conv_pos"],
        conv_pos_groups=sizes["conv_pos_groups"],
        num_buckets=sizes["num_buckets"],
        max_distance=sizes["max_distance"],
        mel_bins=mel_bins,
        target_length=target_length,
    )


def text_config(sizes: dict[str, Any]) -> TextConfig:
    return TextConfig(
        vocab_size=sizes["vocab_size"],
        hidden=sizes["hidden_size"],
        layers=sizes["num_hidden_layers"],
        heads=sizes["num_attention_heads"],
        intermediate=sizes["intermediate_size"],
        max_positions=sizes["max_position_embeddings"],
        type_vocab_size=sizes["type_vocab_size"],
        layer_norm_eps=sizes["layer_norm_eps"],
    )


@torch.no_grad()
def tokens_of(model: VastModel, inputs: dict[str, Tensor], suffix: str = "") -> dict[str, Tensor]:
    """Tokens of everything in the reference inputs; `suffix` picks those with other numbers of frames and slices."""
    tokens = {
        "text": model.text_tokens(inputs["caption_input_ids"], inputs["caption_attention_mask"]),
        "subtitle": model.text_tokens(inputs["subtitle_input_ids"], inputs["subtitle_attention_mask"]),
        "video": model.vision_tokens(inputs[f"vision_pixels{suffix}"]),
        "audio": model.audio_tokens(inputs[f"audio_spectrograms{suffix}"]),
    }
    if model.architecture.depth and not suffix:
        tokens["depth"] = model.vision_tokens(inputs["depth_pixels"])
    return tokens


def official_names(prefix: str, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tokens under the names that the reference data give them."""
    names = {"text": "caption", "video": "vision"}
    return {f"{prefix}{names.get(name, name)}_output": x for name, x in tokens.items()}


@torch.no_grad()
def outputs_of(model: VastModel, inputs: dict[str, Tensor], wanted: list[str]) -> dict[str, Tensor]:
    """Our counterparts of the reference outputs `wanted`, under their official names."""
    found = {}
    for prefix, suffix in (("", ""), ("alt.", "_alt")):
        tokens = tokens_of(model, inputs, suffix)
        features = model.features(tokens)
        found |= official_names(prefix, tokens)
        found |= {f"{prefix}feat_{letter}": features[name] for letter, name in NAMES.items() if name in features}
        found |= {f"{prefix}feat_{name}": features[name] for name in ("va", "vs", "vas")}
        for name in wanted:
            letters = name.rsplit("_", 1)[-1]
            letters = "vas" if letters == "scores" else letters
            if name.startswith(f"{prefix}condition_feats_"):
                found[name] = model.condition(tokens, letters)
            elif name.startswith(f"{prefix}itm_scores"):
                condition = model.condition(tokens, letters)
                found[name] = model.match(condition, inputs["caption_input_ids"], inputs["caption_attention_mask"]).T
    return {name: found[name] for name in wanted}
