"""Files that torch would misread, or that would fill the memory: refused, or read another way."""

from __future__ import annotations

import resource
import shutil
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


def repacked(plain: Path, packed: Path) -> Path:
    """The same archive, compressed."""
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            with source.open(name) as member, archive.open(name, "w", force_zip64=True) as target:
                shutil.copyfileobj(member, target, 2**20)
    return packed


def test_an_archive_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    """600 MB of zeros in half a megabyte: the limit is named, and how to lift it."""
    torch.save({HEAD: torch.zeros(150_000_000)}, tmp_path / "plain.pt")
    packed = repacked(tmp_path / "plain.pt", tmp_path / "packed.pt")
    assert packed.stat().st_size < 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"unpacks to 0\.6 GiB, .* beyond 512 MiB at most 8 times .*torch\.save"):
        WeightFiles([packed])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_damage_to_compressed_numbers_is_one_sentence(tmp_path: Path) -> None:
    torch.save({HEAD: torch.randn(2000), "b": torch.zeros(9000)}, tmp_path / "plain.pt")
    packed = repacked(tmp_path / "plain.pt", tmp_path / "packed.pt")
    files = WeightFiles([packed])
    data = bytearray(packed.read_bytes())
    with zipfile.ZipFile(packed) as archive:
        member = max(archive.infolist(), key=lambda one: one.compress_size)
    start = member.header_offset + 100
    data[start : start + 2000] = b"\xff" * 2000
    packed.write_bytes(data)
    with pytest.raises(UserError, match=r"packed\.pt (?:cannot be read as weights|is damaged)"):
        files.verify()
