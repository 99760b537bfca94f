"""Which lines the cells of a table break into in a window: the first layout that fits, and nothing is ever cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from gramcli.report.answer import Table

WIDE_GAP: Final = 2
NARROW_GAP: Final = 1
_LONG_NAME: Final = 12
_NARROWEST: Final = 6
"""No cell of words is broken into less."""
_PIECES: Final = re.compile(r"[^\s/._:,@=+-]*[/._:,@=+-]+|[^\s/._:,@=+-]+|\s+")
_Pieces = Callable[[str], list[str]]


@dataclass(frozen=True)
class Fitted:
    """The cells of a table, broken into lines.

    Attributes:
        heading: Of every column.
        rows: The cells.
        widths: Of the columns.
        gap: Blanks between two columns.
    """

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    gap: int

    @property
    def total(self) -> int:
        """Columns of the whole."""
        return sum(self.widths) + self.gap * (len(self.widths) - 1)


def fitted(table: Table, width: int) -> Fitted:
    """Break the cells of a table so that it fits a window, as little as that takes.

    In this order: one line per row; intervals below their figures and sentences between their words; names between
    their parts; names anywhere. A table that is still too wide stays as it is.

    Args:
        table: The finished cells.
        width: Columns of the window.
    """
    whole = _measured(table.columns, table.rows, WIDE_GAP)
    if whole.total <= width or not table.columns:
        return whole
    stacked = _stacked(table, ", ")
    for source, pieces in (
        (stacked, None),
        (stacked, _words),
        (_stacked(table, ","), _words),
        (_stacked(table, ","), _parts),
        (_stacked(table, ","), list),
    ):
        found = _narrowed(source, table, width, pieces)
        if found.total <= width:
            return found
    return whole


def _measured(heading: Sequence[str], rows: Sequence[Sequence[str]], gap: int) -> Fitted:
    lines = [[cell.split("\n") for cell in column] for column in zip(heading, *rows, strict=True)]
    widths = [max(1, *(cell_len(line) for cell in column for line in cell)) for column in lines]
    return Fitted(tuple(heading), tuple(map(tuple, rows)), tuple(widths), gap)


def _stacked(table: Table, comma: str) -> Fitted:
    """Intervals below their figures, the options of a long name below it."""
    rows = [
        [
            _name(cell) if name in table.left else cell.replace(" [", "\n[").replace(", ", comma)
            for name, cell in zip(table.columns, row, strict=True)
        ]
        for row in table.rows
    ]
    return _measured(table.columns, rows, NARROW_GAP)


def _name(cell: str) -> str:
    """Put the options of a long name below it: `centroid:weights=query` breaks after the colon, never in a word."""
    long = " " not in cell and len(cell) > _LONG_NAME
    return re.sub(r"(?<=[:,])(?=\w)", "\n", cell) if long else cell


def _words(text: str) -> list[str]:
    return re.findall(r"\S+|\s+", text)


def _parts(text: str) -> list[str]:
    return _PIECES.findall(text)


def _narrowed(source: Fitted, table: Table, width: int, pieces: _Pieces | None) -> Fitted:
    """The columns of words made narrower, the widest first, as far as their pieces allow."""
    if pieces is None:
        return source
    columns = list(zip(source.heading, *source.rows, strict=True))
    least = [
        _least(column, wide, pieces) if name in table.left else wide
        for name, column, wide in zip(table.columns, columns, source.widths, strict=True)
    ]
    widths = list(source.widths)
    for _ in range(source.total - width):
        room = [k for k in range(len(widths)) if widths[k] > least[k]]
        if not room:
            return source
        widths[max(room, key=lambda k: widths[k])] -= 1
    broken = [
        [_broken(cell, wide) for cell in column] if wide < before else column
        for column, wide, before in zip(columns, widths, source.widths, strict=True)
    ]
    heading, *rows = zip(*broken, strict=True)
    return _measured(heading, rows, source.gap)


def _least(column: Sequence[str], wide: int, pieces: _Pieces) -> int:
    longest = max((cell_len(piece.strip()) for cell in column for piece in pieces(cell)), default=0)
    return max(longest, min(wide, _NARROWEST))


def _broken(cell: str, width: int) -> str:
    """A cell in lines of at most `width`: between words where there are any, else between parts of names."""
    return "\n".join(line for part in cell.split("\n") for line in _filled(part, width))


def _filled(text: str, width: int) -> list[str]:
    lines = [""]
    for word in _words(text):
        if cell_len(lines[-1] + word.rstrip()) <= width:
            lines[-1] += word
        elif cell_len(word) <= width:
            lines.append(word.lstrip())
        else:
            lines += _split(word, width)
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _split(word: str, width: int) -> list[str]:
    lines = [""]
    for piece in _parts(word):
        if cell_len(lines[-1] + piece) <= width:
            lines[-1] += piece
        else:
            lines += chop_cells(piece, width) if cell_len(piece) > width else [piece]
    return lines
