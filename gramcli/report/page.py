"""One self-contained HTML page for a result: no network, light and dark, prints well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gramcli import __version__
from gramcli.report.answer import Table, counted, is_number, listing, metric_text
from gramcli.report.escaping import html
from gramcli.report.figures import MAX_PANELS, forest_plot, recall_curves, stage_named
from gramcli.report.tables import comparison_answer, evaluation_answer, left_out_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.report.answer import Answer
    from gramcli.results.records import Comparison, Evaluation, ResultRow

MAX_CARDS = 6
HEADLINE = "R@1"
LISTED = 20


@dataclass(frozen=True)
class Card:
    """The best method of one task, in large type."""

    task: str
    method: str
    value: str
    interval: str
    queries: str


@dataclass(frozen=True)
class Drawing:
    """A figure with the sentence that says how to read it."""

    svg: Markup
    caption: str


def page(
    evaluation: Evaluation,
    comparison: Comparison | None = None,
    *,
    title: str = "How well are the modalities aligned?",
    remarks: Sequence[str] = (),
) -> str:
    """Return the HTML page of an evaluation, with a comparison when there is one.

    Args:
        evaluation: What `gram eval` found.
        comparison: What `gram compare` found on the same store.
        title: The page's heading.
        remarks: Sentences above the figures, for what a reader must know first.

    Returns:
        The page; every text in it is escaped.
    """
    answer = evaluation_answer(evaluation)
    compared = comparison_answer(comparison) if comparison else None
    left_out = left_out_tables(evaluation.left_out)
    return _rendered(
        title=title,
        subtitle=_subtitle(evaluation.provenance),
        remarks=remarks,
        cards=best_per_task(evaluation.results)[:MAX_CARDS],
        tables=[table for table in answer.tables if table not in left_out],
        comparisons=compared.tables if compared else (),
        drawings=_drawings(evaluation),
        notes=dict.fromkeys((*answer.notes, *(compared.notes if compared else ()))),
        left_out=[(item.id, item.modality, item.reason) for item in evaluation.left_out],
        provenance=provenance_table(evaluation.provenance),
    )


def answer_page(answer: Answer, title: str, provenance: Mapping[str, Any]) -> str:
    """Return the HTML page of any answer: its tables, notes and provenance.

    Args:
        answer: Ready for every format; what it lists as left out is among its tables.
        title: The page's heading.
        provenance: Where its figures come from.

    Returns:
        The page; every text in it is escaped.
    """
    entries = answer.document.get("left_out", ())
    left_out = [(one["id"], one["modality"], one["reason"]) for one in entries]
    tables = [table for table in answer.tables if not table.title.startswith("Left out")]
    found = {"tables": tables, "notes": answer.notes, "left_out": left_out}
    nothing = {"subtitle": "", "remarks": (), "cards": (), "comparisons": (), "drawings": ()}
    return _rendered(title=title, provenance=provenance_table(provenance), **found, **nothing)


def _rendered(**parts: Any) -> str:  # noqa: ANN401 - what the template names
    environment = Environment(
        loader=PackageLoader("gramcli", "report"),
        autoescape=True,
        finalize=_as_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(version=__version__, **parts)


def _as_text(value: object) -> object:
    """Escape whatever the template prints; what is Markup is ours, and jinja escapes no Markup again."""
    return value if isinstance(value, Markup) else Markup(html(value))  # noqa: S704 - escaped here


def best_per_task(results: Sequence[ResultRow]) -> list[Card]:
    """Return one card per task: the methods with the highest R@1, all of them where several share it."""
    found: dict[str, list[ResultRow]] = {}
    for row in results:
        if row.metric == HEADLINE and is_number(row.value):
            found.setdefault(row.task, []).append(row)
    return [_card(rows) for rows in found.values()]


def _card(rows: list[ResultRow]) -> Card:
    best = max(rows, key=lambda row: row.value or 0.0)
    return Card(
        task=best.task,
        method=", ".join(stage_named(row).method for row in rows if row.value == best.value),
        value=metric_text(HEADLINE, best.value),
        interval="" if best.low is None else f"{_bound(best.low)} to {_bound(best.high)}",
        queries="1 query" if best.n == 1 else f"{best.n} queries",
    )


def _bound(value: float | None) -> str:
    return metric_text(HEADLINE, value)


def _subtitle(provenance: Mapping[str, Any]) -> str:
    """Return `model MODEL on DATASET`, as far as the provenance names them."""
    names = {key: _name(provenance.get(key)) for key in ("model", "dataset")}
    parts = [f"{key} {name}" for key, name in names.items() if name]
    return ", ".join(parts)


def _name(value: object) -> str:
    found = value.get("id", "") if isinstance(value, Mapping) else value or ""
    return str(found)


def _drawings(evaluation: Evaluation) -> list[Drawing]:
    tasks = dict.fromkeys(vector.task for vector in evaluation.ranks)
    some = f" The first {MAX_PANELS} of {len(tasks)} tasks." if len(tasks) > MAX_PANELS else ""
    drawings = [
        (forest_plot(evaluation.results), "R@1 of every task and method; the bar is the 95 % interval."),
        (forest_plot(evaluation.results, "accuracy"), "Accuracy of every classifier; the bar is the 95 % interval."),
        (recall_curves(evaluation.ranks), f"Share of queries with a match among the first k (log scale).{some}"),
    ]
    # The SVG is matplotlib's own output, which escapes the names in it.
    return [Drawing(Markup(svg), caption) for svg, caption in drawings if svg]  # noqa: S704


def provenance_table(provenance: Mapping[str, Any]) -> Table:
    """Return the provenance as rows of dotted key and value, nested objects spread out."""
    return listing(("key", "value"), list(_flat("", provenance)), counted(len(provenance), "entry"))


def _flat(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else str(key), inner)]
    if isinstance(value, (list, tuple)):
        if any(isinstance(inner, Mapping) for inner in value):
            return [(prefix, f"{counted(len(value), 'table')}, in the JSON")]
        more = f", and {len(value) - LISTED} more in the JSON" if len(value) > LISTED else ""
        return [(prefix, ", ".join(str(inner) for inner in value[:LISTED]) + more)]
    return [(prefix, "-" if value is None else str(value))]
