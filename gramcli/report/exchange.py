"""What was joined and what was exported, ready for every format."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.report.answer import Answer, listing
from gramcli.report.tables import left_out_tables
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gramcli.results.runs import ExportedRun, ExportedStore, Joined


def joined_answer(found: Joined) -> Answer:
    """Return what `gram join` wrote, ready for every format."""
    facts = {
        "store": str(found.path),
        "items": str(found.items),
        "one space for all modalities": {True: "yes", False: "no", None: "not known"}[found.shared_space],
        **{f"from {label}": ", ".join(names) for label, names in found.parts.items()},
    }
    return _listed(facts, found)


def export_answer(found: ExportedStore) -> Answer:
    """Return what `gram export` wrote of a store, ready for every format."""
    facts = {
        **{name: f"{size:,} bytes" for name, size in found.files.items()},
        "format": found.format,
        "embeddings": ", ".join(found.modalities),
        "items": str(found.items),
        "fingerprint": found.fingerprint,
    }
    return _listed(facts, found)


def run_answer(found: ExportedRun) -> Answer:
    """Return what `gram export` wrote of ranked lists, ready for every format."""
    facts = {
        "run": str(found.path),
        **({"qrels": str(found.qrels)} if found.qrels else {}),
        "task": found.task,
        "method": found.method,
        "queries": str(found.queries),
        "candidates": str(found.candidates),
        "answers of each query": str(found.depth),
    }
    answer = _listed(facts, found)
    tables = (*answer.tables, *left_out_tables(found.left_out))
    return replace(answer, tables=tables, left_out=len(found.left_out))


def _listed(facts: Mapping[str, str], found: ExportedRun | ExportedStore | Joined) -> Answer:
    document = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(found).items()}
    return Answer(
        tables=(listing(("fact", "value"), list(facts.items())),),
        columns=("fact", "value"),
        rows=tuple({"fact": name, "value": value} for name, value in facts.items()),
        document={"schema": SCHEMA, **document},
        notes=tuple(found.notes),
    )
