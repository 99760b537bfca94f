"""Where a page's figures come from, as a table, and the command that makes them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gramcli.report.answer import Table, counted, listing

LISTED: Final = 20
_MADE: Final = "made"
_RECORD: Final = "heads.record"  # of a training: the page has a part for it
_COMMIT: Final = "made.commit"
_SEEDS: Final = "seeds."  # of a comparison: how many each contender has, none by its number
_SEVERAL: Final = ("evaluations", "runs")


def provenance_table(provenance: Mapping[str, Any]) -> Table:
    """Return the provenance as rows of dotted key and value, nested objects spread out.

    Of several evaluations or runs, what is the same in all stands once; the others are numbered from 1.
    """
    rows = [row for key, value in provenance.items() for row in _spread(str(key), value)]
    return listing(("key", "value"), rows, "What the figures were made from")


def command_of(provenance: Mapping[str, Any]) -> str:
    """Return the command line or call that made the figures; empty where it is not recorded."""
    made = provenance.get(_MADE)
    return str(made.get("command") or "") if isinstance(made, Mapping) else ""


def _spread(key: str, value: object) -> list[tuple[str, str]]:
    several = isinstance(value, (list, tuple)) and key in _SEVERAL and all(isinstance(one, Mapping) for one in value)
    if not several or not isinstance(value, (list, tuple)) or not value:
        return _flat(key, value)
    parts = [dict(_flat("", one)) for one in value]
    names = dict.fromkeys(name for part in parts for name in part)
    found = []
    for name in names:
        told = [part.get(name) for part in parts]
        if len(set(told)) == 1:
            found.append((f"{key}.{name}", str(told[0])))
            continue
        found += [(f"{key}.{k}.{name}", one) for k, one in enumerate(told, 1) if one is not None]
    return found


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if prefix.endswith(_RECORD):
        return []
    if isinstance(value, Mapping) and value:
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else str(key), inner)]
    if isinstance(value, (list, tuple)):
        if any(isinstance(inner, Mapping) for inner in value):
            return [(prefix, f"{counted(len(value), 'table')}, in the JSON")]
        more = f", and {len(value) - LISTED} more in the JSON" if len(value) > LISTED else ""
        return [(prefix, ", ".join(str(inner) for inner in value[:LISTED]) + more)]
    return [(prefix, _said(prefix, value))]


def _said(key: str, value: object) -> str:
    """One value in words, where it alone would be misread."""
    if key.endswith(_COMMIT) and value is None:
        return "none: it was not run inside a git repository"
    if key.startswith(_SEEDS) and isinstance(value, int):
        return counted(value, "run")
    return "-" if value is None else str(value)
