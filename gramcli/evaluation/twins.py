"""Evaluations that are there twice: copies of one file, each of which would count in every correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gramcli.results.making import MADE
from gramcli.results.records import Evaluation

_Named = tuple[str, Evaluation]


def distinct(named: Sequence[_Named]) -> tuple[list[_Named], list[str]]:
    """Leave out every evaluation that an earlier one equals.

    Args:
        named: Runs by name.

    Returns:
        Those that differ, and a note for each that is left out.
    """
    kept: list[_Named] = []
    notes: list[str] = []
    for name, found in named:
        twin = next((other for other, before in kept if same(before, found)), None)
        if twin is None:
            kept.append((name, found))
        else:
            notes.append(f"{name} holds the same evaluation as {twin}: it is listed and tested once.")
    return kept, notes


def same(a: Evaluation, b: Evaluation) -> bool:
    """Whether two have the same figures, ranks, questions and origin, whenever and wherever they were made."""
    if (a.results, a.questions) != (b.results, b.questions):
        return False
    return _origin(a) == _origin(b) and repr(a.ranks) == repr(b.ranks)  # as text: a rank may be NaN


def _origin(evaluation: Evaluation) -> dict[str, Any]:
    """Its provenance without when it was made, and where the store lay, which its fingerprint names."""
    found = {key: value for key, value in evaluation.provenance.items() if key != MADE}
    store = found.get("store")
    if isinstance(store, dict) and store.get("fingerprint"):
        found["store"] = {key: value for key, value in store.items() if key != "path"}
    return found
