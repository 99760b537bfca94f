"""Answers on a terminal: rich tables that still fit when the window is narrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from gramcli.report.escaping import terminal, terminal_table

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

    from gramcli.report.answer import Answer, Table

WIDE_GAP, NARROW_GAP = 2, 1
_LONG_NAME = 12


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
        console.print(rich_table(table, console.width))
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
        A table with a rule under its head; when one line per row is too wide, intervals stand
        below their figures and the gaps shrink.
    """
    stacked = _needed(table) > width
    tight = stacked and _needed(table, stacked=True) > width
    # The box puts one blank between columns; padding adds the rest of the gap.
    padding = (0, (NARROW_GAP if stacked else WIDE_GAP) - 1, 0, 0)
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, show_edge=False)
    for place, name in enumerate(table.columns):
        words = name in table.left
        # A column of names has no place to break a line at: the others give way.
        sentences = words and ((tight and name in table.breaks) or any(" " in row[place] for row in table.rows))
        side: JustifyMethod = "left" if words else "right"
        shown.add_column(Text(name), justify=side, overflow="fold", no_wrap=not sentences)
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        shown.add_row(
            *(
                Text(_name(cell, stacked)) if name in table.left else _figure(cell, stacked, tight)
                for cell, name in cells
            )
        )
    return shown


def _needed(table: Table, *, stacked: bool = False) -> int:
    """Count the columns of a table: one line per row, or intervals below their figures."""
    widths = [0] * len(table.columns)
    for row in (table.columns, *table.rows):
        lines = [_name(cell, stacked).replace(" [", "\n[").split("\n") if stacked else [cell] for cell in row]
        widths = [max(width, *map(cell_len, parts)) for width, parts in zip(widths, lines, strict=True)]
    return sum(widths) + (NARROW_GAP if stacked else WIDE_GAP) * (len(widths) - 1)


def _name(cell: str, stacked: bool) -> str:
    """Put the options of a long name below it: `centroid:weights=query` breaks after the colon, never in a word."""
    long = stacked and " " not in cell and len(cell) > _LONG_NAME
    return re.sub(r"(?<=[:,])(?=\w)", "\n", cell) if long else cell


def _figure(cell: str, stacked: bool, tight: bool) -> Text:
    value, bracket, interval = cell.partition(" [")
    if not bracket:
        return Text(cell)
    text = Text(value)
    text.append(("\n[" if stacked else " [") + (interval.replace(", ", ",") if tight else interval), style="dim")
    return text
