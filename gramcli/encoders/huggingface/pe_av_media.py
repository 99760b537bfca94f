"""What PE-AV takes of decoded media: whole steps of sound, and frames of one size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.encoders.base import Preprocessing
from gramcli.encoders.huggingface.pixels import PixelRule, resized
from gramcli.encoders.huggingface.processors import pixel_rule
from gramcli.encoders.huggingface.sound import check_samples, whole
from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.encoders.huggingface.source import Source
    from gramcli.media.audio import Waveform
    from gramcli.media.video import VideoClip

MOST_FRAMES: Final = 64
"""Frames of a clip that a model of all frames sees, unless the user asks for more."""

_RATE: Final = 48000
_TRAINED: Final[Mapping[str, Any]] = {
    "size": {"height": 336, "width": 336},
    "do_resize": True,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


@dataclass(frozen=True)
class PeAvPrepare:
    """Turns decoded media into what the model takes; without the weights, so it pickles.

    Args:
        pixels: Of a frame; its levels become numbers where the model is, which is four times less to hand over.
        hop: Samples of sound that become one step.
        most_hops: Steps of the longest sound that the model has positions for.
        rate: Samples per second.
    """

    pixels: PixelRule
    hop: int
    most_hops: int
    rate: int

    def __call__(self, modality: str, media: Any) -> Any:  # noqa: ANN401 - `Prepare`
        """Prepare a `Waveform` to float32 [whole steps], a `VideoClip` to uint8 [T, h, w, 3]; leave others."""
        if modality == "audio":
            return self._sound(media)
        return self._frames(media) if modality == "video" else media

    def _sound(self, sound: Waveform) -> NDArray[np.float32]:
        """Lengthen a sound to whole steps by its own mirror image."""
        samples = np.asarray(sound.samples, dtype=np.float32)
        check_samples(samples)
        hops = -(-len(samples) // self.hop)
        if hops > self.most_hops:
            raise UserError(
                "media",
                f"The sound is {len(samples) / self.rate:.0f} s long, and this model hears "
                f"{self.most_hops * self.hop / self.rate:.0f} s at most; cut it.",
            )
        return np.pad(samples, (0, hops * self.hop - len(samples)), mode="reflect")

    def _frames(self, clip: VideoClip) -> NDArray[np.uint8]:
        height, width = self.pixels.size
        return np.stack([resized(frame, height, width, self.pixels.resample) for frame in clip.frames])


def frame_rule(source: Source) -> PixelRule:
    """Read how frames become pixels.

    Args:
        source: Of the model; what its video_preprocessor_config.json leaves out is as in training: 336 pixels a side,
            bilinear, -1 to 1.

    Raises:
        UserError: Frames that are not stretched to one size, or settings that none could use.
    """
    where = str(source.folder / "video_preprocessor_config.json")
    rule = pixel_rule({**_TRAINED, **_video_settings(source)}, "PeVideoVideo", where)
    if rule.edges != "exact" or rule.crop or rule.mean is None or rule.scale is None or rule.offset:
        raise UserError(
            "checkpoint",
            f"{where}: PE-AV stretches frames to one size, cuts none, and rescales and normalises them; this asks for "
            "something else. Give the processor's own file.",
        )
    return rule


def _video_settings(source: Source) -> Mapping[str, Any]:
    """Settings of frames; where there is no file of them, that of sounds is not taken for it."""
    settings = source.processor("video_processor")
    return {} if "feature_extractor_type" in settings else settings


def read_preprocessing(source: Source, frames: int | None) -> Preprocessing:
    """Choose frames as the checkpoint says: so many of the whole clip, or all.

    Args:
        source: Of the model.
        frames: What the user asked for; None leaves it to the checkpoint.

    Returns:
        `uniform-floor` with the checkpoint's number of frames where it samples them; else `all-up-to` `MOST_FRAMES`.

    Raises:
        UserError: Numbers that none could use.
    """
    settings = _video_settings(source)
    rate = whole(source.processor("feature_extractor"), "sampling_rate", _RATE)
    if settings.get("do_sample_frames") and settings.get("num_frames"):
        fixed = whole(settings, "num_frames", MOST_FRAMES, "video_preprocessor_config.json")
        return Preprocessing(frames or fixed, "uniform-floor", rate)
    return Preprocessing(frames or MOST_FRAMES, "all-up-to", rate)
