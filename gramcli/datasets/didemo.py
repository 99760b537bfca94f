"""DiDeMo: Flickr clips whose moments are described; as a retrieval set each clip's descriptions are one paragraph.

Source: Anne Hendricks et al., ICCV 2017; paragraphs as in Liu et al., BMVC 2019 (Collaborative Experts).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_TRAIN: Final = Beside(
    "train", (Annotation("descs_ret_train.json"), Annotation("didemo_ret_train.json"), Annotation("train_data.json"))
)
_VAL: Final = Beside(
    "val", (Annotation("descs_ret_val.json"), Annotation("didemo_ret_val.json"), Annotation("val_data.json"))
)


def _spelled(entry: Entry) -> Entry:
    """The id without the suffix of the original upload, which files of all other kinds leave out."""
    stem, dot, suffix = entry.id.rpartition(".")
    return replace(entry, id=stem if dot and suffix.isalnum() and len(suffix) <= 4 else entry.id)


DIDEMO: Final = Benchmark(
    name="didemo",
    protocols=(
        Protocol(
            "didemo-paragraph",
            None,
            "Paragraph retrieval: all descriptions of a test clip joined in file order. 1,003 or 1,004 clips, "
            "as some copies leave out clips that do not decode.",
            (Annotation("descs_ret_test.json"), Annotation("didemo_ret_test.json"), Annotation("test_data.json")),
            captions="joined",
            beside=(_TRAIN, _VAL),
        ),
        Protocol(
            "didemo-paragraph-val",
            None,
            "The same for the validation split.",
            (Annotation("descs_ret_val.json", split="val"), Annotation("val_data.json", split="val")),
            captions="joined",
        ),
    ),
    id_pattern=r"\d+@N\d+_\d+_[0-9a-f]+",
    layouts=(
        "26292851@N04_4253489686_265c3c8051.mp4, .avi, .mov, ... in any folder",
        "A folder of sounds of the same names, or the videos' own tracks.",
    ),
    spelled=_spelled,
)
