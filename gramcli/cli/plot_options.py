"""What only `gram plot` is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Final

import typer

from gramcli.cli.panels import output
from gramcli.errors import UserError
from gramcli.report.plots.catalog import KINDS

_KINDS: Final = ", ".join(KINDS.names())

PlotArg = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE... KIND",
        help=f"A store, an evaluation's or comparison's JSON, or heads; then a kind: {_KINDS}.",
    ),
]
TitleOpt = Annotated[str, output("--title", metavar="TEXT", help="A line above the figure.", show_default=False)]
FigureOut = Annotated[
    Path | None, output("-o", "--output", metavar="FIG", help="The figure to write: .svg, .pdf or .png.")
]


def needed(path: Path | None, files: Sequence[str], kind: str) -> Path:
    """The file that a figure is written to.

    Raises:
        UserError: None was named.
    """
    if path is None:
        meant = " ".join(map(quote, files))
        raise UserError("usage", f"A figure needs a file, .svg, .pdf or .png: gram plot {meant} {kind} -o {kind}.svg")
    return path
