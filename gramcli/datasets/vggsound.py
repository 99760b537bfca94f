"""VGGSound: ten-second clips labelled with one of 309 sounds (Chen et al., ICASSP 2020)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.matching import times
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_COLUMNS: Final = ("youtube_id", "start_s", "label", "split")
_TABLE: Final = Annotation("vggsound.csv", splits=("test",), header=_COLUMNS)
_BESIDE: Final = (
    Beside(
        "train", (Annotation("descs_ret_train.json"), Annotation("vggsound.csv", splits=("train",), header=_COLUMNS))
    ),
)


def _spelled(entry: Entry) -> Entry:
    """`YTID_000030`; the label is the caption where a file has captions only, and has none to retrieve."""
    name = without_suffix(entry.id)
    found = times(name)
    if found:
        name = f"{found[0]}_{found[1]:06.0f}"
    elif entry.start is not None:
        name = f"{name}_{entry.start:06.0f}"
    return replace(entry, id=name, captions=(), label=entry.label or next(iter(entry.captions), None))


VGGSOUND: Final = Benchmark(
    name="vggsound",
    protocols=(
        Protocol(
            "vggsound-5k",
            5000,
            "Classification of 5,000 test clips (309 or 310 labels), the list that VAST and GRAM evaluate.",
            (Annotation("descs_ret_test.json"), Annotation("vggsound_5k.json"), Annotation("vggsound_5k.csv")),
            beside=_BESIDE,
        ),
        Protocol(
            "vggsound-test",
            None,
            "Classification of all test clips (15,446 by the published list).",
            (_TABLE,),
            beside=_BESIDE,
        ),
        Protocol(
            "vggsound-all",
            None,
            "Train and test clips with their splits, for k-nearest neighbours and linear probes.",
            (Annotation("vggsound.csv", header=_COLUMNS),),
        ),
    ),
    id_pattern=r"[\w-]{11}_\d{6}",
    source=r"([\w-]{11})_\d{6}",
    layouts=(
        "---g-f_I2yQ_000001.mp4; also ---g-f_I2yQ_1.mp4, ---g-f_I2yQ_1_11.mp4, ---g-f_I2yQ_1000_11000.flac",
        "A folder per class (test/dog barking/x.mp4) needs no annotation: make a manifest, or embed the folder.",
    ),
    spelled=_spelled,
)
