"""The aggregation gain: what a joint measure adds to the best single pair, under the same method and under any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gramcli.errors import UserError
from gramcli.evaluation.selection import Selection
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.intervals import Floats, Integers, student_quantile
from gramcli.metrics.paired import share_interval
from gramcli.metrics.retrieval import Tied, hit_at
from gramcli.modalities import Task
from gramcli.scoring.ranking import Ranks
from gramcli.scoring.ties import Ties, placed

# With one vector on each side a method orders as one of these does: signs count, or only how parallel two vectors are.
_ORDERS: Final = {
    **dict.fromkeys(("cosine", "centroid", "symile"), "cosine"),
    **dict.fromkeys(("gram", "span", "pmrl"), "gram"),
}
_ANY: Final = ("cosine", "gram")
_LEAST_DEGREES: Final = 3  # of fewer items than four nothing is known

Rank = Callable[[Selection, AlignmentMethod], Ranks]


@dataclass(frozen=True)
class SinglePair:
    """A single pair of a joint task, over its items.

    Attributes:
        task: The pair, as tasks are called.
        method: Under which method.
        hits: R@1 of each query, shape [n].
    """

    task: str
    method: str
    hits: Floats

    @property
    def share(self) -> float:
        """R@1."""
        return float(self.hits.mean())


@dataclass(frozen=True)
class Over:
    """R@1 of a joint task minus that of one pair, with its paired 95 % interval."""

    pair: SinglePair
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """R@1 of a joint task minus that of the best of some single pairs.

    Attributes:
        value: The smallest of the differences.
        low: Lower end of the range that the population's gain lies in, 95 %.
        high: Upper end.
        differences: To each of the pairs.
    """

    value: float
    low: float
    high: float
    differences: tuple[Over, ...]

    @property
    def best(self) -> SinglePair:
        """The pair that is hardest to beat."""
        return min(self.differences, key=lambda one: one.value).pair


def gain_over(joint: Floats, pairs: Sequence[SinglePair], clusters: Integers) -> Gain:
    """Compare a joint task with each of its pairs on the same queries.

    The best of several pairs is chosen by the same queries, so that the gain is too small on average (by 2 points for
    two equal pairs of 100 queries). The range holds all the same: the gain is the smallest of the differences, so it
    lies above the lowest of their lower ends and below the lowest of their upper ends, these widened by Bonferroni.

    Args:
        joint: R@1 of each query of the joint task, shape [n].
        pairs: At least one.
        clusters: Item of each query, shape [n].
    """
    degrees = int(clusters.max())
    if degrees < _LEAST_DEGREES:
        ends, wide = [(-1.0, 1.0)] * len(pairs), [(-1.0, 1.0)] * len(pairs)
    else:
        reaches = (student_quantile(degrees), student_quantile(degrees, 1 - 0.05 / len(pairs)))
        ends, wide = ([share_interval(one.hits, joint, clusters, reach) for one in pairs] for reach in reaches)
    differences = tuple(
        Over(pair, float((joint - pair.hits).mean()), *end) for pair, end in zip(pairs, ends, strict=True)
    )
    value, low = (min(getattr(one, name) for one in differences) for name in ("value", "low"))
    return Gain(value, low, min(high for _, high in wide), differences)


@dataclass
class SinglePairs:
    """R@1 of single pairs over the items of joint tasks, each ranked once.

    Attributes:
        rank: Ranks a selection under a method.
        ties: Where a right answer stands that ties.
    """

    rank: Rank
    ties: Ties
    _found: dict[tuple[str, str, str, bool], Floats] = field(default_factory=dict, init=False)

    def keep(self, selection: Selection, name: str, ranks: Ranks) -> None:
        """Remember the ranks of a single pair that was evaluated anyway."""
        if len(selection.queries) == len(selection.candidates) == 1:
            for forward, values, ties, right in (
                (True, ranks.forward, ranks.forward_ties, ranks.forward_right),
                (False, ranks.backward, ranks.backward_ties, ranks.backward_right),
            ):
                wanted = forward in selection.directions
                if wanted and values is not None and ties is not None and right is not None:
                    found = placed(values, ties, right, self.ties)
                    hits = hit_at(found.ranks, 1, Tied(found.wrong, found.right))
                    self._found[self._key(selection, name, forward)] = hits.numpy()

    def of(self, selection: Selection, name: str, *, forward: bool) -> list[SinglePair]:
        """Every pair of a joint task under one method; none where it takes no pairs.

        Args:
            selection: A joint task.
            name: The method, with its options.
            forward: The direction.
        """
        pairs = [selection.pair(query, other) for query in selection.task.query for other in selection.task.candidates]
        if not _takes_pairs(name, pairs[0]):
            return []
        tasks = [_task(pair) if forward else _task(pair).reversed() for pair in pairs]
        return [
            SinglePair(task.name, name, self._hits(one, name, forward)) for task, one in zip(tasks, pairs, strict=True)
        ]

    def under_any(self, selection: Selection, name: str, *, forward: bool) -> list[SinglePair]:
        """Every pair of a joint task under every way to order by one vector on each side, and under its own method."""
        others = [pair for method in _ANY if method != name for pair in self.of(selection, method, forward=forward)]
        return [*self.of(selection, name, forward=forward), *others]

    def _hits(self, pair: Selection, name: str, forward: bool) -> Floats:
        order = _ORDERS.get(name, name)
        for known in (name, order):
            if (key := self._key(pair, known, forward)) in self._found:
                return self._found[key]
        self.keep(pair, order, self.rank(pair, get_method(order)))
        return self._found[self._key(pair, order, forward)]

    def _key(self, pair: Selection, name: str, forward: bool) -> tuple[str, str, str, bool]:
        return _task(pair).name, pair.gallery_sha256(), name, forward


def described(task: str, method: str, same: Gain | None, best: Gain) -> dict[str, Any]:
    """Return what the provenance says of one gain.

    Args:
        task: The joint task.
        method: Its method.
        same: Over the pairs under the same method, None where it takes no pairs.
        best: Over the pairs under any method.
    """
    found: dict[str, Any] = {"task": task, "method": method}
    for word, gain in (("same", same), ("any", best)):
        best_of = None if gain is None else gain.best
        found[word] = best_of and {"task": best_of.task, "method": best_of.method, "R@1": best_of.share}
    found["pairs"] = [
        {
            "task": one.pair.task,
            "method": one.pair.method,
            "R@1": one.pair.share,
            "difference": one.value,
            "low": one.low,
            "high": one.high,
        }
        for one in best.differences
    ]
    return found


def _task(pair: Selection) -> Task:
    return Task(tuple(pair.queries), tuple(pair.candidates))


def _takes_pairs(name: str, pair: Selection) -> bool:
    try:
        get_method(name).check(1, 1, next(iter(pair.queries.values())).shape[1])
    except UserError:
        return False
    return True
