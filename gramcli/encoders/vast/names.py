"""The names of a VAST-family model's tensors: renamed, grouped, tied, and listed for an architecture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Final

from gramcli.encoders.vast.architecture import Architecture, AudioConfig, TextConfig, UnusedTextConfig, VisionConfig

Shape = tuple[int, ...]
Named = Iterator[tuple[str, Shape]]

# Old names and what they became; the first that occurs in a key is replaced, and only that one.
_RENAMED: Final = (("video", "vision"), ("evaclip_model", "vision_encoder"), ("clip_model", "vision_encoder"))

_BIAS_TABLE: Final = re.compile(
    r"^(audio_encoder\.encoder\.layers\.)\d+(\.self_attn\.relative_attention_bias\.weight)$"
)
_TIED: Final = {
    "multimodal_encoder.cls.predictions.decoder.weight": "multimodal_encoder.bert.embeddings.word_embeddings.weight",
    "multimodal_encoder.cls.predictions.decoder.bias": "multimodal_encoder.cls.predictions.bias",
}

# Parts that the checkpoints carry and no embedding or matching score depends on.
_UNUSED: Final = re.compile(
    r"^vision_encoder\.(text\.|transformer\.|token_embedding\.|prompt_embedding\.|ln_final\."
    r"|positional_embedding$|text_projection$|logit_scale$|visual\.head\.|visual\.proj$)"
    r"|^multimodal_encoder\.(cls\.|bert\.embeddings\.position_ids$)"
)
_COMPUTED: Final = re.compile(r"(^|\.)(position_ids|freqs_cos|freqs_sin)$")


def renamed(key: str) -> str:
    """Undo one renaming of older releases.

    Example:
        >>> renamed("clip_model.visual.cls_token")
        'vision_encoder.visual.cls_token'
    """
    for old, new in _RENAMED:
        if old in key:
            return key.replace(old, new)
    return key


def tied_name(key: str) -> str:
    """Name the tensor that a key shares its values with: the first of its group, or the key itself.

    The layers of BEATs share one table of relative positions; BERT's output layer shares the word table and a bias.

    Example:
        >>> tied_name("audio_encoder.encoder.layers.7.self_attn.relative_attention_bias.weight")
        'audio_encoder.encoder.layers.0.self_attn.relative_attention_bias.weight'
    """
    return _TIED.get(key) or _BIAS_TABLE.sub(r"\g<1>0\g<2>", key)


def part_of(key: str) -> str:
    """Name the part of the model that a key belongs to, for instance `vision_encoder` or `contra_head_d`."""
    return key.partition(".")[0]


def is_unused(key: str) -> bool:
    """Say whether a tensor is carried along without being used: CLIP's text tower, BERT's word predictor and so on."""
    return bool(_UNUSED.search(key)) or is_computed(key)


def is_optional(key: str) -> bool:
    """Say whether a model works without a tensor: it is unused, or it is the head for depth."""
    return bool(_UNUSED.search(key)) or part_of(key) == "contra_head_d"


def is_computed(key: str) -> bool:
    """Say whether a tensor is a table that follows from the architecture: position numbers, EVA02's rotations."""
    return bool(_COMPUTED.search(key))


def count_by_part(keys: Iterable[str]) -> dict[str, int]:
    """Count keys by the part of the model they belong to, in the order in which parts appear."""
    return dict(Counter(part_of(key) for key in keys))


def parameters_by_part(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Count the distinct parameters of each part; tied tensors count once, tables that are computed not at all."""
    counts: Counter[str] = Counter()
    for key in dict.fromkeys(tied_name(key) for key in shapes if not is_computed(key)):
        counts[part_of(key)] += prod(shapes[key] if key in shapes else _any_of_group(shapes, key))
    return dict(counts)


def expected_shapes(architecture: Architecture) -> dict[str, Shape]:
    """List the tensors of an official checkpoint of an architecture, with their shapes.

    Tables that are computed, such as EVA02's rotations, are left out; `position_ids`, which the releases hold, is in.
    """
    a = architecture
    hidden, frames = a.text.hidden, (1, a.vision_samples, a.text.hidden)
    named: list[tuple[str, Shape]] = [
        ("contra_temp", ()),
        ("vision_frame_embedding", frames),
        ("audio_frame_embedding", (1, a.audio_samples, hidden)),
        *((f"{name}_type_embeddings", (1, 1, hidden)) for name in ("vision", "audio", "subtitle")),
        *_under("vision_encoder", _vision_encoder(a.vision, a.vision_text)),
        *_under("audio_encoder", _audio(a.audio)),
        *_under("multimodal_encoder", _text(a.text)),
        *_heads(a),
    ]
    return dict(named)


def _any_of_group(shapes: Mapping[str, Shape], name: str) -> Shape:
    return next(shape for key, shape in shapes.items() if tied_name(key) == name)


def _under(prefix: str, named: Iterable[tuple[str, Shape]]) -> Named:
    return ((f"{prefix}.{key}", shape) for key, shape in named)


def _linear(name: str, out: int, into: int) -> Named:
    return iter(((f"{name}.weight", (out, into)), (f"{name}.bias", (out,))))


def _norm(name: str, width: int) -> Named:
    return iter(((f"{name}.weight", (width,)), (f"{name}.bias", (width,))))


def _vision_encoder(vision: VisionConfig, text: UnusedTextConfig | None) -> Named:
    yield from _under("visual", _clip_visual(vision) if vision.kind == "clip" else _eva_visual(vision))
    if text is not None:
        yield "logit_scale", ()
        yield from (
            _clip_text(text, vision.embed_dim)
            if vision.kind == "clip"
            else _under("text", _clip_text(text, vision.embed_dim))
        )
    if text is not None and vision.kind == "clip":
        yield "prompt_embedding.weight", (1, text.width)


def _eva_visual(v: VisionConfig) -> Named:
    yield "cls_token", (1, 1, v.width)
    yield "pos_embed", (1, v.tokens, v.width)
    yield "patch_embed.proj.weight", (v.width, 3, v.patch_size, v.patch_size)
    yield "patch_embed.proj.bias", (v.width,)
    block = _eva02_block(v) if v.kind == "eva02" else _eva01_block(v)
    for layer, (key, shape) in ((layer, item) for item in block for layer in range(v.layers)):
        yield f"blocks.{layer}.{key}", shape
    yield from _norm("norm", v.width)
    if v.embed_dim:
        yield from _linear("head", v.embed_dim, v.width)


def _eva01_block(v: VisionConfig) -> Named:
    yield from _norm("norm1", v.width)
    yield from (("attn.q_bias", (v.width,)), ("attn.v_bias", (v.width,)), ("attn.qkv.weight", (3 * v.width, v.width)))
    yield from _linear("attn.proj", v.width, v.width)
    yield from _norm("norm2", v.width)
    yield from _linear("mlp.fc1", v.mlp_hidden, v.width)
    yield from _linear("mlp.fc2", v.width, v.mlp_hidden)


def _eva02_block(v: VisionConfig) -> Named:
    yield from _norm("norm1", v.width)
    yield from (("attn.q_bias", (v.width,)), ("attn.v_bias", (v.width,)))
    yield from ((f"attn.{name}_proj.weight", (v.width, v.width)) for name in "qkv")
    yield from _norm("attn.inner_attn_ln", v.width)
    yield from _linear("attn.proj", v.width, v.width)
    yield from _norm("norm2", v.width)
    yield from _linear("mlp.w1", v.mlp_hidden, v.width)
    yield from _linear("mlp.w2", v.mlp_hidden, v.width)
    yield from _norm("mlp.ffn_ln", v.mlp_hidden)
    yield from _linear("mlp.w3", v.width, v.mlp_hidden)


def _clip_visual(v: VisionConfig) -> Named:
    yield "class_embedding", (v.width,)
    yield "positional_embedding", (v.tokens, v.width)
    yield "conv1.weight", (v.width, 3, v.patch_size, v.patch_size)
    yield from _norm("ln_pre", v.width)
    yield from _clip_blocks(v.layers, v.width, v.mlp_hidden)
    yield from _norm("ln_post", v.width)
    if v.embed_dim:
        yield "proj", (v.width, v.embed_dim)


def _clip_text(text: UnusedTextConfig, embed_dim: int) -> Named:
    yield "positional_embedding", (text.context_length, text.width)
    yield "text_projection", (text.width, embed_dim)
    yield "token_embedding.weight", (text.vocab_size, text.width)
    yield from _clip_blocks(text.layers, text.width, 4 * text.width)
    yield from _norm("ln_final", text.width)


def _clip_blocks(layers: int, width: int, hidden: int) -> Named:
    for layer in range(layers):
        block = f"transformer.resblocks.{layer}"
        yield from _norm(f"{block}.ln_1", width)
        yield from ((f"{block}.attn.in_proj_weight", (3 * width, width)), (f"{block}.attn.in_proj_bias", (3 * width,)))
        yield from _linear(f"{block}.attn.out_proj", width, width)
        yield from _norm(f"{block}.ln_2", width)
        yield from _linear(f"{block}.mlp.c_fc", hidden, width)
        yield from _linear(f"{block}.mlp.c_proj", width, hidden)


def _audio(a: AudioConfig) -> Named:
    if a.embed_dim != a.width:
        yield from _linear("post_extract_proj", a.width, a.embed_dim)
    yield "patch_embedding.weight", (a.embed_dim, 1, a.patch_size, a.patch_size)
    yield "encoder.pos_conv.0.bias", (a.width,)
    yield "encoder.pos_conv.0.weight_g", (1, 1, a.conv_pos)
    yield "encoder.pos_conv.0.weight_v", (a.width, a.width // a.conv_pos_groups, a.conv_pos)
    for layer in range(a.layers):
        yield from _under(f"encoder.layers.{layer}", _audio_layer(a))
    yield from _norm("encoder.layer_norm", a.width)
    yield from _norm("layer_norm", a.embed_dim)


def _audio_layer(a: AudioConfig) -> Named:
    yield "self_attn.grep_a", (1, a.heads, 1, 1)
    yield "self_attn.relative_attention_bias.weight", (a.num_buckets, a.heads)
    for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
        yield from _linear(f"self_attn.{name}", a.width, a.width)
    yield from _linear("self_attn.grep_linear", 8, a.width // a.heads)
    yield from _norm("self_attn_layer_norm", a.width)
    yield from _linear("fc1", a.ffn, a.width)
    yield from _linear("fc2", a.width, a.ffn)
    yield from _norm("final_layer_norm", a.width)


def _text(t: TextConfig) -> Named:
    yield "bert.embeddings.position_ids", (1, t.max_positions)
    for table, rows in (
        ("word_embeddings", t.vocab_size),
        ("position_embeddings", t.max_positions),
        ("token_type_embeddings", t.type_vocab_size),
    ):
        yield f"bert.embeddings.{table}.weight", (rows, t.hidden)
    yield from _norm("bert.embeddings.LayerNorm", t.hidden)
    for layer in range(t.layers):
        yield from _under(f"bert.encoder.layer.{layer}", _text_layer(t))
    yield "cls.predictions.bias", (t.vocab_size,)
    yield from _linear("cls.predictions.transform.dense", t.hidden, t.hidden)
    yield from _norm("cls.predictions.transform.LayerNorm", t.hidden)
    yield from _linear("cls.predictions.decoder", t.vocab_size, t.hidden)


def _text_layer(t: TextConfig) -> Named:
    for attention in ("attention", "crossattention"):
        for name in ("query", "key", "value"):
            yield from _linear(f"{attention}.self.{name}", t.hidden, t.hidden)
        yield from _linear(f"{attention}.output.dense", t.hidden, t.hidden)
        yield from _norm(f"{attention}.output.LayerNorm", t.hidden)
    yield from _linear("intermediate.dense", t.intermediate, t.hidden)
    yield from _linear("output.dense", t.hidden, t.intermediate)
    yield from _norm("output.LayerNorm", t.hidden)


def _heads(a: Architecture) -> Named:
    text, vision, audio, shared = a.text.hidden, a.vision.width, a.audio.width, a.contra_dim
    single = {"t": text, "s": text, "v": vision, "a": audio, **({"d": vision} if a.depth else {})}
    joint = {"va": vision + audio, "vs": vision + text, "vas": vision + audio + text}
    yield from ((f"contra_head_{name}.linear.weight", (shared, width)) for name, width in single.items())
    for name, width in joint.items():
        yield from _linear(f"contra_head_{name}", shared, width)
    yield from _linear("itm_head.linear1", text, text)
    yield from _norm("itm_head.layernorm", text)
    yield from _linear("itm_head.linear2", 2, text)
    for name, width in (("vision", vision), ("audio", audio), ("subtitle", text)):
        yield from _linear(f"hidden_trans_{name}_multimodal.0", text, width)
        yield from _norm(f"hidden_trans_{name}_multimodal.1", text)
