"""The rows and notes of geometry as they come in: values, their intervals, and why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.geometry.catalog import NEED_VARIATION
from gramcli.metrics.geometry.rows import mean_interval
from gramcli.results.records import ResultRow

METHOD: Final = "geometry"
STAGE: Final = "raw"
_NO_WIDTH: Final = 1e-9

Interval = tuple[float, float]


@dataclass
class GeometryRows:
    """Figures, and sentences about those that are undefined.

    Attributes:
        results: One row per figure.
        notes: In the order they came up.
    """

    results: list[ResultRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def measured(
        self,
        task: str,
        metric: str,
        n: int,
        measure: Callable[[], float | Tensor | None],
        interval: Callable[[], Interval | None] | None = None,
        *,
        still: str | None = None,
    ) -> None:
        """Add a figure; one that is undefined for these rows is None, with a note.

        Args:
            task: Modality or pair.
            metric: As in the catalog.
            n: Rows it is measured over.
            measure: Gives the figure, or one number per item whose mean it is.
            interval: Gives its 95 % interval.
            still: A modality whose rows do not vary.
        """
        if still is not None and metric in NEED_VARIATION:
            self.row(task, metric, None, n)
            if not metric.endswith("_chance"):
                self.notes.append(f"{task}: {metric} is undefined: the rows of {still} do not vary.")
            return
        try:
            value = measure()
        except UserError as error:
            self.row(task, metric, None, n)
            self.notes.append(f"{task}: {error}")
            return
        if isinstance(value, Tensor):
            self.mean(task, metric, value, torch.arange(len(value)))
            return
        self.row(task, metric, value, n, interval=_found(interval))

    def mean(self, task: str, metric: str, values: Tensor, items: Tensor, method: str = METHOD) -> None:
        """Add a mean with its interval over items; `items` has the item of each value."""
        interval = mean_interval(values, items)
        self.row(task, metric, float(values.mean()), len(values), method=method, interval=interval)

    def row(
        self,
        task: str,
        metric: str,
        value: float | None,
        n: int,
        *,
        method: str = METHOD,
        interval: Interval | None = None,
    ) -> None:
        """Add a figure as it is; the interval never excludes it, and one without width says nothing of other items."""
        low, high = interval or (None, None)
        if value is None or low is None or high is None or high - low <= _NO_WIDTH:
            low = high = None
        else:
            low, high = min(low, value), max(high, value)
        self.results.append(ResultRow(task, method, STAGE, metric, value, low, high, n))


def _found(interval: Callable[[], Interval | None] | None) -> Interval | None:
    """No interval where so few rows define none."""
    try:
        return interval() if interval else None
    except UserError:
        return None
