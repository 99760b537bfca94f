"""What an evaluation recorded of a classification: for one run, how many items of a class were taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.report.plots.subject import Subject


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one run.

    Attributes:
        task: As in results.
        method: As in results.
        classes: Their names.
        counts: Items by true class (rows) and predicted class (columns); the last column: several classes tied.
        runs: How many runs there are to choose from.
    """

    task: str
    method: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    runs: int

    @property
    def accuracy(self) -> float:
        """Share of items whose class was found."""
        return float(np.trace(self.counts) / max(1, self.counts.sum()))


def best_run(subject: Subject) -> Confusion | None:
    """The run of highest accuracy among those asked for; None where the evaluation classified nothing."""
    found: Any = {} if subject.evaluation is None else subject.evaluation.provenance.get("classification")
    if not isinstance(found, dict) or not isinstance(found.get("confusion"), list) or not found.get("classes"):
        return None
    classes = tuple(map(str, found["classes"]))
    runs = [one for one in found["confusion"] if _is_run(one, len(classes)) and _asked(subject, one)]
    matrices = [_confusion(one, classes, len(runs)) for one in runs]
    return max(matrices, key=lambda one: one.accuracy, default=None)


def _asked(subject: Subject, run: dict[str, Any]) -> bool:
    name = run["method"].partition("(")[0]
    return subject.keeps_task(run["task"]) and (not subject.methods or bool({name, run["method"]} & {*subject.methods}))


def _is_run(run: object, n: int) -> bool:
    """Whether what a file holds is a run that can be drawn; files may have been written by others."""
    if not isinstance(run, dict) or not all(isinstance(run.get(key), str) for key in ("task", "method")):
        return False
    cells = [run.get(key) for key in ("truth", "predicted", "count")]
    if not all(isinstance(cell, list) for cell in cells) or len({len(cell or ()) for cell in cells}) > 1:
        return False
    truth, predicted, count = cells
    places = [*(truth or ()), *(k for k in predicted or () if k is not None)]
    return all(isinstance(k, int) and 0 <= k < n for k in places) and all(
        isinstance(c, int) and c >= 0 for c in count or ()
    )


def _confusion(run: dict[str, Any], classes: tuple[str, ...], runs: int) -> Confusion:
    n = len(classes)
    counts = np.zeros((n, n + 1), dtype=np.int64)
    for truth, predicted, count in zip(run["truth"], run["predicted"], run["count"], strict=True):
        counts[truth, n if predicted is None else predicted] += count
    return Confusion(run["task"], run["method"], classes, counts, runs)
