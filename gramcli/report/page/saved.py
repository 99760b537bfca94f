"""A page of a result that was saved as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gramcli.errors import UserError
from gramcli.report.answer import Answer, Table, counted
from gramcli.report.files import write_result
from gramcli.report.page.material import material_of, materials_of
from gramcli.report.page.pages import answer_page, comparison_page, page
from gramcli.report.tables import left_out_tables
from gramcli.results.comparisons import comparison_from, is_comparison
from gramcli.results.documents import evaluation_of, is_evaluation, read_document
from gramcli.results.records import LeftOut
from gramcli.results.schema import Source, checked

_SUFFIX: Final = ".html"
_SHOWN: Final = 5000
"""Rows of a result that is only shown as it stands."""


def write_report(
    file: str | Path, *, output: str | Path | None = None, dataset: str | None = None, root: str | Path | None = None
) -> Path:
    """Render a saved result as one HTML page, as `gram report` does.

    Args:
        file: JSON that `gram eval`, `compare`, `score`, `leaderboard` or `demo` wrote.
        output: The page; by default beside the file, with its name.
        dataset: Folder, manifest or dataset name with the captions and media, where they have moved.
        root: Where that starts from.

    Returns:
        The page.

    Raises:
        UserError: No such file, no result, `dataset` cannot be opened, or the page cannot be written.
    """
    return write_with_notes(file, output=output, dataset=dataset, root=root)[0]


def write_with_notes(
    file: str | Path, *, output: str | Path | None = None, dataset: str | None = None, root: str | Path | None = None
) -> tuple[Path, tuple[str, ...]]:
    """Render a saved result as `write_report` does.

    Args:
        file: As there.
        output: As there.
        dataset: As there.
        root: As there.

    Returns:
        The page, and a sentence on each thing behind the items that is not there to be shown.

    Raises:
        UserError: As there.
    """
    source = Path(file)
    document = read_document(source)
    if not is_evaluation(document):
        raise UserError("input", f"{source} is JSON, but no result of gram: it has no 'schema' and 'results'.")
    target = Path(output) if output else source.with_suffix(_SUFFIX)
    if target == source:
        raise UserError("usage", f"The page would replace {source} itself. Name another file with -o.")
    written, notes = _rendered(source, document, dataset, root)
    write_result(target, written)
    return target, notes


def _rendered(
    source: Path, document: dict[str, Any], dataset: str | None, root: str | Path | None
) -> tuple[str, tuple[str, ...]]:
    if "ranks" in document:
        beside = document.pop("comparison", None)
        evaluation = evaluation_of(document, source)
        compared = comparison_from(beside, source) if isinstance(beside, dict) else None
        material = material_of(evaluation.provenance, dataset, root)
        return page(evaluation, compared, material=material), material.notes
    compared = comparison_from(document, source) if is_comparison(document) else None
    if compared is not None and compared.sides:
        materials = materials_of(compared, dataset, root)
        notes = tuple(dict.fromkeys(note for one in materials for note in one.notes))
        return comparison_page(compared, materials=materials), notes
    if dataset is not None:
        raise UserError("usage", f"--dataset is for the items of an evaluation; {source} names none. Leave it out.")
    if compared is not None:
        return comparison_page(compared), ()
    held = checked(document, _Other, Source(source, "input", "Write it anew."))
    return answer_page(_answer(document, held), f"Results of {source.name}", held.provenance or {}), ()


class _Other(msgspec.Struct):
    """Any other result."""

    results: list[Any]
    provenance: dict[str, Any] | None = None
    left_out: list[dict[str, Any]] = []
    notes: list[Any] = []


def _answer(document: Mapping[str, Any], held: _Other) -> Answer:
    """Any other result: its rows as they stand."""
    rows: Sequence[Any] = [row for row in held.results if isinstance(row, dict)]
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    words = {name for name in columns if any(isinstance(row.get(name), str) for row in rows)}
    cells = tuple(tuple(_cell(row.get(name)) for name in columns) for row in rows[:_SHOWN])
    title = counted(len(rows), "row") + (f", the first {_SHOWN:,} here" if len(rows) > _SHOWN else "")
    left_out = [LeftOut(**{name: str(one.get(name)) for name in ("id", "modality", "reason")}) for one in held.left_out]
    notes = tuple(map(str, held.notes))
    return Answer(
        (Table(columns, cells, frozenset(words), title), *left_out_tables(left_out)),
        columns,
        tuple(rows),
        document,
        notes,
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
