"""Decoded media as sentence-transformers takes them: the layouts its documentation gives, and no guessing of kinds."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

TEXTS: Final = ("text", "subtitle")


def as_decoded(modality: str, media: Any) -> Any:  # noqa: ANN401 - what the decoders give
    """Leave media as they are in the decoding workers: the library's processors prepare them beside the model."""
    return media


def as_taken(modality: str, media: Any) -> dict[str, Any]:  # noqa: ANN401 - a text, a clip, a sound or a picture
    """Name the kind of one input: a caption that is the path of a picture stays a caption.

    Args:
        modality: text, subtitle, video, audio or image.
        media: A `str`, a `VideoClip`, a `Waveform` or a uint8 array [h, w, 3].

    Returns:
        One entry, kind to value. A video is uint8 [n, 3, h, w], the channels second, as the library documents it, with
        the times of its frames; a sound is one channel with its rate; a picture is of Pillow, RGB.
    """
    if modality in TEXTS:
        return {"text": media}
    if modality == "audio":
        return {"audio": {"array": media.samples, "sampling_rate": media.sample_rate}}
    if modality == "video":
        return {"video": {"array": np.ascontiguousarray(media.frames.transpose(0, 3, 1, 2)),
                          "video_metadata": _times(media)}}  # fmt: skip
    from PIL import Image  # noqa: PLC0415 - pictures alone need it

    return {"image": Image.fromarray(np.ascontiguousarray(media))}


def _times(clip: Any) -> dict[str, Any]:  # noqa: ANN401 - a `VideoClip`
    return {
        "fps": clip.fps or None,
        "total_num_frames": clip.total_frames,
        "duration": clip.duration,
        "frames_indices": list(clip.indices),
    }
