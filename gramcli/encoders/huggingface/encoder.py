"""A model of Hugging Face as an encoder: one item at a time on a CPU, unit vectors, and what a store records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gramcli.encoders.base import BrokenEncoderError, EncoderOptions, Prepare, Preprocessing
from gramcli.encoders.huggingface.families import OTHERS, build_of, family_of
from gramcli.encoders.huggingface.family import Family
from gramcli.encoders.huggingface.hub import open_source
from gramcli.encoders.huggingface.source import Source
from gramcli.encoders.huggingface.weights import find_weights
from gramcli.encoders.memory import is_out_of_memory
from gramcli.encoders.vast.tensors import file_sha256
from gramcli.errors import UserError
from gramcli.files.reading import stamp

_AUTOCAST: Final = {"bf16": torch.bfloat16, "fp16": torch.float16}
_LONGEST: Final = 300
_TEXTS: Final = ("text", "subtitle")
_TOKENIZERS: Final = ("tokenizer.json", "spiece.model", "vocab.json", "vocab.txt")


class HuggingFaceEncoder:
    """A family of models wrapped to what the pipeline asks of an encoder; `load` makes one.

    On a CPU items go through the towers one by one, so that a row has the same bits in any batch; on a GPU they go
    together, padded with masks, and rows agree to the rounding of its arithmetic.

    Attributes:
        spec: What the user wrote.
        shared_space: Whether its vectors can be compared across modalities.
        preprocessing: How media are decoded for it.
        prepare: What the workers do to decoded media.
        dims: Every embedding and its dimension.
        fused: Those made of several inputs.
        notes: What a user should know of it, one sentence each.
        family: The towers.
        source: Where it was loaded from.
    """

    stand_ins: Mapping[str, Any] = {}

    def __init__(self, spec: str, source: Source, family: Family, options: EncoderOptions) -> None:
        self.spec, self.source, self.family, self._options = spec, source, family, options
        self._device = torch.device(options.device)
        self.shared_space: bool = family.shared_space
        self.preprocessing: Preprocessing = family.preprocessing
        self.prepare: Prepare = family.prepare
        self.dims: Mapping[str, int] = family.dims
        self.fused: Mapping[str, tuple[str, ...]] = family.fused
        self.notes: tuple[str, ...] = family.notes
        files = find_weights(source.folder, allow_pickle=options.allow_pickle).files
        self._files = {path: stamp(path) for path in files}

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inputs it takes."""
        return self.family.modalities

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of every weight file, by its name.

        Raises:
            UserError: A file is no longer the one that was loaded.
        """
        found = {path.name: file_sha256(path) for path in self._files}
        for path, before in self._files.items():
            if stamp(path) != before:
                raise UserError("checkpoint", f"{path} changed after it was loaded. Run the command again.")
        return found

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: name and commit, kind, hashes, how inputs are prepared.

        The weight files are hashed when this is first asked. Without texts the tokenizer plays no part.
        """
        hashes = list(self.sha256.values())
        texts = modalities is None or any(name in _TEXTS for name in modalities)
        return {
            "id": f"hf:{self.source.name}",
            "architecture": str(self.source.config.get("model_type")),
            "revision": self.source.revision,
            "weights_sha256": hashes[0] if len(hashes) == 1 else self.sha256,
            "tokenizer_sha256": self._tokenizer_sha256() if texts else None,
            "precision": self._options.precision,
            "preprocessing": {**asdict(self.preprocessing), **self.family.facts},
            "assumptions": list(self.notes),
            "shared_space": self.shared_space,
        }

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode a batch of B items.

        Args:
            inputs: `text` and `subtitle` to B texts; media to B of what `prepare` gives; modalities may be left out.

        Returns:
            Unit vectors, float32 [B, d] on the CPU, of every embedding made of the modalities given.

        Raises:
            UserError: The model has no such modality, or the inputs cannot be used.
        """
        return self._rows(inputs, unit)

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """As `encode`, before rows are brought to unit length: what `gram doctor` shows the lengths of.

        Args:
            inputs: As for `encode`.

        Returns:
            Rows as the model gives them, float32 [B, d] on the CPU.

        Raises:
            UserError: As `encode`.
        """
        return self._rows(inputs, lambda rows: rows.float().cpu())

    def _rows(self, inputs: Mapping[str, Sequence[Any]], finish: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        size = self._check(inputs)
        step = 1 if self._device.type == "cpu" else max(1, size)
        if not size:
            return {name: torch.zeros(0, dim) for name, dim in self.dims.items() if name.partition("@")[0] in inputs}
        with torch.inference_mode(), self._autocast():
            found = [
                self._features({name: given[k : k + step] for name, given in inputs.items()})
                for k in range(0, size, step)
            ]
            return {name: torch.cat([finish(one[name]) for one in found]).clone() for name in found[0]}

    def _features(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Tensor]:
        """What the family gives; what the library raises means that the files of the model do not fit each other."""
        try:
            return self.family.features(inputs)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            said = (" ".join(str(error).split()) or type(error).__name__)[:_LONGEST].rstrip(".")
            raise BrokenEncoderError(
                "checkpoint",
                f"{self.spec} cannot encode {' and '.join(inputs)} as its files have them prepared: {said}. "
                "Look at its preprocessor and tokenizer beside config.json; --debug shows where.",
            ) from error

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = _AUTOCAST.get(self._options.precision)
        return torch.autocast(self._device.type, dtype) if dtype else nullcontext()

    def _tokenizer_sha256(self) -> str | None:
        self.source.tokenizer()  # says what is wrong with it, where something is
        found = next((name for name in _TOKENIZERS if self.source.has(name)), None)
        return file_sha256(self.source.folder / found) if found else None

    def _check(self, inputs: Mapping[str, Sequence[Any]]) -> int:
        unknown = [name for name in inputs if name not in self.modalities]
        if unknown or not inputs:
            what = f"cannot encode '{unknown[0]}'" if unknown else "was given nothing to encode"
            raise UserError("embedding", f"{self.spec} {what}. It encodes: {', '.join(self.modalities)}.")
        if alone := [name for name, given in inputs.items() if isinstance(given, str)]:
            raise UserError("embedding", f"'{alone[0]}' must be a list of texts; got one text: write [text].")
        for name in _TEXTS:
            if odd := [one for one in inputs.get(name, ()) if not isinstance(one, str)]:
                raise UserError("usage", f"Texts must be str; got {type(odd[0]).__name__}. Leave out what has none.")
        sizes = {name: len(given) for name, given in inputs.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise UserError("embedding", f"A batch needs as many inputs of every modality; got {told}.")
        return next(iter(sizes.values()))


def unit(rows: Tensor) -> Tensor:
    """Rows of unit length, float32 on the CPU; a row of zeros stays one."""
    return normalize(rows.float(), dim=-1).cpu()


def load(argument: str, options: EncoderOptions) -> HuggingFaceEncoder:
    """Load a model.

    Args:
        argument: A folder, or a name of the hub: `org/name` or `org/name@REVISION`.
        options: Frames, device, precision, compilation, and whether pickled weights may be loaded.

    Returns:
        The encoder.

    Raises:
        UserError: It is not there, of no family that is known, damaged, or transformers is not installed.
    """
    source = open_source(argument, options)
    row = family_of(source.config) or OTHERS
    return HuggingFaceEncoder(f"hf:{argument}", source, build_of(row)(source, options), options)
