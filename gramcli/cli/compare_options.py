"""Options of `gram compare` alone, and those of `gram eval` whose default depends on the operand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gramcli.cli.options import Missing, Relevance, Rule, Ties
from gramcli.cli.panels import data, measuring, output, retrieval

OperandsArg = Annotated[
    list[str],
    typer.Argument(
        metavar="A B...",
        help="STORE, STORE@METHOD, STORE+heads:DIR, an evaluation's JSON; with --dataset also a MODEL. "
        "NAME=FILE,FILE or a pattern in quotes is one contender of several seeds.",
    ),
]
BaselineOpt = Annotated[
    str | None, measuring("--baseline", metavar="A", help="Which operand is the baseline. Default: the first.")
]
OnOpt = Annotated[
    Path | None, data("--on", metavar="STORE", help="The store through which operands heads:DIR are seen.")
]
PrimaryOpt = Annotated[
    str,
    measuring("--primary", metavar="METRIC", help="The one figure per task to test; `v2t:R@5` for one direction."),
]
IntersectOpt = Annotated[bool, data("--intersect", help="Compare on the queries that all have in common.")]
AllowOpt = Annotated[
    list[Rule] | None,
    data("--allow-different", metavar="RULE", help="A rule that may differ; the output says so. Repeats."),
]
DiffQueriesOpt = Annotated[
    int,
    output(
        "--diff-queries",
        min=0,
        metavar="N",
        help="List the N queries gained most and the N lost most, of each task; they are the rows of a CSV then.",
    ),
]
AskedMissingOpt = Annotated[
    Missing | None, data("--missing", help="Items that lack a modality; by default they are dropped.")
]
AskedRelevantOpt = Annotated[
    Relevance | None, retrieval("--relevant", help="What answers a query; by default its own item.")
]
AskedTiesOpt = Annotated[
    Ties | None, retrieval("--ties", help="Right answers that tie with wrong ones; by default the mean over orders.")
]
ModelDatasetOpt = Annotated[
    str | None, data("--dataset", metavar="DATA", help="Embed DATA with every operand that is a MODEL (cached).")
]
