"""PE-AV: text, video, sound, and video with its sound; a text has a head for each of the three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.loading import transformers_library
from gramcli.encoders.huggingface.pe_av_media import PeAvPrepare, frame_rule, read_preprocessing
from gramcli.encoders.huggingface.pe_av_towers import Encoded, hear, join, watch
from gramcli.encoders.huggingface.pixels import PixelRule, facts_of
from gramcli.encoders.huggingface.sound import whole
from gramcli.encoders.huggingface.source import INSTALL
from gramcli.encoders.huggingface.text import TextRule
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.huggingface.pe_av_models import Parts, Tower
    from gramcli.encoders.huggingface.source import Source

_LONGEST_TEXT: Final = 512
_HOP: Final = 1920

_HEADS: Final = (
    "A text has three vectors: text@video, text@audio and text@video+audio. Each is made for its own side and wrong "
    "for the others."
)
_STATE: Final = (
    "Texts are taken before the last normalisation of their tower, as in the authors' code; transformers takes them "
    "after it."
)
_ALL: Final = (
    "The model is one of all frames, at about 30 a second; of a clip with more than {frames}, {frames} evenly spaced "
    "ones are seen. --frames raises that."
)
_FIXED: Final = "Of every clip {frames} evenly spaced frames are seen, the first and the last among them."
_PIXELS: Final = "Frames are resized with Pillow; torchvision's levels differ from its by one of 255 at most."


class PeAvFamily:
    """A loaded PE-AV, or a model of its sound or its video alone.

    Args:
        parts: Of the model; its text tower loses its last normalisation.
        source: Where its settings and its tokenizer are.
        frames: Frames the user asked for; None leaves it to the checkpoint.

    Raises:
        UserError: The settings are of another model, or of none that is known.

    Note:
        A text's state is that of the authors' code: the first token after the last layer, before the normalisation
        that follows it (`hidden_states[nth_text_layer]` there). transformers 5 gives the state after it under
        `hidden_states[-1]`, and its `get_text_audio_embeds`, `get_text_video_embeds` and `get_video_embeds` fail.
    """

    shared_space = True

    def __init__(self, parts: Parts, source: Source, frames: int | None) -> None:
        self._parts, self._source = parts, source
        self._parts.text.final_norm = nn.Identity()
        self._device, self._dtype = parts.text.device, parts.text.dtype
        self._text = TextRule(_LONGEST_TEXT, int(parts.text.config.vocab_size))
        self.preprocessing = read_preprocessing(source, frames)
        rule = frame_rule(source)
        self.prepare = PeAvPrepare(rule, *_steps(parts.audio, source), self.preprocessing.sample_rate or 0)
        _check_side(parts.video, rule, source)
        media = [name for name in ("video", "audio") if getattr(self._parts, name)]
        self.modalities: tuple[str, ...] = ("text", *media)
        self.fused: Mapping[str, tuple[str, ...]] = {"va": ("video", "audio")} if self._parts.both else {}
        names = (*self._parts.heads, *media, *self.fused)
        self.dims: Mapping[str, int] = dict.fromkeys(names, int(self._parts.text.config.hidden_size))
        self.notes: tuple[str, ...] = _notes(self._parts, self.preprocessing.frame_rule, self.preprocessing.frames)
        self.facts: Mapping[str, Any] = {
            **facts_of(rule),
            "hop": self.prepare.hop,
            "text_state": "before the last normalisation",
            "text": vars(self._text),
        }

    def features(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode B items.

        Args:
            inputs: Texts as `str`, media as `PeAvPrepare` gives them.

        Returns:
            Vectors [B, d] of every embedding made of what is given.
        """
        found: dict[str, Tensor] = {}
        encoded: dict[str, list[Encoded]] = {}
        if "text" in inputs:
            state = self._states(inputs["text"])
            found |= {name: head(state) for name, head in self._parts.heads.items()}
        if self._parts.video and "video" in inputs:
            encoded["video"] = watch(self._parts.video.encoder, [self._clip(one) for one in inputs["video"]])
            found["video"] = _headed(self._parts.video, encoded["video"])
        if self._parts.audio and "audio" in inputs:
            encoded["audio"] = hear(self._parts.audio.encoder, [self._sound(one) for one in inputs["audio"]])
            found["audio"] = _headed(self._parts.audio, encoded["audio"])
        if self._parts.both and len(encoded) > 1:
            joined = join(self._parts.both.encoder, encoded["audio"], encoded["video"])
            found["va"] = _headed(self._parts.both, joined)
        return found

    def _states(self, texts: Sequence[str]) -> Tensor:
        """State of the first token of each text, [B, D]."""
        out = self._parts.text(**self._text.tokens(self._source, texts, self._device))
        state: Tensor = out.last_hidden_state[:, 0]
        return state

    def _sound(self, samples: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(samples).to(self._device)

    def _clip(self, frames: np.ndarray[Any, Any]) -> Tensor:
        """Levels [T, side, side, 3] as numbers [T, 3, side, side]."""
        return levels(torch.from_numpy(frames).to(self._device), self.prepare.pixels).to(self._dtype)


def levels(frames: Tensor, rule: PixelRule) -> Tensor:
    """Turn levels into numbers.

    Args:
        frames: uint8 [T, h, w, 3].
        rule: Of the pixels.

    Returns:
        float32 [T, 3, h, w].
    """
    low, high = torch.from_numpy(rule.table[[0, 255]]).to(frames.device)[..., None, None]
    return torch.lerp(low, high, frames.permute(0, 3, 1, 2).contiguous().float() / 255)


def _headed(tower: Tower, encoded: Sequence[Encoded]) -> Tensor:
    found: Tensor = tower.head(torch.stack([one.pooled for one in encoded]))
    return found


def _notes(parts: Parts, rule: str, frames: int) -> tuple[str, ...]:
    seen = _ALL if rule == "all-up-to" else _FIXED
    clips = (seen.format(frames=frames), _PIXELS) if parts.video else ()
    return (*((_HEADS,) if parts.both else ()), _STATE, *clips)


def _steps(sound: Tower | None, source: Source) -> tuple[int, int]:
    """Samples of a step, and steps of the longest sound."""
    hop = whole(source.processor("feature_extractor"), "hop_length", _HOP)
    if sound is None:
        return hop, 1
    config = sound.encoder.config
    if hop != config.dac_config.hop_length:
        raise UserError(
            "checkpoint",
            f"preprocessor_config.json of {source.folder} has steps of {hop} samples, but the model's are of "
            f"{config.dac_config.hop_length}. Take both files from one model.",
        )
    return hop, int(config.max_position_embeddings) - 1


def _check_side(video: Tower | None, rule: PixelRule, source: Source) -> None:
    side = video.encoder.embedder.vision_model.timm_model.shape.img_size if video else rule.size[0]
    if rule.size != (side, side):
        raise UserError(
            "checkpoint",
            f"{source.folder} prepares frames of {rule.size[0]} x {rule.size[1]} pixels, but its model sees "
            f"{side} x {side}. Take both files from one model.",
        )


def build(source: Source, options: EncoderOptions) -> PeAvFamily:
    """Load a PE-AV of transformers (`facebook/pe-av-*`), or a `pe_audio` or `pe_video` model.

    Raises:
        UserError: Its files cannot be read or are of different models, transformers has no PE-AV, or the model gives a
            vector for every 40 ms of sound (`PeAudioFrameLevelModel`) instead of one.

    Source: Meta, arXiv:2512.19687; reference code facebookresearch/perception_models, core/audio_visual_encoder.
    """
    if "PeAudioFrameLevelModel" in (source.config.get("architectures") or ()):
        raise UserError(
            "input",
            f"{source.folder} is a model of single moments (PeAudioFrameLevelModel), which has no vector of a whole "
            "sound. Use a pe-av model.",
        )
    library = transformers_library()
    with redirect_stdout(StringIO()):  # transformers prints remarks about its own documentation
        try:
            from gramcli.encoders.huggingface.pe_av_models import MODELS, parts_of  # noqa: PLC0415 - after the check
        except ImportError as error:
            advice = f"transformers {library.__version__} has no PE-AV ({error}); a newer one has: {INSTALL} -U"
            raise UserError("usage", advice) from error
        parts = parts_of(source.load(MODELS[source.config["model_type"]]))
    return PeAvFamily(parts, source, options.frames)
