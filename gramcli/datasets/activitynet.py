"""ActivityNet Captions: long videos whose events are described; for retrieval, one paragraph per video.

Source: Krishna et al., ICCV 2017; paragraph retrieval as in Zhang et al., ECCV 2018.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_TRAIN: Final = Beside(
    "train", (Annotation("descs_ret_train.json"), Annotation("anet_ret_train.json"), Annotation("train.json")), 10009
)


def _spelled(entry: Entry) -> Entry:
    """`v_` and the YouTube id: some copies leave `v_` out, and YouTube ids of their own never have 13 letters."""
    name = without_suffix(entry.id)
    return replace(entry, id=name if len(name) == 13 else f"v_{name}")


ACTIVITYNET: Final = Benchmark(
    name="activitynet",
    protocols=(
        Protocol(
            "activitynet-paragraph",
            4917,
            "Paragraph retrieval on val1: the descriptions of a video's events joined in order (4,917 videos).",
            (
                Annotation("descs_ret_test.json"),
                Annotation("anet_ret_val_1.json"),
                Annotation("val_1.json", split="test"),
            ),
            captions="joined",
            beside=(_TRAIN,),
        ),
        Protocol(
            "activitynet-paragraph-val2",
            None,
            "The same on val2, another set of descriptions for nearly the same videos (4,885); its figures are not "
            "comparable with those of val1.",
            (Annotation("val_2.json"),),
            captions="joined",
            beside=(_TRAIN,),
        ),
    ),
    id_pattern=r"v_[\w-]{11}",
    layouts=("v_uqiMw7tQ1Cc.mp4 or uqiMw7tQ1Cc.mp4, .mkv, .webm in any folder",),
    folders=("anet",),
    spelled=_spelled,
)
