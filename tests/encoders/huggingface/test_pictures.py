"""Each family from media to table; its vectors are the library's own, and the same bit for bit in any batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from torch.nn.functional import normalize

import gramcli
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.media.video import read_video
from gramcli.store import open_store
from tests.encoders.huggingface import tiny
from tests.encoders.huggingface.conftest import Made

TEXTS = (
    "A clip, number 0!",
    "Another text of it",
    "",
    "a text that is much longer than any of these towers takes: " * 3,
)
MODELS = {
    "clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model", "metaclip2": "MetaClip2Model",
    "altclip": "AltCLIPModel", "chinese_clip": "ChineseCLIPModel", "xclip": "XCLIPModel",
    "videoprism": "VideoPrismClipModel",
}  # fmt: skip
PROCESSORS = {
    "siglip": "SiglipImageProcessorPil", "siglip2": "Siglip2ImageProcessorPil", "xclip": "VideoMAEImageProcessorPil",
    "chinese_clip": "ChineseCLIPImageProcessorPil",
}  # fmt: skip


def _library(folder: Path, name: str) -> Any:
    return getattr(transformers, MODELS[name]).from_pretrained(folder).eval()


def _pooled(found: Any) -> Tensor:
    rows = found if isinstance(found, Tensor) else found.pooler_output
    return rows.reshape(len(rows), -1)


def _their_video(folder: Path, name: str, frames: np.ndarray) -> Tensor:
    """One clip by the library: its processor, its model, and for pictures the mean of unit vectors."""
    model = _library(folder, name)
    if name == "videoprism":  # its processor needs torchvision; this is PIL's path of the same steps
        processor = transformers.CLIPImageProcessorPil(
            size={"height": tiny.SIDE, "width": tiny.SIDE}, do_center_crop=False, do_normalize=False
        )
        pixels = processor(images=list(frames), return_tensors="pt")["pixel_values"]
        return normalize(_pooled(model.get_video_features(pixel_values_videos=pixels[None])), dim=-1)[0]
    processor = getattr(transformers, PROCESSORS.get(name, "CLIPImageProcessorPil")).from_pretrained(folder)
    inputs = processor(images=list(frames), return_tensors="pt")
    if name == "xclip":
        return normalize(_pooled(model.get_video_features(pixel_values=inputs["pixel_values"])), dim=-1)[0]
    rows = normalize(_pooled(model.get_image_features(**inputs)), dim=-1)
    return normalize(rows.mean(dim=0), dim=0)


def _their_text(folder: Path, name: str, text: str) -> Tensor:
    """One text by the library, padded and masked as its family was trained."""
    model = _library(folder, name)
    # SigLIP's class needs another package; SigLIP 2's lower-cases, as it was trained.
    auto = transformers.AutoTokenizer if name == "siglip2" else transformers.PreTrainedTokenizerFast
    tokenizer = auto.from_pretrained(folder)
    if name in {"siglip", "siglip2"}:
        ids = tokenizer([text], padding="max_length", truncation=True, max_length=16, return_tensors="pt").input_ids
        return normalize(_pooled(model.get_text_features(input_ids=ids)), dim=-1)[0]
    length: dict[str, Any] = {"truncation": True, "max_length": 24}
    if name == "videoprism":
        kept = "".join(one for one in text.lower() if one.isalnum() or one == " ").strip()
        text, length = f"{kept}.", {"padding": "max_length", "truncation": True, "max_length": 64}
    tokens = tokenizer([text], return_tensors="pt", **length)
    found = model.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
    return normalize(_pooled(found), dim=-1)[0]


@pytest.mark.parametrize("name", tiny.ALL)
def test_from_media_to_table(name: str, made: Made, media: Path, tmp_path: Path) -> None:
    """The vectors in a store are what the library gives for the same frames and texts, and they can be evaluated."""
    folder, frames = made(name), 4 if name in tiny.CLIPS else 3
    given = None if name in tiny.CLIPS else frames
    summary = gramcli.embed(media, tmp_path / "s", model=f"hf:{folder}", frames=given, workers=0, batch_size=2)
    assert summary.ok == {"text": 3, "video": 3, "subtitle": 1, **({} if name in tiny.CLIPS else {"image": 1})}
    store = open_store(tmp_path / "s")
    texts = [line for key in "abc" for line in (media / f"{key}.txt").read_text().splitlines()]
    wanted = torch.stack([_their_text(folder, name, text) for text in texts])
    assert torch.allclose(store.embeddings("text"), wanted, atol=1e-5)
    clips = [read_video(media / f"{key}.mp4", frames, "middle-of-segment").frames for key in "abc"]
    wanted = torch.stack([_their_video(folder, name, clip) for clip in clips])
    assert torch.allclose(store.embeddings("video"), wanted, atol=1e-5)
    evaluation = gramcli.evaluate(tmp_path / "s", tasks=["t2v"], methods=["cosine"])
    assert {row.n for row in evaluation.results} == {6, 3}
    said = " ".join(summary.notes)
    assert ("mean of its frames' unit vectors" in said) == (name in tiny.PICTURES)
    assert store.manifest["model"]["id"] == f"hf:{folder.name}"


@pytest.mark.parametrize("name", tiny.ALL)
def test_a_row_is_the_same_in_any_batch(name: str, made: Made) -> None:
    encoder = load_encoder(f"hf:{made(name)}")
    random = np.random.default_rng(1)
    shape = (encoder.preprocessing.frames, 41, 57, 3)
    clips = [SimpleNamespace(frames=random.integers(0, 256, shape, dtype=np.uint8)) for _ in TEXTS]
    videos = [encoder.prepare("video", clip) for clip in clips]
    together = encoder.encode({"video": videos, "text": list(TEXTS)})
    for k, text in enumerate(TEXTS):
        assert torch.equal(encoder.encode({"text": [text]})["text"][0], together["text"][k]), text
        assert torch.equal(encoder.encode({"video": [videos[k]]})["video"][0], together["video"][k])
    assert torch.equal(encoder.encode({"subtitle": list(TEXTS)})["subtitle"], together["text"])
    for name_of, rows in together.items():
        assert rows.dtype == torch.float32 and rows.shape == (len(TEXTS), encoder.dims[name_of])
        assert torch.allclose(rows.norm(dim=1), torch.ones(len(TEXTS)), atol=1e-6)
    # A text beyond the tower's length is cut, not refused, and differs from a short one.
    assert not torch.allclose(together["text"][0], together["text"][3], atol=1e-3)


@pytest.mark.parametrize("name", tiny.ALL)
def test_a_padded_batch_gives_what_single_items_give(name: str, made: Made) -> None:
    """On a GPU items go together; the masks are right when that changes no vector."""
    encoder = load_encoder(f"hf:{made(name)}")
    found = encoder.family.features({"text": list(TEXTS)})["text"]  # type: ignore[attr-defined]
    single = encoder.encode({"text": list(TEXTS)})["text"]
    assert torch.allclose(normalize(found.float(), dim=-1), single, atol=1e-5)


def test_a_picture_is_a_clip_of_one_frame(made: Made) -> None:
    encoder = load_encoder(f"hf:{made('clip')}", frames=1)
    picture = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image = encoder.encode({"image": [encoder.prepare("image", picture)]})["image"]
    video = encoder.encode({"video": [encoder.prepare("video", SimpleNamespace(frames=picture[None]))]})["video"]
    assert torch.equal(image, video)


def test_frames_reversed_change_a_model_of_clips_only(made: Made) -> None:
    frames = np.random.default_rng(3).integers(0, 256, (4, 40, 50, 3), dtype=np.uint8)
    for name in ("clip", "xclip", "videoprism"):
        encoder = load_encoder(f"hf:{made(name)}", frames=4)
        both = [encoder.prepare("video", SimpleNamespace(frames=one)) for one in (frames, frames[::-1])]
        first, second = encoder.encode({"video": both})["video"]
        assert torch.allclose(first, second, atol=1e-6) == (name == "clip"), name


@pytest.mark.parametrize(("precision", "least"), [("bf16", 0.995), ("fp16", 0.9995)])
@pytest.mark.parametrize("name", ["clip", "siglip2", "xclip"])
def test_other_precisions_agree_to_their_rounding(name: str, precision: str, least: float, made: Made) -> None:
    full, half = (load_encoder(f"hf:{made(name)}", precision=one) for one in ("fp32", precision))
    shape = (full.preprocessing.frames, 41, 57, 3)
    clip = SimpleNamespace(frames=np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8))
    inputs = {"video": [full.prepare("video", clip)], "text": ["a text"]}
    exact, rounded = full.encode(inputs), half.encode(inputs)
    for key in inputs:
        cosine = float(exact[key][0] @ rounded[key][0])
        assert least < cosine and not torch.equal(exact[key], rounded[key])
    assert half.describe()["precision"] == precision


def test_other_numbers_of_frames_are_refused_where_layers_mix_them(made: Made) -> None:
    with pytest.raises(UserError, match="sees clips of 4 frames, no others: leave --frames out"):
        load_encoder(f"hf:{made('xclip')}", frames=8)


def test_what_cannot_be_encoded_is_said(made: Made) -> None:
    encoder = load_encoder(f"hf:{made('clip')}")
    for inputs, says in (
        ({"audio": [1]}, "cannot encode 'audio'. It encodes: text, video, image, subtitle"),
        ({}, "was given nothing to encode"),
        ({"text": "alone"}, "must be a list of texts"),
        ({"text": [3]}, "Texts must be str; got int"),
        ({"text": ["a"], "subtitle": ["a", "b"]}, "as many inputs of every modality; got text 1, subtitle 2"),
    ):
        with pytest.raises((UserError), match=says):
            encoder.encode(inputs)
    assert encoder.encode({"text": []})["text"].shape == (0, 16)


def test_what_a_store_records(made: Made) -> None:
    encoder = load_encoder(f"hf:{made('siglip')}")
    found = encoder.describe()
    assert found["architecture"] == "siglip" and found["revision"] is None
    assert len(found["weights_sha256"]) == len(found["tokenizer_sha256"]) == 64
    assert found["preprocessing"]["pixels"]["size"] == (32, 32)
    assert found["preprocessing"]["text"]["mask"] is False
    assert encoder.describe(["video"])["tokenizer_sha256"] is None


def test_the_file_that_processors_save_today_is_read(made: Made, tmp_path: Path) -> None:
    """Transformers 5 writes all settings of a processor into processor_config.json."""
    folder = tmp_path / "clip"
    shutil.copytree(made("clip"), folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    document = {"image_processor": settings, "processor_class": "CLIPProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(document))
    wanted = load_encoder(f"hf:{made('clip')}").describe()["preprocessing"]
    assert load_encoder(f"hf:{folder}").describe()["preprocessing"] == wanted


def test_the_words_of_siglip_2_are_lower_cased(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SigLIP with the words of Gemma is a SigLIP 2 of fixed size, which was trained on lower case."""
    from gramcli.encoders.huggingface import pictures

    assert "lower-cased" not in " ".join(load_encoder(f"hf:{made('siglip')}").notes)  # type: ignore[attr-defined]
    monkeypatch.setattr(pictures, "_GEMMA_WORDS", tiny.WORDS)
    encoder = load_encoder(f"hf:{made('siglip')}")
    assert "lower-cased" in " ".join(encoder.notes)  # type: ignore[attr-defined]
    first, second = encoder.encode({"text": ["A Cat", "a cat"]})["text"]
    assert torch.equal(first, second)


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler here")
@pytest.mark.skipif(" " in torch.__file__, reason="torch compiles nothing where its own path has a blank")
def test_compiled_towers_give_the_same_vectors(tmp_path: Path) -> None:
    import torch._inductor.config as inductor

    folder, texts = tiny.clip(tmp_path / "clip", layers=1), {"text": list(TEXTS)}
    # No processes that compile, which import torch anew, and no programs that try what the processor says it can.
    with inductor.patch({"compile_threads": 1, "cpp.vec_isa_ok": True}):
        plain, compiled = (load_encoder(f"hf:{folder}", frames=2, compile=on) for on in (False, True))
        assert torch.allclose(plain.encode(texts)["text"], compiled.encode(texts)["text"], atol=1e-5)
    assert all(tower._compiled_call_impl for tower in compiled.family.model.children())  # type: ignore[attr-defined]
    assert plain.describe() == compiled.describe()


def test_without_a_compiler_it_is_said(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_nothing(*_: object, **__: object) -> None:
        raise RuntimeError("no working C++ compiler\nand more")

    monkeypatch.setattr(torch, "compile", compile_nothing)
    with pytest.raises(
        UserError, match=r"finds no compiler that works here \(RuntimeError: no working C\+\+ compiler\)"
    ):
        load_encoder(f"hf:{made('clip')}", compile=True)
