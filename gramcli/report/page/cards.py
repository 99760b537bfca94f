"""What stands on top of a page: the best figure of each task in large type, or the verdict of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gramcli.report.answer import is_number, metric_text
from gramcli.results.records import Comparison, ResultRow
from gramcli.results.wording import letter

MAX_CARDS: Final = 6
HEADLINE: Final = "R@1"
_SUBTITLE: Final = ("model", "dataset", "protocol", "split")
_KINDS: Final = {"better": "better", "worse": "worse"}


@dataclass(frozen=True)
class Card:
    """The best method of one task, in large type."""

    task: str
    method: str
    value: str
    interval: str
    queries: str


@dataclass(frozen=True)
class Ruling:
    """One sentence of a verdict.

    Attributes:
        outcome: In a word or two, before it.
        sentence: With its numbers.
        kind: `better`, `worse` or `open`, for its colour.
    """

    outcome: str
    sentence: str
    kind: str


def best_per_task(results: Sequence[ResultRow]) -> list[Card]:
    """Return one card per task: the methods with the highest R@1, all of them where several share it."""
    found: dict[str, list[ResultRow]] = {}
    for row in results:
        if row.metric == HEADLINE and is_number(row.value):
            found.setdefault(row.task, []).append(row)
    return [_card(rows) for rows in found.values()]


def rulings(comparison: Comparison | None) -> list[Ruling]:
    """Return the sentences of a comparison's verdict; none where it holds none."""
    verdicts = comparison.verdicts if comparison else ()
    return [Ruling(one.outcome, one.sentence, _KINDS.get(one.outcome, "open")) for one in verdicts]


def sides_of(comparison: Comparison | None) -> list[tuple[str, str, str]]:
    """Return letter, name and a word on each contender of a comparison."""
    names = comparison.names if comparison else ()
    return [(letter(place), name, "" if place else "baseline") for place, name in enumerate(names)]


def stage_named(row: ResultRow) -> str:
    """The method's name with its second stage, as rank vectors have it."""
    return f"{row.method} {row.stage}" if row.stage.startswith("rerank") else row.method


def subtitle(provenance: Mapping[str, Any]) -> str:
    """Return `model MODEL, dataset DATASET, protocol NAME`, as far as the provenance names them."""
    names = {key: _name(provenance.get(key)) for key in _SUBTITLE}
    return ", ".join(f"{key} {name}" for key, name in names.items() if name)


def subtitle_of(comparison: Comparison) -> str:
    """Return the subtitle of a comparison: what its evaluations share once, models that differ against each other."""
    found = comparison.provenance.get("evaluations") or [side.provenance for side in comparison.sides]
    told = [one for one in found if isinstance(one, Mapping)]
    names = {key: dict.fromkeys(_name(one.get(key)) for one in told) for key in _SUBTITLE}
    return ", ".join(f"{key} {' against '.join(filter(None, named))}" for key, named in names.items() if any(named))


def _card(rows: list[ResultRow]) -> Card:
    best = max(rows, key=lambda row: row.value or 0.0)
    return Card(
        task=best.task,
        method=", ".join(stage_named(row) for row in rows if row.value == best.value),
        value=metric_text(HEADLINE, best.value),
        interval="" if best.low is None else f"{_bound(best.low)} to {_bound(best.high)}",
        queries="1 query" if best.n == 1 else f"{best.n} queries",
    )


def _bound(value: float | None) -> str:
    return metric_text(HEADLINE, value)


def _name(value: object) -> str:
    found = value.get("id", "") if isinstance(value, Mapping) else value or ""
    return str(found)
