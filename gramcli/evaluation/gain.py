"""The aggregation gain: what a joint measure adds to the best single pair, under the same method and under any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gramcli.errors import UserError
from gramcli.evaluation.selection import Selection
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import Task
from gramcli.scoring.ranking import Ranks
from gramcli.scoring.ties import Ties, placed

# With one vector on each side a method orders as one of these does: signs count, or only how parallel two vectors are.
_ORDERS: Final = {
    **dict.fromkeys(("cosine", "centroid", "symile"), "cosine"),
    **dict.fromkeys(("gram", "span", "pmrl"), "gram"),
}
_ANY: Final = ("cosine", "gram")

Rank = Callable[[Selection, AlignmentMethod], Ranks]


@dataclass(frozen=True)
class BestPair:
    """The best single pair of a joint task.

    Attributes:
        task: The pair, as tasks are called.
        method: Under which method.
        hits: Its R@1.
    """

    task: str
    method: str
    hits: float


@dataclass
class SinglePairs:
    """R@1 of single pairs over the items of joint tasks, each ranked once.

    Attributes:
        rank: Ranks a selection under a method.
        ties: Where a right answer stands that ties.
    """

    rank: Rank
    ties: Ties
    _found: dict[tuple[str, str, str, bool], float] = field(default_factory=dict, init=False)

    def keep(self, selection: Selection, name: str, ranks: Ranks) -> None:
        """Remember the ranks of a single pair that was evaluated anyway."""
        if len(selection.queries) == len(selection.candidates) == 1:
            for forward, values, ties in (
                (True, ranks.forward, ranks.forward_ties),
                (False, ranks.backward, ranks.backward_ties),
            ):
                if values is not None and ties is not None:
                    hits = placed(values, ties, self.ties) <= 1
                    self._found[self._key(selection, name, forward)] = float(hits.double().mean())

    def best(self, selection: Selection, name: str, *, forward: bool) -> tuple[BestPair | None, BestPair]:
        """Return the best pair under the same method, None where it takes no pairs, and the best under any.

        Args:
            selection: A joint task.
            name: The method, with its options.
            forward: The direction.
        """
        pairs = [
            _pair(selection, query, other) for query in selection.task.query for other in selection.task.candidates
        ]
        same = None
        if _takes_pairs(name, pairs[0]):
            same = max((self._best_pair(pair, name, forward) for pair in pairs), key=lambda one: one.hits)
        others = [self._best_pair(pair, method, forward) for method in _ANY for pair in pairs]
        return same, max([*others, *([same] if same else [])], key=lambda one: one.hits)

    def _best_pair(self, pair: Selection, name: str, forward: bool) -> BestPair:
        task = _task(pair) if forward else _task(pair).reversed()
        return BestPair(task.name, name, self._hits(pair, name, forward))

    def _hits(self, pair: Selection, name: str, forward: bool) -> float:
        order = _ORDERS.get(name, name)
        for known in (name, order):
            if (key := self._key(pair, known, forward)) in self._found:
                return self._found[key]
        self.keep(pair, order, self.rank(pair, get_method(order)))
        return self._found[self._key(pair, order, forward)]

    def _key(self, pair: Selection, name: str, forward: bool) -> tuple[str, str, str, bool]:
        return _task(pair).name, pair.gallery_sha256(), name, forward


def described(task: str, method: str, same: BestPair | None, best: BestPair) -> dict[str, Any]:
    """Return what the provenance says of one gain.

    Args:
        task: The joint task.
        method: Its method.
        same: The best pair under the same method, None where it takes no pairs.
        best: The best pair under any method.
    """
    found: dict[str, Any] = {"task": task, "method": method}
    for word, pair in (("same", same), ("any", best)):
        found[word] = None if pair is None else {"task": pair.task, "method": pair.method, "R@1": pair.hits}
    return found


def _pair(selection: Selection, query: str, candidate: str) -> Selection:
    """A pair of a joint task, over its items; it stays a part of that task, whose querybank is its own."""
    return replace(
        selection,
        queries={query: selection.queries[query]},
        candidates={candidate: selection.candidates[candidate]},
    )


def _task(pair: Selection) -> Task:
    return Task(tuple(pair.queries), tuple(pair.candidates))


def _takes_pairs(name: str, pair: Selection) -> bool:
    try:
        get_method(name).check(1, 1, next(iter(pair.queries.values())).shape[1])
    except UserError:
        return False
    return True
