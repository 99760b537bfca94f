"""Any to any: every split of a store's modalities into a query and a candidate side.

A direction is an ordered pair of disjoint sets of modalities that are not empty. Of m modalities there are
3^m - 2^(m+1) + 1: 2 of two, 12 of three, 50 of four. A task is asked both ways, so half as many tasks make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from gramcli.errors import UserError
from gramcli.evaluation.selection import Selection, align_first
from gramcli.evaluation.views import bases, fits
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import LETTERS, Task
from gramcli.results.records import ResultRow
from gramcli.store.reader import Store

GAINS = ("aggregation_gain", "aggregation_gain_any")


def every_split(store: Store) -> list[Task]:
    """Every task of a store, the two directions of one being one task: pairs first, then three modalities, and so on.

    Text asks where it takes part, else the first modality. A model's own joint embeddings (`vas`) are no modality.

    Args:
        store: An open store.

    Raises:
        UserError: Fewer than two modalities of one dimension.
    """
    names = single_modalities(store)
    found = [task for size in range(2, len(names) + 1) for task in _splits(names, size) if fits(store, task)]
    if not found:
        raise UserError(
            "store", f"{store.path} holds no two modalities of one dimension, so no direction: {align_first(store)}"
        )
    return found


def single_modalities(store: Store) -> list[str]:
    """The modalities of a store, those with a letter first; not what a model made of several."""
    names = [name for name in bases(store.modalities) if name in LETTERS.values() or not set(name) <= set(LETTERS)]
    letters = list(LETTERS.values())
    return sorted(names, key=lambda name: letters.index(name) if name in letters else len(letters))


def _splits(names: Sequence[str], size: int) -> Iterator[Task]:
    """Every split of so many modalities, once: the side that the first of them is on asks."""
    for chosen in combinations(names, size):
        for count in range(size - 1):
            for with_first in combinations(chosen[1:], count):
                query = (chosen[0], *with_first)
                yield Task(query, tuple(name for name in chosen if name not in query))


def direction_facts(selections: Sequence[Selection]) -> dict[str, Any]:
    """What the provenance says of the directions that were evaluated, both ways.

    Args:
        selections: The rows of every task.
    """
    found: dict[str, dict[str, Any]] = {}
    for selection in selections:
        for forward in selection.directions:
            task = selection.task if forward else selection.task.reversed()
            if selection.whole is None:
                label = selection.label(forward=forward)
                found[label] = {"task": label, "query": list(task.query), "candidates": list(task.candidates)}
    return {"directions": list(found.values())}


def joint_notes(
    results: Sequence[ResultRow], selections: Sequence[Selection], named: Sequence[tuple[str, AlignmentMethod]]
) -> list[str]:
    """Joint against single, in words, for each method; and which tasks a method does not take.

    Args:
        results: Figures of all directions.
        selections: The rows of every task.
        named: The methods.
    """
    notes = []
    for name, method in named:
        unfit = [one.label() for one in selections if not _takes(method, one)]
        if unfit and len(unfit) < len(selections):
            notes.append(f"{name} takes no {', '.join(unfit)}, nor what is asked the other way round.")
        gains = _gains([row for row in results if row.method == name])
        if gains:
            notes.append(_joint(name, gains))
    return notes


def _takes(method: AlignmentMethod, selection: Selection) -> bool:
    task = selection.task
    try:
        method.check(len(task.query), len(task.candidates), next(iter(selection.queries.values())).shape[1])
    except UserError:
        return False
    return True


def _gains(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Of each joint task the gain over the pairs under its method; under any, where the method takes no pairs."""
    for metric in GAINS:
        if found := [row for row in rows if row.metric == metric and row.low is not None]:
            return found
    return []


def _joint(name: str, gains: Sequence[ResultRow]) -> str:
    above = [row for row in gains if (row.low or 0) > 0]
    below = [row for row in gains if row.high is not None and row.high < 0]
    under = " under any method" if gains[0].metric == GAINS[1] else ""
    rest = len(gains) - len(above) - len(below)
    return (
        f"Joint against single, {name}: of {len(gains)} directions with several modalities on a side, R@1 is above "
        f"that of the best single pair{under} in {len(above)}{_listed(above)}, below it in {len(below)}"
        f"{_listed(below)}, and not told from it in {rest} (95 %, each by itself)."
    )


def _listed(rows: Sequence[ResultRow]) -> str:
    said = [f"{row.task} {100 * (row.value or 0):+.1f}" for row in rows]
    return f" ({', '.join(said)})" if said else ""
