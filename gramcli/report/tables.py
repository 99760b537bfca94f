"""Evaluations, comparisons and embedding runs as answers: tables for people, rows for programs."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gramcli.metrics.geometry.catalog import CHANCE
from gramcli.report.answer import (
    Answer,
    Table,
    counted,
    is_per_cent,
    listing,
    metric_text,
    signed_text,
    with_interval,
)
from gramcli.report.any_to_any import SHARE, direction_tables, pool_tables
from gramcli.report.classes import class_tables, is_classification
from gramcli.report.comparisons import (
    CHANGE_COLUMNS,
    change_rows,
    change_tables,
    pair_tables,
    test_notes,
    verdict_lines,
)
from gramcli.report.geometry import geometry_tables, is_geometry, with_chance
from gramcli.results.comparisons import sides_document
from gramcli.results.documents import evaluation_document
from gramcli.results.records import SCHEMA, Comparison, ComparisonRow, Evaluation, LeftOut, Reference, ResultRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gramcli.results.runs import EmbedSummary

HEADLINE_METRICS = ("R@1", "R@5", "R@10", "MedR", "MeanR", "MRR")
GAIN = "aggregation_gain"
GAIN_ANY = "aggregation_gain_any"
LEFT_OUT_SHOWN = 10
REFERENCE_SHOWN = 24
MODALITY_COLUMNS = ("modality", "ok", "partial", "absent", "failed")
_OF_SEVERAL = frozenset({"mAP", "nDCG@10"})
_TOLD_ELSEWHERE = frozenset({*HEADLINE_METRICS, "R@50", GAIN, GAIN_ANY})
_WORDS = frozenset({"task", "method", "stage", "metric"})
_Key = tuple[str, str, str]


def evaluation_answer(evaluation: Evaluation) -> Answer:
    """Return an evaluation ready for every format.

    Args:
        evaluation: What `gram eval` found.

    Returns:
        Tables with one row per task, method and stage, and those of geometry; CSV rows with one row per metric.
    """
    everything = _grouped([row for row in evaluation.results if not is_geometry(row)])
    classified = {key: found for key, found in everything.items() if is_classification(found)}
    grouped = {key: found for key, found in everything.items() if key not in classified}
    tables = [
        *direction_tables(evaluation.results, evaluation.provenance),
        *pool_tables(evaluation.results),
        _headline_table(grouped, evaluation.provenance),
        *_further_tables(grouped),
        *gain_tables(grouped, evaluation.provenance),
        *class_tables(classified, evaluation.provenance),
        *geometry_tables(evaluation.results),
        *reference_tables(evaluation.reference),
        *left_out_tables(evaluation.left_out, _left_out_of(evaluation)),
    ]
    return Answer(
        tables=tuple(table for table in tables if table.rows),
        columns=tuple(field.name for field in fields(ResultRow)),
        rows=tuple(dict(vars(row)) for row in evaluation.results),
        document=evaluation_document(evaluation),
        notes=tuple(evaluation.notes),
        left_out=len(evaluation.left_out),
    )


def _grouped(results: Sequence[ResultRow]) -> dict[_Key, dict[str, ResultRow]]:
    """Collect the metrics of each task, method and stage; the lines of one task stand together."""
    grouped: dict[_Key, dict[str, ResultRow]] = {}
    for row in results:
        grouped.setdefault((row.task, row.method, row.stage), {})[row.metric] = row
    tasks = list(dict.fromkeys(task for task, _, _ in grouped))
    return dict(sorted(grouped.items(), key=lambda entry: tasks.index(entry[0][0])))


def _key_columns(keys: Sequence[_Key]) -> tuple[str, ...]:
    """Name the columns that tell rows apart; the stage only when one is not `raw`."""
    return ("task", "method") if all(stage == "raw" for _, _, stage in keys) else ("task", "method", "stage")


def _headline_table(grouped: dict[_Key, dict[str, ResultRow]], provenance: Mapping[str, Any]) -> Table:
    intervals = provenance.get("intervals")
    how = intervals if isinstance(intervals, dict) else {}
    population = "new items, galleries included" if how.get("population") == "items" else "new queries of this gallery"
    other = how.get("method", "plus-four")
    named = "" if other == "plus-four" else f"{other} "
    shown = {key: found for key, found in grouped.items() if any(metric in found for metric in HEADLINE_METRICS)}
    keys = _key_columns(list(shown))
    gain = [GAIN] if any(GAIN in found for found in shown.values()) else []
    metrics = [*HEADLINE_METRICS, *gain]
    rows = [
        (*key[: len(keys)], *(_headline_cell(metric, found.get(metric)) for metric in metrics), _queries(found))
        for key, found in shown.items()
    ]
    stage = "" if "stage" in keys else ", stage raw"
    title = f"Retrieval{stage}: R@k in per cent with its 95 % {named}interval over {population}; n queries"
    return Table((*keys, *HEADLINE_METRICS, *(["gain"] if gain else []), "n"), tuple(rows), _WORDS, title)


def _further_tables(grouped: dict[_Key, dict[str, ResultRow]]) -> list[Table]:
    """Pivot the metrics that the headline table leaves out; tasks and methods without any are skipped."""
    told = {
        key: {name: row for name, row in found.items() if _tells_more(row, found)} for key, found in grouped.items()
    }
    shown = {key: found for key, found in told.items() if found}
    metrics = list(dict.fromkeys(metric for found in shown.values() for metric in found))
    if not shown:
        return []
    keys = _key_columns(list(shown))
    rows = [
        (
            *key[: len(keys)],
            *(with_chance(_cell(name, found.get(name)), grouped[key].get(name + CHANCE)) for name in metrics),
        )
        for key, found in shown.items()
    ]
    headings = [f"{metric} %" if is_per_cent(metric) else metric for metric in metrics]
    chance = any(name.endswith(CHANCE) for key in shown for name in grouped[key])
    title = "Further figures; in brackets what chance gives" if chance else "Further figures"
    return [Table((*keys, *headings), tuple(rows), _WORDS, title)]


def gain_tables(grouped: Mapping[_Key, Mapping[str, ResultRow]], provenance: Mapping[str, Any]) -> list[Table]:
    """Say what the gains of joint tasks are against: the best single pair under the same method, and under any."""
    found = {(one["task"], one["method"]): one for one in provenance.get("gains", ()) if isinstance(one, dict)}
    rows = []
    for (task, method, _), figures in grouped.items():
        against = found.get((task, method))
        if against and GAIN_ANY in figures:
            pairs = [pair for pair in against.get("pairs", ()) if pair["method"] == method]
            cells = ("; ".join(map(_against, pairs)) or "takes no pairs", _best_of_any(against.get("any")))
            rows.append(
                (task, method, _cell(GAIN, figures.get(GAIN)), cells[0], _cell(GAIN, figures[GAIN_ANY]), cells[1])
            )
    columns = ("task", "method", "gain", "over each pair", "gain_any", "over the best pair under any")
    left = frozenset({"task", "method", "over each pair", "over the best pair under any"})
    title = "Gains in points of R@1, 95 % over new queries; that of a gain allows for the choice of the best pair"
    return [Table(columns, tuple(rows), left, title)] if rows else []


def _against(pair: Mapping[str, Any]) -> str:
    bounds = (signed_text(GAIN, pair.get(name)) for name in ("difference", "low", "high"))
    return f"{pair['task']} {with_interval(*bounds)}"


def _best_of_any(pair: Mapping[str, Any] | None) -> str:
    return "-" if pair is None else f"{pair['task']} {pair['method']} {metric_text('R@1', pair['R@1'])}"


def _tells_more(row: ResultRow, found: dict[str, ResultRow]) -> bool:
    """Say whether a figure adds to the headline table.

    A tie rate of 0 does not, nor a gain, which has its own table, nor mAP and nDCG where queries have one answer (mAP
    is MRR then); other cut-offs than 10 are left to CSV and JSON.
    """
    if (
        row.metric.endswith(CHANCE)
        or row.metric.startswith(SHARE)
        or (row.metric in _OF_SEVERAL and "recall@10" not in found)
    ):
        return False
    if row.metric.startswith("recall@") and row.metric != "recall@10":
        return False
    return row.metric not in {*HEADLINE_METRICS, "R@50", GAIN, GAIN_ANY} and not (
        row.metric == "tie_rate" and not row.value
    )


def _headline_cell(metric: str, row: ResultRow | None) -> str:
    """Return a cell of the headline table, where only R@k have room for an interval."""
    if row is None:
        return "-"
    if metric in {"MedR", "MeanR", "MRR"}:
        return metric_text(metric, row.value)
    return signed_text(metric, row.value) if metric == GAIN else _cell(metric, row)


def _cell(metric: str, row: ResultRow | None) -> str:
    if row is None:
        return "-"
    text = signed_text if metric == GAIN else metric_text
    return with_interval(text(metric, row.value), text(metric, row.low), text(metric, row.high))


def _queries(found: dict[str, ResultRow]) -> str:
    return str(next(row.n for metric, row in found.items() if metric in HEADLINE_METRICS))


def reference_tables(reference: Sequence[Reference]) -> list[Table]:
    """Return the table of published figures, in their order."""
    if not reference:
        return []
    rows = [
        (one.protocol, one.task, one.model, one.method, one.stage, one.metric, *_beside(one), one.source)
        for one in reference[:REFERENCE_SHOWN]
    ]
    cells = tuple(tuple(map(str, row)) for row in rows)
    words = frozenset({"protocol", "model", "source"}) | _WORDS
    columns = (
        "protocol",
        "task",
        "model",
        "method",
        "stage",
        "metric",
        "published",
        "measured",
        "difference",
        "source",
    )
    title = "Published figures; measured and difference only where protocol, task, method, stage and metric agree"
    if len(reference) > REFERENCE_SHOWN:
        title += f"; {REFERENCE_SHOWN} of {len(reference)}, all with --format json; ? is not stated"
    return [Table(columns, cells, words, title)]


def _beside(one: Reference) -> tuple[str, str, str]:
    measured = metric_text(one.metric, one.measured)
    source_text = metric_text(one.metric, one.value)
    return source_text, measured, signed_text(one.metric, one.difference) if one.measured is not None else "-"


def _left_out_of(evaluation: Evaluation) -> str:
    """How many items each task leaves out: ` of t2a 2, t2va 2`; empty where it is not recorded."""
    tasks = evaluation.provenance.get("tasks")
    counts = {name: task.get("left_out") for name, task in tasks.items()} if isinstance(tasks, dict) else {}
    said = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f" (by task: {said})" if said else ""


def left_out_tables(left_out: Sequence[LeftOut], tasks: str = "") -> list[Table]:
    """Return the table of items left out, the first ten of them; none when nothing was.

    Args:
        left_out: What is left out, and why.
        tasks: What the title says of the tasks concerned.
    """
    if not left_out:
        return []
    more = len(left_out) - LEFT_OUT_SHOWN
    title = f"Left out: {counted(len({entry.id for entry in left_out}), 'item')}{tasks}"
    title += f", the first {LEFT_OUT_SHOWN} entries here and all of them with --format json" if more > 0 else ""
    rows = [(item.id, item.modality, item.reason) for item in left_out[:LEFT_OUT_SHOWN]]
    return [listing(("id", "modality", "reason"), rows, title)]


def comparison_answer(comparison: Comparison) -> Answer:
    """Return a comparison ready for every format.

    Args:
        comparison: What `gram compare` found.

    Returns:
        The verdicts, one table per pair, baseline A against another, and the queries that change most where they were
        asked for; CSV rows with the fields of `ComparisonRow`, or of those queries.
    """
    asked = bool(comparison.provenance.get("diff_queries"))
    rows = tuple(asdict(row) for row in comparison.rows)
    changed = change_rows(comparison)
    return Answer(
        tables=(*pair_tables(comparison), *change_tables(comparison), *left_out_tables(comparison.left_out)),
        columns=CHANGE_COLUMNS if asked else tuple(field.name for field in fields(ComparisonRow)),
        rows=tuple(changed) if asked else rows,
        document={
            "schema": SCHEMA,
            "names": list(comparison.names),
            "provenance": comparison.provenance,
            "verdicts": [asdict(one) for one in comparison.verdicts],
            "results": rows,
            "changes": [asdict(one) for one in comparison.changes],
            "sides": sides_document(comparison),
            "left_out": [asdict(item) for item in comparison.left_out],
            "notes": list(comparison.notes),
        },
        left_out=len(comparison.left_out),
        notes=(*test_notes(comparison.rows), *comparison.notes),
        lead=verdict_lines(comparison),
    )


def embed_answer(summary: EmbedSummary) -> Answer:
    """Return what an embedding run did, ready for every format.

    Args:
        summary: What `gram embed` returned.

    Returns:
        A table of modalities with what became of every item, each counted once, and one of what is left out.
    """
    rows = tuple(_modality_row(summary, name) for name in summary.ok)
    title = f"{summary.path}: {counted(summary.items, 'item')}, {counted(summary.captions, 'caption')}; "
    title += f"{counted(summary.shards_written, 'shard')} written, {summary.shards_reused} already there"
    cells = tuple(tuple(str(value) for value in row.values()) for row in rows)
    return Answer(
        tables=(Table(MODALITY_COLUMNS, cells, frozenset({"modality"}), title), *left_out_tables(summary.left_out)),
        columns=MODALITY_COLUMNS,
        rows=rows,
        document={
            "schema": SCHEMA,
            "store": str(summary.path),
            "items": summary.items,
            "captions": summary.captions,
            "shards": {"written": summary.shards_written, "reused": summary.shards_reused},
            "results": rows,
            "left_out": [asdict(item) for item in summary.left_out],
            "notes": list(summary.notes),
        },
        notes=tuple(summary.notes),
        left_out=len(summary.left_out),
    )


def _modality_row(summary: EmbedSummary, name: str) -> dict[str, str | int]:
    embedded, absent = summary.ok[name], summary.absent.get(name, 0)
    partial, lost = summary.partial.get(name, 0), summary.items - embedded - absent
    return {"modality": name, "ok": embedded - partial, "partial": partial, "absent": absent, "failed": lost}
