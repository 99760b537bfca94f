"""Where a page's figures come from, as a table, and the command that makes them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gramcli.report.answer import Table, counted, listing

LISTED: Final = 20
_MADE: Final = "made"


def provenance_table(provenance: Mapping[str, Any]) -> Table:
    """Return the provenance as rows of dotted key and value, nested objects spread out."""
    return listing(("key", "value"), list(_flat("", provenance)), "What the figures were made from")


def command_of(provenance: Mapping[str, Any]) -> str:
    """Return the command line or call that made the figures; empty where it is not recorded."""
    made = provenance.get(_MADE)
    return str(made.get("command") or "") if isinstance(made, Mapping) else ""


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else str(key), inner)]
    if isinstance(value, (list, tuple)):
        if any(isinstance(inner, Mapping) for inner in value):
            return [(prefix, f"{counted(len(value), 'table')}, in the JSON")]
        more = f", and {len(value) - LISTED} more in the JSON" if len(value) > LISTED else ""
        return [(prefix, ", ".join(str(inner) for inner in value[:LISTED]) + more)]
    return [(prefix, "-" if value is None else str(value))]
