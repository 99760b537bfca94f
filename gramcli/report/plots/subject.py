"""What figures are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

LEAST_DIRECTIONS: Final = 2
"""Of a heat map: one is no matrix."""
_NO_SIDE: Final = ("class", "pool")
"""What answers a classification, and a query among the candidates of all modalities."""

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gramcli.results.pictures import Pictures
    from gramcli.results.records import Comparison, Evaluation
    from gramcli.results.runs import Alignment, Epoch
    from gramcli.store.reader import Store


@dataclass(frozen=True)
class History:
    """How heads were trained.

    Attributes:
        epochs: All of the main stage.
        best: Number of the epoch that was kept.
        metric: The validation figure that chose it.
        warm_up: Epochs of the stage by the cosine loss that came before; 0 where there was none.
        name: What its panels are called; empty where there is no other.
    """

    epochs: tuple[Epoch, ...]
    best: int
    metric: str
    warm_up: int = 0
    name: str = ""

    @property
    def kept(self) -> Epoch:
        """The epoch that was kept; a curve of few points holds it, whatever else it leaves out."""
        return next(one for one in self.epochs if one.epoch == self.best)


def history_of(found: Alignment) -> History:
    """The history of a training that `align` returned."""
    before = len(found.warm_up.history) if found.warm_up else 0
    return History(found.history, found.best, found.metric, before)


@dataclass(frozen=True)
class Subject:
    """Whatever there is to draw; each kind of figure takes what it needs and passes over what is not there.

    Attributes:
        evaluation: Figures and ranks.
        comparison: Differences to a baseline.
        pictures: What was computed from vectors.
        histories: Of training, one for each heads.
        store: What pictures are computed from, where they are asked for and not there yet.
        captions: Item id -> a text of it, for points that say what they are.
        tasks: Only these, in the words of results; none means that the figure chooses.
        methods: Only these, in the words of results.
        title: A line above a figure.
    """

    evaluation: Evaluation | None = None
    comparison: Comparison | None = None
    pictures: Pictures | None = None
    histories: tuple[History, ...] = ()
    store: Store | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    title: str = ""

    def keeps(self, task: str, method: str) -> bool:
        """Whether a figure of this task and method was asked for; of a task its reverse too."""
        return self.keeps_task(task) and (not self.methods or method.partition(" ")[0] in self.methods)

    def keeps_task(self, task: str) -> bool:
        """Whether a task was asked for, or the one it is the reverse of."""
        names = {task, "2".join(reversed(task.split("2", 1)))}
        return not self.tasks or bool(names & set(self.tasks))


def breadth(task: str) -> tuple[int, bool]:
    """How many modalities a task has, and whether text asks: by this the one that says most comes first."""
    query, _, rest = task.partition("/")[0].partition("2")
    candidates = rest.partition("_")[0]
    return len(query) + len(candidates), query in {"t", "text"}


def ends_of(task: str) -> tuple[str, str] | None:
    """What asks and what answers; None of a part of a task, a pooled one, a classification.

    Example:
        >>> ends_of("t2va"), ends_of("va2class"), ends_of("t2va/t2v"), ends_of("t2pool")
        (('t', 'va'), None, None, None)
    """
    query, separator, candidates = task.partition("2")
    if not separator or "/" in task or "_" in task or candidates in _NO_SIDE or not query or not candidates:
        return None
    return query, candidates
