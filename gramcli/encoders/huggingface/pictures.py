"""Dual encoders of pictures and texts: CLIP, SigLIP, SigLIP 2, MetaCLIP 2 and their like; a video is its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gramcli.encoders.base import EncoderOptions, Preprocessing
from gramcli.encoders.huggingface.families import known_types
from gramcli.encoders.huggingface.loading import transformers_library
from gramcli.encoders.huggingface.pixels import Patches, PatchRule, PixelRule, Preparer, facts_of
from gramcli.encoders.huggingface.processors import patch_rule, pixel_rule
from gramcli.encoders.huggingface.source import Source
from gramcli.encoders.huggingface.text import TextRule, longest
from gramcli.errors import UserError

_FRAMES: Final = 8
_PROCESSORS: Final = {
    "siglip": "Siglip", "align": "EfficientNet", "blip": "Blip", "chinese_clip": "ChineseCLIP", "clipseg": "ViT",
}  # fmt: skip
_GEMMA_WORDS: Final = 250_000
_AVERAGED: Final = (
    "This is a model of pictures: a video's vector is the mean of its frames' unit vectors (meanP of CLIP4Clip), so "
    "the order of the frames plays no part."
)
_NO_MASK: Final = "Texts are padded to {} tokens without a mask, as these models were trained."
_LOWER: Final = "Texts are lower-cased, as SigLIP 2 was trained; the tokenizer of this folder does not do it."


class Pictures:
    """One model of pictures and texts; see `gramcli.encoders.huggingface.family.Family`.

    Args:
        source: Of the model.
        model: The towers.
        rule: Of a frame.
        text: Of a text.
        options: Frames and device.
        notes: What else there is to say.
    """

    modalities: tuple[str, ...] = ("text", "video", "image", "subtitle")
    fused: Mapping[str, tuple[str, ...]] = {}
    shared_space: bool = True

    def __init__(
        self,
        source: Source,
        model: Any,  # noqa: ANN401 - a model of transformers
        rule: PixelRule | PatchRule,
        text: TextRule,
        options: EncoderOptions,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._source, self.model, self._text = source, model, text
        self._device = torch.device(options.device)
        self.preprocessing = Preprocessing(frames=options.frames or _FRAMES)
        self.prepare = Preparer(rule)
        self.facts: Mapping[str, Any] = {**facts_of(rule), "text": vars(text)}
        self.notes: tuple[str, ...] = (_AVERAGED, *notes)
        self.dims: Mapping[str, int] = dict.fromkeys(self.modalities, text_width(model, self._device, source))

    def features(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode a batch; see `Family.features`."""
        found = {}
        for name, given in inputs.items():
            if name in {"text", "subtitle"}:
                tokens = self._text.tokens(self._source, given, self._device)
                found[name] = vectors(self.model.get_text_features(**tokens), self._source)
            else:
                found[name] = self._seen(given)
        return found

    def _seen(self, given: Sequence[Any]) -> Tensor:
        """Vectors of B clips or pictures: the mean of their frames' unit vectors."""
        if isinstance(given[0], Patches):
            counts = [len(one.values) for one in given]
            inputs = _patches(given)
        else:
            counts = [len(one) for one in given]
            inputs = {"pixel_values": torch.cat([torch.as_tensor(one) for one in given])}
        moved = {name: rows.to(self._device) for name, rows in inputs.items()}
        rows = normalize(vectors(self.model.get_image_features(**moved), self._source).float(), dim=-1)
        return torch.stack([frames.mean(dim=0) for frames in torch.split(rows, counts)])


def build(source: Source, options: EncoderOptions) -> Pictures:
    """Load a model of pictures and texts.

    Args:
        source: Of the model.
        options: What the user asked for.

    Raises:
        UserError: It is no dual encoder, or what `Source.load` raises.
    """
    kind = str(source.config.get("model_type"))
    rule = _rule(source, kind)
    model = source.load(_class(source, kind))
    text, notes = _reading(source, kind, model.config.text_config)
    return Pictures(source, model, rule, text, options, notes)


def text_width(model: Any, device: torch.device, source: Source) -> int:  # noqa: ANN401 - a model of transformers
    """Dimension of a model's text vectors, by encoding four tokens.

    Raises:
        UserError: It gives no vectors of texts.
    """
    ids = torch.zeros(1, 4, dtype=torch.int64, device=device)
    with torch.inference_mode():
        try:
            found = model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids))
        except Exception as error:  # of a class that nobody has tried
            first = " ".join(str(error).split())[:200]
            raise UserError(
                "checkpoint", f"{source.name}: its text tower does not take tokens alone ({first})."
            ) from error
    return int(vectors(found, source).shape[-1])


def vectors(found: Any, source: Source, *, alone: bool = False) -> Tensor:  # noqa: ANN401 - see below
    """The vectors [B, d] that `get_*_features` gave.

    Args:
        found: A tensor, or what transformers 5 wraps it in, with `.pooler_output`.
        source: Of the model, for messages.
        alone: Whether [B, 1, d] is one vector for each input, as of VideoPrism's clips.

    Raises:
        UserError: It gave one for each token, or none.
    """
    rows = found if isinstance(found, Tensor) else getattr(found, "pooler_output", None)
    if alone and isinstance(rows, Tensor) and rows.dim() == 3 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if not isinstance(rows, Tensor) or rows.dim() != 2:
        shape = list(rows.shape) if isinstance(rows, Tensor) else "no tensor"
        raise UserError("checkpoint", f"{source.name} gives {shape} where one vector for each input is due.")
    return rows


def _class(source: Source, kind: str) -> str:
    """Name of the class of transformers that has both towers."""
    library = transformers_library()
    named = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model", "metaclip_2": "MetaClip2Model"}
    name = named.get(kind) or library.models.auto.modeling_auto.MODEL_MAPPING_NAMES.get(kind)
    found = getattr(library, name, None) if isinstance(name, str) else None
    if not (hasattr(found, "get_text_features") and hasattr(found, "get_image_features")):
        raise UserError(
            "checkpoint",
            f"{source.folder / 'config.json'} has the model_type {ascii(kind)[:60]}, which is no dual encoder that hf: "
            f"can drive. Known: {known_types()}, and other models of transformers with vectors of texts and pictures. "
            "For all else, st: or your own factory.",
        )
    return str(name)


def _rule(source: Source, kind: str) -> PixelRule | PatchRule:
    settings = source.processor("image_processor", needed=True)
    where = str(source.folder / "preprocessor_config.json")
    named = str(settings.get("image_processor_type", ""))
    if kind == "siglip2" or named.startswith("Siglip2"):
        return patch_rule(settings, where)
    return pixel_rule(settings, _PROCESSORS.get(kind, "CLIP"), where)


def _patches(given: Sequence[Patches]) -> dict[str, Tensor]:
    values = torch.cat([torch.as_tensor(one.values) for one in given])
    shapes = torch.cat([torch.as_tensor(one.shapes) for one in given])
    mask = torch.arange(values.shape[1])[None] < shapes.prod(dim=1)[:, None]
    return {"pixel_values": values, "pixel_attention_mask": mask.int(), "spatial_shapes": shapes}


def _reading(source: Source, kind: str, tower: Any) -> tuple[TextRule, tuple[str, ...]]:  # noqa: ANN401 - as `longest`
    """The rule of a family's texts, and what to say of it."""
    length, words = longest(source, tower), int(getattr(tower, "vocab_size", None) or 0)
    if kind in {"siglip", "siglip2"}:
        if kind == "siglip" and words >= _GEMMA_WORDS:
            rule = TextRule(length, words, whole=True, mask=False, spelling="lower case")
            return rule, (_NO_MASK.format(length), _LOWER)
        return TextRule(length, words, whole=True, mask=False), (_NO_MASK.format(length),)
    if kind == "align":
        return TextRule(min(64, length), words, whole=True), ()
    return TextRule(length, words), ()
