"""The datasets known by name; plug-ins add rows."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from gramcli.catalog import Catalog


@dataclass(frozen=True)
class DatasetRow:
    """One dataset the tool can find its way in.

    Attributes:
        name: The word on the command line (`msrvtt`).
        target: `module:attribute` of a `Benchmark`, or of a function from the root folder (a Path) to a `Dataset`.
        title: Its name in papers.
        tasks: `retrieval`, `classification`.
        splits: Splits with their sizes, as published.
        protocols: Names of its protocols, the default first.
        sizes: Items and captions of each protocol, in the order of `protocols`.
        source: Where annotations and media come from.
        licence: What is to be accepted there, as far as known; the source has the last word.
    """

    name: str
    target: str
    title: str = ""
    tasks: str = "retrieval"
    splits: str = ""
    protocols: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""


_ROWS: Final[tuple[DatasetRow, ...]] = (
    DatasetRow(
        "msrvtt",
        target="gramcli.datasets.msrvtt:MSRVTT",
        title="MSR-VTT",
        splits="train 6,513, validate 497, test 2,990; 1k-A: train 9,000 or 7,010, test 1,000",
        protocols=("msrvtt-1k", "msrvtt-1k-av", "msrvtt-1k-20captions", "msrvtt-full", "msrvtt-1k-7k"),
        sizes=("1,000 x 1", "those with sound x 1", "1,000 x 20", "2,990 x 20", "1,000 x 1"),
        source="Xu et al., CVPR 2016 (Microsoft Research); clips from YouTube",
        licence="research use; the clips stay under YouTube's terms",
    ),
    DatasetRow(
        "didemo",
        target="gramcli.datasets.didemo:DIDEMO",
        title="DiDeMo",
        splits="train 8,395, val 1,065, test 1,004",
        protocols=("didemo-paragraph", "didemo-paragraph-val"),
        sizes=("1,003 or 1,004 x 1", "1,065 x 1"),
        source="https://github.com/LisaAnne/TemporalLanguageRelease; clips from Flickr (YFCC100M)",
        licence="Creative Commons, per clip as its uploader chose",
    ),
    DatasetRow(
        "activitynet",
        target="gramcli.datasets.activitynet:ACTIVITYNET",
        title="ActivityNet Captions",
        splits="train 10,009, val1 4,917, val2 4,885",
        protocols=("activitynet-paragraph", "activitynet-paragraph-val2"),
        sizes=("4,917 x 1", "4,885 x 1"),
        source="https://cs.stanford.edu/people/ranjaykrishna/densevid/; videos from YouTube",
        licence="videos under YouTube's terms; the authors lend missing ones on request",
    ),
    DatasetRow(
        "vatex",
        target="gramcli.datasets.vatex:VATEX",
        title="VATEX",
        splits="train 25,991, validation 3,000 (of them 1,500 test of HGR), public test 6,000",
        protocols=("vatex-first-caption", "vatex-all", "vatex-public-test", "vatex-validation"),
        sizes=("1,500 x 1", "1,500 x 10", "6,000 x 10", "3,000 x 10"),
        source="https://eric-xw.github.io/vatex-website/; clips from YouTube (Kinetics-600)",
        licence="annotations CC BY 4.0; clips under YouTube's terms",
    ),
    DatasetRow(
        "audiocaps",
        target="gramcli.datasets.audiocaps:AUDIOCAPS",
        title="AudioCaps",
        splits="train 49,838, val 495, test 975; fewer where clips are gone",
        protocols=("audiocaps-first-caption", "audiocaps-all", "audiocaps-val"),
        sizes=("729 of 975 x 1", "729 of 975 x 5", "495 x 1"),
        source="https://github.com/cdjkim/audiocaps; sounds from YouTube (AudioSet)",
        licence="captions for academic use; sounds under YouTube's terms",
    ),
    DatasetRow(
        "clotho",
        target="gramcli.datasets.clotho:CLOTHO",
        title="Clotho",
        splits="development 3,839, validation 1,045, evaluation 1,045",
        protocols=("clotho-all", "clotho-first-caption", "clotho-validation"),
        sizes=("1,045 x 5", "1,045 x 1", "1,045 x 5"),
        source="https://zenodo.org/record/4783391; sounds from Freesound",
        licence="captions non-commercial (Tampere University); sounds Creative Commons, per file",
    ),
    DatasetRow(
        "youcook2",
        target="gramcli.datasets.youcook2:YOUCOOK2",
        title="YouCook2",
        splits="train 1,333 videos, validation 457 videos",
        protocols=("youcook2-clips",),
        sizes=("3,216 of 3,492 x 1",),
        source="Zhou et al., AAAI 2018 (University of Michigan); videos from YouTube",
        licence="research use; videos under YouTube's terms",
    ),
    DatasetRow(
        "msvd",
        target="gramcli.datasets.msvd:MSVD",
        title="MSVD",
        splits="train 1,200, val 100, test 670",
        protocols=("msvd-all", "msvd-first-caption"),
        sizes=("670 x about 40", "670 x 1"),
        source="Chen and Dolan, ACL 2011 (Microsoft Research); clips from YouTube",
        licence="research use; clips under YouTube's terms",
    ),
    DatasetRow(
        "vggsound",
        target="gramcli.datasets.vggsound:VGGSOUND",
        title="VGGSound",
        tasks="classification",
        splits="train 183,730, test 15,446",
        protocols=("vggsound-5k", "vggsound-test", "vggsound-all"),
        sizes=("5,000, 309 classes", "15,446, 309 classes", "199,176, 309 classes"),
        source="https://www.robots.ox.ac.uk/~vgg/data/vggsound/; clips from YouTube",
        licence="annotations CC BY 4.0; clips under YouTube's terms",
    ),
)
DATASETS: Final = Catalog("dataset", _ROWS, "gramcli.datasets")


def spelled(name: str) -> str:
    """Return a dataset's name as the catalog spells it; case, hyphens and underscores do not tell two apart.

    Args:
        name: As typed; returned as it is where no dataset is called so.

    Example:
        >>> spelled("MSR-VTT"), spelled("Youcook2"), spelled("nothing")
        ('msrvtt', 'youcook2', 'nothing')
    """
    known = known_names()
    folded = {_folded(one): one for one in known}
    return name if name in known else folded.get(_folded(name), name)


def _folded(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


def known_names() -> list[str]:
    """Names of the datasets that can be opened by name, plug-ins included."""
    return [*DATASETS.names(), *(point.name for point in entry_points(group=DATASETS.group))]
