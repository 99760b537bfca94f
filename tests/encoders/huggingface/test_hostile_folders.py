"""Folders that are wrong, cut or hostile: each ends in one sentence, and runs nothing of theirs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gramcli.encoders import load_encoder
from gramcli.encoders.base import BrokenEncoderError, EncoderOptions
from gramcli.encoders.huggingface import loading
from gramcli.encoders.huggingface.encoder import load
from gramcli.encoders.huggingface.limits import check_config
from gramcli.errors import UserError
from tests.encoders.huggingface import tiny
from tests.encoders.huggingface.conftest import Made


def _changed(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _tower(path: Path, tower: str, **changes: Any) -> None:
    config = json.loads(path.read_text())
    config[tower] = {**config[tower], **changes}
    path.write_text(json.dumps(config))


def _index(folder: Path, *names: str) -> None:
    (folder / "model.safetensors").unlink()
    named = {"weight_map": {str(index): name for index, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(named))


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


def _header(folder: Path, header: bytes) -> None:
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), r"has no config\.json: it is no model of transformers"),
    "a config that is no JSON": (lambda f: (f / "config.json").write_text("{"), "is not JSON that can be read"),
    "a config that is a list": (lambda f: (f / "config.json").write_text("[1]"), "must hold an object"),
    "a config that is nested": (
        lambda f: (f / "config.json").write_text('{"a":' * 5000 + "1" + "}" * 5000), "nested (too deeply|more than)",
    ),
    "a config that is a pipe": (
        lambda f: ((f / "config.json").unlink(), os.mkfifo(f / "config.json")), "has no config|pipe, socket or device"
    ),
    "an unknown type": (
        lambda f: _changed(f / "config.json", model_type="llama"),
        r"model_type 'llama', which is no dual encoder.*Known: clip, siglip, siglip2, metaclip_2, xclip, videoprism",
    ),
    "a type that is no word": (lambda f: _changed(f / "config.json", model_type=[1]), "which is no dual encoder"),
    "code of its own": (
        lambda f: _changed(f / "config.json", auto_map={"AutoModel": "own.Model"}),
        r"asks for Python code of its own \(auto_map\), which is never run",
    ),
    "a tokenizer with code of its own": (
        lambda f: _changed(f / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", None]}), "code of its own",
    ),
    "attention from the hub": (
        lambda f: _changed(f / "config.json", _attn_implementation="kernels-community/flash"), "code of its own",
    ),
    "quantised weights": (
        lambda f: _changed(f / "config.json", quantization_config={"quant_method": "bitsandbytes"}), "quantised",
    ),
    "pictures of a hundred thousand pixels": (
        lambda f: _tower(f / "config.json", "vision_config", image_size=100_000),
        "image_size is 100000, beyond 4,096, which no model has",
    ),
    "layers without number": (
        lambda f: _tower(f / "config.json", "text_config", num_hidden_layers=10**9), "num_hidden_layers is 1e",
    ),
    "a width that the weights do not have": (
        lambda f: _tower(f / "config.json", "text_config", hidden_size=2**16, num_attention_heads=4),
        "parameters, but the weights hold",
    ),
    "a smaller width": (
        lambda f: _tower(f / "config.json", "text_config", hidden_size=16), "cannot load its CLIPModel",
    ),
    "more layers": (
        lambda f: _tower(f / "config.json", "vision_config", num_hidden_layers=3), "parameters, but the weights hold",
    ),
    "fewer layers": (
        lambda f: _tower(f / "config.json", "text_config", num_hidden_layers=1),
        r"the weights have a text_model\.encoder\.layers\.1, but config\.json describes 1 layers there",
    ),
    "no layers": (
        lambda f: _tower(f / "config.json", "vision_config", num_hidden_layers=0), "describes 0 layers there",
    ),
    "garbage values": (
        lambda f: _tower(f / "config.json", "text_config", hidden_size={"a": [1, {"b": None}]}),
        "transformers cannot load",
    ),
    "a tower that is a text": (lambda f: _changed(f / "config.json", text_config="x"), "transformers cannot load"),
    "numbers that are none": (
        lambda f: (f / "config.json").write_text('{"model_type": "clip", "x": NaN}'), "x is nan",
    ),
    "only pickled weights": (_pickled, r"only as pytorch_model\.bin, a pickle, which can run code.*--allow-pickle"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"has no weights: no model\.safetensors"),
    "weights of another library": (
        lambda f: (f / "model.safetensors").rename(f / "open_clip_model.safetensors"),
        r"open_clip_model\.safetensors is not the file of transformers",
    ),
    "cut weights": (_cut, r"model\.safetensors is cut off or damaged"),
    "weights that are none": (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "no safetensors file"),
    "a header of lists": (lambda f: _header(f, b'{"a": [1, 2]}'), "no safetensors file"),
    "a header without end": (lambda f: _header(f, b'{"a": {"dtype": "F32"'), "no safetensors file"),
    "a header of negative sizes": (
        lambda f: _header(f, b'{"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 0]}}'), "weights hold",
    ),
    "a pointer": (
        lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        "is a Git LFS pointer",
    ),
    "a shard that is lost": (lambda f: _index(f, "model-00001-of-00002.safetensors"), "lacks model-00001-of-00002"),
    "shards elsewhere": (lambda f: _index(f, "../../other.safetensors"), "does not say which files hold the weights"),
    "an index without shards": (_index, "does not say which files hold the weights"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), r"has no tokenizer \(tokenizer\.json\)"),
    "a tokenizer that is none": (lambda f: (f / "tokenizer.json").write_text("[]"), "cannot load its tokenizer"),
    "a processor of garbage": (
        lambda f: _changed(f / "preprocessor_config.json", size={"shortest_edge": "x"}), "must be a whole number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_folder_ends_in_one_sentence(case: str, made: Made, tmp_path: Path) -> None:
    spoil, says = WRONG[case]
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    spoil(folder)
    with pytest.raises(UserError, match=says) as caught:
        load_encoder(f"hf:{folder}").encode({"text": ["a text"]})
    assert "\n" not in caught.value.message and caught.value.exit_code in {1, 2, 4}


def test_words_that_the_model_lacks_are_refused(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["a"] = 5000
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(UserError, match="more words than the model: token 5000 of 120"):
        load_encoder(f"hf:{folder}").encode({"text": ["a"]})


def test_pickled_weights_load_when_that_is_allowed(made: Made, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    whole = load_encoder(f"hf:{folder}").encode({"text": ["a"]})["text"]
    (folder / "model.safetensors").unlink()
    found = load_encoder(f"hf:{folder}", allow_pickle=True)
    assert torch.equal(found.encode({"text": ["a"]})["text"], whole)
    assert len(found.describe()["weights_sha256"]) == 64


def test_sharded_weights_load(made: Made, tmp_path: Path) -> None:
    import transformers

    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    model = transformers.CLIPModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    encoder = load_encoder(f"hf:{folder}")
    assert torch.equal(
        encoder.encode({"text": ["a"]})["text"], load_encoder(f"hf:{made('clip')}").encode({"text": ["a"]})["text"]
    )
    assert len(encoder.describe()["weights_sha256"]) > 1


def test_weights_that_changed_after_loading_are_not_recorded(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    encoder = load_encoder(f"hf:{folder}")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    os.utime(path, ns=(1, 1))
    with pytest.raises(UserError, match="changed after it was loaded"):
        encoder.describe()


def test_a_folder_without_its_prefix_is_named(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a model of transformers\. Name it with hf: before it: .*hf:"):
        load_encoder(made("clip"))
    folder = tmp_path / "sentences"
    shutil.copytree(made("clip"), folder)
    (folder / "modules.json").write_text("[]")
    with pytest.raises(UserError, match=r"is a model of sentence-transformers\. Name it with st: before it"):
        load_encoder(folder)


@pytest.mark.parametrize("name", tiny.ALL)
def test_every_tiny_configuration_is_within_the_limits(name: str, made: Made) -> None:
    path = made(name) / "config.json"
    assert check_config(json.loads(path.read_text()), path)


def test_a_model_without_its_processor_is_not_guessed_at(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"has no preprocessor_config\.json, which says how"):
        load_encoder(f"hf:{folder}")


def test_a_processor_of_another_size_ends_in_a_sentence(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    path = next(
        folder / name for name in ("preprocessor_config.json", "processor_config.json") if (folder / name).exists()
    )
    found = json.loads(path.read_text())
    part = found.get("image_processor", found)
    part |= {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}}
    path.write_text(json.dumps(found))
    encoder = load_encoder(f"hf:{folder}")
    picture = encoder.prepare("image", np.zeros((60, 60, 3), np.uint8))
    with pytest.raises(BrokenEncoderError, match=r"cannot encode image as its files have them prepared: .*48"):
        encoder.encode({"image": [picture]})


def test_the_weights_that_are_loaded_are_those_recorded(made: Made, tmp_path: Path) -> None:
    """A whole file and shards of another model lie side by side: transformers takes the whole one."""
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    alone = load_encoder(f"hf:{folder}")
    other = folder / "model-00001-of-00001.safetensors"
    other.write_bytes((folder / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\1")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": other.name}}))
    both = load_encoder(f"hf:{folder}")
    assert both.describe()["weights_sha256"] == alone.describe()["weights_sha256"]
    assert torch.equal(both.encode({"text": ["a"]})["text"], alone.encode({"text": ["a"]})["text"])


def test_an_adapter_is_not_applied_unasked(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(UserError, match=r"holds adapter_config\.json, an adapter of a model"):
        load_encoder(f"hf:{folder}")


def test_padding_on_the_left_moves_no_vector_of_a_batch(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "padding_side": "left"}))
    family = load_encoder(f"hf:{folder}").family
    with torch.inference_mode():
        texts = ["a", "a red dog and a cat"]
        together = family.features({"text": texts})["text"]
        alone = torch.cat([family.features({"text": [one]})["text"] for one in texts])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_large_model_says_that_it_is_loaded(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    options = EncoderOptions(say=told.append)
    load(str(made("clip")), options)
    assert told == [], "a small one is there at once"
    monkeypatch.setattr(loading, "_LARGE", 1000)
    load(str(made("clip")), options)
    assert told == ["Loading clip (0.0 GB)."]
