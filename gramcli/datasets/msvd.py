"""MSVD: short YouTube clips with about 40 captions each (Chen and Dolan, ACL 2011)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from gramcli.datasets.benchmark import Annotation, Benchmark, Beside, Protocol
from gramcli.datasets.tree import without_suffix

if TYPE_CHECKING:
    from gramcli.datasets.entries import Entry

_SIZES: Final[tuple[tuple[Literal["train", "val"], int], ...]] = (("train", 1200), ("val", 100))
_TEST: Final = (
    Annotation("msvd_test_multi.csv"),
    Annotation("descs_ret_test.json"),
    Annotation("msvd_ret_test.json"),
    Annotation("raw-captions.pkl", ids=("test_list.txt",)),
    Annotation("raw-captions.json", ids=("test_list.txt",)),
)

_BESIDE: Final = tuple(
    Beside(
        name,
        (
            Annotation(f"msvd_ret_{name}.json"),
            Annotation(f"descs_ret_{name}.json"),
            Annotation("raw-captions.pkl", ids=(f"{name}_list.txt",)),
            Annotation("raw-captions.json", ids=(f"{name}_list.txt",)),
        ),
        n,
    )
    for name, n in _SIZES
)


def _spelled(entry: Entry) -> Entry:
    """Captions that one table writes in a cell, `@` between them, apart."""
    captions = tuple(part.strip() for one in entry.captions for part in one.split("@") if part.strip())
    return replace(entry, id=without_suffix(entry.id), captions=captions)


MSVD: Final = Benchmark(
    name="msvd",
    protocols=(
        Protocol(
            "msvd-all",
            670,
            "The 670 test clips with all their captions (about 40) as positives.",
            _TEST,
            beside=_BESIDE,
        ),
        Protocol(
            "msvd-first-caption",
            670,
            "The 670 test clips, the first caption of each.",
            _TEST,
            captions="first",
            beside=_BESIDE,
        ),
    ),
    id_pattern=r"[\w-]{11}_\d+_\d+|vid\d+",
    layouts=("YouTubeClips/mv89psg6zh4_33_46.avi, or .mp4, in any folder", "Most clips were published without sound."),
    spelled=_spelled,
    source=r"([\w-]{11})_\d+_\d+",
)
