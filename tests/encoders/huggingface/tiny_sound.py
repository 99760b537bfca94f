"""Tiny random models of the families of sound, saved as transformers saves models."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    PeAudioFeatureExtractor,
    PreTrainedTokenizerFast,
)

from gramcli.encoders.huggingface.pe_av_models import MODELS

WORDS = [
    *("a", "the", "dog", "cat", "barks", "sings", "slams", "door", "rain", "falls"),
    *("on", "roof", "man", "woman", "talks", "plays", "guitar", "loud", "quiet", "bird"),
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
CONTRAST = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "head_dim": 16,
}
TOWER = {
    "model_type": "timm_wrapper",
    "architecture": "vit_pe_core_large_patch14_336",
    "do_pooling": True,
    "global_pool": "map",
    "num_classes": 24,
    "model_args": {"img_size": [28, 28], "embed_dim": 32, "depth": 2, "num_heads": 4, "ref_feat_shape": [2, 2]},
}
TEXT = {
    "model_type": "modernbert",
    "vocab_size": len(SPECIAL + WORDS),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "bos_token_id": 0,
    "cls_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "sep_token_id": 2,
}
# Steps of 1920 samples, as the real ones.
SOUND = {
    "model_type": "pe_audio_encoder",
    "dac_config": {"encoder_hidden_size": 2, "downsampling_ratios": [2, 8, 10, 12], "codebook_dim": 8},
    **CONTRAST,
}
VIDEO = {"model_type": "pe_video_encoder", "vision_config": TOWER, **CONTRAST}


def spread(model: nn.Module, seed: int) -> None:
    """Draw weights wide enough for inputs to matter; the defaults of transformers give nearly one vector for all."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, one in sorted(model.named_parameters()):
            noise = torch.randn(one.shape, generator=draw)
            if name.endswith("alpha"):  # of the activations of the codec, which divide by it
                one.copy_(0.7 + 0.6 * torch.rand(one.shape, generator=draw))
            elif one.ndim > 1:
                wide = 0.7 if "dac_encoder" in name else 1.5  # nothing normalises the codec, and float16 ends at 65504
                one.copy_(noise * wide / one[0].numel() ** 0.5)
            elif name.endswith("weight"):
                one.copy_(1 + 0.5 * noise)
            else:
                one.copy_(0.2 * noise)


def save_tokenizer(folder: Path) -> None:
    """A tokenizer of whole words."""
    words = {word: place for place, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=512,
    ).save_pretrained(folder)


def tiny_clap(folder: Path, *, fusion: bool, seed: int = 0) -> Path:
    """A CLAP that hears ten seconds at 48 kHz as the real ones do, with few channels."""
    audio: dict[str, Any] = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "enable_fusion": fusion,
        "fusion_type": "aff_2d" if fusion else None,
    }
    text = {
        "vocab_size": len(SPECIAL + WORDS),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 130,
    }
    torch.manual_seed(seed)
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)).eval()
    spread(model, seed)
    model.save_pretrained(folder)
    ClapFeatureExtractor(truncation="fusion" if fusion else "rand_trunc").save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def tiny_pe_av(folder: Path, kind: str = "pe_audio_video", *, seed: int = 0, sampled: int | None = None) -> Path:
    """A PE-AV, or one of its sound or its video alone; the folder names timm's tower, as published ones do.

    Args:
        folder: Where it is saved.
        kind: `pe_audio_video`, `pe_audio` or `pe_video`.
        seed: Of its weights.
        sampled: Frames that its settings sample of a clip; None: all.
    """
    config = pe_av_config(kind)
    torch.manual_seed(seed)
    model = MODELS[kind](MODELS[kind].config_class.from_dict(config)).eval()
    spread(model, seed)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"architectures": [ARCHITECTURES[kind]], **config}))
    PeAudioFeatureExtractor().save_pretrained(folder)
    frames = {"do_sample_frames": sampled is not None, "num_frames": sampled}
    pixels = {"size": {"height": 28, "width": 28}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "video_preprocessor_config.json").write_text(json.dumps({**pixels, **frames}))
    save_tokenizer(folder)
    return folder


ARCHITECTURES = {"pe_audio_video": "PeAudioVideoModel", "pe_audio": "PeAudioModel", "pe_video": "PeVideoModel"}


def pe_av_config(kind: str) -> dict[str, Any]:
    """What config.json of a tiny model holds."""
    if kind == "pe_audio_video":
        parts: dict[str, Any] = {"audio_video_config": {"audio_config": SOUND, "video_config": VIDEO, **CONTRAST}}
    else:
        parts = {"audio_config": SOUND} if kind == "pe_audio" else {"video_config": VIDEO}
    return {"model_type": kind, "text_config": TEXT, **parts}
