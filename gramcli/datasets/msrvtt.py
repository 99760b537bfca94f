"""MSR-VTT: 10,000 clips of 20 captions each (Xu et al., CVPR 2016)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gramcli.datasets.benchmark import Annotation, Benchmark, Protocol
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
        ),
        Protocol(
            "msrvtt-1k-av",
            None,
            "The clips of msrvtt-1k that have a sound track: 884 in the copy of the GRAM paper, whose loader keeps no "
            "others. A smaller gallery, so its figures are higher than those of msrvtt-1k.",
            _TEST_1K,
            captions="first",
            needs_audio=True,
        ),
        Protocol(
            "msrvtt-1k-20captions",
            1000,
            "The clips of msrvtt-1k with all 20 captions of each as positives.",
            tuple(Annotation(name, ids=_IDS_1K) for name in _ALL_CAPTIONS),
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
