"""CLAP: texts and sounds in one space, the same vector every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from gramcli.encoders.base import EncoderOptions, Preprocessing
from gramcli.encoders.huggingface.clap_sound import MOST_WINDOWS, ClapPrepare, ClapSound, clap_prepare
from gramcli.encoders.huggingface.loading import transformers_library
from gramcli.encoders.huggingface.pictures import vectors
from gramcli.encoders.huggingface.sound import whole
from gramcli.encoders.huggingface.text import TextRule, longest
from gramcli.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from gramcli.encoders.huggingface.source import Source

_LONGEST_TEXT: Final = 77

_WINDOWS: Final = (
    "Of a sound longer than {seconds:g} s the vector is the mean over windows of {seconds:g} s that cover it evenly "
    f"(at most {MOST_WINDOWS}); the authors' code takes one window at random."
)
_FUSED: Final = (
    "A sound longer than {seconds:g} s is heard whole, squeezed, and through the middle windows of its three thirds; "
    "the authors' code takes three at random."
)
_ROUNDED: Final = (
    "Sounds are rounded to 16 bits first, as the authors' code does in training and evaluation; transformers does not."
)
_CUT: Final = f"Texts are cut after {_LONGEST_TEXT} tokens, as in training."


class ClapFamily:
    """A loaded CLAP.

    Args:
        model: `ClapModel` of transformers.
        source: Where its tokenizer is.
        prepare: What is done to its sounds.
        rate: Samples per second it hears.
    """

    modalities: tuple[str, ...] = ("text", "audio", "subtitle")
    fused: Mapping[str, tuple[str, ...]] = {}
    shared_space = True

    def __init__(self, model: Any, source: Source, prepare: ClapPrepare, rate: int) -> None:  # noqa: ANN401 - no types
        self._model, self._source = model, source
        tower = model.config.text_config
        self._text = TextRule(min(_LONGEST_TEXT, longest(source, tower)), int(tower.vocab_size))
        self.prepare = prepare
        self.preprocessing = Preprocessing(sample_rate=rate)
        self.dims: Mapping[str, int] = dict.fromkeys(self.modalities, int(model.config.projection_dim))
        seconds = prepare.window / rate
        longer = (_FUSED if prepare.truncation == "fusion" else _WINDOWS).format(seconds=seconds)
        self.notes: tuple[str, ...] = (longer, _ROUNDED, _CUT)
        self.facts: Mapping[str, Any] = {
            "windows": {"seconds": seconds, "most": MOST_WINDOWS, "truncation": prepare.truncation},
            "padding": prepare.padding,
            "rounding": "16 bits",
            "text": vars(self._text),
        }

    def features(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
        """Encode B items.

        Args:
            inputs: Texts as `str`, sounds as `ClapSound`.

        Returns:
            Vectors [B, d] by modality.
        """
        return {
            modality: self._sounds(given) if modality == "audio" else self._texts(given)
            for modality, given in inputs.items()
        }

    def _texts(self, texts: Sequence[str]) -> Tensor:
        tokens = self._text.tokens(self._source, texts, self._model.device)
        return vectors(self._model.get_text_features(**tokens), self._source)

    def _sounds(self, sounds: Sequence[ClapSound]) -> Tensor:
        """Mean of the unit vectors of a sound's windows."""
        mels = torch.from_numpy(np.concatenate([sound.mels for sound in sounds])).to(
            self._model.device, self._model.dtype
        )
        counts = [len(sound.mels) for sound in sounds]
        longer = torch.tensor([[sound.longer] for sound, n in zip(sounds, counts, strict=True) for _ in range(n)])
        found = self._model.get_audio_features(input_features=mels, is_longer=longer.to(mels.device))
        heard = vectors(found, self._source)
        units = torch.nn.functional.normalize(heard.float(), dim=-1)
        return torch.stack([windows.mean(dim=0) for windows in torch.split(units, counts)])


def build(source: Source, options: EncoderOptions) -> ClapFamily:
    """Load a CLAP of transformers (`laion/clap-htsat-fused`, `-unfused`, `larger_clap_*`).

    Raises:
        UserError: transformers is not installed, the model's files cannot be read, or its sounds are prepared for
            another model than its own.

    Source: Wu et al., arXiv:2211.06687; reference code LAION-AI/CLAP.
    """
    transformers_library()
    settings = source.processor("feature_extractor", needed=True)
    prepare = clap_prepare(settings)
    fusion = bool(source.config.get("audio_config", {}).get("enable_fusion", False))
    if fusion != (prepare.truncation == "fusion"):
        raise UserError(
            "checkpoint",
            f"preprocessor_config.json of {source.folder} cuts sounds by {prepare.truncation}, but its model is "
            f"{'one' if fusion else 'none'} of fusion (enable_fusion). Take both files from one model.",
        )
    rate = whole(settings, "sampling_rate", 48000)
    return ClapFamily(source.load("ClapModel"), source, prepare, rate)
