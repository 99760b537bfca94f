"""The demo's answer and page: its evaluation and its comparison, one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.embedding.origin import originals
from gramcli.report.answer import Answer
from gramcli.report.page import page
from gramcli.report.page.material import behind
from gramcli.report.tables import comparison_answer, evaluation_answer
from gramcli.results.documents import evaluation_document
from gramcli.store.reader import open_store

if TYPE_CHECKING:
    from gramcli.demo import DemoResult

TITLE = "gram demo: aligned modalities on generated media"


def demo_answer(result: DemoResult) -> Answer:
    """Return what the demo found, ready for every format.

    Args:
        result: What `run_demo` returned.

    Returns:
        The verdict, the tables of the evaluation and of the comparison; CSV rows of the evaluation; a JSON document of
        the evaluation with the comparison inside.
    """
    evaluated, compared = evaluation_answer(result.evaluation), comparison_answer(result.comparison)
    return Answer(
        tables=(*evaluated.tables, *compared.tables),
        columns=evaluated.columns,
        rows=evaluated.rows,
        document={**evaluation_document(result.evaluation), "comparison": compared.document},
        notes=tuple(dict.fromkeys((*result.notes, *evaluated.notes, *compared.notes))),
        left_out=evaluated.left_out,
        lead=compared.lead,
    )


def demo_page(result: DemoResult) -> str:
    """Return the HTML page of the demo, with the captions and media that it made."""
    embedded = open_store(result.folder / "embedded")
    material = behind(embedded, open_store(result.folder / "aligned_gram"), originals(embedded))
    return page(result.evaluation, result.comparison, title=TITLE, remarks=result.notes, material=material)
