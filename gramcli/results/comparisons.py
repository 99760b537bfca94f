"""A Comparison read back from the JSON that `gram compare` wrote."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gramcli.errors import UserError
from gramcli.results.documents import Ranks, rank_vectors, ranks_document
from gramcli.results.records import (
    SCHEMA,
    Comparison,
    ComparisonRow,
    Evaluation,
    LeftOut,
    QueryChange,
    ResultRow,
    Verdict,
)
from gramcli.results.schema import Source, checked

if TYPE_CHECKING:
    from pathlib import Path

_AGAIN: Final = "Compare again to write it anew."


class _Recorded(msgspec.Struct):
    """What is read of a provenance; the rest is only shown."""

    seeds: dict[str, int] = {}
    evaluations: list[dict[str, Any]] = []


class _Side(msgspec.Struct):
    """Figures and ranks of a contender's first run; its provenance is among those of the evaluations."""

    results: tuple[ResultRow, ...]
    ranks: list[Ranks]


class _Document(msgspec.Struct):
    """A comparison as it is written."""

    schema: int
    names: tuple[str, ...]
    results: tuple[ComparisonRow, ...]
    provenance: dict[str, Any]
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    changes: tuple[QueryChange, ...] = ()
    sides: list[_Side] = []  # older versions wrote none


def sides_document(comparison: Comparison) -> list[dict[str, Any]]:
    """Return what a page needs of the contenders: figures and ranks of the first run of each."""
    return [
        {"results": [asdict(row) for row in side.results], "ranks": ranks_document(side.ranks)}
        for side in comparison.sides
    ]


def is_comparison(document: object) -> bool:
    """Say whether a JSON document is a comparison's (of whatever schema)."""
    wanted = {"schema", "names", "results"}
    return isinstance(document, dict) and wanted <= document.keys() and "ranks" not in document


def comparison_from(document: object, path: Path) -> Comparison:
    """Return the comparison that a JSON document holds.

    Args:
        document: What the file holds, parsed.
        path: The file, for messages.

    Raises:
        UserError: A newer schema, or a damaged row.
    """
    source = Source(path, "input", _AGAIN)
    found = checked(document, _Document, source)
    recorded = checked(found.provenance, _Recorded, Source(f"{path}: provenance", "input", _AGAIN))
    if found.schema != SCHEMA:
        raise UserError(
            "input", f"{path} has schema {found.schema}; this version reads {SCHEMA}. Update gramcli, or compare again."
        )
    return Comparison(
        found.names,
        found.results,
        found.provenance,
        found.notes,
        found.left_out,
        sides=_sides(found, recorded, source),
        verdicts=found.verdicts,
        changes=found.changes,
    )


def _sides(found: _Document, recorded: _Recorded, source: Source) -> tuple[Evaluation, ...]:
    """The first run of each contender, as far as they were written.

    Raises:
        UserError: There are others than the names and the evaluations say, or their ranks contradict one another.
    """
    if not found.sides:
        return ()
    counts = [recorded.seeds.get(name, 1) for name in found.names]
    if len(found.sides) != len(found.names) or len(recorded.evaluations) != sum(counts) or min(counts) < 1:
        raise source.wrong(f": it has sides of {len(found.sides)} contenders, {len(found.names)} names and "
                           f"{len(recorded.evaluations)} evaluations, which do not fit each other")  # fmt: skip
    firsts = [recorded.evaluations[sum(counts[:place])] for place in range(len(counts))]
    return tuple(
        Evaluation(provenance, side.results, (), rank_vectors(source, side.ranks))
        for provenance, side in zip(firsts, found.sides, strict=True)
    )
