"""Files that torch would misread, or that would fill the memory: refused, or read another way."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.export import export_safetensors
from gramcli.encoders.vast.layout import find_checkpoint
from gramcli.encoders.vast.names import expected_shapes
from gramcli.encoders.vast.tensors import WeightFiles
from gramcli.encoders.vast.weights import load_weights
from gramcli.errors import UserError
from tests.encoders.vast.checkpoints import stand_in

State = dict[str, torch.Tensor]
HEAD = "contra_head_t.linear.weight"


def test_an_archive_that_was_packed_again_is_read_not_mapped(
    tmp_path: Path, architecture: Architecture, state: State
) -> None:
    """Mapping a compressed member gives its compressed bytes for numbers, without a word."""
    torch.save(state, tmp_path / "model_step_1.pt")
    packed = tmp_path / "model_step_2.pt"
    with zipfile.ZipFile(tmp_path / "model_step_1.pt") as plain, zipfile.ZipFile(packed, "w") as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED)
    model = stand_in(expected_shapes(architecture))
    load_weights(find_checkpoint(packed), model)
    loaded = model.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_a_number_of_shards_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model-00001-of-99999999999.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"99999999999 shards.* 1 of them"):
        find_checkpoint(tmp_path)


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    torch.save({HEAD: torch.zeros(1).expand(10**11)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="more numbers than the file stores"):
        WeightFiles([tmp_path / "weights.pt"])


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8, torch.uint8, torch.bool])
def test_quantised_weights_are_refused(
    tmp_path: Path, architecture: Architecture, state: State, dtype: torch.dtype
) -> None:
    """Without their scales, which no VAST-family model has a place for, they are other weights."""
    torch.save(state | {HEAD: state[HEAD].to(dtype)}, tmp_path / "weights.pt")
    found = find_checkpoint(tmp_path / "weights.pt")
    with pytest.raises(UserError, match=rf"{HEAD} as \w*{str(dtype)[6:]}.*float"):
        load_weights(found, stand_in(expected_shapes(architecture)))


def test_verifying_reads_every_number_type(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(3).to(torch.float8_e5m2)}, tmp_path / "weights.pt")
    WeightFiles([tmp_path / "weights.pt"]).verify()


@pytest.mark.parametrize("key", ["__metadata__", "a\ud800b"])
def test_names_that_safetensors_cannot_hold_are_not_exported(
    checkpoint: Path, tmp_path: Path, state: State, key: str
) -> None:
    torch.save(state | {key: torch.zeros(2)}, checkpoint / "ckpt" / "model_step_100.pt")
    with pytest.raises(UserError, match="cannot be a name in a safetensors file"):
        export_safetensors(checkpoint, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
