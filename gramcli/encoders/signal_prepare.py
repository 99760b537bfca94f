"""What `signal` does to pictures in the decoding workers; loads nothing that a worker does not need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE: Final = 96


def shrunk(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring an RGB picture [h, w, 3] to [96, 96, 3] by box means; one of that size stays as it is."""
    image = Image.fromarray(np.ascontiguousarray(picture)).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.uint8)


def prepare_media(modality: str, media: Any) -> Any:  # noqa: ANN401 - what the decoders give
    """Shrink pictures and frames to the size whose statistics are taken; sound stays as it is.

    Args:
        modality: video, audio, depth or image.
        media: A `VideoClip`, a `Waveform` or a uint8 array [h, w, 3].

    Returns:
        The same kind of thing; `encode` gives the same vector for either.
    """
    if modality == "video":
        return replace(media, frames=np.stack([shrunk(frame) for frame in media.frames]))
    return media if modality == "audio" else shrunk(media)
