"""Dual encoders that see a clip as a whole: X-CLIP and the video-text models of VideoPrism."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.encoders.base import EncoderOptions, Preprocessing
from gramcli.encoders.huggingface.pictures import text_width, vectors
from gramcli.encoders.huggingface.pixels import PixelRule, Preparer, facts_of
from gramcli.encoders.huggingface.processors import pixel_rule
from gramcli.encoders.huggingface.source import Source
from gramcli.encoders.huggingface.text import TextRule, longest
from gramcli.errors import UserError

_PIXELS: Final = {"xclip": "pixel_values", "videoprism": "pixel_values_videos"}
_CLASSES: Final = {"xclip": "XCLIPModel", "videoprism": "VideoPrismClipModel"}
_FRAMES: Final = {"xclip": 8, "videoprism": 16}
_WORDS: Final = 64
_NO_PROMPTS: Final = (
    "X-CLIP's own score adds to each text a prompt made of each video; here a text has one vector, without it, so "
    "figures are not those of its paper."
)
_RESIZED: Final = (
    "Frames are resized by PIL; the library's own video processor needs torchvision, whose rounding may differ."
)
_SPELLED: Final = "Texts are lower-cased, without punctuation but for a final full stop, as VideoPrism was trained."


class Clips:
    """One model of clips and texts; see `gramcli.encoders.huggingface.family.Family`.

    Args:
        source: Of the model.
        model: The towers.
        rule: Of a frame.
        text: Of a text.
        frames: How many a clip has.
        options: Device.
    """

    modalities: tuple[str, ...] = ("text", "video", "subtitle")
    fused: Mapping[str, tuple[str, ...]] = {}
    shared_space: bool = True

    def __init__(
        self,
        source: Source,
        model: Any,  # noqa: ANN401 - a model of transformers
        rule: PixelRule,
        text: TextRule,
        frames: int,
        options: EncoderOptions,
    ) -> None:
        self._source, self.model, self._text = source, model, text
        self._kind = str(source.config["model_type"])
        self._device = torch.device(options.device)
        self.preprocessing = Preprocessing(frames=frames)
        self.prepare = Preparer(rule)
        self.facts: Mapping[str, Any] = {**facts_of(rule), "text": vars(text)}
        self.notes: tuple[str, ...] = (_RESIZED, _SPELLED) if self._kind == "videoprism" else (_NO_PROMPTS,)
        self.dims: Mapping[str, int] = dict.fromkeys(self.modalities, text_width(model, self._device, source))

    def features(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode a batch; see `Family.features`."""
        found = {}
        for name, given in inputs.items():
            if name == "video":
                clips = torch.stack([torch.as_tensor(one) for one in given]).to(self._device)
                result = self.model.get_video_features(**{_PIXELS[self._kind]: clips})
            else:
                result = self.model.get_text_features(**self._text.tokens(self._source, given, self._device))
            found[name] = vectors(result, self._source, alone=name == "video")
        return found


def build(source: Source, options: EncoderOptions) -> Clips:
    """Load X-CLIP or a video-text model of VideoPrism.

    Args:
        source: Of the model.
        options: What the user asked for.

    Raises:
        UserError: Another number of frames was asked for than it takes, or what `Source.load` raises.
    """
    kind = str(source.config["model_type"])
    frames = _frames(source, kind, options)
    rule = _rule(source, kind)
    model = source.load(_CLASSES[kind])
    tower = model.config.text_config
    text = TextRule(longest(source, tower), tower.vocab_size)
    if kind == "videoprism":
        text = TextRule(_WORDS, tower.vocab_size, whole=True, spelling="lower case, no punctuation, a full stop")
    return Clips(source, model, rule, text, frames, options)


def _frames(source: Source, kind: str, options: EncoderOptions) -> int:
    """Frames of a clip: what the model was made for, since its layers mix them."""
    tower = source.config.get("vision_config")
    given = tower.get("num_frames") if isinstance(tower, dict) else None
    frames = given if isinstance(given, int) and given > 0 else _FRAMES[kind]
    if options.frames not in {None, frames}:
        raise UserError("usage", f"{source.name} sees clips of {frames} frames, no others: leave --frames out.")
    return frames


def _rule(source: Source, kind: str) -> PixelRule:
    if kind == "xclip":
        settings = source.processor("image_processor", needed=True)
        return pixel_rule(settings, "CLIP", str(source.folder / "preprocessor_config.json"))
    settings = {"size": {"height": 288, "width": 288}, "do_normalize": False, **source.processor("video_processor")}
    return pixel_rule(settings, "LlavaOnevisionVideo", str(source.folder / "video_preprocessor_config.json"))
