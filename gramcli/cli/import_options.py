"""Options of `gram import` alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gramcli.cli.panels import data, output
from gramcli.exchange.catalog import FORMATS


class Pool(StrEnum):
    """How time steps become one vector."""

    mean = "mean"
    max = "max"
    first = "first"
    last = "last"


class Shared(StrEnum):
    """Whether all modalities lie in one space."""

    yes = "yes"
    no = "no"


FilesArg = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...", help="Files or folders of features; video=clip.npy names the modality of one."),
]
ImportOut = Annotated[
    Path | None,
    output("-o", "--output", metavar="STORE", help="The store to write or to resume. Not needed with --dry-run."),
]
FormatNameOpt = Annotated[
    str | None,
    data("--from", metavar="NAME", help=f"The format, where it is not recognised: {', '.join(FORMATS.names())}."),
]
IdsOpt = Annotated[
    str | None,
    data("--ids", metavar="FILE[:COLUMN]", help="Ids of the rows in order: .txt, .json or .csv. Default: row numbers."),
]
TableOpt = Annotated[
    Path | None,
    data("--table", metavar="FILE", help="id, split, label, caption: a row an item, or a row a caption."),
]
TextsOpt = Annotated[
    Path | None, data("--texts", metavar="FILE", help="Texts whose vectors are wanted, one a line: for --from mteb.")
]
PoolOpt = Annotated[
    Pool, data("--pool", help="How time steps become one vector; NaN, infinity, zero padding left out.")
]
TimeAxisOpt = Annotated[
    int | None,
    data("--time-axis", metavar="N", help="Which axis of one item's array is time: 0 for [T, d], 1 for [d, T]."),
]
SharedSpaceOpt = Annotated[
    Shared | None, data("--shared-space", help="Whether vectors of different modalities can be compared.")
]
RenameOpt = Annotated[
    list[str] | None, data("--rename", metavar="OLD=NEW", help="Store a modality by another name; repeats.")
]
NameOpt = Annotated[
    str | None,
    data("--dataset", metavar="NAME", help="A name for the items; imports compare under one. Default: the file's."),
]
ModelNameOpt = Annotated[
    str | None, data("--model", metavar="NAME", help="What made the features; imports of one name are of one model.")
]
FormatsOpt = Annotated[bool, data("--formats", help="List the formats with their layouts, and import nothing.")]
