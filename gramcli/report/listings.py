"""Answers that are lists rather than results: methods, datasets, what a path is, what works here."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gramcli.report.answer import Answer, Table, listing
from gramcli.report.tables import left_out_tables
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gramcli.inspection.doctor import Check
    from gramcli.methods import Method
    from gramcli.results.descriptions import Description, ModalityCount
    from gramcli.results.runs import Exported
    from gramcli.scoring.normalizations import NormalizationRow

_NORMALIZE = "S the score, or minus it where lower is better; --normalize dsl:tau=20 sets an option."


def methods_answer() -> Answer:
    """Return the catalog of methods."""
    from gramcli.methods import METHODS, Method  # noqa: PLC0415 - entry points are read only here
    from gramcli.scoring.normalizations import NORMALIZATIONS  # noqa: PLC0415 - as above

    rows = tuple(asdict(method) for method in METHODS)
    about = [(method.name, method.summary, method.paper) for method in METHODS]
    use = [(m.name, m.formula, f"{m.low} to {m.high}", _better(m), _modalities(m), m.options or "-") for m in METHODS]
    post = [
        (n.name, n.formula, _defaults(n), "the train split" if n.needs_bank else "the tested queries", n.paper)
        for n in NORMALIZATIONS
    ]
    return Answer(
        tables=(
            listing(("method", "what it is", "paper"), about),
            listing(("method", "formula", "range", "better", "modalities", "options"), use),
            listing(("normalize", "formula", "defaults", "statistics from", "paper"), post, "For eval --normalize"),
        ),
        columns=tuple(field.name for field in fields(Method)),
        rows=rows,
        document={
            "schema": SCHEMA,
            "results": rows,
            "normalizations": [
                {"name": n.name, "formula": n.formula, "defaults": dict(n.defaults)} for n in NORMALIZATIONS
            ],
        },
        notes=("q query, m candidates' vectors, G their Gram matrix; all of unit length.", _NORMALIZE),
    )


def _defaults(row: NormalizationRow) -> str:
    return ", ".join(f"{key}={value:g}" for key, value in row.defaults.items())


def _better(method: Method) -> str:
    return "higher" if method.higher_is_better else "lower"


def _modalities(method: Method) -> str:
    if method.max_modalities is None:
        return f"{method.min_modalities}+"
    exact = method.max_modalities == method.min_modalities
    return str(method.min_modalities) if exact else f"{method.min_modalities} to {method.max_modalities}"


def description_answer(description: Description) -> Answer:
    """Return what `gram inspect` found, ready for every format.

    Args:
        description: What a path is, holds and lacks.

    Returns:
        Tables of facts, modalities and what is missing; CSV rows with one fact each.
    """
    facts = [*description.facts, *_count_facts(description.counts)]
    title = f"{description.path} is {_article(description.kind)}"
    tables = [
        listing(("fact", "value"), description.facts, title),
        *_count_tables(description.counts),
        *left_out_tables(description.missing),
    ]
    return Answer(
        tables=tuple(tables),
        columns=("fact", "value"),
        rows=({"fact": "kind", "value": description.kind}, *({"fact": name, "value": value} for name, value in facts)),
        document={"schema": SCHEMA, **asdict(description)},
        notes=tuple(description.notes),
    )


def _article(kind: str) -> str:
    return {
        "store": "an embedding store",
        "evaluation": "an evaluation",
        "dataset": "a dataset",
        "checkpoint": "a checkpoint",
        "heads": "a folder of heads",
        "model": "a model of Hugging Face",
    }[kind]


def _count_facts(counts: Sequence[ModalityCount]) -> list[tuple[str, str]]:
    return [
        (f"{count.modality} {state}", str(number))
        for count in counts
        for state, number in (("ok", count.ok), ("absent", count.absent), ("failed", count.failed))
    ]


def _count_tables(counts: Sequence[ModalityCount]) -> list[Table]:
    if not counts:
        return []
    rows = tuple(tuple("-" if value is None else str(value) for value in asdict(count).values()) for count in counts)
    return [Table(("modality", "dim", "ok", "absent", "failed"), rows, frozenset({"modality"}), "Items per modality")]


def export_answer(exported: Exported) -> Answer:
    """Return what `gram export` wrote, ready for every format."""
    facts: dict[str, str] = {
        "file": str(exported.path),
        "tensors": str(exported.tensors),
        "numbers": ", ".join(f"{name} ({number})" for name, number in exported.dtypes.items())
        + ("; floating point rounded to float16 by --half" if exported.half else "; as in the checkpoint"),
        "bytes before": f"{exported.bytes_before:,}",
        "bytes now": f"{exported.bytes_after:,}",
        "sha256": exported.sha256,
    }
    return Answer(
        tables=(listing(("fact", "value"), list(facts.items())),),
        columns=("fact", "value"),
        rows=tuple({"fact": name, "value": value} for name, value in facts.items()),
        document={"schema": SCHEMA, **asdict(exported), "path": str(exported.path)},
        notes=tuple(exported.notes),
    )


def doctor_answer(checks: Sequence[Check]) -> Answer:
    """Return what `gram doctor` found, ready for every format."""
    rows: tuple[dict[str, Any], ...] = tuple(asdict(check) for check in checks)
    cells = [(check.name, "yes" if check.works else "NO", check.detail) for check in checks]
    return Answer(
        tables=(listing(("what", "works", "detail"), cells),),
        columns=("name", "works", "detail"),
        rows=rows,
        document={"schema": SCHEMA, "works": all(check.works for check in checks), "results": rows},
    )
