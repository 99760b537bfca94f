"""What a clone without Git LFS leaves in place of our own files: stores, heads, evaluations, settings, checkpoints."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.conftest import make_store

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '4'}\nsize 12345\n"
SAID = "{} is a Git LFS pointer, not the file itself; fetch the content with: git lfs pull."


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    import gramcli

    folder = tmp_path_factory.mktemp("heads")
    gramcli.align(make_store(folder / "emb"), folder / "heads", loss="cosine", epochs=1)
    return folder / "heads"


def test_the_files_of_a_store(gram, store, tmp_path):
    for name in ("manifest.json", "items.csv", "shards/00000.safetensors"):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        shutil.copytree(store, tmp_path / "s")
        (tmp_path / "s" / name).write_text(POINTER)
        for command in (
            ["eval", "s"],
            ["inspect", "s"],
            ["inspect", "s", "--verify"],
            ["compare", "s@gram", "s@cosine"],
        ):
            result = gram(*command)
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr == f"gram: error: {SAID.format(f's/{name}')}\n"


@pytest.mark.parametrize("name", ["heads.json", "heads.safetensors"])
def test_the_files_of_heads(gram, store, heads, tmp_path, name):
    shutil.copytree(heads, tmp_path / "h")
    (tmp_path / "h" / name).write_text(POINTER)
    for command in (["eval", store, "--model", "heads:h"], ["inspect", "h"]):
        assert SAID.format(f"h/{name}") in gram(*command).stderr


def test_the_state_of_heads_that_are_trained(gram, store, tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "training.safetensors").write_text(POINTER)
    result = gram("align", store, "-o", "h", "--loss", "cosine", "--epochs", "1")
    assert SAID.format("h/training.safetensors") in result.stderr


def test_evaluations_settings_and_manifests(gram, store, tmp_path):
    for name in ("e.json", "s.toml", "m.csv", "t.txt", "w.ckpt"):
        (tmp_path / name).write_text(POINTER)
    (tmp_path / "captions.csv").write_text("id,video,caption\na,a.mp4,a dog\n")
    (tmp_path / "a.mp4").write_text(POINTER)
    commands = {
        "e.json": [["compare", "e.json", "e.json"]],
        "s.toml": [["eval", store, "--settings", "s.toml"]],
        "m.csv": [["inspect", "m.csv"], ["embed", "m.csv", "-o", "o"]],
        "w.ckpt": [["inspect", "w.ckpt"], ["embed", "captions.csv", "-o", "o", "--model", "w.ckpt"]],
        "a.mp4": [["embed", "captions.csv", "-o", "o"]],
    }
    for name, lines in commands.items():
        for line in lines:
            assert SAID.format(name) in gram(*line).output, line


@pytest.mark.parametrize("name", ["hps.json", "arch.json", "vocab.txt", "pytorch_model.bin.index.json", "x.pt"])
def test_the_files_of_a_checkpoint(gram, tmp_path, reference_data, name):
    tiny = reference_data / "golden" / "tiny_gram_a"
    shutil.copytree(tiny / "log", tmp_path / "run" / "log")
    (tmp_path / "run" / "log" / "hps.json").rename(tmp_path / "run" / "hps.json")
    shutil.copy(tiny / "arch.json", tmp_path / "run")
    shutil.copy(tiny / "ckpt" / "model_step_100.pt", tmp_path / "run" / "x.pt")
    (tmp_path / "run" / name).write_text(POINTER)
    (tmp_path / "captions.json").write_text(json.dumps([{"id": "a", "caption": "a dog"}]))
    result = gram("embed", "captions.json", "--text-only", "-o", "o", "--model", "run")
    assert result.exit_code == 4
    assert SAID.format(f"run/{name}") in result.stderr
