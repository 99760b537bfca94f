"""The encoder that is always there: hand-made statistics of 256 numbers per modality.

A baseline that makes every command work offline, not a good model. Vectors of different modalities lie in
different spaces: cosines between them mean nothing until heads are trained (`gram align`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from gramcli.encoders.base import Preprocessing
from gramcli.encoders.blocks import SIZE
from gramcli.encoders.signal_audio import audio_features
from gramcli.encoders.signal_prepare import prepare_media
from gramcli.encoders.signal_text import text_features
from gramcli.encoders.signal_video import image_features, video_features
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import EncoderOptions, Prepare

_FEATURES: Final[dict[str, Callable[[Sequence[Any]], list[npt.NDArray[np.float64]]]]] = {
    "text": text_features,
    "video": lambda clips: [video_features(clip.frames) for clip in clips],
    "audio": lambda waves: [audio_features(wave.samples, wave.sample_rate) for wave in waves],
    "subtitle": text_features,
    "depth": lambda pictures: [image_features(picture) for picture in pictures],
    "image": lambda pictures: [image_features(picture) for picture in pictures],
}


class SignalEncoder:
    """Statistics of colour, gradients and motion, of log-mel bands, and hashed n-grams.

    Every input is encoded by itself and without BLAS, so a row is the same, bit for bit, in any
    batch and with any number of threads. An input without information (silence, black frames,
    the empty string) gives a fixed unit vector.

    Args:
        argument: What followed `signal:` in the spec; must be empty.
        preprocessing: How the media were decoded; recorded, and asked for by `gram embed`.

    Raises:
        UserError: An argument was given.

    Example:
        >>> from gramcli.encoders.base import EncoderOptions
        >>> SignalEncoder("", EncoderOptions()).encode({"text": ["a red circle", ""]})["text"].shape
        (2, 256)
    """

    spec: str = "signal"
    shared_space: bool = False

    def __init__(self, argument: str, options: EncoderOptions) -> None:
        if argument:
            raise UserError("usage", f"Encoder 'signal' takes no argument; got 'signal:{argument}'. Write signal.")
        self.preprocessing = Preprocessing() if options.frames is None else Preprocessing(frames=options.frames)
        self.prepare: Prepare = prepare_media
        self.dims: Mapping[str, int] = dict.fromkeys(_FEATURES, SIZE)
        self.fused: Mapping[str, tuple[str, ...]] = {}

    @property
    def modalities(self) -> tuple[str, ...]:
        """All six."""
        return tuple(self.dims)

    stand_ins: Mapping[str, Any] = {}

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: there are no weights, so their hash is None."""
        return {
            "id": self.spec,
            "architecture": "signal-v1",
            "weights_sha256": None,
            "preprocessing": asdict(self.preprocessing),
            "shared_space": self.shared_space,
        }

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Encode inputs, each by itself.

        Args:
            inputs: text, video, audio, subtitle, depth or image to `str`, `VideoClip`, `Waveform` or uint8 arrays
                [h, w, 3], as the modality asks.

        Returns:
            The same names to rows of unit length, shape [n, 256].

        Raises:
            UserError: A modality is not one of the six, or an input holds NaN or infinity.
        """
        return {modality: self._rows(modality, given) for modality, given in inputs.items()}

    def _rows(self, modality: str, inputs: Sequence[Any]) -> npt.NDArray[np.float32]:
        if modality not in _FEATURES:
            known = ", ".join(_FEATURES)
            raise UserError("embedding", f"Encoder 'signal' cannot encode '{modality}'. It encodes: {known}.")
        rows = np.empty((len(inputs), SIZE), dtype=np.float32)
        for row, features in zip(rows, _FEATURES[modality](inputs) if len(inputs) else [], strict=True):
            row[:] = features
            if not np.isfinite(row).all():
                raise UserError(
                    "embedding", f"Encoder 'signal' got {modality} with values that are not finite: decode it again."
                )
        return rows
