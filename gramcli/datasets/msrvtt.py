"""MSR-VTT: 10,000 clips of 20 captions each (Xu et al., CVPR 2016)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_TEST_1K: Final = (
    Annotation("descs_ret_test.json"),
    Annotation("MSRVTT_JSFUSION_test.csv"),
    Annotation("msrvtt_ret_test1k.json"),
    Annotation("msrvtt_test1k.json"),
    Annotation("test1ka.jsonl"),
    Annotation("descs_ret_test_audcap*.json"),
    Annotation("*msr*vtt*1k*.parquet"),
)
_IDS_1K: Final = (
    "val_list_jsfusion.txt",
    "MSRVTT_JSFUSION_test.csv",
    "descs_ret_test.json",
    "msrvtt_ret_test1k.json",
    "msrvtt_test1k.json",
)
_ALL_CLIPS: Final = ("MSRVTT_data.json", "MSR_VTT.json", "raw-captions.pkl")
_TRAIN_9K: Final = Beside(
    "train",
    (
        Annotation("descs_ret_train.json"),
        Annotation("msrvtt_ret_train9k.json"),
        Annotation("train9k.jsonl"),
        *(Annotation(name, ids=("MSRVTT_train.9k.csv", "train_list_jsfusion.txt")) for name in _ALL_CLIPS),
        Annotation("MSRVTT_data.json", untested=True),  # what is not tested is what the list of 9,000 holds
        Annotation("unique_descs_ret_train.json"),
    ),
    9000,
)
_TRAIN_7K: Final = Beside(
    "train",
    (
        Annotation("msrvtt_ret_train7k.json"),
        *(Annotation(name, ids=("MSRVTT_train.7k.csv",)) for name in _ALL_CLIPS),
        Annotation("MSRVTT_data.json", splits=("train", "validate")),
        Annotation("train_val_videodatainfo.json"),
    ),
    7010,
)
_OFFICIAL: Final = (
    Beside(
        "train",
        (
            Annotation("descs_cap_train.json"),
            Annotation("MSRVTT_data.json", splits=("train",)),
            Annotation("train_val_videodatainfo.json", splits=("train",)),
        ),
        6513,
    ),
    Beside(
        "val",
        (
            Annotation("MSRVTT_data.json", splits=("validate",)),
            Annotation("train_val_videodatainfo.json", splits=("validate",)),
        ),
        497,
    ),
)
_ALL_CAPTIONS: Final = ("descs_cap_test.json", "MSRVTT_data.json", "MSR_VTT.json", "raw-captions.pkl")


def _spelled(entry: Entry) -> Entry:
    """`video7010`, whether a file says so, `video7010.mp4` or `7010`."""
    name = without_suffix(entry.id)
    return replace(entry, id=f"video{name}" if name.isdecimal() else name)


MSRVTT: Final = Benchmark(
    name="msrvtt",
    protocols=(
        Protocol(
            "msrvtt-1k",
            1000,
            "The 1,000 clips of the split 1k-A (JSFusion), one caption each. Clips without sound keep their other "
            "modalities. What most papers call MSR-VTT.",
            _TEST_1K,
            captions="first",
            beside=(_TRAIN_9K,),
        ),
        Protocol(
            "msrvtt-1k-av",
            None,
            "The clips of msrvtt-1k that have a sound track: 884 in the copy of the GRAM paper, whose loader keeps no "
            "others. A smaller gallery, so its figures are higher than those of msrvtt-1k.",
            _TEST_1K,
            captions="first",
            beside=(_TRAIN_9K,),
            needs_audio=True,
        ),
        Protocol(
            "msrvtt-1k-20captions",
            1000,
            "The clips of msrvtt-1k with all 20 captions of each as positives.",
            tuple(Annotation(name, ids=_IDS_1K) for name in _ALL_CAPTIONS),
            beside=(_TRAIN_9K,),
        ),
        Protocol(
            "msrvtt-full",
            2990,
            "The official test split: 2,990 clips with 20 captions each.",
            (
                Annotation("descs_cap_test.json"),
                Annotation("MSRVTT_data.json", splits=("test",)),
                Annotation("test_videodatainfo.json"),
            ),
            beside=_OFFICIAL,
        ),
        Protocol(
            "msrvtt-1k-7k",
            1000,
            "The clips of msrvtt-1k, and recorded as that; trained on are the 7,010 clips of the official train and "
            "validation splits, not the 9,000 that are not tested.",
            _TEST_1K,
            captions="first",
            beside=(_TRAIN_7K,),
            same_as="msrvtt-1k",
        ),
    ),
    id_pattern=r"video\d+",
    layouts=(
        "videos/all/video7010.mp4 (VAST, GRAM); any folder of video7010.mp4, .webm, .avi, ...",
        "TestVideo/video7010.mp4 beside TestAudio/video7010.wav, .mp3, .mkv or without suffix",
        "Without a folder of sounds the videos' own tracks are used.",
    ),
    folders=("msr-vtt", "msr_vtt"),
    spelled=_spelled,
)
