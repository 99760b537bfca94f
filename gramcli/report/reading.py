"""The forms of a result outside the command line: what `gramcli.results.readable` asks for by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from gramcli.report import Format
from gramcli.report.escaping import html as escape
from gramcli.report.formats import render
from gramcli.results.documents import strict

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from gramcli.report.answer import Answer, Table
    from gramcli.results.readable import Readable

_ANSWERS: Final = {
    "Imported": "imports:import_answer",
    "Evaluation": "tables:evaluation_answer",
    "Comparison": "tables:comparison_answer",
    "EmbedSummary": "tables:embed_answer",
    "Alignment": "align:alignment_answer",
    "AlignmentMatrix": "matrices:matrix_answer",
    "Description": "listings:description_answer",
    "Exported": "listings:export_answer",
    "ExportedRun": "exchange:run_answer",
    "ExportedStore": "exchange:export_answer",
    "Joined": "exchange:joined_answer",
    "Leaderboard": "leaderboard:leaderboard_answer",
    "Scores": "scores:scores_answer",
    "Soundness": "soundness:soundness_answer",
}
"""Class of a result -> module and function that make its answer."""
_TITLES: Final = {
    "AlignmentMatrix": "Alignment matrix",
    "Description": "What it holds",
    "Soundness": "Is this encoder sound?",
}
"""Class of a result -> the heading of its page, where the name alone would not do."""


def answer_of(result: Readable) -> Answer:
    """Return a result ready for every format, as its command prints it."""
    module, _, name = _ANSWERS[type(result).__name__].partition(":")
    answer: Answer = getattr(import_module(f"gramcli.report.{module}"), name)(result)
    return answer


def frame(result: Readable) -> pd.DataFrame:
    """Return the rows of the CSV as a frame; a number that is missing is NaN."""
    import pandas as pd  # noqa: PLC0415 - slow to load, and only frames need it

    answer = answer_of(result)
    rows: list[Any] = [strict(row) for row in answer.rows]
    return pd.DataFrame(rows, columns=list(answer.columns))


def json(result: Readable) -> str:
    """Return the JSON document of `--format json`."""
    return render(answer_of(result), Format.json)


def text(result: Readable) -> str:
    """Return the table of a pipe, without its last line break."""
    return render(answer_of(result), Format.table).rstrip("\n")


def html(result: Readable) -> str:
    """Return tables and notes for a notebook, escaped."""
    answer = answer_of(result)
    notes = "".join(f"<li>{escape(note)}</li>" for note in answer.notes)
    lead = "".join(f"<p>{escape(line)}</p>" for line in answer.lead)
    return lead + "".join(map(_html_table, answer.tables)) + (f"<ul>{notes}</ul>" if notes else "")


def page(result: Readable, path: Path) -> Path:
    """Write the HTML page of a result.

    Raises:
        UserError: It cannot be written.
    """
    from gramcli.report.files import write_result  # noqa: PLC0415 - jinja2 and matplotlib load here
    from gramcli.report.page import alignment_page, answer_page, comparison_page, scores_page  # noqa: PLC0415
    from gramcli.report.page import page as evaluation_page  # noqa: PLC0415
    from gramcli.results.records import Comparison, Evaluation  # noqa: PLC0415
    from gramcli.results.runs import Alignment  # noqa: PLC0415
    from gramcli.results.scores import Scores  # noqa: PLC0415

    if isinstance(result, Evaluation):
        written = evaluation_page(result)
    elif isinstance(result, Comparison):
        written = comparison_page(result)
    elif isinstance(result, Alignment):
        written = alignment_page(result)
    elif isinstance(result, Scores):
        written = scores_page(result)
    else:
        name = type(result).__name__
        written = answer_page(answer_of(result), _TITLES.get(name, name), getattr(result, "provenance", {}))
    write_result(path, written)
    return path


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
