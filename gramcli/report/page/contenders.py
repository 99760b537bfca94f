"""Who is set against whom on which queries: the methods of an evaluation, or the sides of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from gramcli.metrics.figures import hits
from gramcli.modalities import LETTERS
from gramcli.report.page.material import Material
from gramcli.results.records import Comparison, Evaluation, RankVector, ResultRow
from gramcli.results.wording import letter
from gramcli.store.layout import is_text

Key = tuple[str, int]
"""Id of a query's item, and the query's number among those of the item."""
_LETTERS: Final = frozenset(LETTERS)
_LONGEST_NAME: Final = 16


@dataclass(frozen=True)
class Contender:
    """One method on one task.

    Attributes:
        name: As a reader is to see it.
        vector: Its ranks.
        provenance: Of the evaluation that they are from.
        material: What can be shown of that.
        results: Its figures.
        letter: What a comparison calls it; empty where names are short enough.
        short: What a figure calls it: its letter and name, or, where a name is long, letter and method.
    """

    name: str
    vector: RankVector
    provenance: Mapping[str, Any]
    material: Material
    results: tuple[ResultRow, ...] = ()
    letter: str = ""
    short: str = ""

    @cached_property
    def places(self) -> dict[Key, int]:
        """Query -> its place in the vector."""
        return {key: place for place, key in enumerate(keys_of(self.vector.query_ids))}


@dataclass(frozen=True)
class Contest:
    """One task with its contenders.

    Attributes:
        title: The task, and what tells this contest from another of the same task.
        task: The task's name.
        contenders: At least one; the first is the baseline of a comparison.
        compared: Whether the differences are what it is about.
    """

    title: str
    task: str
    contenders: tuple[Contender, ...]
    compared: bool = False

    @cached_property
    def queries(self) -> tuple[Key, ...]:
        """The queries that all contenders have, in the first one's order."""
        first, *others = (one.places for one in self.contenders)
        return tuple(key for key in first if all(key in places for places in others))

    @property
    def asks(self) -> bool:
        """Whether a text is among what asks, so that each caption is a query."""
        query = self.task.partition("/")[0].partition("2")[0]
        if set(query) <= _LETTERS:
            return "t" in query
        return any(map(is_text, query.split("+")))

    @property
    def shown_first(self) -> tuple[int, int]:
        """Which two contenders to set against each other at first: the first and the best of the others."""
        found = [float(hits(one.vector, 1).mean()) if one.vector.ranks else 0.0 for one in self.contenders]
        others = found[1:]
        return 0, (1 + others.index(max(others)) if others else 0)

    def rank(self, contender: int, key: Key) -> float | None:
        """The rank of a query's right answer; None where nobody answers."""
        one = self.contenders[contender]
        found = one.vector.ranks[one.places[key]]
        return found if math.isfinite(found) else None

    def interest(self, key: Key) -> float:
        """How much a query is worth looking at: how far the ranks are apart, else how bad the worst is."""
        ranks = [rank for place in range(len(self.contenders)) if (rank := self.rank(place, key)) is not None]
        if not ranks:
            return -1.0
        spread = math.log(max(ranks)) - math.log(min(ranks))
        return spread + (0 if self.compared else 1e-3 * math.log(max(ranks)))


def keys_of(query_ids: Sequence[str]) -> Iterator[Key]:
    """Queries by the id of their item and their number among its own.

    Example:
        >>> list(keys_of(["a", "a", "b"]))
        [('a', 0), ('a', 1), ('b', 0)]
    """
    seen: dict[str, int] = {}
    for name in query_ids:
        seen[name] = seen.get(name, -1) + 1
        yield name, seen[name]


def contests_of(evaluation: Evaluation, material: Material) -> list[Contest]:
    """The tasks of an evaluation, its methods as contenders."""
    found: dict[str, list[Contender]] = {}
    for vector in evaluation.ranks:
        if vector.ranks:
            one = Contender(vector.method, vector, evaluation.provenance, material, evaluation.results)
            found.setdefault(vector.task, []).append(one)
    return [Contest(task, task, tuple(contenders)) for task, contenders in found.items()]


def contests_between(comparison: Comparison, materials: Sequence[Material]) -> list[Contest]:
    """The tasks of a comparison, its sides as contenders; none where the sides are not known."""
    named = {(row.task, label) for row in comparison.rows for label in (row.a, row.b)}
    found: dict[str, list[Contender]] = {}
    sides = zip(comparison.names, comparison.sides, materials, strict=False)
    for place, (name, side, material) in enumerate(sides):
        for vector in side.ranks:
            label = name if name.endswith(f"@{vector.method}") else f"{name}@{vector.method}"
            if vector.ranks and (vector.task, label) in named:
                one = Contender(label, vector, side.provenance, material, side.results, letter(place))
                found.setdefault(vector.task, []).append(one)
    return [Contest(task, task, _shortly(contenders), compared=True) for task, contenders in found.items()]


def _shortly(contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """The same under names without the folders that all have in common."""
    names = [one.name for one in contenders]
    folders = [name.split("/")[:-1] for name in names]
    shared = next(
        (k for k, level in enumerate(zip(*folders, strict=False)) if len(set(level)) > 1), min(map(len, folders))
    )
    cut = len("/".join(folders[0][:shared])) + 1 if shared and len(names) > 1 else 0
    fits = max(len(name[cut:]) for name in names) <= _LONGEST_NAME
    return tuple(
        replace(one, name=one.name[cut:], short=f"{one.letter} {one.name[cut:] if fits else one.vector.method}")
        for one in contenders
    )
