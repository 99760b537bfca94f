"""Options of `gram score` alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from gramcli.cli.panels import measuring, output


class Scored(StrEnum):
    """What `gram score` gives a row each."""

    item = "item"
    caption = "caption"


ScoredTasksOpt = Annotated[
    list[str] | None,
    measuring("--task", metavar="TASK", help="For instance t2va; repeats. Default: text and all that fits it."),
]
ScoredMethodsOpt = Annotated[
    list[str] | None, measuring("--method", metavar="METHOD", help="See `gram methods`; repeats. Default: gram.")
]
FdrOpt = Annotated[
    float, measuring("--fdr", metavar="X", help="Of the flagged, at most this share is aligned, on average.")
]
PerOpt = Annotated[Scored, measuring("--per", help="A row for each item (the mean of its captions) or each caption.")]
KeepOpt = Annotated[
    Path | None,
    output("--keep", metavar="FILE", help="Write a manifest without what is flagged, .csv or .jsonl, to embed again."),
]
