"""The architecture of a checkpoint: sizes from the shapes of its tensors, the rest from its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gramcli.encoders.vast.architecture import (
    Architecture,
    AudioConfig,
    Family,
    TextConfig,
    UnusedTextConfig,
    VisionConfig,
    VisionKind,
)
from gramcli.encoders.vast.facts import Facts, check_family, check_slices, positive_count, shortened
from gramcli.encoders.vast.names import Shape
from gramcli.errors import UserError

_FAMILIES: Final[tuple[Family, ...]] = ("vast", "gram", "pmrl", "triangle")
PMRL_SETTINGS: Final = ("tau1", "tau2", "lambda_itm")

# The vision towers that configurations name, and the width of one attention head.
_VISION: Final[dict[str, tuple[VisionKind, int]]] = {
    "evaclip01_giant": ("eva01", 88),
    "evaclip02_base": ("eva02", 64),
    "evaclip02_base_self": ("eva02", 64),
    "evaclip02_large": ("eva02", 64),
    "clip_vit_base_16": ("clip", 64),
    "clip_vit_base_32": ("clip", 64),
    "clip_vit_large_14_336px": ("clip", 64),
}
_KINDS: Final[dict[VisionKind, str]] = {"eva01": "EVA01-CLIP", "eva02": "EVA02-CLIP", "clip": "OpenAI CLIP"}
# A tensor that only this kind of block has.
_MARKS: Final[dict[VisionKind, str]] = {
    "eva01": "blocks.0.mlp.fc1.weight", "eva02": "blocks.0.mlp.w1.weight", "clip": "conv1.weight",
}  # fmt: skip
_LAYER_NORM_EPS: Final[dict[VisionKind, float]] = {"eva01": 1e-6, "eva02": 1e-6, "clip": 1e-5}
_GIANT_WIDTH: Final = 1408
# EVA02-CLIP-bigE normalises after its blocks, which leaves no trace in the names of its tensors.
_BIG_E_WIDTH: Final = 1792

# The released BEATs: buckets of its position table and the distance from which all positions share one.
_BEATS_BUCKETS: Final = 320
_BEATS_DISTANCE: Final = 800
LARGEST_SAMPLES: Final = 4096
"""Frames or audio slices of a clip."""
LARGEST_RESOLUTION: Final = 4096
"""Pixels along the side of a frame."""
MOST_ENLARGED: Final = 4
"""How many times the side that the weights hold positions for a configuration may ask for."""

_VISUAL: Final = "vision_encoder.visual"
_BERT: Final = "multimodal_encoder.bert"


def infer_architecture(
    shapes: Mapping[str, Shape],
    config: Mapping[str, Any],
    arch: Mapping[str, Any] | None = None,
    stored: Mapping[str, str] | None = None,
) -> tuple[Architecture, tuple[str, ...]]:
    """Work out what a checkpoint's model looks like.

    Args:
        shapes: Shape of every tensor, by its official name.
        config: The training configuration: an `hps.json`, or its `model_cfg` alone; may be empty.
        arch: Facts that neither tells (`arch.json`), or None.
        stored: Names of the tensors as the files have them, where they are others.

    Returns:
        The architecture, and the assumptions that were needed, one sentence each.

    Raises:
        UserError: The tensors are of no VAST-family model, of a tower that is not supported, or contradict the
            configuration or arch.json.
    """
    check_family(shapes, stored or {})
    facts = Facts(shapes, model_config(config), arch or {})
    text = _text(facts)
    shared = facts.shape("contra_head_t.linear.weight", 2)[0]
    facts.agree("heads", contra_dim=shared)
    architecture = Architecture(
        family=_family(facts),
        vision=_vision(facts),
        vision_text=_unused_text(facts),
        audio=_audio(facts),
        text=text,
        contra_dim=shared,
        vision_samples=_frame_embeddings(facts, config, "vision"),
        audio_samples=_frame_embeddings(facts, config, "audio"),
        depth="contra_head_d.linear.weight" in shapes,
        match_eps=facts.eps("heads", 1e-12, "itm_layer_norm_eps"),
        condition_eps=facts.eps("heads", 1e-12, "hidden_trans_layer_norm_eps"),
        caption_length=facts.length("max_caption_len", 40),
        subtitle_length=facts.length("max_subtitle_len", 70),
    )
    facts.agree(
        "heads", multimodal_dim=text.hidden, vision_dim=architecture.vision.width, audio_dim=architecture.audio.width
    )
    longest = max(architecture.caption_length, architecture.subtitle_length)
    if longest > text.max_positions:
        raise UserError(
            "checkpoint",
            f"The configuration asks for {longest} tokens of text, but the weights hold {text.max_positions} "
            "positions; give the configuration these weights were trained with.",
        )
    return architecture, tuple(dict.fromkeys(facts.assumptions))


def model_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the part of an `hps.json` that describes the model; a configuration without parts is that part."""
    inner = config.get("model_cfg", config)
    return inner if isinstance(inner, Mapping) else {}


def _frame_embeddings(facts: Facts, config: Mapping[str, Any], side: str) -> int:
    """Rows of a frame embedding in the model: as the configuration trains it, whatever length the weights hold.

    The released code resizes the table to the largest number of frames of any training entry (of any validation entry
    where there is none to train on), at load.
    """
    kind = facts.config.get("frame_embedding_type", "adaptive")
    if kind != "adaptive":
        raise UserError(
            "checkpoint",
            f"frame_embedding_type {shortened(kind)} in the configuration is not supported; gramcli runs 'adaptive', "
            "as released.",
        )
    held = facts.shape(f"{side}_frame_embedding", 3)[1]
    facts.agree("heads", **{f"max_{side}_sample_num": held})
    wanted = _trained_samples(facts, config, side) or held
    if wanted != held:
        facts.assumptions.append(
            f"The configuration trains {wanted} {side} frame embeddings, the weights hold {held}: they are "
            "interpolated, as the released code does."
        )
    return wanted


def _trained_samples(facts: Facts, config: Mapping[str, Any], side: str) -> int | None:
    name = f"max_{side}_sample_num"
    if name in facts.config:
        return positive_count(f"{name} in the configuration", facts.config[name], LARGEST_SAMPLES)
    data = config.get("data_cfg")
    for split in ("train", "val"):
        entries = data.get(split) if isinstance(data, Mapping) else None
        counts = [
            positive_count(f"{side}_sample_num in the configuration", entry[f"{side}_sample_num"], LARGEST_SAMPLES)
            for entry in (entries if isinstance(entries, list) else [entries])
            if isinstance(entry, Mapping) and f"{side}_sample_num" in entry
        ]
        if counts and isinstance(data, Mapping):
            joined = positive_count("concatenated_nums in the configuration", data.get("concatenated_nums", 1), 1000)
            return max(counts) * joined
    return None


def _family(facts: Facts) -> Family:
    named = str(facts.config.get("model_type") or facts.arch.get("model_type") or "").lower()
    if any(name in facts.config for name in PMRL_SETTINGS):
        return "pmrl"
    # Early releases of GRAM kept the name of the code they grew from.
    if named in ("", "vast") and "contra_head_d.linear.weight" in facts.shapes:
        return "gram"
    if named in _FAMILIES:
        return named
    what = f"'{named}' in the configuration is" if named else "no configuration names the model, which is"
    facts.assumptions.append(f"Assumed that {what} a VAST model.")
    return "vast"


def _vision(facts: Facts) -> VisionConfig:
    kind, head_width = _vision_kind(facts)
    if kind == "clip":
        rows, width = facts.shape(f"{_VISUAL}.positional_embedding", 2)
        patch = facts.shape(f"{_VISUAL}.conv1.weight", 4)[-1]
        blocks, mlp, head = r"transformer\.resblocks", "transformer.resblocks.0.mlp.c_fc", f"{_VISUAL}.proj"
    else:
        _, rows, width = facts.shape(f"{_VISUAL}.pos_embed", 3)
        patch = facts.shape(f"{_VISUAL}.patch_embed.proj.weight", 4)[-1]
        blocks, mlp, head = "blocks", f"blocks.0.mlp.{'w1' if kind == 'eva02' else 'fc1'}", f"{_VISUAL}.head.weight"
    grid = round((rows - 1) ** 0.5)
    if grid**2 + 1 != rows or not grid:
        raise UserError("checkpoint", f"The vision tower has {rows} positions, no square grid; it is not supported.")
    _check_modified(facts, width)
    found = VisionConfig(
        kind=kind,
        width=width,
        layers=facts.layers(rf"vision_encoder\.visual\.{blocks}\.(\d+)\."),
        heads=facts.heads("vision", "heads", width, facts.integer("vision", "head_width", head_width)),
        mlp_hidden=facts.shape(f"{_VISUAL}.{mlp}.weight", 2)[0],
        patch_size=patch,
        resolution=grid * patch,
        embed_dim=facts.shapes[head][1 if kind == "clip" else 0] if len(facts.shapes.get(head, ())) == 2 else 0,
        layer_norm_eps=facts.eps("vision", _LAYER_NORM_EPS[kind]),
    )
    _agree_on_vision(facts, found)
    return replace(found, resolution=_resolution(facts, found))


def _vision_kind(facts: Facts) -> tuple[VisionKind, int | None]:
    """Tell the blocks of the vision tower, and the width of its heads where its name is known."""
    named = str(facts.config.get("vision_encoder_type", ""))
    if named and named not in _VISION:
        raise _unsupported("vision", named, f"{', '.join(_KINDS.values())} ({', '.join(_VISION)})")
    held = next((kind for kind, mark in _MARKS.items() if f"{_VISUAL}.{mark}" in facts.shapes), None)
    if held is None:
        raise _unsupported("vision", "of these weights", ", ".join(_KINDS.values()))
    if named and _VISION[named][0] != held:
        raise UserError(
            "checkpoint",
            f"The configuration names {named}, but the weights hold {_KINDS[held]} blocks; give the configuration "
            "these weights were trained with.",
        )
    if named:
        return _VISION[named]
    giant = held == "eva01" and facts.shape(f"{_VISUAL}.pos_embed", 3)[2] == _GIANT_WIDTH
    return held, 88 if giant else 64 if held != "eva01" else None


def _agree_on_vision(facts: Facts, v: VisionConfig) -> None:
    facts.agree(
        "vision",
        width=v.width,
        layers=v.layers,
        mlp_hidden=v.mlp_hidden,
        patch_size=v.patch_size,
        image_size=v.resolution,
        tokens_per_frame=v.tokens,
        head_width=v.width // v.heads,
        final_norm=True,
        rope=v.kind == "eva02",
        subln=v.kind == "eva02",
        layer_scale=None,
    )
    if v.kind == "eva01":
        facts.agree("vision", activation="gelu (erf)", qkv_bias=True, k_bias=False)


def _resolution(facts: Facts, held: VisionConfig) -> int:
    """Side of the input, as the configuration has it; positions of another grid are interpolated at load."""
    named = facts.config.get("vision_resolution", held.resolution)
    resolution = positive_count("vision_resolution in the configuration", named, LARGEST_RESOLUTION)
    if resolution < held.patch_size:
        raise UserError(
            "checkpoint",
            f"vision_resolution in the configuration is {resolution}, less than one patch of {held.patch_size}.",
        )
    if resolution > MOST_ENLARGED * held.resolution:
        raise UserError(
            "checkpoint",
            f"vision_resolution in the configuration is {resolution}, more than {MOST_ENLARGED} times the "
            f"{held.resolution} pixels that the weights hold positions for; memory grows with its fourth power. Give "
            "the configuration these weights were trained with.",
        )
    if resolution // held.patch_size != held.resolution // held.patch_size:
        facts.assumptions.append(
            f"The configuration names a resolution of {resolution}, the weights hold positions for {held.resolution}: "
            "they are interpolated, as the released code does."
        )
    return resolution


def _check_modified(facts: Facts, width: int) -> None:
    """Refuse towers whose blocks compute something else than ours."""
    marks = {"gamma_1": "layer scale", "relative_position_bias_table": "a relative position bias"}
    for key in facts.shapes:
        if key.startswith(_VISUAL) and (found := marks.get(key.rpartition(".")[2])):
            raise _unsupported("vision", f"with {found}", ", ".join(_KINDS.values()))
    if facts.stated("vision", "postnorm") or (
        width == _BIG_E_WIDTH and f"{_VISUAL}.blocks.0.mlp.fc1.weight" in facts.shapes
    ):
        raise _unsupported("vision", "that normalises after its blocks (EVA02-CLIP-bigE)", ", ".join(_KINDS.values()))


def _unused_text(facts: Facts) -> UnusedTextConfig | None:
    prefix = "vision_encoder.text" if "vision_encoder.text.positional_embedding" in facts.shapes else "vision_encoder"
    if f"{prefix}.positional_embedding" not in facts.shapes:
        return None
    context, width = facts.shape(f"{prefix}.positional_embedding", 2)
    return UnusedTextConfig(
        context_length=context,
        vocab_size=facts.shape(f"{prefix}.token_embedding.weight", 2)[0],
        width=width,
        layers=facts.layers(rf"{re.escape(prefix)}\.transformer\.resblocks\.(\d+)\."),
    )


def _audio(facts: Facts) -> AudioConfig:
    named = str(facts.config.get("audio_encoder_type", "beats"))
    if not named.startswith("beats") or "audio_encoder.patch_embedding.weight" not in facts.shapes:
        raise _unsupported("audio", named if named != "beats" else "of these weights", "BEATs (beats)")
    if facts.stated("audio", "layer_norm_first") or facts.stated("audio", "deep_norm") is False:
        raise _unsupported("audio", "BEATs without deep norm", "BEATs with deep norm, as released")
    layer = "audio_encoder.encoder.layers.0"
    ffn, width = facts.shape(f"{layer}.fc1.weight", 2)
    buckets, heads = facts.shape(f"{layer}.self_attn.relative_attention_bias.weight", 2)
    embed_dim, _, _, patch = facts.shape("audio_encoder.patch_embedding.weight", 4)
    _, per_group, kernel = facts.shape("audio_encoder.encoder.pos_conv.0.weight_v", 3)
    if width % per_group or facts.shape("audio_encoder.encoder.pos_conv.0.weight_v", 3)[0] != width or width % heads:
        raise UserError(
            "checkpoint",
            f"The audio tower's width {width} does not fit its {heads} heads or its positional convolution; the "
            "weights are damaged.",
        )
    found = AudioConfig(
        width=width,
        layers=facts.layers(r"audio_encoder\.encoder\.layers\.(\d+)\."),
        heads=heads,
        ffn=ffn,
        embed_dim=embed_dim,
        patch_size=patch,
        conv_pos=kernel,
        conv_pos_groups=width // per_group,
        num_buckets=buckets,
        max_distance=_max_distance(facts, buckets),
        mel_bins=facts.length("audio_melbins", 64, "audio", "melbins"),
        target_length=facts.length("audio_target_length", 1024, "audio", "target_length"),
        layer_norm_eps=facts.eps("audio", 1e-5),
    )
    _agree_on_audio(facts, found)
    return found


def _agree_on_audio(facts: Facts, a: AudioConfig) -> None:
    facts.agree(
        "audio",
        encoder_layers=a.layers,
        encoder_embed_dim=a.width,
        encoder_ffn_embed_dim=a.ffn,
        encoder_attention_heads=a.heads,
        activation_fn="gelu",
        conv_bias=False,
        conv_pos=a.conv_pos,
        conv_pos_groups=a.conv_pos_groups,
        relative_position_embedding=True,
        num_buckets=a.num_buckets,
        gru_rel_pos=True,
        input_patch_size=a.patch_size,
        embed_dim=a.embed_dim,
        head_dim=a.width // a.heads,
    )
    scale, stated = (2 * a.layers) ** 0.25, facts.stated("audio", "deep_norm_alpha")
    if not isinstance(stated, float) or abs(stated - scale) > 1e-3:
        facts.agree("audio", deep_norm_alpha=scale)
    check_slices(a.target_length, a.mel_bins, a.patch_size)


def _max_distance(facts: Facts, buckets: int) -> int:
    stated = facts.integer("audio", "max_distance", _BEATS_DISTANCE if buckets == _BEATS_BUCKETS else None)
    if stated is not None and stated <= buckets // 4:
        raise UserError(
            "checkpoint",
            f"audio.max_distance in arch.json is {stated}; {buckets} buckets need more than {buckets // 4}.",
        )
    if stated is not None:
        return stated
    distance = buckets * _BEATS_DISTANCE // _BEATS_BUCKETS
    return facts.assume(distance, f"BEATs with {buckets} buckets has a max_distance of {distance}, 2.5 for each bucket")


def _text(facts: Facts) -> TextConfig:
    vocab, hidden = facts.shape(f"{_BERT}.embeddings.word_embeddings.weight", 2)
    found = TextConfig(
        vocab_size=vocab,
        hidden=hidden,
        layers=facts.layers(r"multimodal_encoder\.bert\.encoder\.layer\.(\d+)\."),
        heads=facts.heads("text", "num_attention_heads", hidden, facts.integer("text", "head_dim", 64)),
        intermediate=facts.shape(f"{_BERT}.encoder.layer.0.intermediate.dense.weight", 2)[0],
        max_positions=facts.shape(f"{_BERT}.embeddings.position_embeddings.weight", 2)[0],
        type_vocab_size=facts.shape(f"{_BERT}.embeddings.token_type_embeddings.weight", 2)[0],
        layer_norm_eps=facts.eps("text", 1e-12),
    )
    facts.agree(
        "text",
        vocab_size=vocab,
        hidden_size=hidden,
        num_hidden_layers=found.layers,
        intermediate_size=found.intermediate,
        hidden_act="gelu",
        max_position_embeddings=found.max_positions,
        type_vocab_size=found.type_vocab_size,
        head_dim=hidden // found.heads,
        add_cross_attention=True,
    )
    return found


def _unsupported(side: str, named: str, supported: str) -> UserError:
    return UserError(
        "checkpoint", f"The {side} tower {named} is not supported; gramcli runs {supported}. Use such a checkpoint."
    )
