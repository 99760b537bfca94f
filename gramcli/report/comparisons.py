"""Parts of a comparison's answer: the verdict in words, a table for each pair, the queries that change most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.report.answer import Table, is_per_cent, metric_text, signed_text, with_interval
from gramcli.results.wording import letter, letters_of, p_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.results.records import Comparison, ComparisonRow, QueryChange

LISTED: Final = 5
"""Top answers of a query in CSV, as many as evaluations keep."""
CHANGE_COLUMNS: Final = (
    "task", "a", "b", "change", "query", "caption", "text", "rank_a", "rank_b",
    *(f"top{k + 1}_{side}" for side in "ab" for k in range(LISTED)),
)  # fmt: skip
_SHOWN: Final = 3
_LONGEST: Final = 60
_UNSHOWN: Final = 8
_WORDS: Final = frozenset({"task", "metric"})
_LEVEL: Final = 0.05


def verdict_lines(comparison: Comparison) -> tuple[str, ...]:
    """Who is who, then a sentence for each primary figure; many without a difference are counted in one."""
    if not comparison.verdicts:
        return ()
    seeds = comparison.provenance.get("seeds", {})
    names = [
        f"{letter(k)}: {name}{_seeds(seeds.get(name, 1))}{' (baseline)' if k == 0 else ''}"
        for k, name in enumerate(comparison.names)
    ]
    shown = [one for one in comparison.verdicts if one.outcome != "no difference shown"]
    rest = [one for one in comparison.verdicts if one.outcome == "no difference shown"]
    if len(rest) <= _UNSHOWN:
        return (*names, *(one.sentence for one in comparison.verdicts))
    sizes = [one.detectable for one in rest if one.detectable is not None]
    metric, unit = rest[0].metric, " points" if is_per_cent(rest[0].metric) else ""
    ends = dict.fromkeys(metric_text(metric, size) for size in (min(sizes), max(sizes))) if sizes else ()
    seen = (
        f"differences of {' to '.join(ends)}{unit} could have been seen (power 80 %)"
        if sizes
        else "none was to be seen"
    )
    last = f"On the {len(rest)} other tasks and methods no difference is shown (p Holm in the tables); {seen}."
    return (*names, *(one.sentence for one in shown), last)


def _seeds(count: int) -> str:
    return f", {count} seeds" if count > 1 else ""


def pair_tables(comparison: Comparison) -> list[Table]:
    """One table for each pair, baseline A against another."""
    pairs = dict.fromkeys((row.a, row.b) for row in comparison.rows)
    return [_pair_table(comparison, [row for row in comparison.rows if (row.a, row.b) == pair], pair) for pair in pairs]


def _pair_table(comparison: Comparison, rows: Sequence[ComparisonRow], pair: tuple[str, str]) -> Table:
    b = letters_of(pair, comparison.names)[1]
    over = "new queries and new seeds" if any(row.seeds_a * row.seeds_b > 1 for row in rows) else "new queries"
    title = f"A: {pair[0]} (baseline)   {b}: {pair[1]}   R@k in per cent; {b} - A with its 95 % interval over {over}"
    columns = ("task", "metric", "A", b, f"{b} - A", "p", "p Holm", f"{b} wins", "A wins", "n")
    best = {(k, 3 if row.delta > 0 else 2) for k, row in enumerate(rows) if row.delta}
    told = {(k, 4) for k, row in enumerate(rows) if row.p_holm is not None and row.p_holm < _LEVEL}
    marks = (f"the better of A and {b}.", f"A and {b} differ, p < 0.05 by Holm.")
    return Table(columns, tuple(map(_pair_cells, rows)), _WORDS, title, frozenset(best), frozenset(told), marks)


def _pair_cells(row: ComparisonRow) -> tuple[str, ...]:
    delta = with_interval(*(signed_text(row.metric, bound) for bound in (row.delta, row.low, row.high)))
    values = (_value(row.metric, row.value_a, row.spread_a), _value(row.metric, row.value_b, row.spread_b))
    p_values = (p_text(row.p_value), p_text(row.p_holm))
    metric = f"{row.metric} *" if row.family == "primary" else row.metric
    return (row.task, metric, *values, delta, *p_values, str(row.wins), str(row.losses), str(row.n))


def _value(metric: str, value: float, spread: float | None) -> str:
    text = metric_text(metric, value)
    return text if spread is None else f"{text} +- {metric_text(metric, spread)}"


def test_notes(rows: Sequence[ComparisonRow]) -> tuple[str, ...]:
    """What wins are, and which figure has which test."""
    tests: dict[str, list[str]] = {}
    for row in rows:
        if row.p_value is not None and row.metric not in tests.setdefault(row.test, []):
            tests[row.test].append(row.metric)
    wins = ("B wins, A wins (wins, losses in CSV and JSON): queries on which B, or A, does better.",) if rows else ()
    return (*wins, *(f"p of {', '.join(metrics)}: {test}." for test, metrics in tests.items()))


def change_tables(comparison: Comparison) -> list[Table]:
    """The queries gained most of each task and pair, and those lost most."""
    groups: dict[tuple[str, str, str, str], list[QueryChange]] = {}
    for one in comparison.changes:
        groups.setdefault((one.task, one.a, one.b, one.direction), []).append(one)
    return [_change_table(comparison, key, found) for key, found in groups.items()]


def _change_table(comparison: Comparison, key: tuple[str, str, str, str], found: Sequence[QueryChange]) -> Table:
    task, a, b, direction = key
    other = letters_of((a, b), comparison.names)[1]
    verb = "gains" if direction == "gained" else "loses"
    title = f"{task}: queries that {other} ({b}) {verb} most against A ({a}), by 1 / rank"
    several, texts = any(one.caption for one in found), any(one.text for one in found)
    listed = any(one.best_a or one.best_b for one in found)
    columns = ("query", *(["caption"] if texts else []), "rank A", f"rank {other}")
    columns += (f"top {_SHOWN} of A", f"top {_SHOWN} of {other}") if listed else ()
    rows = [
        (
            f"{one.query} #{one.caption}" if several else one.query,
            *([_clipped(one.text or "-")] if texts else []),
            f"{one.rank_a:.3g}",
            f"{one.rank_b:.3g}",
            *((", ".join(one.best_a[:_SHOWN]) or "-", ", ".join(one.best_b[:_SHOWN]) or "-") if listed else ()),
        )
        for one in found
    ]
    return Table(columns, tuple(rows), frozenset({"query", "caption", *columns[-2:]} - {f"rank {other}"}), title)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def change_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The queries that change most, as rows of a CSV: everything of each."""
    return [
        {
            **{name: getattr(one, name) for name in ("task", "a", "b", "query", "caption", "text", "rank_a", "rank_b")},
            "change": one.direction,
            **{f"top{k + 1}_a": name for k, name in enumerate(one.best_a[:LISTED])},
            **{f"top{k + 1}_b": name for k, name in enumerate(one.best_b[:LISTED])},
        }
        for one in comparison.changes
    ]
