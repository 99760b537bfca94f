"""What PE-AV takes of decoded media: whole hops of sound, and square frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.encoders.base import Preprocessing
from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.media.audio import Waveform
    from gramcli.media.video import VideoClip

MOST_FRAMES: Final = 64
"""Frames of a clip that a model of all frames sees, unless the user asks for more."""

_RESAMPLING: Final = {0: "NEAREST", 1: "LANCZOS", 2: "BILINEAR", 3: "BICUBIC", 4: "BOX", 5: "HAMMING"}
_RATE: Final = 48000


@dataclass(frozen=True)
class PeAvPrepare:
    """Turns decoded media into what the model takes; without the weights, so it pickles.

    Args:
        side: Height and width of a frame in pixels; frames are stretched to it.
        resampling: Pillow's name of the filter.
        hop: Samples of sound that become one step.
        most_hops: Steps of the longest sound that the model has positions for.
        rate: Samples per second.
    """

    side: int
    resampling: str
    hop: int
    most_hops: int
    rate: int

    def __call__(self, modality: str, media: Any) -> Any:  # noqa: ANN401 - `Prepare`
        """Prepare a `Waveform` to float32 [whole hops], a `VideoClip` to uint8 [T, side, side, 3]; leave others."""
        if modality == "audio":
            return self._sound(media)
        return self._frames(media) if modality == "video" else media

    def _sound(self, sound: Waveform) -> NDArray[np.float32]:
        """Lengthen a sound to whole hops by its own mirror image."""
        samples = np.asarray(sound.samples, dtype=np.float32)
        if not len(samples) or not np.isfinite(samples).all():
            what = "samples that are not finite; decode or record it again" if len(samples) else "none; leave it out"
            raise UserError("media", f"The sound holds {what}.")
        hops = -(-len(samples) // self.hop)
        if hops > self.most_hops:
            raise UserError(
                "media",
                f"The sound is {len(samples) / self.rate:.0f} s long, and this model hears "
                f"{self.most_hops * self.hop / self.rate:.0f} s at most; cut it.",
            )
        return np.pad(samples, (0, hops * self.hop - len(samples)), mode="reflect")

    def _frames(self, clip: VideoClip) -> NDArray[np.uint8]:
        from PIL import Image  # noqa: PLC0415 - only videos need it

        size, resampling = (self.side, self.side), Image.Resampling[self.resampling]
        return np.stack([np.asarray(Image.fromarray(frame).resize(size, resampling)) for frame in clip.frames])


@dataclass(frozen=True)
class Pixels:
    """How the levels of a frame become numbers: (level - mean) / std, for each colour in levels of 0 to 255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def read_video_settings(settings: Mapping[str, Any]) -> tuple[int, str, Pixels]:
    """Read video_preprocessor_config.json.

    Args:
        settings: The JSON; what it leaves out is as PE-AV was trained: 336 pixels, bilinear, -1 to 1.

    Returns:
        Side of a frame, filter, and how levels become numbers.

    Raises:
        UserError: Frames that are cropped, not square, or resized by an unknown filter.
    """
    size = settings.get("size") or {"height": 336, "width": 336}
    if settings.get("do_center_crop") or not isinstance(size, Mapping) or size.get("height") != size.get("width"):
        raise UserError("checkpoint", f"PE-AV stretches frames to a square; the checkpoint asks for size {size}.")
    resampling = _RESAMPLING.get(settings.get("resample", 2))
    side = size.get("height")
    if resampling is None or not isinstance(side, int) or side < 1:
        raise UserError("checkpoint", f"The checkpoint resizes frames to {side} by filter {settings.get('resample')}.")
    scale = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    normal = settings.get("do_normalize", True)
    mean, std = (settings.get(key) or [0.5] * 3 for key in ("image_mean", "image_std")) if normal else ([0.0], [1.0])
    return side, resampling, Pixels(tuple(one / scale for one in mean), tuple(one / scale for one in std))


def read_preprocessing(settings: Mapping[str, Any], rate: int, frames: int | None) -> Preprocessing:
    """Choose frames as the checkpoint says: so many of the whole clip, or all.

    Args:
        settings: video_preprocessor_config.json.
        rate: Samples of sound per second.
        frames: What the user asked for; None leaves it to the checkpoint.

    Returns:
        `uniform-floor` with the checkpoint's number of frames where it samples them; else `all-up-to` `MOST_FRAMES`.
    """
    fixed = settings.get("num_frames") if settings.get("do_sample_frames") else None
    rule = "uniform-floor" if fixed else "all-up-to"
    return Preprocessing(frames or int(fixed or MOST_FRAMES), rule, rate)


def sampling_rate(settings: Mapping[str, Any]) -> int:
    """Samples per second, of preprocessor_config.json."""
    return int(settings.get("sampling_rate", _RATE))
