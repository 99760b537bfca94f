"""What every encoder is: a named thing that turns decoded media into unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from gramcli.errors import UserError
from gramcli.results.watch import NOBODY

PRECISIONS: Final = ("fp32", "bf16", "fp16")

Prepare = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Preprocessing:
    """How media are decoded before they are prepared and encoded.

    Attributes:
        frames: Frames taken from each video.
        frame_rule: Name of the rule that picks them.
        sample_rate: Rate audio is resampled to, in samples per second; None leaves it as it is.
        channels: Which channels of a sound are heard: the `mean` of all, or the `first` alone.
    """

    frames: int = 8
    frame_rule: str = "middle-of-segment"
    sample_rate: int | None = 16000
    channels: Literal["mean", "first"] = "mean"


@dataclass(frozen=True)
class EncoderOptions:
    """What a user may ask of any encoder; one that has no use for an option ignores it.

    Attributes:
        frames: Frames taken from each video; None leaves it to the model.
        device: `cpu`, `cuda` or `cuda:i`.
        precision: Of weights and arithmetic: `fp32`, `bf16` or `fp16`.
        tokenizer: Where the vocabulary is; None looks for it.
        checkpoint_step: Which of several saved steps; None takes the last.
        config: The training configuration of the weights, where it is not beside them.
        allow_pickle: Load a weight file that can run code.
        stand_ins: Offer what stands for absent inputs.
        compile: Compile the towers before they are used.
        say: Told one sentence before something long begins, such as a download.

    Raises:
        UserError: Fewer than one frame, or a precision that is none.
    """

    frames: int | None = None
    device: str = "cpu"
    precision: str = "fp32"
    tokenizer: Path | None = None
    checkpoint_step: int | None = None
    config: Path | None = None
    allow_pickle: bool = False
    stand_ins: bool = False
    compile: bool = False
    say: Callable[[str], None] = field(default=NOBODY.say, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError("usage", f"precision '{self.precision}' is none of {', '.join(PRECISIONS)}.")
        if self.frames is not None and self.frames < 1:
            raise UserError("usage", f"A video is seen through at least one frame; got frames={self.frames}.")


class BrokenEncoderError(UserError):
    """An encoder gives what nothing can be made of, whatever the input: it ends a run.

    Any other `UserError` of `encode` is about its inputs, and costs an item that modality.
    """


class UnusableVectorError(UserError):
    """What an encoder computed of an input has no direction. It costs the item that modality, and is no refusal."""


class Encoder(Protocol):
    """Turns decoded media into unit vectors; each input's vector depends on that input alone.

    Attributes:
        spec: What the user wrote to get this encoder, for instance `signal`.
        shared_space: Whether vectors of different modalities can be compared by cosine.
        preprocessing: How the inputs have to be decoded.
        dims: Dimension of every embedding it can give, by name: modalities, views of them, then fused ones. A view is
            the vector of a modality made for the other side of a task, `text@video`, or for its own, `text@query`.
        fused: The embeddings made of several modalities, with these in order: `{"va": ("video", "audio")}`.
        prepare: What is done to one decoded input (modality, media) before `encode`, without the weights; runs in the
            decoding workers, so it pickles.
        stand_ins: Modality to the prepared input that stands for an absent one, as silence; empty unless asked for.
    """

    spec: str
    shared_space: bool
    preprocessing: Preprocessing
    dims: Mapping[str, int]
    fused: Mapping[str, tuple[str, ...]]
    prepare: Prepare
    stand_ins: Mapping[str, Any]

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it takes; a modality of which there are views alone is not among `dims` itself."""

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records about the encoder.

        Args:
            modalities: Those it is going to encode; None: any.

        Raises:
            UserError: It lacks something it needs for them, such as the tokenizer of a text.

        Returns:
            A JSON-able document: id, architecture, weights_sha256, preprocessing, shared_space.
        """

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Encode a batch of n items through some of their modalities.

        Args:
            inputs: Modality to n inputs: `str` for text and subtitle; what `prepare` made of a `VideoClip` for
                video, of a `Waveform` for audio, of a uint8 array [h, w, 3] for image and depth.

        Returns:
            The same names, or their views, and every fused one whose modalities are all there, each to rows of unit
            length, float32, shape [n, d], as a NumPy array or a tensor on the CPU. On a CPU in float32 a row is the
            same, bit for bit, in any batch.

        Raises:
            BrokenEncoderError: It can give none of what it promises; the run ends.
            UserError: The encoder has no such modality, or the inputs cannot be used.
        """
