"""The aggregation gain: what a joint measure adds to the best single pair, under the same method and under any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gramcli.evaluation.answering import Answer, takes
from gramcli.evaluation.orders import PAIR_ORDERS
from gramcli.evaluation.rankings import Rankings
from gramcli.evaluation.selection import Selection
from gramcli.methods import get_method
from gramcli.metrics.intervals import Floats, Integers, student_quantile
from gramcli.metrics.paired import share_interval
from gramcli.metrics.retrieval import Tied, hit_at
from gramcli.modalities import Task
from gramcli.scoring.ties import Ties, placed

_LEAST_DEGREES: Final = 3  # of fewer items than four nothing is known


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
    """R@1 of single pairs over the items of joint tasks.

    Attributes:
        rankings: What was ranked.
        answers: The ranks, of every question.
        ties: Where a right answer stands that ties.
    """

    rankings: Rankings
    answers: Sequence[Answer]
    ties: Ties
    _found: dict[tuple[int, bool], Floats] = field(default_factory=dict, init=False)

    def of(self, selection: Selection, name: str, *, forward: bool) -> list[SinglePair]:
        """Every pair of a joint task under one method; none where it takes no pairs.

        Args:
            selection: A joint task.
            name: The method, with its options.
            forward: The direction.
        """
        found = []
        for pair in self.rankings.pairs(selection):
            number = self.rankings.pair_number(selection, pair, name, forward=forward)
            if number is None or not takes(get_method(name), pair.queries, pair.candidates):
                return []
            task = Task(tuple(pair.queries), tuple(pair.candidates))
            found.append(SinglePair((task if forward else task.reversed()).name, name, self._hits(number, forward)))
        return found

    def under_any(self, selection: Selection, name: str, *, forward: bool) -> list[SinglePair]:
        """Every pair of a joint task under every way to order by one vector on each side, and under its own method."""
        others = [
            pair for method in PAIR_ORDERS if method != name for pair in self.of(selection, method, forward=forward)
        ]
        return [*self.of(selection, name, forward=forward), *others]

    def _hits(self, number: int, forward: bool) -> Floats:
        if (number, forward) not in self._found:
            ranks = self.answers[number].ranks
            values, ties, right = (
                (ranks.forward, ranks.forward_ties, ranks.forward_right)
                if forward
                else (ranks.backward, ranks.backward_ties, ranks.backward_right)
            )
            if values is None or ties is None or right is None:
                raise ValueError("a pair was not ranked in the direction that it is held against")
            found = placed(values, ties, right, self.ties)
            self._found[number, forward] = hit_at(found.ranks, 1, Tied(found.wrong, found.right)).numpy()
        return self._found[number, forward]


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
