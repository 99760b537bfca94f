"""AudioCaps: ten-second sounds of AudioSet with five captions each in the test split (Kim et al., NAACL 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.matching import times
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_SECONDS: Final = 10.0
_TEST: Final = (
    Annotation("descs_ret_test.json"),
    Annotation("audiocaps_test.tsv"),
    Annotation("audiocaps_test.csv"),
    Annotation("test.csv"),
)
_BESIDE: Final = (
    Beside(
        "train",
        (
            Annotation("descs_ret_train.json"),
            Annotation("audiocaps_train.tsv"),
            Annotation("audiocaps_train.csv"),
            Annotation("train.csv"),
            Annotation("descs_ret_trainval.json"),
        ),
    ),
    Beside(
        "val",
        (
            Annotation("descs_ret_val.json"),
            Annotation("audiocaps_val.tsv"),
            Annotation("audiocaps_val.csv"),
            Annotation("val.csv"),
        ),
    ),
)


def _spelled(entry: Entry) -> Entry:
    """`GOD8Bt5LfDE_100.000_110.000`, also where a file names the YouTube id and the start only."""
    name = without_suffix(entry.id)
    found = times(name)
    if found is None and entry.start is not None:
        found = (name, entry.start, entry.start + _SECONDS)
    if found is None:
        return replace(entry, id=name)
    base = found[0][1:] if len(found[0]) == 12 and found[0].startswith("Y") else found[0]
    return replace(entry, id=f"{base}_{found[1]:.3f}_{found[2]:.3f}")


AUDIOCAPS: Final = Benchmark(
    name="audiocaps",
    protocols=(
        Protocol(
            "audiocaps-first-caption",
            None,
            "The test sounds, the first of their five captions: what the loaders of VAST and GRAM evaluate. 729 sounds "
            "in GRAM's copy; 665 to 975 elsewhere, as clips disappear from YouTube.",
            _TEST,
            captions="first",
            beside=_BESIDE,
        ),
        Protocol("audiocaps-all", None, "The test sounds with all five captions as positives.", _TEST, beside=_BESIDE),
        Protocol(
            "audiocaps-val",
            None,
            "The validation sounds, which have one caption each in the first release.",
            (Annotation("descs_ret_val.json", split="val"), Annotation("val.csv", split="val")),
        ),
    ),
    id_pattern=r"[\w-]{11}_\d+\.\d{3}_\d+\.\d{3}",
    layouts=(
        "GOD8Bt5LfDE_100.000_110.000.wav, GOD8Bt5LfDE_100.wav, GOD8Bt5LfDE_100000_110000.flac, YGOD8Bt5LfDE.wav",
        "Videos of the same names: their own tracks are the sounds.",
    ),
    media="audio",
    source=r"([\w-]{11})_\d+\.\d{3}_\d+\.\d{3}",
    spelled=_spelled,
)
