"""What a configuration or an arch.json decides over the weights, and what they may not say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from gramcli.encoders import load_encoder
from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.encoder import VastEncoder
from gramcli.encoders.vast.export import export_safetensors
from gramcli.encoders.vast.infer import infer_architecture
from gramcli.encoders.vast.names import expected_shapes
from gramcli.encoders.vast.sampling import sampling_defaults
from gramcli.errors import UserError
from tests.encoders.vast.checkpoints import HPS
from tests.encoders.vast.reference import Reference

RESIZED = {"max_vision_sample_num": 6, "max_audio_sample_num": 3, "vision_resolution": 70}
TABLES = ("vision_frame_embedding", "audio_frame_embedding", "vision_encoder.visual.pos_embed")


def hps(folder: Path, **model_cfg: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "log" / "hps.json").read_text())
    return {**found, "model_cfg": {**found["model_cfg"], **model_cfg}}


def assert_resized(encoder: Any, golden: dict[str, torch.Tensor]) -> None:
    assert isinstance(encoder, VastEncoder)
    for key in TABLES:
        wanted = golden[f"resize.{key.rpartition('.')[2]}"]
        assert torch.equal(encoder.model.get_parameter(key), wanted), key


def test_another_configuration_resizes_the_tables_as_the_authors_do(
    reference: Reference, reference_data: Path, tmp_path: Path
) -> None:
    golden = load_file(reference.folder / "golden.safetensors")
    config = tmp_path / "other.json"
    config.write_text(json.dumps(hps(reference.folder, **RESIZED)))
    encoder = load_encoder(reference.folder, config=config)
    assert_resized(encoder, golden)
    assert isinstance(encoder, VastEncoder)
    assert encoder.encode({"video": torch.zeros(1, 2, 3, 70, 70)})["video"].isfinite().all()
    assert sum("interpolated" in each for each in encoder.assumptions) == 3
    # The exported file says the same by itself, and a bare file takes the configuration from elsewhere.
    exported = tmp_path / "model.safetensors"
    export_safetensors(reference.folder, exported, config=config)
    assert_resized(load_encoder(exported), golden)
    shutil.copy(reference.folder / "ckpt" / "model_step_100.pt", tmp_path / "bare.pt")
    shutil.copy(reference.folder / "arch.json", tmp_path / "arch.json")
    assert_resized(load_encoder(tmp_path / "bare.pt", config=config), golden)


def test_training_entries_decide_where_the_model_part_is_silent(architecture: Architecture) -> None:
    shapes = expected_shapes(architecture)

    def rows(**data: Any) -> tuple[int, int]:
        found, _ = infer_architecture(shapes, {**HPS, "data_cfg": data})
        return found.vision_samples, found.audio_samples

    entries = [{"vision_sample_num": 3, "audio_sample_num": 1}, {"vision_sample_num": 5}]
    assert rows(train=entries, val=[{"vision_sample_num": 9}]) == (5, 1)
    assert rows(train=entries, concatenated_nums=2) == (10, 2)
    assert rows(train=[], val=[{"vision_sample_num": 9, "audio_sample_num": 4}]) == (9, 4)
    assert rows() == (architecture.vision_samples, architecture.audio_samples)


def test_frame_embeddings_under_their_older_name(reference: Reference, tmp_path: Path) -> None:
    state = torch.load(reference.folder / "ckpt" / "model_step_100.pt", weights_only=True)
    state["vision_perceiver.vision_frame_embedding"] = state.pop("vision_frame_embedding")
    shutil.copy(reference.folder / "arch.json", tmp_path / "arch.json")
    shutil.copy(reference.folder / "log" / "hps.json", tmp_path / "hps.json")
    torch.save(state, tmp_path / "old.pt")
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, VastEncoder)
    table = state["vision_perceiver.vision_frame_embedding"]
    assert torch.equal(encoder.model.vision_frame_embedding, table)
    assert encoder.report.unexpected == {}


@pytest.mark.parametrize(
    ("section", "facts", "message"),
    [
        ("vision", {"width": 99}, r"states vision\.width = 99, but the model of these weights has 88"),
        ("vision", {"rope": True}, r"vision\.rope = True, .* has False"),
        ("vision", {"subln": True}, r"vision\.subln"),
        ("vision", {"layer_scale": 0.1}, r"vision\.layer_scale"),
        ("vision", {"activation": "quick_gelu"}, r"vision\.activation = 'quick_gelu'"),
        ("audio", {"activation_fn": "relu"}, r"audio\.activation_fn = 'relu', .* gelu"),
        ("audio", {"gru_rel_pos": False}, r"audio\.gru_rel_pos"),
        ("audio", {"conv_pos": 99}, r"audio\.conv_pos = 99, .* has 6"),
        ("audio", {"max_distance": 10**400}, r"max_distance in arch\.json is a number of very many digits"),
        ("text", {"hidden_act": "relu"}, r"text\.hidden_act"),
        ("text", {"num_hidden_layers": 7}, r"text\.num_hidden_layers = 7"),
        ("heads", {"contra_dim": 3}, r"heads\.contra_dim = 3"),
        ("heads", {"multimodal_dim": 3}, r"heads\.multimodal_dim = 3, .* has 64"),
        ("heads", {"audio_dim": 3}, r"heads\.audio_dim = 3, .* has 32"),
        ("text", {"head_dim": 16, "num_attention_heads": 2}, r"text\.head_dim = 16, .* has 32"),
        ("audio", {"head_dim": 8}, r"audio\.head_dim = 8, .* has 16"),
        ("audio", {"deep_norm_alpha": 2.0}, r"audio\.deep_norm_alpha = 2\.0, .* has 1\.41"),
        ("heads", {"itm_layer_norm_eps": 2}, r"heads\.itm_layer_norm_eps in arch\.json is 2; give a small number"),
    ],
)
def test_an_arch_of_another_model_is_refused(
    architecture: Architecture, section: str, facts: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        infer_architecture(expected_shapes(architecture), HPS, {section: facts})
    assert caught.value.exit_code == 4


def test_a_width_of_text_heads_is_as_good_as_their_number(architecture: Architecture) -> None:
    found, assumptions = infer_architecture(expected_shapes(architecture), HPS, {"text": {"head_dim": 16}})
    assert found.text.heads == 4
    assert not assumptions


def test_epsilons_of_the_heads_are_used(reference: Reference, tmp_path: Path) -> None:
    for name in ("ckpt", "log"):
        shutil.copytree(reference.folder / name, tmp_path / name)
    arch = json.loads((reference.folder / "arch.json").read_text())
    arch["heads"] |= {"itm_layer_norm_eps": 0.5, "hidden_trans_layer_norm_eps": 0.25}
    (tmp_path / "arch.json").write_text(json.dumps(arch))
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, VastEncoder)
    assert encoder.model.itm_head.layernorm.eps == 0.5
    for part in ("vision", "audio", "subtitle"):
        assert encoder.model.get_submodule(f"hidden_trans_{part}_multimodal.1").eps == 0.25


@pytest.mark.parametrize(
    ("entry", "model_cfg", "message"),
    [
        ({"audio_sample_num": 10**12}, {}, "audio_sample_num is 1000000000000; it has to be a whole number from 1 to"),
        (
            {},
            {"vision_resolution": 4096},
            "vision_resolution .* is 4096, more than 4 times the 28 pixels",
        ),
        ({}, {"audio_target_length": 10**6}, "250,000 patches, of at most 4,096, for memory grows with their square"),
        ({"audio_sample_num": 4096}, {"audio_target_length": 10**4}, "slices of sound .* GiB for a single clip"),
        ({"vision_sample_num": True}, {}, "vision_sample_num is True"),
    ],
)
def test_configurations_that_ask_for_too_much(
    architecture: Architecture, entry: dict[str, Any], model_cfg: dict[str, Any], message: str
) -> None:
    config = {"model_cfg": {**HPS["model_cfg"], **model_cfg}, "data_cfg": {"val": [entry]}}
    with pytest.raises(UserError, match=message):
        found, _ = infer_architecture(expected_shapes(architecture), {**config, "data_cfg": {}})
        sampling_defaults(config, found)
