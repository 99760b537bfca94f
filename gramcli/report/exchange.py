"""What was joined and what was exported, ready for every format."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gramcli.report.answer import Answer, listing
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from gramcli.results.runs import Joined


def joined_answer(found: Joined) -> Answer:
    """Return what `gram join` wrote, ready for every format."""
    facts = {
        "store": str(found.path),
        "items": str(found.items),
        "one space for all modalities": "yes" if found.shared_space else "no",
        **{f"from {label}": ", ".join(names) for label, names in found.parts.items()},
    }
    return Answer(
        tables=(listing(("fact", "value"), list(facts.items())),),
        columns=("fact", "value"),
        rows=tuple({"fact": name, "value": value} for name, value in facts.items()),
        document={"schema": SCHEMA, **asdict(found), "path": str(found.path)},
        notes=found.notes,
    )
