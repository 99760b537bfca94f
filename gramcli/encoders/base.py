"""What every encoder is: a named thing that turns decoded media into unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Preprocessing:
    """How media are decoded before they are encoded.

    Attributes:
        frames: Frames taken from each video.
        frame_rule: Name of the rule that picks them.
        sample_rate: Rate audio is resampled to, in samples per second.
    """

    frames: int = 8
    frame_rule: str = "middle-of-segment"
    sample_rate: int = 16000


Prepare = Callable[[str, Any], Any]


class Encoder(Protocol):
    """Turns decoded media into unit vectors; each input's vector depends on that input alone.

    Attributes:
        spec: What the user wrote to get this encoder, for instance `signal`.
        shared_space: Whether vectors of different modalities can be compared by cosine.
        preprocessing: How the inputs have to be decoded.
        dims: Dimension of the vectors of every modality it can encode.
        prepare: What is done to one decoded input (modality, media) before `encode`, without the weights; runs in the
            decoding workers, so it pickles. `encode` takes what it returns, and where that is the same kind of
            thing, also what it was given.
    """

    spec: str
    shared_space: bool
    preprocessing: Preprocessing
    dims: Mapping[str, int]
    prepare: Prepare

    def describe(self) -> dict[str, Any]:
        """What the manifest of a store records about the encoder.

        Returns:
            A JSON-able document: id, architecture, weights_sha256, preprocessing, shared_space.
        """

    def encode(self, modality: str, inputs: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Encode inputs of one modality.

        Args:
            modality: A key of `dims`.
            inputs: `str` for text and subtitle; what `prepare` made of a `VideoClip` for video, of a `Waveform` for
                audio, of a uint8 array [h, w, 3] for image and depth.

        Returns:
            Rows of unit length, shape [n, d]; a row is the same, bit for bit, in any batch.

        Raises:
            UserError: The encoder has no such modality.
        """
