"""Tiny random models of sentence-transformers, saved as a user would have them on disk."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789:.,"]
WORDS += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
WORDS += [
    "a",
    "red",
    "circle",
    "moves",
    "over",
    "the",
    "water",
    "while",
    "someone",
    "plays",
    "guitar",
    "query",
    "document",
    "passage",
]
DIM = 32


def bert_folder(path: Path, seed: int = 0) -> Path:
    """A BERT of two layers with its tokenizer, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    path.mkdir(parents=True)
    (path / "vocab.txt").write_text("\n".join(dict.fromkeys(WORDS)))
    tokenizer = BertTokenizerFast(str(path / "vocab.txt"))
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(dict.fromkeys(WORDS)),
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.6,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def text_model(path: Path, prompts: dict[str, str] | None = None, *, normalize: bool = True, seed: int = 0) -> Path:
    """Transformer, mean pooling and normalisation; with prompts where some are given."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    first = Transformer(str(bert_folder(path.with_name(f"{path.name}_bert"), seed)))
    modules = [first, Pooling(DIM, "mean"), *[Normalize()] * normalize]
    model = SentenceTransformer(modules=modules, device="cpu", prompts=prompts)
    model.save(str(path), create_model_card=False)
    return path


def picture_model(path: Path) -> Path:
    """A CLIP of texts and pictures."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPTextConfig,
        CLIPTokenizerFast,
        CLIPVisionConfig,
    )

    inner = path.with_name(f"{path.name}_clip")
    inner.mkdir(parents=True)
    letters = sorted({*"abcdefghijklmnopqrstuvwxyz0123456789:.,/_"})
    vocabulary = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    (inner / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(vocabulary)}))
    (inner / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizerFast(str(inner / "vocab.json"), str(inner / "merges.txt"), model_max_length=32)
    torch.manual_seed(1)
    common = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=CLIPTextConfig(vocab_size=len(vocabulary), max_position_embeddings=32, projection_dim=DIM,
                                   bos_token_id=len(vocabulary) - 2, eos_token_id=len(vocabulary) - 1,
                                   pad_token_id=len(vocabulary) - 1, **common).to_dict(),
        vision_config=CLIPVisionConfig(image_size=16, patch_size=8, projection_dim=DIM, **common).to_dict(),
        projection_dim=DIM,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(inner)
    pixels = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    CLIPProcessor(pixels, tokenizer).save_pretrained(inner)
    SentenceTransformer(modules=[Transformer(str(inner))], device="cpu").save(str(path), create_model_card=False)
    return path


def sound_model(path: Path) -> Path:
    """A CLAP of texts and sounds, which takes ten seconds at random of longer ones."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, PreTrainedTokenizerFast

    inner = path.with_name(f"{path.name}_clap")
    words = {word: k for k, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "a", "dog", "barks", "rain"])}
    plain = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )
    text = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 130}  # fmt: skip
    audio = {"patch_embeds_hidden_size": 8, "hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2],
             "num_hidden_layers": 2}  # fmt: skip
    torch.manual_seed(2)
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)).eval()
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for one in model.parameters():
            one.copy_(torch.randn(one.shape, generator=draw) / max(1, one[0].numel()) ** 0.5 if one.ndim > 1 else one)
    model.save_pretrained(inner)
    ClapProcessor(ClapFeatureExtractor(truncation="rand_trunc"), tokenizer).save_pretrained(inner)
    SentenceTransformer(modules=[Transformer(str(inner))], device="cpu").save(str(path), create_model_card=False)
    return path
