"""VATEX: ten-second clips of Kinetics-600 with ten English captions each (Wang et al., ICCV 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_TEST_1500: Final = (Annotation("descs_ret_test.json"), Annotation("vatex_ret_test.json"))
_TRAIN: Final = Beside(
    "train",
    (
        Annotation("descs_ret_train.json"),
        Annotation("vatex_en_ret_train.json"),
        Annotation("vatex_training_v1*.json"),
    ),
    25991,
)
# The public validation set: its other half where a half of it is tested.
_VAL: Final = Beside("val", (Annotation("vatex_validation_v1*.json"),), 3000)
_OTHER_HALF: Final = Beside("val", (Annotation("vatex_validation_v1*.json", untested=True),), 1500)


def _spelled(entry: Entry) -> Entry:
    return replace(entry, id=without_suffix(entry.id))


VATEX: Final = Benchmark(
    name="vatex",
    protocols=(
        Protocol(
            "vatex-first-caption",
            1500,
            "The 1,500 test clips of the HGR split (half of the public validation set), the first caption of each: "
            "what the loaders of VAST and GRAM evaluate.",
            _TEST_1500,
            captions="first",
            beside=(_TRAIN, _OTHER_HALF),
        ),
        Protocol(
            "vatex-all",
            1500,
            "The same clips with all ten captions as positives.",
            _TEST_1500,
            beside=(_TRAIN, _OTHER_HALF),
        ),
        Protocol(
            "vatex-public-test",
            6000,
            "The public test set, ten captions each.",
            (Annotation("vatex_public_test_english_v1*.json"),),
            beside=(_TRAIN, _VAL),
        ),
        Protocol(
            "vatex-validation",
            3000,
            "The public validation set, ten captions each.",
            (Annotation("vatex_validation_v1*.json", split="val"),),
        ),
    ),
    id_pattern=r"[\w-]{11}_\d{6}_\d{6}",
    spelled=_spelled,
    source=r"([\w-]{11})_\d{6}_\d{6}",
    layouts=(
        "G9zN5TTuGO4_000179_000189.mp4; G9zN5TTuGO4_179_189.mp4; G9zN5TTuGO4.mp4, where that names one clip only",
        "Videos that are gone from YouTube are common: items without a file are named, and the figure states its n.",
    ),
)
