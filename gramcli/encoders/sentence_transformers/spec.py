"""`st:NAME_OR_PATH[@REVISION][:truncate_dim=N]`: the options at its end, as methods write theirs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError

TRUNCATE_DIM: Final = "truncate_dim"
_OPTIONS: Final = re.compile(r":([A-Za-z]\w*=[^:/\\]*)\Z")


def split_options(argument: str) -> tuple[str, int | None]:
    """Part what follows `st:` into the model and the dimensions that are kept of its vectors.

    Args:
        argument: `NAME_OR_PATH` or `NAME_OR_PATH:truncate_dim=N`; a folder of just that name is no option.

    Returns:
        The model, and how many dimensions; None leaves them as the model says.

    Raises:
        UserError: No model is named, or an option is unknown, given twice or no number above 0.

    Example:
        >>> split_options("org/model:truncate_dim=128"), split_options("C:/models/a=b")
        (('org/model', 128), ('C:/models/a=b', None))
    """
    found = None if Path(argument).exists() else _OPTIONS.search(argument)
    model = argument[: found.start()] if found else argument
    if not model:
        raise UserError("usage", "Name a model of sentence-transformers, by its folder or as ORG/NAME: st:ORG/NAME.")
    values: dict[str, str] = {}
    for part in found[1].split(",") if found else ():
        key, _, value = part.partition("=")
        if key != TRUNCATE_DIM or key in values:
            wrong = f"gives {key} twice" if key in values else f"has no option '{key}'"
            raise UserError(
                "usage", f"st:{argument} {wrong}.{did_you_mean(key, [TRUNCATE_DIM])} Known: {TRUNCATE_DIM}."
            )
        values[key] = value
    return model, _whole(values[TRUNCATE_DIM]) if values else None


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise UserError("usage", f"{TRUNCATE_DIM} is a whole number of dimensions from 1; got '{text}'.")
    return int(text)
