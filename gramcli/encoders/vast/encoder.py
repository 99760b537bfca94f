"""A VAST-family checkpoint as an encoder: towers, front ends and tokenizer under one roof."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.encoders.base import EncoderOptions, Prepare, Preprocessing
from gramcli.encoders.vast.agreement import understand
from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.frontends import Transform, preprocess_frames, preprocess_waveform, silent
from gramcli.encoders.vast.layout import Found, find_checkpoint
from gramcli.encoders.vast.model import CONDITION_LETTERS, FEATURE_PARTS, VastModel
from gramcli.encoders.vast.sampling import SamplingDefaults, sampling_assumptions, sampling_defaults
from gramcli.encoders.vast.tensors import WeightFiles
from gramcli.encoders.vast.tokenizer import TextTokenizer, load_tokenizer
from gramcli.encoders.vast.weights import LoadReport, Precision, load_weights
from gramcli.errors import UserError
from gramcli.media.limits import HIGHEST_RATE, LOWEST_RATE
from gramcli.media.sampling import middle_of_segment
from gramcli.scoring.checks import check_device

_PRECISIONS: Final[dict[str, Precision]] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

_TEXTS: Final = ("text", "subtitle")

Inputs = Mapping[str, Tensor | Sequence[Any]]
"""Modality to a batch: texts, or a tensor or a sequence of what `prepare` gives."""


@dataclass(frozen=True)
class Preparer:
    """What is done to decoded media in the workers; pickles, and loads no torch.

    Attributes:
        resolution: Side of a frame.
        transform: How a frame becomes a square.
        slices: Slices of a sound.
        target_length: Frames of a slice.
        mel_bins: Bands of a slice.
    """

    resolution: int
    transform: Transform
    slices: int
    target_length: int
    mel_bins: int

    def __call__(self, modality: str, media: Any) -> NDArray[np.float32]:  # noqa: ANN401 - what the decoders give
        """Prepare a `VideoClip`, a `Waveform`, or the uint8 picture [h, w, 3] of a depth map.

        Returns:
            float32 [n, 3, R, R] for video and depth, [m, T, mel] for audio.
        """
        if modality == "audio":
            return self.sound(media.samples, media.sample_rate)
        return preprocess_frames(media.frames if modality == "video" else media[None], self.resolution, self.transform)

    def sound(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Spectrogram slices [m, T, mel] of one channel of sound."""
        return preprocess_waveform(samples, rate, self.slices, self.target_length, self.mel_bins)


class VastEncoder:
    """GRAM, PMRL, TRIANGLE or VAST, for inference; `load` makes one.

    On a CPU items go through the towers one by one, so that a row has the same bits in any batch; on a GPU they go
    together, and rows agree to the rounding of its arithmetic.

    Attributes:
        spec: The path it was loaded from.
        shared_space: True: these models are trained for it.
        preprocessing: How media are decoded for it.
        prepare: What the workers do to decoded media.
        dims: Width of the shared space, for every embedding.
        fused: `va`, `vs`, `vas`: heads of their own on several modalities.
        model: The towers and heads.
        report: What loading found.
        assumptions: What was stripped from names, and what neither weights nor configuration told; one sentence each.
    """

    shared_space: bool = True

    def __init__(
        self,
        spec: str,
        model: VastModel,
        tokenizer: Callable[[], TextTokenizer],
        defaults: SamplingDefaults,
        options: EncoderOptions,
        report: LoadReport,
        assumptions: tuple[str, ...] = (),
    ) -> None:
        self.spec, self.model, self.report, self.assumptions = spec, model.eval(), report, assumptions
        self._find_tokenizer = tokenizer
        self._tokenizer: TextTokenizer | None = None
        self._options, self._defaults = options, defaults
        self._device = torch.device(options.device)
        audio = model.architecture.audio
        self._preparer = Preparer(
            model.architecture.vision.resolution,
            defaults.transform,
            defaults.audio_slices,
            audio.target_length,
            audio.mel_bins,
        )
        self.prepare: Prepare = self._preparer
        self.preprocessing = Preprocessing(
            frames=options.frames or defaults.frames,
            sample_rate=None,
            # The code of PMRL hears the first channel, that of the others the mean.
            channels="first" if model.architecture.family == "pmrl" else "mean",
        )
        # A missing sound is what the released code makes of it: zeros after normalisation.
        self.stand_ins: Mapping[str, Any] = {}
        if options.stand_ins:
            self.stand_ins = {
                "audio": silent(defaults.audio_slices, audio.target_length, audio.mel_bins), "subtitle": "",
            }  # fmt: skip
        self.fused: Mapping[str, tuple[str, ...]] = {n: parts for n, parts in FEATURE_PARTS.items() if len(parts) > 1}
        self.dims: Mapping[str, int] = dict.fromkeys((*self.modalities, *self.fused), model.architecture.contra_dim)

    @property
    def modalities(self) -> tuple[str, ...]:
        """text, video, audio, subtitle, and depth where the checkpoint has a head for it."""
        return ("text", "video", "audio", "subtitle", *["depth"] * self.model.architecture.depth)

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of every weight file, by its name."""
        return self.report.digests()

    @property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer, looked for when a text is first encoded.

        Raises:
            UserError: It is nowhere.
        """
        if self._tokenizer is None:
            self._tokenizer = self._find_tokenizer()
        return self._tokenizer

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: family, step, hashes of the weights, how media are prepared.

        The weight files are hashed when this is first asked. Without texts the tokenizer plays no part.
        """
        hashes = list(self.sha256.values())
        texts = modalities is None or any(name in _TEXTS for name in modalities)
        return {
            "id": f"{self.model.architecture.family}:{Path(self.spec).resolve().name}",
            "architecture": asdict(self.model.architecture),
            "step": self.report.step,
            "weights_sha256": hashes[0] if len(hashes) == 1 else self.sha256,
            "tokenizer_sha256": self.tokenizer.sha256 if texts else None,
            "precision": self._options.precision,
            "preprocessing": {**asdict(self.preprocessing), **asdict(self._preparer)},
            "assumptions": [*self.assumptions, *(self.tokenizer.doubts if texts else ())],
            "shared_space": self.shared_space,
            **({"stand_ins": sorted(self.stand_ins)} if self.stand_ins else {}),
        }

    def encode(self, inputs: Inputs) -> dict[str, Tensor]:
        """Encode a batch of B items.

        Args:
            inputs: `text` and `subtitle` to B texts; `video` and `depth` to frames [B, n, 3, R, R], `audio` to slices
                [B, m, T, mel], as tensors or as sequences of what `prepare` gives; modalities may be left out.

        Returns:
            Unit vectors, float32 [B, d] on the CPU, for the modalities given, and `va`, `vs`, `vas` where all their
            parts are.

        Raises:
            UserError: The checkpoint has no such modality, or shapes do not fit.
        """
        size = self._check(inputs)
        with torch.inference_mode():
            batches = [self.model.features(self._tokens(part)) for part in self._parts(inputs, size)]
        return {name: torch.cat([found[name].cpu() for found in batches]).clone() for name in batches[0]}

    def condition(self, inputs: Inputs, letters: str) -> Tensor:
        """What a text attends to when it is matched with an item.

        Args:
            inputs: As for `encode`; the modalities of `letters`.
            letters: In the order wanted, of v, a, s, d; for instance `vas`.

        Returns:
            Shape [B, tokens, width], on the device, in the dtype of the weights.

        Raises:
            UserError: An unknown letter, or a modality that is not given.
        """
        return self.conditions(inputs, [letters])[letters]

    def conditions(self, inputs: Inputs, letters: Sequence[str]) -> dict[str, Tensor]:
        """`condition` for several sets of letters, the towers run once.

        Args:
            inputs: As for `encode`.
            letters: For instance `["v", "vas"]`.

        Returns:
            One tensor for each.

        Raises:
            UserError: As `condition`.
        """
        for one in letters:
            if not one or any(CONDITION_LETTERS.get(letter) not in inputs for letter in one):
                known = ", ".join(f"{letter} ({name})" for letter, name in CONDITION_LETTERS.items())
                raise UserError("usage", f"Condition '{one}' needs its modalities among the inputs; letters: {known}.")
        names = {CONDITION_LETTERS[letter] for one in letters for letter in one}
        chosen = {name: given for name, given in inputs.items() if name in names}
        size = self._check(chosen)
        with torch.inference_mode():
            tokens = [self._tokens(part) for part in self._parts(chosen, size)]
            return {one: torch.cat([self.model.condition(t, one) for t in tokens]).clone() for one in letters}

    def match(self, condition: Tensor, texts: Sequence[str]) -> Tensor:
        """Probability that each text belongs to each item, by the matching head.

        Args:
            condition: From `condition`, shape [B, tokens, width].
            texts: n texts.

        Returns:
            Shape [B, n], float32, on the CPU.

        Raises:
            UserError: One text instead of a list of them, or a condition of another shape.
        """
        if isinstance(texts, str):
            raise UserError("usage", "match takes a list of texts; got one text: write [text].")
        _check_texts(texts)
        if not isinstance(condition, Tensor) or not condition.is_floating_point():
            raise UserError("usage", "A condition is a tensor of floats, as condition gives it.")
        hidden = self.model.architecture.text.hidden
        if condition.dim() != 3 or condition.shape[2] != hidden:
            raise UserError("usage", f"A condition is [items, tokens, {hidden}]; got {list(condition.shape)}.")
        if not len(condition) or not len(texts):
            return torch.zeros(len(condition), len(texts))
        tokens = self.tokenizer.encode(list(texts), self.model.architecture.caption_length)
        ids, mask = (torch.from_numpy(part).to(self._device) for part in (tokens.ids, tokens.mask))
        with torch.inference_mode():
            memory = condition.to(self._device, self.model.contra_temp.dtype)
            return self.model.match(memory, ids, mask).cpu().clone()

    def preprocess_video(self, frames: NDArray[np.uint8] | Tensor) -> Tensor:
        """Frames uint8 [n, h, w, 3] -> float32 [n, 3, R, R]; from a longer clip the evaluated number is picked."""
        pixels = np.asarray(frames)
        if pixels.dtype != np.uint8:
            raise UserError("embedding", f"Frames must be uint8 [n, h, w, 3] with values 0 to 255; got {pixels.dtype}.")
        if len(pixels) > self.preprocessing.frames:
            pixels = pixels[middle_of_segment(len(pixels), self.preprocessing.frames)]
        return torch.from_numpy(preprocess_frames(pixels, self._preparer.resolution, self._preparer.transform))

    def preprocess_audio(self, waveform: NDArray[np.float32] | Tensor, rate: int) -> Tensor:
        """One channel of sound [k] at `rate` -> slices float32 [m, T, mel].

        Raises:
            UserError: Several channels, integers, samples that are not finite, a rate that is none, or too short.
        """
        samples = np.asarray(waveform)
        if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UserError(
                "embedding", f"rate is samples per second, {LOWEST_RATE} to {HIGHEST_RATE}, a whole number; got {rate}."
            )
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise UserError(
                "embedding",
                f"Sound must be one channel of float samples [k], full scale at 1; got {samples.dtype} "
                f"{list(samples.shape)}. Average the channels, and divide integers by their full scale.",
            )
        with np.errstate(over="ignore"):
            samples = samples.astype(np.float32)
        if not np.isfinite(samples).all():
            raise UserError("embedding", "Sound holds samples that are NaN or infinite; leave it out.")
        return torch.from_numpy(self._preparer.sound(samples, int(rate)))

    def _check(self, inputs: Inputs) -> int:
        unknown = [name for name in inputs if name not in self.modalities]
        if unknown or not inputs:
            known = ", ".join(self.modalities)
            what = f"cannot encode '{unknown[0]}'" if unknown else "was given nothing to encode"
            raise UserError("embedding", f"{self.spec} {what}. It encodes: {known}.")
        if alone := [name for name, given in inputs.items() if isinstance(given, str)]:
            raise UserError("embedding", f"'{alone[0]}' must be a list of texts; got one text: write [text].")
        if odd := [name for name, given in inputs.items() if not hasattr(given, "__len__")]:
            kind = type(inputs[odd[0]]).__name__
            raise UserError("embedding", f"'{odd[0]}' must be a tensor or a sequence; got {kind}.")
        for name in _TEXTS:
            _check_texts(inputs.get(name, ()))
        sizes = {name: len(given) for name, given in inputs.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise UserError("embedding", f"A batch needs as many inputs of every modality; got {told}.")
        return next(iter(sizes.values()))

    def _parts(self, inputs: Inputs, size: int) -> list[dict[str, Tensor | Sequence[Any]]]:
        """Batches that go through the towers together: single items on a CPU, all on a GPU."""
        step = 1 if self._device.type == "cpu" else max(1, size)
        return [{n: given[k : k + step] for n, given in inputs.items()} for k in range(0, max(1, size), step)]

    def _tokens(self, part: Mapping[str, Tensor | Sequence[Any]]) -> dict[str, Tensor]:
        lengths = dict(zip(_TEXTS, (self._defaults.caption_length, self._defaults.subtitle_length), strict=True))
        found = {}
        for name, given in part.items():
            if name in lengths:
                tokens = self.tokenizer.encode([str(one) for one in given], lengths[name])
                ids, mask = (torch.from_numpy(rows).to(self._device) for rows in (tokens.ids, tokens.mask))
                found[name] = self.model.text_tokens(ids, mask)
            else:
                batch = self._batch(name, given)
                found[name] = self.model.audio_tokens(batch) if name == "audio" else self.model.vision_tokens(batch)
        return found

    def _batch(self, name: str, given: Tensor | Sequence[Any]) -> Tensor:
        a, side = self.model.architecture.audio, self.model.architecture.vision.resolution
        wanted = (a.target_length, a.mel_bins) if name == "audio" else (3, side, side)
        if isinstance(given, Tensor):
            batch = given
        elif len(given):
            batch = torch.stack([torch.as_tensor(one) for one in given])
        else:
            batch = torch.zeros(0, 1, *wanted)
        if not batch.is_floating_point():
            kind = str(batch.dtype).removeprefix("torch.")
            raise UserError(
                "embedding", f"'{name}' must be floats as preprocess_{name} gives them; got {kind}: prepare it first."
            )
        if batch.dim() != 2 + len(wanted) or tuple(batch.shape[2:]) != wanted or not batch.shape[1]:
            raise UserError(
                "embedding", f"'{name}' must be [items, n, {', '.join(map(str, wanted))}]; got {list(batch.shape)}."
            )
        return batch.to(self._device, torch.float32)


def _check_texts(texts: Sequence[Any] | Tensor) -> None:
    if odd := [one for one in texts if not isinstance(one, str)]:
        raise UserError("usage", f"Texts must be str; got {type(odd[0]).__name__}. Leave out what has none.")


def load(argument: str, options: EncoderOptions) -> VastEncoder:
    """Load a checkpoint.

    Args:
        argument: A folder or file, in any layout that `gramcli.encoders.vast.layout` knows.
        options: Frames, device, precision, tokenizer, step, configuration, and whether pickled code may run.

    Returns:
        The encoder.

    Raises:
        UserError: See the readers; no tokenizer is an error only when a text is to be encoded.
    """
    if not argument:
        raise UserError("usage", "Name a checkpoint: a folder with ckpt/model_step_N.pt, or a weight file.")
    check_device(options.device)
    found = find_checkpoint(Path(argument), options.checkpoint_step, options.config)
    architecture, told = _understood(found, options)
    with torch.device("meta"):
        model = VastModel(architecture)
    precision = _PRECISIONS[options.precision]
    report = load_weights(found, model, precision, allow_pickle=options.allow_pickle)
    return VastEncoder(
        argument,
        model.to(options.device),
        lambda: load_tokenizer(
            options.tokenizer,
            found.folders,
            (Path(argument).resolve().parent, Path.cwd()),
            architecture.text.vocab_size,
        ),
        sampling_defaults(found.config, architecture),
        options,
        report,
        told,
    )


def _understood(found: Found, options: EncoderOptions) -> tuple[Architecture, tuple[str, ...]]:
    """Look at names and shapes; what a file that cannot be mapped holds is let go of before it is loaded."""
    files = WeightFiles(found.weights, allow_pickle=options.allow_pickle)
    architecture, assumptions = understand(files, found)
    return architecture, (*files.remarks, *assumptions, *sampling_assumptions(found.config))
