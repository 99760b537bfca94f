"""`st:NAME_OR_PATH`: a model of sentence-transformers as an encoder."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from gramcli.encoders.base import BrokenEncoderError, Preprocessing
from gramcli.encoders.memory import is_out_of_memory
from gramcli.encoders.sentence_transformers.folder import digests
from gramcli.encoders.sentence_transformers.loading import unusable
from gramcli.encoders.sentence_transformers.media import TEXTS, as_decoded, as_taken
from gramcli.encoders.sentence_transformers.sides import SIDES, prompts_by_side, sided
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Prepare
    from gramcli.encoders.huggingface.source import Source

_MODALITIES: Final = ("text", "video", "audio", "subtitle", "image")
_PROBE: Final = "a"
_ALL: Final = 10**9  # dimensions; None would be as many as the model's own settings keep
_AT_RANDOM: Final = ("rand_trunc", "fusion")


class SentenceTransformerEncoder:
    """Embeds what the model says it takes; a model with prompts gives each text a vector as query and as document.

    On a CPU inputs go through the model one at a time, so a row is the same, bit for bit, in any batch.

    Args:
        model: A `SentenceTransformer`, loaded.
        source: Where it lies, and what the user asked for.
        weights: Its weight files.
        spec: What the user wrote.
        truncate_dim: Dimensions that are kept of each vector; None: as the model says.

    Raises:
        UserError: The model takes none of our modalities, or gives fewer dimensions than are to be kept.
    """

    shared_space: bool = True
    stand_ins: Mapping[str, Any] = {}

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - a SentenceTransformer
        source: Source,
        weights: Sequence[Path],
        spec: str,
        truncate_dim: int | None = None,
    ) -> None:
        self.spec, self.model, self._source, self._weights = spec, model, source, list(weights)
        self._kept = truncate_dim or model.truncate_dim
        taken = set(model.modalities) | ({"subtitle"} if "text" in model.modalities else set())
        self._taken = tuple(name for name in _MODALITIES if name in taken)
        if not self._taken:
            raise UserError(
                "checkpoint", f"{spec} takes {', '.join(map(str, model.modalities))}, none of which is known."
            )
        self._labels = {name: _labels(model, name) for name in self._taken}
        dim = self._dimension()
        self.dims: Mapping[str, int] = {label: dim for labels in self._labels.values() for label in labels}
        self.fused: Mapping[str, tuple[str, ...]] = {}
        self.prepare: Prepare = as_decoded
        self.preprocessing = Preprocessing(frames=source.options.frames or 8, sample_rate=_sample_rate(model))
        self.notes = _notes(self)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the model says it takes; a subtitle is a text."""
        return self._taken

    @cached_property
    def sha256(self) -> Mapping[str, str]:
        """Of every weight file, by its path below the model's folder."""
        return digests(self._source, self._weights)

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: modules, prompts, revision, hashes of the weights."""
        hashes = list(self.sha256.values())
        return {
            "id": f"st:{self._source.name}",
            "architecture": _architecture(self.model),
            "revision": self._source.revision,
            "weights_sha256": hashes[0] if len(hashes) == 1 else self.sha256,
            "precision": self._source.options.precision,
            "prompts": prompts_by_side(self.model.prompts),
            "default_prompt": self.model.default_prompt_name,
            "truncate_dim": self._kept,
            "preprocessing": asdict(self.preprocessing),
            "assumptions": list(self.notes),
            "shared_space": self.shared_space,
        }

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode a batch of n items.

        Args:
            inputs: Modality to n inputs: texts, `VideoClip`, `Waveform` or uint8 arrays [h, w, 3].

        Returns:
            Unit rows [n, d], float32 on the CPU: `text`, or `text@query` and `text@document`; so of the others.

        Raises:
            UserError: The model does not take the modality, or the library cannot use an input.
        """
        if unknown := [name for name in inputs if name not in self._taken]:
            known = ", ".join(self._taken)
            raise UserError("embedding", f"{self.spec} cannot encode '{unknown[0]}'. It encodes: {known}.")
        return {
            label: self._rows(name, side, [as_taken(name, one) for one in given])
            for name, given in inputs.items()
            for label, side in self._labels[name].items()
        }

    def _rows(self, name: str, side: str | None, given: Sequence[dict[str, Any]]) -> Tensor:
        step = 1 if self.model.device.type == "cpu" else max(1, len(given))
        rows = [self._batch(name, side, given[k : k + step]) for k in range(0, len(given), step)]
        return torch.cat(rows) if rows else torch.zeros(0, self.dims[_label(name, side)])

    def _batch(self, name: str, side: str | None, given: Sequence[dict[str, Any]]) -> Tensor:
        """Rows of a few inputs of one kind, which the library must take for that kind and no other."""
        kind = "text" if name in TEXTS else name
        batch = [one if self._takes_kinds else one["text"] for one in given]
        how: dict[str, Any] = {"processing_kwargs": {"video": {"do_sample_frames": False}}} if kind == "video" else {}
        call: Callable[..., Any] = {None: self.model.encode, **self._by_side}[side]
        try:
            self._check_kind(batch, kind)
            with _one_seed():
                raw = call(batch, batch_size=len(batch), show_progress_bar=False, convert_to_tensor=True,
                           truncate_dim=self._kept, **how)  # fmt: skip
        except Exception as error:  # of tokenizers, which raise no other, and of processors of any kind
            if is_out_of_memory(error):
                raise
            raise self._refused(name, error) from error
        return torch.nn.functional.normalize(raw.float(), dim=1).cpu().clone()

    @cached_property
    def _by_side(self) -> dict[str | None, Callable[..., Any]]:
        return dict(zip(SIDES, (self.model.encode_query, self.model.encode_document), strict=True))

    @cached_property
    def _takes_kinds(self) -> bool:
        """Whether inputs are given with their kind: a model of texts alone takes every string for a text."""
        return tuple(self._taken) != TEXTS

    def _check_kind(self, batch: Sequence[Any], kind: str) -> None:
        from sentence_transformers.base.modality import infer_batch_modality  # noqa: PLC0415 - loaded by now

        seen = infer_batch_modality(batch, supported_modalities=self.model.modalities)
        if seen != kind:
            raise ValueError(f"the library takes it for {seen}")

    def _refused(self, name: str, error: Exception) -> UserError:
        if isinstance(error, ImportError):
            found = unusable(self.spec, error)
            return BrokenEncoderError(found.kind, found.message)
        said = " ".join(str(error).split())[:300]
        return UserError("embedding", f"{self.spec} cannot encode this {name}: {said or type(error).__name__}")

    def _dimension(self) -> int:
        """Dimensions of its vectors: of a text's, where it takes texts, else as the model says."""
        kept = self._kept
        if kept is not None and (isinstance(kept, bool) or not isinstance(kept, int) or kept < 1):
            raise UserError(
                "checkpoint",
                f"{self.spec}: its config_sentence_transformers.json has truncate_dim={str(kept)[:40]}, where a whole "
                "number from 1 is due. Say how many: st:MODEL:truncate_dim=N.",
            )
        whole = self._width_of_texts() if "text" in self._taken else int(self.model.get_embedding_dimension())
        if kept and kept > whole:
            raise UserError("usage", f"{self.spec}: truncate_dim={kept} keeps more than the {whole} there are.")
        return kept or whole

    def _width_of_texts(self) -> int:
        """Dimensions of one text's vector, the first thing that modules which do not fit each other fail at."""
        given = {"text": _PROBE} if self._takes_kinds else _PROBE
        try:
            with torch.inference_mode():
                found = self.model.encode([given], convert_to_tensor=True, show_progress_bar=False, truncate_dim=_ALL)
                return int(found.shape[1])
        except Exception as error:  # of modules in any order, and of settings that nobody checked
            if is_out_of_memory(error):
                raise
            said = (" ".join(str(error).split()) or type(error).__name__)[:200]
            raise UserError(
                "checkpoint",
                f"{self.spec} gives a text no vector ({type(error).__name__}: {said}): look at the order of its "
                "modules (modules.json) and at their settings, or download the model again.",
            ) from error


@contextmanager
def _one_seed() -> Iterator[None]:
    """Let what a library draws at random be the same for every input, such as which ten seconds of a sound it takes."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - what the libraries use
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - as above
    torch.manual_seed(0)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 - as above
        torch.set_rng_state(before[2])


def _label(name: str, side: str | None) -> str:
    return f"{name}@{side}" if side else name


def _labels(model: Any, name: str) -> dict[str, str | None]:  # noqa: ANN401 - a SentenceTransformer
    """The embeddings made of a modality, with the side each is for."""
    return {_label(name, side): side for side in SIDES} if sided(model, name) else {name: None}


def _extractor(model: Any) -> Any:  # noqa: ANN401 - what prepares the sounds of a SentenceTransformer
    processor = getattr(model[0], "processor", None)
    return getattr(processor, "feature_extractor", processor)


def _sample_rate(model: Any) -> int:  # noqa: ANN401 - a SentenceTransformer
    """The rate the model hears, 16 kHz where it does not say."""
    return int(getattr(_extractor(model), "sampling_rate", None) or 16000)


def _architecture(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a SentenceTransformer
    inner = model.transformers_model
    return {
        "modules": [type(module).__name__ for module in model],
        "model": None if inner is None else type(inner).__name__,
        "max_seq_length": model.max_seq_length,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _notes(encoder: SentenceTransformerEncoder) -> tuple[str, ...]:
    notes, n = [], encoder.preprocessing.frames
    if "video" in encoder.modalities:
        notes.append(
            f"{encoder.spec} sees {n} frames, of the middles of {n} equal parts of each video (--frames); "
            "sentence-transformers alone takes as many as the model's processor asks for."
        )
    if "audio" in encoder.modalities and getattr(_extractor(encoder.model), "truncation", None) in _AT_RANDOM:
        notes.append(
            f"{encoder.spec}: the library draws at random which part of a long sound it takes; here from one seed, so "
            "that a sound has one vector. hf: takes fixed windows."
        )
    return tuple(notes)
