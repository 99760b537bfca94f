"""Tiny random models of every family of pictures and clips, made by transformers and saved as the hub lays them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SIDE = 32
WORDS = 120
_SPECIAL = ("<pad>", "<unk>", "<start>", "<end>", "<mask>")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'- "

TEXT: dict[str, Any] = {
    "vocab_size": WORDS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": SIDE,
    "patch_size": 8,
}  # fmt: skip


def write_tokenizer(
    folder: Path, *, length: int = 24, ends: bool = True, kind: str = "PreTrainedTokenizerFast", end: int = 3
) -> None:
    """Save a tokenizer of single letters, with marks at both ends, as tokenizer.json and its configuration."""
    words = {word: index for index, word in enumerate((*_SPECIAL, *_LETTERS))} | {"<end>": end}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", end)]
        )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<start>", eos_token="<end>",
        model_max_length=length,
    )  # fmt: skip
    fast.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": kind}))


def _saved(folder: Path, model: Any, processor: Any, name: str = "preprocessor_config.json", **tokens: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for parameter in model.parameters():  # the library's start is so small that all vectors are nearly the same
            parameter.copy_(torch.randn(parameter.shape) * 0.2)
    model.save_pretrained(folder)
    settings = processor if isinstance(processor, dict) else processor.to_dict()
    (folder / name).write_text(json.dumps(settings, default=str))
    write_tokenizer(folder, **tokens)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n")
    return folder


def clip(folder: Path, seed: int = 0, layers: int = 2) -> Path:
    """Save a CLIP."""
    torch.manual_seed(seed)
    text = {**TEXT, "max_position_embeddings": 24, "projection_dim": 16, "num_hidden_layers": layers}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**VISION, "projection_dim": 16}, projection_dim=16
    )
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    return _saved(folder, transformers.CLIPModel(config), processor)


def siglip(folder: Path, seed: int = 0) -> Path:
    """Save a SigLIP: a square without cropping, texts padded to 16."""
    torch.manual_seed(seed)
    config = transformers.SiglipConfig(text_config={**TEXT, "max_position_embeddings": 16}, vision_config=VISION)
    processor = transformers.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return _saved(folder, transformers.SiglipModel(config), processor, length=16, kind="SiglipTokenizer")


def siglip2(folder: Path, seed: int = 0) -> Path:
    """Save a SigLIP 2 of any shape: at most 16 patches of side 8."""
    torch.manual_seed(seed)
    vision = {name: value for name, value in VISION.items() if name != "image_size"}
    config = transformers.Siglip2Config(
        text_config={**TEXT, "max_position_embeddings": 16}, vision_config={**vision, "num_patches": 16}
    )
    processor = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    return _saved(folder, transformers.Siglip2Model(config), processor, length=16)


def metaclip2(folder: Path, seed: int = 0) -> Path:
    """Save a MetaCLIP 2."""
    torch.manual_seed(seed)
    text = {**TEXT, "max_position_embeddings": 24, "projection_dim": 16}
    config = transformers.MetaClip2Config(
        text_config=text, vision_config={**VISION, "projection_dim": 16}, projection_dim=16
    )
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    return _saved(folder, transformers.MetaClip2Model(config), processor)


def xclip(folder: Path, seed: int = 0) -> Path:
    """Save an X-CLIP of 4 frames, with the processor that the hub's have."""
    torch.manual_seed(seed)
    vision = {
        **VISION, "num_frames": 4, "mit_hidden_size": 16, "mit_intermediate_size": 32, "mit_num_attention_heads": 2,
    }  # fmt: skip
    config = transformers.XCLIPConfig(
        text_config={**TEXT, "max_position_embeddings": 24}, vision_config=vision, projection_dim=16, prompt_layers=1,
        prompt_num_attention_heads=2,
    )  # fmt: skip
    processor = transformers.VideoMAEImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size=SIDE, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    # The state of a text is that of its highest id in transformers, which the end is in every X-CLIP there is.
    return _saved(folder, transformers.XCLIPModel(config), processor, end=WORDS - 1)


def videoprism(folder: Path, seed: int = 0) -> Path:
    """Save a video-text model of VideoPrism of 4 frames."""
    torch.manual_seed(seed)
    vision = {
        "image_size": SIDE, "num_frames": 4, "tubelet_size": [1, 8, 8], "hidden_size": 32, "num_attention_heads": 4,
        "intermediate_size": 48, "num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1,
    }  # fmt: skip
    text = {**TEXT, "max_position_embeddings": 64}
    config = transformers.VideoPrismConfig(text_config=text, vision_config=vision)
    settings = {
        "video_processor_type": "LlavaOnevisionVideoProcessor", "size": {"height": SIDE, "width": SIDE},
        "do_normalize": False,
    }  # fmt: skip
    return _saved(
        folder,
        transformers.VideoPrismClipModel(config),
        settings,
        "video_preprocessor_config.json",
        length=64,
        ends=False,
    )


def altclip(folder: Path, seed: int = 0) -> Path:
    """Save an AltCLIP: of no row of the table, a text tower that looks both ways."""
    torch.manual_seed(seed)
    text = {**TEXT, "max_position_embeddings": 26, "project_dim": 32, "type_vocab_size": 1}
    config = transformers.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    return _saved(folder, transformers.AltCLIPModel(config), processor)


def chinese_clip(folder: Path, seed: int = 0) -> Path:
    """Save a Chinese CLIP."""
    torch.manual_seed(seed)
    config = transformers.ChineseCLIPConfig(
        text_config={**TEXT, "max_position_embeddings": 24}, vision_config=VISION, projection_dim=16
    )
    processor = transformers.ChineseCLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE)
    return _saved(folder, transformers.ChineseCLIPModel(config), processor)


PICTURES: dict[str, Callable[[Path], Path]] = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "metaclip2": metaclip2,
    "altclip": altclip,
    "chinese_clip": chinese_clip,
}
CLIPS: dict[str, Callable[[Path], Path]] = {"xclip": xclip, "videoprism": videoprism}
ALL = {**PICTURES, **CLIPS}
