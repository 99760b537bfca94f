"""The answer of `gram doctor MODEL`: one line for each check, with the embeddings that agree in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gramcli.encoders.soundness.checks import AGAIN
from gramcli.report.answer import Answer, Table, counted
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.results.soundness import Soundness, SoundnessCheck

_COLUMNS = ("check", "verdict", "embeddings", "1 - cos", "ranks", "detail")
_FIELDS = ("check", "embedding", "verdict", "cosine_difference", "rank_difference", "detail")


def soundness_answer(found: Soundness) -> Answer:
    """Return what was found of an encoder, ready for every format.

    Args:
        found: The checks.

    Returns:
        A table of checks, the embeddings of which agree on one line; CSV rows with one check of one embedding each.
    """
    rows = tuple(asdict(check) for check in found.checks)
    title = f"{found.model} ({found.device}, {found.precision}) is {'sound' if found.sound else 'NOT SOUND'}"
    return Answer(
        tables=(_table(found.checks, title),),
        columns=_FIELDS,
        rows=rows,
        document={
            "schema": SCHEMA,
            "model": found.model,
            "device": found.device,
            "precision": found.precision,
            "same_bits_due": found.same_bits,
            "tolerance": found.tolerance,
            "sound": found.sound,
            "results": rows,
        },
        notes=(*_verdict_notes(found), _due(found)),
    )


def _table(checks: Sequence[SoundnessCheck], title: str) -> Table:
    grouped: dict[str, dict[tuple[str, str], list[SoundnessCheck]]] = {}
    for one in checks:
        grouped.setdefault(one.check, {}).setdefault((one.verdict, one.detail), []).append(one)
    cells = [_line(same, n_kinds=len(kinds)) for kinds in grouped.values() for same in kinds.values()]
    return Table(_COLUMNS, tuple(cells), frozenset({"check", "verdict", "embeddings", "detail"}), title)


def _line(same: Sequence[SoundnessCheck], n_kinds: int) -> tuple[str, ...]:
    names = [one.embedding for one in same]
    moved = [one.cosine_difference for one in same if one.cosine_difference is not None]
    ranks = [one.rank_difference for one in same if one.rank_difference is not None]
    first = same[0]
    verdict = first.verdict.upper() if first.verdict == "failed" else first.verdict
    which = "all" if n_kinds == 1 and len(names) > 1 else ", ".join(names)
    largest, places = (f"{max(moved):.2g}" if moved else "-"), (str(max(ranks)) if ranks else "-")
    return (first.check, verdict, which, largest, places, first.detail)


def _verdict_notes(found: Soundness) -> list[str]:
    notes = []
    if found.failed:
        of: dict[str, list[str]] = {}
        for one in found.failed:
            of.setdefault(one.check, []).append(one.embedding)
        n = len({one.check for one in found.checks})
        names = "; ".join(f"{check} ({', '.join(embeddings)})" for check, embeddings in of.items())
        notes.append(f"{counted(len(of), 'check')} of {n} failed: {names}.")
    differing = {one.check for one in found.checks if one.verdict == "differs"}
    if differing:
        on = "the run" if differing == {AGAIN} else "--batch-size"
        notes.append(f"What differs does so by rounding alone; the bytes of a store then depend on {on}.")
    if untried := next((one for one in found.checks if (one.check, one.embedding) == (AGAIN, "all")), None):
        notes.append(f"Whether another process gives the same vectors is not known: {untried.detail}.")
    return notes


def _due(found: Soundness) -> str:
    same = " On a CPU in fp32 the same bits are due in any batch." if found.same_bits else ""
    return (
        "1 - cos: the largest of a row to itself; ranks: the most places that an item moves among the probes."
        f"{same} A difference above {found.tolerance:g} is no rounding, and fails."
    )
