"""A compact letter display: which of several things are not told apart, in a few letters beside each."""

from __future__ import annotations

from collections.abc import Collection
from string import ascii_letters

Pair = tuple[int, int]


def compact_letters(n: int, separated: Collection[Pair]) -> tuple[str, ...]:
    """Letters such that two things share one exactly when nothing separates them.

    Insert and absorb: all begin under one letter; each separated pair splits every letter that holds both, into one
    without the first and one without the second; a letter whose things another letter has too is dropped.

    Args:
        n: How many things, best first: the letter of the first is `a`.
        separated: Pairs of their places, in any order.

    Returns:
        One text for each; beyond 52 letters numbers, with blanks between.

    Source: Piepho, An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons, Journal of Computational
    and Graphical Statistics 13 (2004), 456-466.

    Example:
        >>> compact_letters(3, [(0, 2)])
        ('a', 'ab', 'b')
    """
    columns = [frozenset(range(n))] if n else []
    for i, j in sorted(tuple(sorted(pair)) for pair in separated):
        whole = [column for column in columns if {i, j} <= column]
        if whole:
            kept = [column for column in columns if not {i, j} <= column]
            columns = _absorbed([*kept, *(column - {i} for column in whole), *(column - {j} for column in whole)])
    columns.sort(key=sorted)
    if len(columns) > len(ascii_letters):
        return tuple(" ".join(str(k + 1) for k, one in enumerate(columns) if place in one) for place in range(n))
    return tuple(
        "".join(letter for letter, column in zip(ascii_letters, columns, strict=False) if place in column)
        for place in range(n)
    )


def _absorbed(columns: list[frozenset[int]]) -> list[frozenset[int]]:
    """The columns that no other one contains, equal ones once."""
    alone = list(dict.fromkeys(columns))
    return [one for one in alone if not any(one < other for other in alone)]
