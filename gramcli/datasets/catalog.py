"""The datasets known by name. None yet: benchmarks and plug-ins add rows."""

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
        target: `module:function` of a function from the root folder (a Path) to a `Dataset`.
        about: One line for the table of datasets.
    """

    name: str
    target: str
    about: str = ""


_ROWS: Final[tuple[DatasetRow, ...]] = ()
DATASETS: Final = Catalog("dataset", _ROWS, "gramcli.datasets")


def known_names() -> list[str]:
    """Names of the datasets that can be opened by name, plug-ins included."""
    return [*DATASETS.names(), *(point.name for point in entry_points(group=DATASETS.group))]
