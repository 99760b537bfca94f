"""A Comparison read back from the JSON that `gram compare` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from gramcli.errors import UserError
from gramcli.results.records import SCHEMA, Comparison, ComparisonRow, LeftOut, QueryChange, Verdict
from gramcli.results.schema import Source, checked

if TYPE_CHECKING:
    from pathlib import Path

_AGAIN: Final = "Compare again to write it anew."


class _Recorded(msgspec.Struct):
    """What is read of a provenance; the rest is only shown."""

    seeds: dict[str, int] = {}
    evaluations: list[dict[str, Any]] = []


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
    found = checked(document, _Document, Source(path, "input", _AGAIN))
    checked(found.provenance, _Recorded, Source(f"{path}: provenance", "input", _AGAIN))
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
        verdicts=found.verdicts,
        changes=found.changes,
    )
