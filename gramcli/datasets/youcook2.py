"""YouCook2: steps of cooking videos, one sentence each (Zhou et al., AAAI 2018)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry


def _spelled(entry: Entry) -> Entry:
    return replace(entry, id=without_suffix(entry.id))


YOUCOOK2: Final = Benchmark(
    name="youcook2",
    protocols=(
        Protocol(
            "youcook2-clips",
            None,
            "The steps of the validation videos, each an item with its one sentence: 3,216 in GRAM's copy, up to 3,492 "
            "where all videos are still on YouTube.",
            (
                Annotation("descs_ret_test.json"),
                Annotation("descs_cap_test.json"),
                Annotation("youcookii_annotations_trainval.json", splits=("validation", "val")),
            ),
            beside=(
                Beside(
                    "train",
                    (
                        Annotation("descs_ret_train.json"),
                        Annotation("descs_cap_train.json"),
                        Annotation("youcookii_annotations_trainval.json", splits=("training", "train")),
                    ),
                ),
            ),
        ),
    ),
    id_pattern=r"(?!.*_\d{6}_\d{6}$)[\w-]{11}_\d+_\d+",
    layouts=(
        "xHr8X2Wpmno_47_60.mp4: one file per step, times in whole seconds (also xHr8X2Wpmno_000047_000060.mp4)",
        "Whole videos (xHr8X2Wpmno.mp4) must be cut into steps first: a step is never answered by its whole video.",
    ),
    folders=("youcook",),
    spelled=_spelled,
    source=r"([\w-]{11})_\d+_\d+",
)
