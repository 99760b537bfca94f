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
        protocols=("msrvtt-1k", "msrvtt-1k-av", "msrvtt-1k-20captions", "msrvtt-full"),
        sizes=("1,000 x 1", "those with sound x 1", "1,000 x 20", "2,990 x 20"),
        source="Xu et al., CVPR 2016, Microsoft Research; videos from YouTube",
        licence="research use; the videos stay under YouTube's terms",
    ),
)
DATASETS: Final = Catalog("dataset", _ROWS, "gramcli.datasets")


def known_names() -> list[str]:
    """Names of the datasets that can be opened by name, plug-ins included."""
    return [*DATASETS.names(), *(point.name for point in entry_points(group=DATASETS.group))]
