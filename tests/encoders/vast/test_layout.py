"""Where checkpoints keep their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gramcli.encoders.vast.layout import find_checkpoint, read_json
from gramcli.errors import UserError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_the_largest_step_wins_as_a_number(checkpoint: Path) -> None:
    found = find_checkpoint(checkpoint)
    assert found.weights == (checkpoint / "ckpt" / "model_step_100.pt",)
    assert found.step == 100
    assert found.config["model_cfg"]["model_type"] == "gram"
    assert found.config_path == checkpoint / "log" / "hps.json"
    assert found.arch is None
    assert found.folders == (checkpoint / "ckpt", checkpoint)


def test_a_step_can_be_chosen(checkpoint: Path) -> None:
    assert find_checkpoint(checkpoint, step=9).weights[0].name == "model_step_9.pt"
    with pytest.raises(UserError, match="has no step 7; it has 9, 100") as caught:
        find_checkpoint(checkpoint, step=7)
    assert caught.value.exit_code == 4
    with pytest.raises(UserError, match="is not of step 9"):
        find_checkpoint(checkpoint / "ckpt" / "model_step_100.pt", step=9)


@pytest.mark.parametrize("given", ["ckpt", "ckpt/model_step_100.pt"])
def test_inner_paths_find_the_configuration_too(checkpoint: Path, given: str) -> None:
    (checkpoint / "arch.json").write_text('{"vision": {"heads": 3}}')
    found = find_checkpoint(checkpoint / given)
    assert (found.step, found.config_path) == (100, checkpoint / "log" / "hps.json")
    assert found.arch == {"vision": {"heads": 3}}


@pytest.mark.parametrize("name", ["hps.json", "log/hps.json", "config.json"])
def test_a_bare_file_with_a_configuration_beside_it(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "model.pt", name)
    (tmp_path / name).write_text('{"model_cfg": {}}')
    assert find_checkpoint(tmp_path / "model.pt").config_path == tmp_path / name
    assert find_checkpoint(tmp_path).weights == (tmp_path / "model.pt",)


def test_a_given_configuration_goes_first(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"model_type": "vast"}')
    assert find_checkpoint(checkpoint, config=tmp_path / "other.json").config == {"model_type": "vast"}


def test_weights_without_a_configuration(tmp_path: Path) -> None:
    found = find_checkpoint(touch(tmp_path, "a/model.pt") / "a" / "model.pt")
    assert (found.config, found.config_path, found.step) == ({}, None, None)


@pytest.mark.parametrize(
    "names",
    [
        ("pytorch_model.bin",),
        ("model.safetensors",),
        ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"),
        ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
    ],
)
def test_trainer_folders(tmp_path: Path, names: tuple[str, ...]) -> None:
    extra = ("optimizer.pt", "training_args.bin", "rng_state.pth")
    touch(tmp_path, *(f"checkpoint-{step}/{name}" for step in (8, 20) for name in (*names, *extra)))
    touch(tmp_path, "checkpoint-300/optimizer.pt")
    found = find_checkpoint(tmp_path)
    assert found.weights == tuple(tmp_path / "checkpoint-20" / name for name in names)
    assert found.step == 20
    assert find_checkpoint(tmp_path, step=8).weights[0].parent.name == "checkpoint-8"
    assert find_checkpoint(tmp_path / "checkpoint-8").step == 8
    assert find_checkpoint(tmp_path / "checkpoint-8" / names[0]).weights == find_checkpoint(tmp_path, step=8).weights


def test_an_index_names_the_shards(tmp_path: Path) -> None:
    touch(tmp_path, "one.bin", "two.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.bin", "b": "two.bin", "c": "one.bin"}}))
    assert [path.name for path in find_checkpoint(tmp_path).weights] == ["one.bin", "two.bin"]
    index.write_text(json.dumps({"weight_map": {"a": "../one.bin"}}))
    with pytest.raises(UserError, match="outside its folder"):
        find_checkpoint(tmp_path)
    index.write_text("{}")
    with pytest.raises(UserError, match="lists no weight files"):
        find_checkpoint(tmp_path)


def test_a_lost_shard_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "pytorch_model-00001-of-00003.bin", "pytorch_model-00003-of-00003.bin")
    with pytest.raises(UserError, match=r"lacks pytorch_model-00002-of-00003\.bin"):
        find_checkpoint(tmp_path)


def test_the_best_is_taken_only_when_nothing_else_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "ckpt/best_ret.pt", "ckpt/optimizer_step_3.pt")
    assert find_checkpoint(tmp_path).weights[0].name == "best_ret.pt"
    touch(tmp_path, "ckpt/final.pt")
    assert find_checkpoint(tmp_path).weights[0].name == "final.pt"
    touch(tmp_path, "ckpt/other.pt")
    with pytest.raises(UserError, match=r"several weight files \(final.pt, other.pt\)"):
        find_checkpoint(tmp_path)


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"looked for ckpt/model_step_N\.pt, checkpoint-N/pytorch_model"):
        find_checkpoint(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        find_checkpoint(tmp_path / "no")
    with pytest.raises(UserError, match="is no weight file"):
        find_checkpoint(touch(tmp_path, "notes.txt") / "notes.txt")


@pytest.mark.parametrize("text", ["", "{", "\ud800".encode("utf-8", "surrogatepass").decode("latin1"), "[" * 99999])
def test_unreadable_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "hps.json").write_text(text, encoding="latin1")
    with pytest.raises(UserError, match="is not JSON that can be read"):
        read_json(tmp_path / "hps.json")


def test_json_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "hps.json").write_text("[1]")
    touch(tmp_path, "model.pt")
    with pytest.raises(UserError, match="holds no JSON object"):
        find_checkpoint(tmp_path)


def test_reference_layout(reference_data: Path) -> None:
    found = find_checkpoint(reference_data / "golden" / "tiny_pmrl")
    assert found.step == 100
    assert found.config["model_cfg"]["tau1"] == 0.05
    assert found.arch is not None and found.arch["vision"]["head_width"] == 20


@pytest.mark.parametrize("ours", ["[]", "{", '{"config": 3, "arch": [], "step": "x"}', "\\u0000"])
def test_metadata_that_is_not_ours(tmp_path: Path, ours: str) -> None:
    header = json.dumps({"__metadata__": {"gramcli": ours}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    found = find_checkpoint(tmp_path / "a.safetensors")
    assert (found.config, found.arch, found.step) == ({}, None, None)


def test_a_named_step_is_looked_for_in_every_layout(checkpoint: Path, state: dict[str, torch.Tensor]) -> None:
    (checkpoint / "checkpoint-50").mkdir()
    torch.save(state, checkpoint / "checkpoint-50" / "pytorch_model.bin")
    assert find_checkpoint(checkpoint).step == 50
    assert find_checkpoint(checkpoint, 100).weights[0].name == "model_step_100.pt"
    with pytest.raises(UserError, match="has no step 7; it has 9, 50, 100"):
        find_checkpoint(checkpoint, 7)
