"""Encoders that are quick, and wrong each in one way that models in use are wrong in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gramcli.encoders.base import BrokenEncoderError, EncoderOptions, Preprocessing
from gramcli.errors import UserError

D = 12


def unit(rows: Any) -> Any:
    rows = np.asarray(rows, dtype=np.float64)
    return (rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True))).astype(np.float32)


def text_row(text: str) -> Any:
    row = np.ones(D)
    for place, word in enumerate(text.split()):
        row[sum(map(ord, word)) % D] += 1 + place / 50
    return row


def sound_row(samples: Any) -> Any:
    parts = np.array_split(np.abs(np.diff(samples.astype(np.float64), prepend=0)), D)
    return np.array([part.mean() if len(part) else 0.0 for part in parts]) + 1e-3


def clip_row(frames: Any) -> Any:
    light = frames.astype(np.float64).mean(axis=(1, 2))
    return 1 + np.concatenate([light.mean(axis=0), light.std(axis=0), light[0], light[-1]])


class Plain:
    """Sound: each input by itself."""

    spec = "plain"
    shared_space = False
    stand_ins: Mapping[str, Any] = {}

    def __init__(self, argument: str = "", options: EncoderOptions | None = None) -> None:
        self.spec = argument or type(self).__name__.lower()
        self.preprocessing = Preprocessing(frames=4)
        self.dims: Mapping[str, int] = dict.fromkeys(("text", "video", "audio"), D)
        self.fused: Mapping[str, tuple[str, ...]] = {}

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("text", "video", "audio")

    def prepare(self, modality: str, media: Any) -> Any:
        return media.samples if modality == "audio" else media.frames

    def describe(self, modalities: Any = None) -> dict[str, Any]:
        return {"id": self.spec, "weights_sha256": None, "preprocessing": {}, "shared_space": False}

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        make = {"text": text_row, "audio": sound_row, "video": clip_row}
        return {name: np.stack([make[name](one) for one in given]) for name, given in inputs.items()}

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return {name: unit(rows) for name, rows in self.raw(inputs).items()}


class RandomCrop(Plain):
    """CLAP of transformers: of a sound above 10 s it hears a random part."""

    def prepare(self, modality: str, media: Any) -> Any:
        found = super().prepare(modality, media)
        if modality == "audio" and media.duration > 10:
            start = int(np.random.default_rng().integers(len(found) // 4, len(found)))
            return found[start - len(found) // 4 : start]
        return found


class BatchNormalised(Plain):
    """A batch normalisation that was left in training mode."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        return found | {"video": found["video"] + found["video"].mean(axis=0)} if "video" in found else found


class PaddingLeaks(Plain):
    """Texts are padded to the longest of the batch, and the padding is averaged in: 0.73 in a batch against alone."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        inputs = dict(inputs)
        if "text" in inputs:
            longest = max(len(text.split()) for text in inputs["text"])
            inputs["text"] = [text + " [PAD]" * (longest - len(text.split())) for text in inputs["text"]]
        return super().encode(inputs)


class PlaceInBatch(Plain):
    """Position ids run on over the batch."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        if "audio" in found:
            place = np.arange(len(found["audio"]))[:, None] * np.arange(D)
            found["audio"] = found["audio"] * (1 + place)
        return found


class BatchSize(Plain):
    """Another path is taken for batches of two."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        return {name: rows[:, ::-1] if len(rows) == 2 else rows for name, rows in found.items()}


class WrongDims(Plain):
    """It says 16 and gives 12."""

    def __init__(self, argument: str = "", options: EncoderOptions | None = None) -> None:
        super().__init__(argument, options)
        self.dims = dict(self.dims) | {"text": 16}


class NanOnSilence(Plain):
    """Silence is divided by its loudness."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().encode(inputs)
        for row, one in zip(found.get("audio", ()), inputs.get("audio", ()), strict=True):
            if not one.any():
                row[:] = np.nan
        return found


class CrashesOnNothing(Plain):
    """No tokens, no first token."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        for text in inputs.get("text", ()):
            text.split()[0]
        return super().encode(inputs)


class RefusesNothing(Plain):
    """The same, said in a sentence: a fact, no fault."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        if "" in inputs.get("text", ()):
            raise UserError("embedding", "An empty text has no tokens; leave it out.")
        return super().encode(inputs)


class BreaksOnNothing(Plain):
    """One's own code, checked by ours: it gives no row of an empty text."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        if "" in inputs.get("text", ()):
            raise BrokenEncoderError("embedding", "own:make is no encoder: 'text' is [0, 12] where [1, 12] was due.")
        return super().encode(inputs)


class ZeroOnBlack(Plain):
    """Black frames make a row of zeros, which has no direction."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().encode(inputs)
        for row, one in zip(found.get("video", ()), inputs.get("video", ()), strict=True):
            row[:] = row * bool(one.any())
        return found


class Raises(Plain):
    """It cannot encode videos at all."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        if "video" in inputs:
            raise ValueError("mat1 and mat2 shapes cannot be multiplied")
        return super().encode(inputs)


class NotNormalised(Plain):
    """Rows as the tower gives them."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return {name: rows.astype(np.float32) for name, rows in self.raw(inputs).items()}


class Doubles(Plain):
    """float64 rows."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return {name: rows.astype(np.float64) for name, rows in super().encode(inputs).items()}


class NothingIsFinite(Plain):
    """float16 that overflows."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        return {name: rows * np.float32(np.inf) for name, rows in super().encode(inputs).items()}


class LeaksAcross(Plain):
    """A fused model whose video vector has heard the sound where there is one."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        if {"video", "audio"} <= found.keys():
            found["video"] = found["video"] + 1e3 * found["audio"]
        return found


class Fused(Plain):
    """Views of the text and a fused embedding, all sound."""

    def __init__(self, argument: str = "", options: EncoderOptions | None = None) -> None:
        super().__init__(argument, options)
        self.dims = dict.fromkeys(("text@video", "text@audio", "video", "audio", "va"), D)
        self.fused = {"va": ("video", "audio")}

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().encode(inputs)
        if "text" in found:
            text = found.pop("text")
            found |= {"text@video": text, "text@audio": np.roll(text, 1, axis=1)}
        if {"video", "audio"} <= found.keys():
            found["va"] = unit(found["video"] + found["audio"])
        return found


class FusedLeaks(Fused):
    """Of all its embeddings only the fused one depends on the batch."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().encode(inputs)
        if "va" in found:
            found["va"] = unit(found["va"] + 3 * found["va"].max(axis=0))
        return found


class Batched(Plain):
    """Sound but for rounding: rows go through one matrix product together."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        nudge = np.float64(1e-7)
        return {name: rows + nudge * (len(rows) > 1) for name, rows in found.items()}


class BlindToTime(Plain):
    """The mean of the frames."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        found = super().raw(inputs)
        return found | {"video": np.tile(found["video"][:, :6], 2)} if "video" in found else found


class Threads(Plain):
    """Splits its work by the number of threads, and loses a part."""

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        import torch

        return {name: np.roll(rows, torch.get_num_threads(), axis=1) for name, rows in super().raw(inputs).items()}


class OneFrame(BlindToTime):
    def __init__(self, argument: str = "", options: EncoderOptions | None = None) -> None:
        super().__init__(argument, options)
        self.preprocessing = replace(self.preprocessing, frames=1)


class LongRandomCrop(Plain):
    """Hears a random part of a sound above half a minute."""

    def __init__(self, argument: str = "", options: EncoderOptions | None = None) -> None:
        super().__init__(argument, options)
        self._random = np.random.default_rng(0)

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        found = dict(super().encode(inputs))
        long = 30 * (self.preprocessing.sample_rate or 16000)
        for k, one in enumerate(inputs.get("audio", ())):
            if len(one) > long:
                found["audio"][k] = unit(self._random.normal(size=(1, D)))[0]
        return found


class LastOfMany(Plain):
    """The last row is wrong where more than eight are encoded together."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        found = dict(super().encode(inputs))
        for rows in found.values():
            if len(rows) > 8:
                rows[-1] = rows[0]
        return found


class Constant(Plain):
    """It looks at the first token, which all texts share; its clips are nearly one vector, but for rounding."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        found = dict(super().encode(inputs))
        if "text" in found:
            found["text"] = unit(np.ones_like(found["text"]))
        if "video" in found:
            found["video"] = unit(1e7 + self.raw(inputs)["video"])
        return found


class SeesLittle(Plain):
    """Two sounds have one vector, the others have their own: little is heard, which is no fault."""

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        found = dict(super().encode(inputs))
        if "audio" in found:
            found["audio"] = np.eye(D, dtype=np.float32)[[int(1e6 * row[0]) % 2 for row in found["audio"]]]
        return found
