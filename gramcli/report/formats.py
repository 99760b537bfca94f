"""Answers as text: plain tables, CSV, strict JSON, Markdown, LaTeX."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from gramcli.report import Format
from gramcli.report.escaping import csv_cell, latex, markdown, terminal, terminal_table
from gramcli.results.documents import dump_json, strict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gramcli.report.answer import Answer, Table

GAP: Final = "  "


def render(answer: Answer, output_format: Format) -> str:
    """Return an answer in one of the forms of `--format`.

    Args:
        answer: What a command found.
        output_format: Which form; `table` is the one without colour or box drawing.

    Returns:
        Text ending in one newline.
    """
    return RENDERERS[output_format](answer)


def plain_table(table: Table) -> str:
    """Return a table as aligned text under a line of dashes per column, ASCII but for the cells.

    Example:
        >>> from gramcli.report.answer import Table
        >>> print(plain_table(Table(("task", "n"), (("t2v", "1000"),), frozenset({"task"}))))
        task     n
        ----  ----
        t2v   1000
    """
    from rich.cells import cell_len  # noqa: PLC0415 - CSV and JSON must not wait for rich

    table = terminal_table(table)
    cells = [table.columns, *table.rows]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(table.columns))]
    flush_left = [name in table.left for name in table.columns]

    def line(row: tuple[str, ...]) -> str:
        """Pad every cell to its column."""
        pads = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        padded = [cell + pad if left else pad + cell for cell, pad, left in zip(row, pads, flush_left, strict=True)]
        return GAP.join(padded).rstrip()

    rule = GAP.join("-" * width for width in widths)
    return "\n".join(filter(None, [table.title, line(table.columns), rule, *map(line, table.rows)]))


def _plain(answer: Answer) -> str:
    notes = "\n".join(f"Note: {terminal(note)}" for note in answer.notes)
    lead = "\n".join(map(terminal, answer.lead))
    return "\n\n".join(filter(None, [lead, *map(plain_table, answer.tables), notes])) + "\n"


def _csv(answer: Answer) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, answer.columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(cell) for name, cell in strict(row).items()} for row in answer.rows)
    return buffer.getvalue()


def _json(answer: Answer) -> str:
    return dump_json(answer.document)


def _tabulated(table: Table, style: str, escape: Callable[[str], str]) -> str:
    from tabulate import tabulate  # noqa: PLC0415 - only two formats need it

    rows = [[escape(cell) for cell in row] for row in table.rows]
    headers = [escape(name) for name in table.columns]
    sides = ["left" if name in table.left else "right" for name in table.columns]
    return tabulate(rows, headers, tablefmt=style, colalign=sides, disable_numparse=True)


def _markdown(answer: Answer) -> str:
    lead = "\n".join(f"- {markdown(line)}" for line in answer.lead)
    parts = [lead]
    for number, table in enumerate(answer.tables):
        parts += [markdown(table.title) if number else "", _tabulated(table, "github", markdown)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _latex(answer: Answer) -> str:
    lead = "\n".join(f"% {terminal(line)}" for line in answer.lead)
    return "\n\n".join(filter(None, [lead, *map(_latex_titled, answer.tables, range(len(answer.tables)))])) + "\n"


def _latex_titled(table: Table, number: int) -> str:
    """A table after what it is, as a comment; the first of an answer goes without saying."""
    title = f"% {terminal(table.title)}\n" if number and table.title else ""
    return title + _latex_table(table)


def _latex_table(table: Table) -> str:
    """A tabular with the rules of booktabs; below it what marks mean, where cells are marked."""
    sides = "".join("l" if name in table.left else "r" for name in table.columns)
    rows = [[_latex_cell(table, k, column) for column in range(len(row))] for k, row in enumerate(table.rows)]
    lines = [" & ".join(cells) + r" \\" for cells in ([latex(name) for name in table.columns], *rows)]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    text = "\n".join([rf"\begin{{tabular}}{{{sides}}}", *body, r"\end{tabular}"])
    means = [f"Bold: {latex(table.marks[0])}"] if table.best else []
    means += [rf"$^{{\dagger}}$: {latex(table.marks[1])}"] if table.significant else []
    return "\n".join([text, rf"\par{{\footnotesize {' '.join(means)}}}"]) if means else text


def _latex_cell(table: Table, row: int, column: int) -> str:
    text = latex(table.rows[row][column])
    if table.columns[column] not in table.left:  # a figure with its spread, not a name
        text = re.sub(r"(?<=\d) \+- (?=\d)", r" $\\pm$ ", text)
    text = rf"\textbf{{{text}}}" if (row, column) in table.best else text
    return rf"{text}$^{{\dagger}}$" if (row, column) in table.significant else text


RENDERERS: Final[dict[Format, Callable[[Answer], str]]] = {
    Format.table: _plain,
    Format.csv: _csv,
    Format.json: _json,
    Format.markdown: _markdown,
    Format.latex: _latex,
}
"""One renderer for each member of `Format`."""
