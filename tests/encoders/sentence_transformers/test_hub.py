"""Names of the hub: from the cache, pinned to a commit; offline; and which files would be fetched."""

from __future__ import annotations

import shutil

import pytest

from gramcli.encoders import load_encoder
from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.sentence_transformers.needs import OfSentenceTransformers
from gramcli.errors import UserError

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40


@pytest.fixture
def hub(models, tmp_path, monkeypatch):
    """A cache that holds two revisions of a model, and no way to the hub."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name, commit, model in (("org--tiny", COMMIT, "plain"), ("org--tiny", OTHER, "prompted")):
        shutil.copytree(models[model], tmp_path / "hub" / f"models--{name}" / "snapshots" / commit)
    refs = tmp_path / "hub" / "models--org--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    return tmp_path / "hub"


def test_a_name_is_found_in_the_cache_and_its_commit_recorded(hub):
    encoder = load_encoder("st:org/tiny")
    described = encoder.describe()
    assert (described["id"], described["revision"]) == ("st:org/tiny", COMMIT)
    assert encoder.spec == "st:org/tiny"


def test_a_revision_names_another(hub):
    encoder = load_encoder(f"st:org/tiny@{OTHER}:truncate_dim=8")
    assert encoder.describe()["revision"] == OTHER
    assert dict(encoder.dims) == dict.fromkeys(
        ("text@query", "text@document", "subtitle@query", "subtitle@document"), 8
    )


@pytest.mark.parametrize("spec", ["st:org/other", f"st:org/tiny@{'a' * 40}", "st:small"])
def test_what_is_not_in_the_cache_is_a_sentence_offline(hub, spec):
    name = {"st:small": "sentence-transformers/small"}.get(spec, spec[3:].partition("@")[0])
    with pytest.raises(UserError, match=rf"{name} is not in .*offline mode is on.*then give st:DIR"):
        load_encoder(spec)


def test_a_snapshot_without_the_folders_of_its_modules_is_not_whole(hub):
    shutil.rmtree(hub / "models--org--tiny" / "snapshots" / COMMIT / "1_Pooling")
    with pytest.raises(UserError, match="is not in"):
        load_encoder("st:org/tiny")


NAMES = [
    "README.md", "modules.json", "config.json", "config_sentence_transformers.json", "tokenizer.json", "vocab.txt",
    "model.safetensors", "pytorch_model.bin", "training_args.bin", "onnx/model.onnx", "onnx/config.json",
    "openvino/model.bin", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors",
    "2_Dense/pytorch_model.bin", ".gitattributes", "modeling_mine.py", "tf_model.h5", "chat_template.jinja",
]  # fmt: skip


def test_the_files_that_are_fetched():
    wanted = OfSentenceTransformers().chosen(NAMES, "org/tiny", EncoderOptions())
    assert wanted == {
        "README.md", "modules.json", "config.json", "config_sentence_transformers.json", "tokenizer.json", "vocab.txt",
        "model.safetensors", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors",
        "chat_template.jinja",
    }  # fmt: skip


def test_pickles_are_fetched_only_when_they_are_allowed():
    names = [one for one in NAMES if one != "2_Dense/model.safetensors"]
    with pytest.raises(UserError, match=r"org/tiny has weights as pickles, .*--allow-pickle"):
        OfSentenceTransformers().chosen(names, "org/tiny", EncoderOptions())
    allowed = OfSentenceTransformers().chosen(names, "org/tiny", EncoderOptions(allow_pickle=True))
    assert {"2_Dense/pytorch_model.bin", "model.safetensors"} <= allowed
    assert not {"pytorch_model.bin", "training_args.bin"} & allowed


@pytest.mark.parametrize("names", [[], ["a.txt"], ["README.md", "model.safetensors"]])
def test_what_is_no_model(names):
    with pytest.raises(UserError, match="it is no model"):
        OfSentenceTransformers().chosen(names, "org/tiny", EncoderOptions())
