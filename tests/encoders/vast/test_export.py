"""One file instead of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.description import describe_checkpoint
from gramcli.encoders.vast.export import export_safetensors
from gramcli.encoders.vast.layout import find_checkpoint
from gramcli.encoders.vast.names import expected_shapes, tied_name
from gramcli.encoders.vast.tensors import file_sha256
from gramcli.encoders.vast.weights import load_weights
from gramcli.errors import UserError
from gramcli.report.listings import export_answer
from tests.encoders.vast.checkpoints import stand_in

State = dict[str, torch.Tensor]


@pytest.mark.parametrize("half", [False, True])
def test_what_is_exported_describes_itself(
    checkpoint: Path, tmp_path: Path, architecture: Architecture, state: State, half: bool
) -> None:
    output = tmp_path / "elsewhere" / "model.safetensors"
    output.parent.mkdir()
    exported = export_safetensors(checkpoint, output, half=half)
    held = load_file(output)
    assert held.keys() == {tied_name(key) for key in state}
    assert exported.tensors == len(held) < len(state)
    assert exported.sha256 == file_sha256(output)
    assert exported.bytes_after == output.stat().st_size < exported.bytes_before * (0.6 if half else 1)
    before, after = describe_checkpoint(checkpoint), describe_checkpoint(output)
    assert after.config_path is None
    for name in ("family", "architecture", "sampling", "parameters", "step", "missing", "unexpected", "assumptions"):
        assert getattr(after, name) == getattr(before, name)
    model = stand_in(expected_shapes(architecture))
    report = load_weights(find_checkpoint(output), model)
    assert report.missing == {}
    loaded = model.state_dict()
    for key, tensor in state.items():
        wanted = tensor.half().float() if half and tensor.is_floating_point() else tensor
        assert torch.equal(loaded[key], wanted)


def test_what_was_assumed_and_how_numbers_are_held_is_said(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "log" / "hps.json").write_text('{"max_caption_len": 8, "max_subtitle_len": 9}')
    bare = checkpoint / "ckpt" / "model_step_100.pt"
    exported = export_safetensors(bare, tmp_path / "a.safetensors", half=True)
    assert set(exported.notes) == set(describe_checkpoint(bare).assumptions)
    assert any("audio_target_length is 1024" in note for note in exported.notes)
    assert set(exported.dtypes) == {"float16", "int64"}
    shown = export_answer(exported)
    assert shown.notes == exported.notes
    numbers = next(row["value"] for row in shown.rows if row["fact"] == "numbers")
    assert numbers.startswith("float16 (") and "--half" in numbers
    with pytest.raises(UserError, match="Make the folder first"):
        export_safetensors(bare, tmp_path / "no" / "a.safetensors")


def test_it_is_a_plain_safetensors_file(checkpoint: Path, tmp_path: Path) -> None:
    export_safetensors(checkpoint, tmp_path / "a.safetensors", half=True)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert file.metadata()["format"] == "pt"
        assert '"source_sha256": {"model_step_100.pt": "' in file.metadata()["gramcli"]
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_the_same_checkpoint_gives_the_same_file(checkpoint: Path, tmp_path: Path) -> None:
    hashes = [export_safetensors(checkpoint, tmp_path / f"{name}.safetensors").sha256 for name in "ab"]
    assert hashes[0] == hashes[1]


def test_an_export_can_be_exported(checkpoint: Path, tmp_path: Path) -> None:
    export_safetensors(checkpoint, tmp_path / "a.safetensors")
    export_safetensors(tmp_path / "a.safetensors", tmp_path / "b.safetensors", half=True)
    a, b = (describe_checkpoint(tmp_path / f"{name}.safetensors") for name in "ab")
    assert (a.architecture, a.step, a.parameters) == (b.architecture, b.step, b.parameters)


def test_assumptions_travel_along(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text('{"model_cfg": {"max_caption_len": 8, "max_subtitle_len": 9}}')
    export_safetensors(checkpoint, tmp_path / "a.safetensors", config=tmp_path / "bare.json")
    assert any(
        "audio_target_length is 1024" in text for text in describe_checkpoint(tmp_path / "a.safetensors").assumptions
    )


@pytest.mark.parametrize("name", ["tiny_gram_a", "tiny_pmrl"])
def test_reference_checkpoints(reference_data: Path, tmp_path: Path, name: str) -> None:
    folder = reference_data / "golden" / name
    export_safetensors(folder, tmp_path / "a.safetensors")
    before, after = describe_checkpoint(folder), describe_checkpoint(tmp_path / "a.safetensors")
    assert (before.architecture, before.parameters) == (after.architecture, after.parameters)


def test_values_beyond_half_are_refused(checkpoint: Path, tmp_path: Path, state: State) -> None:
    big = {**state, "contra_temp": torch.tensor(1e6)}
    torch.save(big, checkpoint / "ckpt" / "model_step_300.pt")
    with pytest.raises(UserError, match="contra_temp holds values that float16 cannot"):
        export_safetensors(checkpoint, tmp_path / "a.safetensors", half=True)
    assert not list(tmp_path.glob("a.safetensors*"))


def test_outputs_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has to end in .safetensors"):
        export_safetensors(checkpoint, tmp_path / "a.pt")
    with pytest.raises(UserError, match="cannot be written"):
        export_safetensors(checkpoint, tmp_path / "no" / "a.safetensors")
    output = tmp_path / "a.safetensors"
    export_safetensors(checkpoint, output)
    with pytest.raises(UserError, match="is the checkpoint itself"):
        export_safetensors(output, output)
