"""Clotho: sounds of Freesound, 15 to 30 seconds long, with five captions each (Drossos et al., ICASSP 2020)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_EVALUATION: Final = (
    Annotation("clotho_captions_evaluation.csv"),
    Annotation("retrieval_captions.csv"),
    Annotation("descs_ret_test.json"),
)
_BESIDE: Final = (
    Beside("train", (Annotation("clotho_captions_development.csv"), Annotation("descs_ret_train.json")), 3839),
    Beside("val", (Annotation("clotho_captions_validation.csv"), Annotation("descs_ret_val.json")), 1045),
)


def _spelled(entry: Entry) -> Entry:
    return replace(entry, id=without_suffix(entry.id))


CLOTHO: Final = Benchmark(
    name="clotho",
    protocols=(
        Protocol(
            "clotho-all",
            1045,
            "The evaluation split, 1,045 sounds with five captions each.",
            _EVALUATION,
            beside=_BESIDE,
        ),
        Protocol(
            "clotho-first-caption",
            1045,
            "The evaluation split, the first caption of each sound.",
            _EVALUATION,
            captions="first",
            beside=_BESIDE,
        ),
        Protocol(
            "clotho-validation",
            None,
            "The validation split of version 2, five captions each.",
            (Annotation("clotho_captions_validation.csv", split="val"),),
        ),
    ),
    id_pattern=r"(?![\w-]{11}_\d+(?:\.\d+)?_\d+|video\d+$|v_[\w-]{11}$|\d+@N).+",
    layouts=("evaluation/Santa Motor.wav: names with spaces and punctuation, as in the CSV, or with _ in their place",),
    media="audio",
    spelled=_spelled,
)
