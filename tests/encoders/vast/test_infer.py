"""The architecture of a checkpoint, from shapes and what lies beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.description import compare_keys, describe_checkpoint
from gramcli.encoders.vast.export import architecture_facts
from gramcli.encoders.vast.infer import infer_architecture
from gramcli.encoders.vast.names import expected_shapes
from gramcli.encoders.vast.sampling import sampling_defaults
from gramcli.errors import UserError
from tests.encoders.vast.checkpoints import HPS

State = dict[str, torch.Tensor]


def changed(**model_cfg: Any) -> dict[str, Any]:
    return {**HPS, "model_cfg": {**HPS["model_cfg"], **model_cfg}}


def test_sizes_come_from_shapes(architecture: Architecture) -> None:
    assert infer_architecture(expected_shapes(architecture), HPS) == (architecture, ())


@pytest.mark.parametrize(
    ("kind", "named", "width"),
    [("eva01", "evaclip01_giant", 88), ("eva02", "evaclip02_base", 64), ("clip", "clip_vit_base_16", 64)],
)
@pytest.mark.parametrize("text", [True, False])
def test_every_vision_tower(architecture: Architecture, kind: Any, named: str, width: int, text: bool) -> None:
    eps = 1e-5 if kind == "clip" else 1e-6
    vision = replace(architecture.vision, kind=kind, width=2 * width, heads=2, layer_norm_eps=eps)
    wanted = replace(architecture, vision=vision, vision_text=architecture.vision_text if text else None)
    shapes = expected_shapes(wanted)
    assert infer_architecture(shapes, changed(vision_encoder_type=named)) == (wanted, ())
    assert compare_keys(shapes, wanted) == ({}, {}, ())
    # The kind shows in the names of tensors, too.
    config = {**HPS["model_cfg"]}
    del config["vision_encoder_type"]
    assert infer_architecture(shapes, config)[0].vision.kind == kind


@pytest.mark.parametrize("name", ["tiny_gram_a", "tiny_pmrl"])
def test_reference_checkpoints(reference_data: Path, name: str) -> None:
    folder = reference_data / "golden" / name
    arch = json.loads((folder / "arch.json").read_text())
    d = describe_checkpoint(folder)
    a = d.architecture
    assert (d.family, a.vision.heads) == (arch["model_type"], arch["vision"]["heads"])
    assert (a.vision.width, a.vision.mlp_hidden, a.vision.tokens) == tuple(
        arch["vision"][key] for key in ("width", "mlp_hidden", "tokens_per_frame")
    )
    beats = ("encoder_layers", "encoder_attention_heads", "conv_pos_groups", "num_buckets", "max_distance", "melbins")
    assert (
        a.audio.layers, a.audio.heads, a.audio.conv_pos_groups, a.audio.num_buckets, a.audio.max_distance,
        a.audio.mel_bins,
    ) == tuple(arch["audio"][key] for key in beats)  # fmt: skip
    assert (a.text.heads, a.text.intermediate) == (
        arch["text"]["num_attention_heads"],
        arch["text"]["intermediate_size"],
    )
    assert a.contra_dim == arch["heads"]["contra_dim"]
    assert (d.missing, d.unexpected, d.misshapen, d.assumptions) == ({}, {}, (), ())
    assert d.modalities[-1] == ("depth" if name == "tiny_gram_a" else "subtitle")
    assert d.sampling.frames == 8 and d.sampling.transform == "crop_flip" and d.sampling.task == "ret%tvas"
    assert (d.step, list(d.dtypes)) == (100, ["float32", "int64"])


def test_reference_checkpoint_without_its_facts(reference_data: Path) -> None:
    folder = reference_data / "golden" / "tiny_pmrl"
    d = describe_checkpoint(folder / "ckpt" / "model_step_100.pt", config=folder / "log" / "hps.json")
    assert d.assumptions == ()  # arch.json lies above the file
    shapes = expected_shapes(d.architecture)
    _, assumptions = infer_architecture(shapes, json.loads((folder / "log" / "hps.json").read_text()), None)
    assert len(assumptions) == 3
    assert "BEATs with 40 buckets has a max_distance of 100" in assumptions[-1]


@pytest.mark.parametrize(
    ("config", "depth", "family"),
    [
        ({"model_type": "gram"}, False, "gram"),
        ({"model_type": "vast"}, True, "gram"),
        ({"model_type": "vast"}, False, "vast"),
        ({"model_type": "vast", "tau1": 0.05}, True, "pmrl"),
        ({"model_type": "pmrl"}, False, "pmrl"),
        ({"model_type": "triangle"}, True, "triangle"),
        ({}, True, "gram"),
    ],
)
def test_family(architecture: Architecture, config: dict[str, Any], depth: bool, family: str) -> None:
    shapes = expected_shapes(replace(architecture, depth=depth))
    inferred, _ = infer_architecture(shapes, {**config, "max_caption_len": 8, "max_subtitle_len": 12})
    assert (inferred.family, inferred.depth) == (family, depth)


def test_what_is_assumed_is_said(architecture: Architecture) -> None:
    shapes = expected_shapes(replace(architecture, depth=False, text=replace(architecture.text, max_positions=70)))
    inferred, assumptions = infer_architecture(shapes, {})
    text = "\n".join(assumptions)
    for part in ("a VAST model", "audio_target_length is 1024", "max_caption_len is 40", "heads of width 44"):
        assert part in text
    assert inferred.caption_length == 40
    _, more = infer_architecture(shapes, changed(vision_resolution=112))
    assert "names a resolution of 112, the weights hold positions for 28" in more[0]


def test_facts_survive_a_round_trip(architecture: Architecture) -> None:
    odd = replace(
        architecture,
        vision=replace(architecture.vision, heads=8, layer_norm_eps=1e-3),
        audio=replace(architecture.audio, max_distance=700, target_length=48),
        text=replace(architecture.text, heads=4),
    )
    facts = json.loads(json.dumps(architecture_facts(odd, ("Assumed that it is so.",))))
    assert infer_architecture(expected_shapes(odd), {}, facts) == (odd, ("Assumed that it is so.",))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"vision_encoder_type": "swin_base_22k_224"}, "vision tower swin_base_22k_224 is not supported.*EVA01-CLIP"),
        ({"vision_encoder_type": "videoswin_base_k600_22k"}, "videoswin_base_k600_22k is not supported"),
        ({"vision_encoder_type": "evaclip02_bige"}, "evaclip02_bige is not supported"),
        ({"vision_encoder_type": "clip_vit_base_16"}, "names clip_vit_base_16, but the weights hold EVA01-CLIP"),
        ({"audio_encoder_type": "ast"}, "audio tower ast is not supported; gramcli runs BEATs"),
        ({"audio_melbins": "64"}, "audio_melbins in the configuration is '64'"),
        ({"audio_target_length": 0}, "audio_target_length in the configuration is 0"),
        ({"audio_target_length": 15}, "slices of 15 frames and 64 mel bands, .* patches of 16"),
        ({"audio_melbins": 8}, "slices of 32 frames and 8 mel bands, .* patches of 16"),
        ({"audio_melbins": 127}, "127 mel bands; .* at most 126"),
        ({"frame_embedding_type": "none"}, "frame_embedding_type 'none' .* not supported"),
        ({"max_caption_len": 17}, "asks for 17 tokens of text, but the weights hold 16"),
    ],
)
def test_configurations_refused(architecture: Architecture, config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        infer_architecture(expected_shapes(architecture), changed(**config))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ({"vision": {"heads": 3}}, "3 heads do not divide the vision tower's width 88"),
        ({"vision": {"postnorm": True}}, "normalises after its blocks"),
        ({"vision": {"layer_norm_eps": "small"}}, "vision.layer_norm_eps in arch.json is 'small'"),
        ({"audio": {"deep_norm": False}}, "BEATs without deep norm"),
        ({"audio": {"max_distance": True}}, "audio.max_distance in arch.json is True"),
    ],
)
def test_facts_refused(architecture: Architecture, arch: dict[str, Any], message: str) -> None:
    shapes = expected_shapes(replace(architecture, audio=replace(architecture.audio, num_buckets=32)))
    with pytest.raises(UserError, match=message):
        infer_architecture(shapes, HPS, arch)


Shapes = dict[str, tuple[int, ...]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {}, "no VAST-family model.*hold nothing"),
        (lambda s: {"bert.embeddings.weight": (3, 3)}, "no VAST-family model"),
        (lambda s: {k: v for k, v in s.items() if "blocks.0" not in k}, "vision tower of these weights"),
        (lambda s: {k: v for k, v in s.items() if ".layers.0." not in k}, "lack audio_encoder.encoder.layers.0"),
        (lambda s: {**s, "vision_encoder.visual.pos_embed": (1, 6, 88)}, "6 positions, no square grid"),
        (lambda s: {**s, "vision_frame_embedding": (4, 64)}, r"vision_frame_embedding is \[4, 64\], not of 3 axes"),
        (lambda s: {**s, "vision_encoder.visual.blocks.0.gamma_1": (88,)}, "with layer scale"),
        (lambda s: {k: v for k, v in s.items() if "patch_embedding" not in k}, "audio tower of these weights"),
    ],
)
def test_shapes_refused(architecture: Architecture, change: Callable[[Shapes], Shapes], message: str) -> None:
    with pytest.raises(UserError, match=message):
        infer_architecture(change(expected_shapes(architecture)), HPS)


def test_a_lost_layer_is_noticed(architecture: Architecture) -> None:
    shapes = expected_shapes(replace(architecture, text=replace(architecture.text, layers=3)))
    with pytest.raises(UserError, match="lack whole layers"):
        infer_architecture({key: shape for key, shape in shapes.items() if ".layer.1." not in key}, HPS)


def test_sampling_defaults(architecture: Architecture) -> None:
    read = sampling_defaults(HPS, architecture)
    assert (read.frames, read.audio_slices, read.transform, read.task) == (8, 2, "crop_flip", "ret%tvas")
    assert (read.caption_length, read.subtitle_length) == (8, 12)
    trained = sampling_defaults({"data_cfg": {"train": HPS["data_cfg"]["train"], "val": []}}, architecture)
    assert (trained.frames, trained.transform, trained.task) == (4, "none", "ret%tva")
    unstated = sampling_defaults({}, architecture)
    assert (unstated.frames, unstated.audio_slices, unstated.transform, unstated.task) == (4, 2, "none", None)
    with pytest.raises(UserError, match="transform 'jitter'"):
        sampling_defaults({"data_cfg": {"val": [{"vision_transforms": "jitter"}]}}, architecture)
    with pytest.raises(UserError, match="vision_sample_num is 0"):
        sampling_defaults({"data_cfg": {"val": [{"vision_sample_num": 0}]}}, architecture)


def test_description(checkpoint: Path, state: State, architecture: Architecture) -> None:
    lost = {key: tensor for key, tensor in state.items() if not key.startswith(("itm_head", "contra_head_d"))}
    torch.save({**lost, "captioner.weight": torch.ones(2)}, checkpoint / "ckpt" / "model_step_200.pt")
    d = describe_checkpoint(checkpoint)
    assert (d.step, d.missing, d.unexpected) == (200, {"itm_head": 6}, {"captioner": 1})
    assert d.architecture == replace(architecture, depth=False)
    assert d.total_parameters == sum(d.parameters.values())
    assert dict(d.rows)["depth"] == "no"
    assert describe_checkpoint(checkpoint, step=100).modalities[-1] == "depth"
