"""VATEX: ten-second clips of Kinetics-600 with ten English captions each (Wang et al., ICCV 2019)."""

from __future__ import annotations

from typing import Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Protocol

_TEST_1500: Final = (Annotation("descs_ret_test.json"), Annotation("vatex_ret_test.json"))

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
        ),
        Protocol(
            "vatex-all",
            1500,
            "The same clips with all ten captions as positives.",
            _TEST_1500,
        ),
        Protocol(
            "vatex-public-test",
            6000,
            "The public test set, ten captions each.",
            (Annotation("vatex_public_test_english_v1*.json"),),
        ),
        Protocol(
            "vatex-validation",
            3000,
            "The public validation set, ten captions each.",
            (Annotation("vatex_validation_v1*.json", split="val"),),
        ),
    ),
    id_pattern=r"[\w-]{11}_\d{6}_\d{6}",
    layouts=(
        "G9zN5TTuGO4_000179_000189.mp4; G9zN5TTuGO4_179_189.mp4; G9zN5TTuGO4.mp4, where that names one clip only",
        "Videos that are gone from YouTube are common: items without a file are named, and the figure states its n.",
    ),
)
