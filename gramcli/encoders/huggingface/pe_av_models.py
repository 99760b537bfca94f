"""transformers' classes of PE-AV with our picture tower in the place of timm's, and where their parts are."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import transformers
from torch import nn

from gramcli.encoders.huggingface.pe_vision import PictureTowerConfig, register, tower_shape

# Its types depend on whether it is installed where they are checked.
_library: Any = transformers
# The codec of sounds keeps its precision: samples have more bits than bfloat16 and its activations outgrow float16.
_CODEC: Final = ["dac_encoder", "bottleneck"]


class _JointConfig(_library.PeAudioVideoConfig):  # type: ignore[misc]  # no type, as above
    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:  # noqa: ANN401 - as transformers has it
        return super().from_dict(with_tower(config_dict, ("audio_video_config", "video_config")), **kwargs)


class _VideoConfig(_library.PeVideoConfig):  # type: ignore[misc]  # as above
    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        return super().from_dict(with_tower(config_dict, ("video_config",)), **kwargs)


class JointModel(_library.PeAudioVideoModel):  # type: ignore[misc]  # as above
    """`PeAudioVideoModel`: text, video, sound, and the last two together."""

    config_class = _JointConfig
    _keep_in_fp32_modules_strict = _CODEC


class VideoModel(_library.PeVideoModel):  # type: ignore[misc]  # as above
    """`PeVideoModel`: text and video."""

    config_class = _VideoConfig


class SoundModel(_library.PeAudioModel):  # type: ignore[misc]  # as above
    """`PeAudioModel`: text and sound."""

    config_class = _library.PeAudioConfig
    _keep_in_fp32_modules_strict = _CODEC


MODELS: Final[Mapping[str, type]] = {"pe_audio_video": JointModel, "pe_video": VideoModel, "pe_audio": SoundModel}
"""Class by the model_type of config.json."""


def with_tower(config: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Put our tower's configuration where a config.json has timm's.

    Args:
        config: The JSON.
        path: Names of the parts that lead to `vision_config`.

    Returns:
        A copy with the change.

    Raises:
        UserError: The tower is another than PE-AV's.
    """
    register()
    changed: dict[str, Any] = deepcopy(dict(config))
    part = changed
    for name in path:
        part = part.setdefault(name, {})
    vision = part.get("vision_config") or {}
    part["vision_config"] = PictureTowerConfig(vision_config=vision, num_labels=tower_shape(vision).num_classes)
    return changed


@dataclass(frozen=True)
class Tower:
    """An encoder of transformers, and the head that maps what it pools into the common space."""

    encoder: Any
    head: nn.Module


@dataclass(frozen=True)
class Parts:
    """The parts of a model, wherever its class keeps them.

    Attributes:
        text: The text tower.
        heads: Heads of texts, by the name of what comes out.
        audio: Of sounds, None where the model has none.
        video: Of clips, likewise.
        both: Of clips with their sound, likewise.
    """

    text: Any
    heads: Mapping[str, nn.Module]
    audio: Tower | None = None
    video: Tower | None = None
    both: Tower | None = None


def parts_of(model: Any) -> Parts:  # noqa: ANN401 - a model of transformers
    """Find the parts of any of the three models."""
    if isinstance(model, SoundModel):
        return Parts(model.text_model, {"text": model.text_audio_head}, audio=_sound(model))
    if isinstance(model, VideoModel):
        return Parts(model.text_model, {"text": model.text_video_head}, video=_video(model))
    heads = {
        "text@video": model.video_model.text_video_head,
        "text@audio": model.audio_model.text_audio_head,
        "text@video+audio": model.text_audio_video_head,
    }
    both = Tower(model.audio_video_encoder, model.audio_video_head)
    return Parts(model.text_model, heads, _sound(model.audio_model), _video(model.video_model), both)


def _sound(model: Any) -> Tower:  # noqa: ANN401 - as above
    return Tower(model.audio_encoder, model.audio_head)


def _video(model: Any) -> Tower:  # noqa: ANN401 - as above
    return Tower(model.video_encoder, model.video_head)
