"""Reading weights: names, resizing, ties, memory, and files that must not be believed."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.infer import infer_architecture
from gramcli.encoders.vast.layout import Found, find_checkpoint
from gramcli.encoders.vast.names import (
    expected_shapes,
    is_optional,
    is_unused,
    parameters_by_part,
    renamed,
    tied_name,
)
from gramcli.encoders.vast.tensors import WeightFiles
from gramcli.encoders.vast.weights import load_weights, resize
from gramcli.encoders.vast.wrappers import unwrap
from gramcli.errors import UserError
from tests.encoders.vast.checkpoints import Attack, random_state, stand_in

State = dict[str, torch.Tensor]
BIAS_TABLE = "audio_encoder.encoder.layers.{}.self_attn.relative_attention_bias.weight"
WORDS = "multimodal_encoder.bert.embeddings.word_embeddings.weight"


def bare(folder: Path, payload: Any, name: str = "weights.pt", **options: Any) -> Found:
    torch.save(payload, folder / name, **options)
    return find_checkpoint(folder / name)


def assert_loaded(model: nn.Module, state: State) -> None:
    loaded = model.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_a_whole_checkpoint(checkpoint: Path, architecture: Architecture, state: State) -> None:
    model = stand_in(expected_shapes(architecture))
    report = load_weights(find_checkpoint(checkpoint), model)
    assert_loaded(model, state)
    assert report.matched == len(state)
    assert (report.missing, report.unused, report.unexpected, report.resized) == ({}, {}, {}, ())
    assert report.dtypes == {"float32": len(state) - 1, "int64": 1}
    assert (report.step, report.precision) == (100, "float32")
    assert [path.name for path in report.files] == ["model_step_100.pt"]
    assert sum(report.parameters.values()) == sum(p.numel() for p in model.parameters())
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in model.parameters())


def test_ties_are_kept(checkpoint: Path, architecture: Architecture) -> None:
    for tie in (True, False):
        model = stand_in(expected_shapes(architecture), tie=tie)
        load_weights(find_checkpoint(checkpoint), model)
        tables = [model.get_parameter(BIAS_TABLE.format(layer)) for layer in range(2)]
        assert tables[0] is tables[1]
        assert model.get_parameter("multimodal_encoder.cls.predictions.decoder.weight") is model.get_parameter(WORDS)


def test_the_last_copy_of_a_tied_tensor_counts(tmp_path: Path, architecture: Architecture, state: State) -> None:
    last = torch.ones_like(state[WORDS])
    model = stand_in(expected_shapes(architecture))
    load_weights(bare(tmp_path, {**state, "multimodal_encoder.cls.predictions.decoder.weight": last}), model)
    assert torch.equal(model.get_parameter(WORDS), last)


def old_names(state: State) -> State:
    return {
        key.replace("vision", "video") if "vision_encoder" not in key else key.replace("vision_encoder", "clip_model"):
        tensor for key, tensor in state.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
        lambda state: {f"module.module.{key}": tensor for key, tensor in state.items()},
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"state_dict": {"model": state}, "best": {"r1": 0.5}},
        lambda state: {"model": {f"module.{key}": tensor for key, tensor in state.items()}},
        old_names,
        lambda state: {key.replace("vision_encoder", "evaclip_model"): tensor for key, tensor in state.items()},
        lambda state: {key: nn.Parameter(t) if t.is_floating_point() else t for key, t in state.items()},
    ],
)
def test_other_forms_of_the_same_weights(
    tmp_path: Path, architecture: Architecture, state: State, change: Callable[[State], Any]
) -> None:
    model = stand_in(expected_shapes(architecture))
    report = load_weights(bare(tmp_path, change(state)), model)
    assert report.unexpected == {}
    assert_loaded(model, state)


def test_files_from_before_zip(tmp_path: Path, architecture: Architecture, state: State) -> None:
    model = stand_in(expected_shapes(architecture))
    load_weights(bare(tmp_path, state, _use_new_zipfile_serialization=False), model, "bfloat16")
    assert torch.equal(model.get_parameter("contra_temp"), state["contra_temp"].bfloat16())


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_shards_are_joined(tmp_path: Path, architecture: Architecture, state: State, suffix: str) -> None:
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    keys = list(state)
    for number, part in enumerate((keys[:90], keys[90:]), 1):
        path = tmp_path / f"{stem}-0000{number}-of-00002.{suffix}"
        shard = {key: state[key] for key in part}
        save_file(shard, path) if suffix == "safetensors" else torch.save(shard, path)
    model = stand_in(expected_shapes(architecture))
    report = load_weights(find_checkpoint(tmp_path), model)
    assert len(report.files) == 2
    assert_loaded(model, state)


def test_names_are_cleaned_up_in_the_reference_order() -> None:
    assert renamed("video_type.video_clip_model.x") == "vision_type.vision_clip_model.x"
    names = {
        "module.video_frame_embedding": "vision_frame_embedding",
        "evaclip_model.visual.norm.weight": "vision_encoder.visual.norm.weight",
        "module.clip_model.module.visual.cls_token": "vision_encoder.visual.cls_token",
        "a.module.b.module.c": "a.b.c",
    }
    found = unwrap({(name,): (1,) for name in names}, Path("x.pt"))
    assert [name for name, _ in found.names] == list(names.values())


@pytest.mark.parametrize("family", ["gram", "pmrl"])
def test_every_official_name_is_expected(reference_data: Path, family: str) -> None:
    manifest = json.loads((reference_data / "golden" / f"full_manifest_{family}.json").read_text())
    shapes = {key: tuple(entry["shape"]) for key, entry in manifest["state_dict"].items()}
    architecture, assumptions = infer_architecture(shapes, manifest["model_cfg"])
    assert assumptions == ()
    assert expected_shapes(architecture) == shapes
    found = unwrap({(name,): shape for name, shape in shapes.items()}, Path("x.pt"))
    assert found.names == tuple((name, (name,)) for name in shapes) and not found.remarks
    counts = parameters_by_part(shapes)
    assert sum(counts.values()) == manifest["num_unique_params"]
    assert {part: n for part, n in manifest["component_params"].items() if n}.items() <= counts.items()
    groups: dict[str, list[str]] = {}
    for key in shapes:
        groups.setdefault(tied_name(key), []).append(key)
    assert sorted(sorted(g) for g in groups.values() if len(g) > 1) == sorted(map(sorted, manifest["tied_groups"]))


@pytest.mark.parametrize("name", ["tiny_gram_a", "tiny_pmrl"])
def test_reference_checkpoints(reference_data: Path, name: str) -> None:
    found = find_checkpoint(reference_data / "golden" / name)
    files = WeightFiles(found.weights)
    architecture, _ = infer_architecture(files.shapes, found.config, found.arch)
    assert expected_shapes(architecture) == files.shapes
    model = stand_in(files.shapes)
    assert load_weights(found, model).unexpected == {}
    assert_loaded(model, torch.load(found.weights[0], weights_only=True))
    without = json.loads((reference_data / "golden" / name / "golden.json").read_text())
    needless = [key for key in files.shapes if is_unused(key) and key == tied_name(key) and not key.endswith("ids")]
    assert set(needless) <= set(without["params_without_effect_on_golden_outputs"])


@pytest.mark.parametrize("name", ["tiny_gram_a", "tiny_pmrl"])
def test_resizing_matches_the_reference(reference_data: Path, name: str) -> None:
    folder = reference_data / "golden" / name
    golden = load_file(folder / "golden.safetensors")
    files = WeightFiles(find_checkpoint(folder).weights)
    for key in ("vision_frame_embedding", "audio_frame_embedding", "vision_encoder.visual.pos_embed"):
        wanted = golden[f"resize.{key.rpartition('.')[2]}"]
        assert torch.equal(resize(key, files.read(key), tuple(wanted.shape)), wanted)


def test_resizing_while_loading(checkpoint: Path, architecture: Architecture, state: State) -> None:
    larger = replace(
        architecture, vision_samples=9, audio_samples=1, vision=replace(architecture.vision, resolution=56)
    )
    model = stand_in(expected_shapes(larger))
    report = load_weights(find_checkpoint(checkpoint), model)
    assert [item.name for item in report.resized] == [
        "vision_frame_embedding", "audio_frame_embedding", "vision_encoder.visual.pos_embed",
    ]  # fmt: skip
    assert report.resized[0].before == (1, 4, 64) and report.resized[0].after == (1, 9, 64)
    rows = [index * 4 // 9 for index in range(9)]
    assert torch.equal(model.get_parameter("vision_frame_embedding"), state["vision_frame_embedding"][:, rows])
    positions = model.get_parameter("vision_encoder.visual.pos_embed")
    assert torch.equal(positions[:, 0], state["vision_encoder.visual.pos_embed"][:, 0])


def test_clip_positions_have_two_axes() -> None:
    key = "vision_encoder.visual.positional_embedding"
    table = torch.randn(5, 3)
    assert resize(key, table, (17, 3)).shape == (17, 3)
    with pytest.raises(UserError, match="no square grid"):
        resize(key, table, (16, 3))


def test_shapes_that_do_not_fit_are_refused(checkpoint: Path, architecture: Architecture) -> None:
    model = stand_in(expected_shapes(replace(architecture, contra_dim=11)))
    with pytest.raises(UserError, match=r"contra_head_t.linear.weight is \[10, 64\].*wants \[11, 64\]"):
        load_weights(find_checkpoint(checkpoint), model)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
def test_precision(
    tmp_path: Path, architecture: Architecture, state: State, precision: Any, stored: torch.dtype
) -> None:
    held = {key: t.to(stored) if t.is_floating_point() else t for key, t in state.items()}
    model = stand_in(expected_shapes(architecture))
    report = load_weights(bare(tmp_path, held), model, precision)
    assert report.precision == precision
    wanted = {key: t.to(getattr(torch, precision)) if t.is_floating_point() else t for key, t in held.items()}
    assert_loaded(model, wanted)


def test_missing_head_for_depth_is_no_depth(tmp_path: Path, architecture: Architecture, state: State) -> None:
    kept = {key: tensor for key, tensor in state.items() if not is_optional(key)}
    model = stand_in(expected_shapes(architecture))
    report = load_weights(bare(tmp_path, kept), model)
    assert report.missing["contra_head_d"] == 1
    assert report.missing["multimodal_encoder"] == 7 and report.missing["vision_encoder"] > 10
    assert model.get_parameter("contra_head_d.linear.weight").isnan().all()
    assert torch.equal(model.get_buffer("multimodal_encoder.bert.embeddings.position_ids"), torch.arange(16)[None])


def test_a_model_may_leave_out_what_it_does_not_use(tmp_path: Path, architecture: Architecture, state: State) -> None:
    model = stand_in({key: shape for key, shape in expected_shapes(architecture).items() if not is_unused(key)})
    report = load_weights(bare(tmp_path, {**state, "audio_encoder.predictor.weight": torch.ones(3)}), model)
    assert report.unexpected == {"audio_encoder": 1}
    assert set(report.unused) == {"vision_encoder", "multimodal_encoder"}


def test_missing_parts_are_refused(tmp_path: Path, architecture: Architecture, state: State) -> None:
    kept = {key: t for key, t in state.items() if not key.startswith(("itm_head", "contra_head_v."))}
    with pytest.raises(UserError, match=r"lacks tensors of contra_head_v \(1\), itm_head \(6\)") as caught:
        load_weights(bare(tmp_path, kept), stand_in(expected_shapes(architecture)))
    assert caught.value.exit_code == 4


def test_rotations_are_needed_unless_the_model_computed_them(checkpoint: Path, architecture: Architecture) -> None:
    model = stand_in(expected_shapes(architecture))
    rope = nn.Module()
    model.get_submodule("vision_encoder.visual").add_module("rope", rope)
    rope.register_buffer("freqs_cos", torch.ones(4, 2))
    assert load_weights(find_checkpoint(checkpoint), model).missing == {"vision_encoder": 1}
    assert torch.equal(rope.get_buffer("freqs_cos"), torch.ones(4, 2))
    rope.register_buffer("freqs_cos", torch.ones(4, 2, device="meta"))
    with pytest.raises(UserError, match=r"lacks tensors of vision_encoder \(1\)"):
        load_weights(find_checkpoint(checkpoint), model)


# Files that must not be believed.


def test_code_in_a_file_is_not_run(tmp_path: Path, state: State) -> None:
    witness = tmp_path / "witness"
    found = bare(tmp_path, {**state, "extra": Attack(witness)})
    with pytest.raises(UserError, match=r"wants to run .*--allow-pickle"):
        WeightFiles(found.weights)
    assert not witness.exists()
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps(Attack(witness), protocol=2))
    with pytest.raises(UserError, match=r"plain\.pt holds more than tensors"):
        WeightFiles([plain])
    assert not witness.exists()
    assert set(WeightFiles(found.weights, allow_pickle=True).shapes) == set(state)
    assert witness.exists()


def test_a_pickle_of_something_else_names_the_flag(tmp_path: Path) -> None:
    odd = tmp_path / "odd.pt"
    odd.write_bytes(pickle.dumps({"a": {1, 2}}, protocol=4))
    with pytest.raises(UserError, match=r"odd\.pt holds more than tensors: .*--allow-pickle"):
        WeightFiles([odd])


def test_verifying_reads_everything(tmp_path: Path, state: State) -> None:
    path = tmp_path / "w.pt"
    torch.save(state, path)
    WeightFiles([path]).verify()
    whole = bytearray(path.read_bytes())
    values = state["contra_head_t.linear.weight"].numpy().tobytes()
    whole[whole.index(values) + 3] ^= 1
    path.write_bytes(whole)
    WeightFiles([path])
    with pytest.raises(UserError, match="does not have its checksum"):
        WeightFiles([path]).verify()
    torch.save({**state, "contra_temp": torch.tensor(torch.nan)}, path)
    with pytest.raises(UserError, match="contra_temp holds NaN or infinity"):
        WeightFiles([path]).verify()


def test_complex_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="as strided complex64; save plain dense real tensors"):
        WeightFiles(bare(tmp_path, {"w": torch.zeros(3, dtype=torch.complex64)}).weights)


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello, these are no weights\n", b"\x80\x02.", b"\xff" * 200, b"PK\x03\x04"])
def test_other_files_named_as_weights(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"is empty|damaged|holds no tensors"):
        WeightFiles(find_checkpoint(tmp_path / name).weights)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_files_that_are_cut_off(tmp_path: Path, state: State, suffix: str, share: float) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match="cannot be read as weights") as caught:
        WeightFiles([path])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("payload", [[1, 2], {"a": 1}, torch.ones(3), {"model": {"x": "y"}}])
def test_files_without_tensors(tmp_path: Path, payload: Any) -> None:
    with pytest.raises(UserError, match="holds no tensors"):
        WeightFiles(bare(tmp_path, payload).weights)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="save plain dense real tensors"):
        WeightFiles(bare(tmp_path, {"a": torch.eye(3).to_sparse()}).weights)


MEASURE = """
import resource, sys
from pathlib import Path
import torch
from gramcli.encoders.vast.layout import find_checkpoint
from gramcli.encoders.vast.weights import load_weights
from tests.encoders.vast.checkpoints import stand_in
shapes = {f"contra_head_{i}.weight": (1024, 1024) for i in range(64)}
model = stand_in(shapes)
torch.ones(4, 4, dtype=torch.bfloat16) @ torch.ones(4, 4, dtype=torch.bfloat16)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_weights(find_checkpoint(Path(sys.argv[1])), model, sys.argv[2])
total = sum(float(p.float().sum()) if p.dtype == torch.float32 else float(p[0, 0]) for p in model.parameters())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / sum(p.nbytes for p in model.parameters()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_peak_memory_is_that_of_the_weights(tmp_path: Path, suffix: str, precision: str) -> None:
    shapes = {f"contra_head_{i}.weight": (1024, 1024) for i in range(64)}
    path = tmp_path / f"weights.{suffix}"
    big = random_state(shapes)
    save_file(big, path) if suffix == "safetensors" else torch.save(big, path)
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path, precision], capture_output=True, text=True, check=True, cwd=root
    )
    # 256 MiB in the file; the slack is for one tensor of 4 MiB in flight and what the allocator keeps.
    assert float(done.stdout) < 1.15
