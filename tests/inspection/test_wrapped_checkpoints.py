"""`inspect` and the encoder on checkpoints as wrappers and trainers write them: the facts and bits of the plain one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.inspection.inspect import inspect

State = dict[str, torch.Tensor]


def under(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + key: tensor for key, tensor in state.items()}


FORMS: dict[str, tuple[Callable[[State], Any], str]] = {
    "compile": (under("_orig_mod."), "'_orig_mod.' was stripped from the names of the tensors."),
    "fabric": (under("_forward_module."), "'_forward_module.' was stripped from the names of the tensors."),
    "fsdp": (under("_fsdp_wrapped_module."), "'_fsdp_wrapped_module.' was stripped from the names of the tensors."),
    "lightning": (
        lambda state: {"state_dict": under("model.")(state), "epoch": 1},
        "The weights were taken from the entry 'state_dict' of the file, and 'model.' stripped from their names.",
    ),
    "net": (lambda state: {"net": state}, "The weights were taken from the entry 'net' of the file."),
}


@pytest.fixture(scope="module")
def tiny(reference_data: Path) -> Path:
    folder = reference_data / "golden" / "tiny_gram_a"
    if not folder.is_dir():
        pytest.skip(f"no reference checkpoint at {folder}")
    return folder


@pytest.fixture(scope="module")
def state(tiny: Path) -> State:
    return torch.load(tiny / "ckpt" / "model_step_100.pt", weights_only=True)


def made(tiny: Path, folder: Path, payload: Any) -> Path:
    shutil.copytree(tiny / "log", folder / "log")
    shutil.copy(tiny / "arch.json", folder)
    (folder / "ckpt").mkdir()
    torch.save(payload, folder / "ckpt" / "model_step_100.pt")
    return folder


def facts(path: Path) -> dict[str, str]:
    own = ("configuration", "sha256 of")
    return {name: value for name, value in inspect(path).facts if not name.startswith(own)}


@pytest.mark.parametrize("form", FORMS)
def test_facts_and_embeddings_are_those_of_the_plain_checkpoint(
    form: str, tiny: Path, state: State, tmp_path: Path
) -> None:
    change, said = FORMS[form]
    folder = made(tiny, tmp_path / form, change(state))
    assert facts(folder) == facts(tiny)
    assert inspect(folder).notes == (said, *inspect(tiny).notes)
    vocabulary = tiny.parent / "bert-base-uncased" / "vocab.txt"
    wrapped, plain = (load_encoder(path, tokenizer=vocabulary) for path in (folder, tiny))
    assert wrapped.describe()["assumptions"] == [said, *plain.describe()["assumptions"]]
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "text": ["a dog barks", "rain"],
        "video": torch.randn(2, 8, 3, 42, 42, generator=generator),
        "audio": torch.randn(2, 1, 128, 64, generator=generator),
    }
    ours, theirs = wrapped.encode(inputs), plain.encode(inputs)
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in theirs)


def test_a_hidden_file_beside_the_weights_is_none(tiny: Path, state: State, tmp_path: Path) -> None:
    shutil.copy(tiny / "log" / "hps.json", tmp_path)
    shutil.copy(tiny / "arch.json", tmp_path)
    torch.save(state, tmp_path / "gram.pt")
    (tmp_path / "._gram.pt").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert facts(tmp_path) == facts(tiny) | {"step": "not stated"}
    assert not inspect(tmp_path).notes


def test_a_ckpt_alone_is_a_checkpoint_that_says_what_it_lacks(tiny: Path, state: State, tmp_path: Path) -> None:
    torch.save(FORMS["lightning"][0](state), tmp_path / "X.ckpt")
    torch.save(state, tmp_path / "X.pt")
    ours, plain = inspect(tmp_path / "X.ckpt"), inspect(tmp_path / "X.pt")
    assert ours.kind == "checkpoint" and facts(tmp_path / "X.ckpt") == facts(tmp_path / "X.pt")
    assert ours.notes == (FORMS["lightning"][1], *plain.notes)
    assert ours.notes[-1].endswith("no hps.json says how the checkpoint was evaluated.")


def test_averages_beside_are_said_and_not_counted(tiny: Path, state: State, tmp_path: Path) -> None:
    averages = {key: tensor * 0 for key, tensor in state.items()}
    folder = made(tiny, tmp_path / "ema", {"model": state, "model_ema": averages})
    assert facts(folder) == facts(tiny)
    assert inspect(folder).notes[:2] == (
        "The weights were taken from the entry 'model' of the file.",
        "EMA weights lie beside under 'model_ema', unused; to use them, save those of 'model_ema' alone.",
    )


def test_a_pointer_of_git_lfs_in_place_of_weights(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '4'}\nsize 12345\n"
    for suffix in ("pt", "ckpt", "safetensors"):
        (tmp_path / f"x.{suffix}").write_text(pointer)
        with pytest.raises(UserError, match=rf"x\.{suffix} is a Git LFS pointer, .* with: git lfs pull\.$"):
            inspect(tmp_path / f"x.{suffix}")
