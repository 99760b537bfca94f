"""Answers on a terminal: rich tables that still fit when the window is narrow, and never lose a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from gramcli.report.escaping import terminal, terminal_table
from gramcli.report.fitting import fitted

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

    from gramcli.report.answer import Answer, Table


def print_answer(console: Console, answer: Answer) -> None:
    """Print tables and notes; intervals drop to a second line where the window is narrow.

    Args:
        console: Where to; its width decides the layout.
        answer: What a command found.
    """
    for line in answer.lead:
        console.print(Text(terminal(line), style="bold"))
    for number, table in enumerate(map(terminal_table, answer.tables)):
        if number or answer.lead:
            console.print()
        if table.title:
            console.print(Text(table.title, style="bold"))
        # Uncropped: a table that no layout makes narrow enough is printed as wide as it is.
        console.print(rich_table(table, console.width), crop=False)
    if answer.notes:
        console.print()
    for note in answer.notes:
        console.print(Text(f"Note: {terminal(note)}", style="dim"))


def rich_table(table: Table, width: int) -> RichTable:
    """Return a rich table that fits `width` columns as well as its cells allow.

    Args:
        table: The finished cells.
        width: Columns of the terminal.

    Returns:
        A table with a rule under its head, with all of every cell: as wide as it must be where nothing more can break.
    """
    found = fitted(table, width)
    # The box puts one blank between columns; padding adds the rest of the gap.
    shown = RichTable(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, found.gap - 1, 0, 0), show_edge=False, width=found.total
    )
    for name, heading, wide in zip(table.columns, found.heading, found.widths, strict=True):
        side: JustifyMethod = "left" if name in table.left else "right"
        shown.add_column(Text(heading), justify=side, width=wide, no_wrap=True)
    for row in found.rows:
        shown.add_row(*_texts(table, row))
    return shown


def _texts(table: Table, row: tuple[str, ...]) -> list[Text]:
    return [Text(cell) if name in table.left else _figure(cell) for name, cell in zip(table.columns, row, strict=True)]


def _figure(cell: str) -> Text:
    """A figure, its interval dimmed."""
    start = cell.find("[")
    if start <= 0:
        return Text(cell)
    text = Text(cell[:start])
    text.append(cell[start:], style="dim")
    return text
