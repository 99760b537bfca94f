"""What stands under one key of a file: rows, whole numbers, lengths, ids, classes, captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from gramcli.exchange.base import Recognised, Rows, wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = Any
"""What stands under a key: `Rows`, a list of texts or numbers, or a mapping of such."""

ALL_STEPS: Final = 2**62
"""The length of an item of which all time steps count."""


class Listed(dict[str, Value]):
    """The arrays of a list, by their place: of several items, or of one."""


def is_rows(value: Value) -> bool:
    """Whether a value is an array."""
    return hasattr(value, "read") and hasattr(value, "inner")


def is_missing(value: Value) -> bool:
    """Whether a value is the single NaN that MMT and CE write where an item has no such feature, or None."""
    if is_rows(value):
        single = value.n == 1 and not value.inner and is_float(value)
        return single and bool(np.isnan(np.asarray(value.read(np.arange(1)), np.float64)).all())
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value))


def is_float(rows: Rows) -> bool:
    """Whether rows are floating point."""
    return rows.dtype.startswith(("float", "bfloat"))


def labels_of(value: Value, found: Recognised, source: str) -> Sequence[str | None] | None:
    """Classes as texts; numbers with fractions are no classes.

    Raises:
        UserError: They are none.
    """
    if not is_rows(value):
        return [None if is_missing(one) else _text(one, source) for one in _listed(value, source)]
    flat: NDArray[Any] = np.asarray(value.read(np.arange(value.n))).reshape(value.n, -1 if value.n else 1)
    if flat.shape[1] == 1:
        flat = flat[:, 0]
        if flat.dtype.kind == "f" and np.isinf(flat).any():
            raise wrong(source, "holds a number that is infinite, which is no class", "Leave labels empty or NaN")
        if flat.dtype.kind == "f" and not np.array_equal(np.nan_to_num(flat), np.round(np.nan_to_num(flat))):
            found.notes.append(f"{source} holds numbers with fractions, which are no classes: left out.")
            return None
        return [None if math.isnan(one) else str(int(one)) for one in cast("list[float]", flat.tolist())]
    found.notes.append(f"{source} holds {flat.shape[1]} numbers for each item, which are no class: left out.")
    return None


def integers_of(value: Value, source: str, missing: int | None = None) -> list[int]:
    """Whole numbers, exact: an array's, or a list's; `missing` for NaN.

    Raises:
        UserError: They are none.
    """
    flat = np.asarray(value.read(np.arange(value.n))).reshape(-1).tolist() if is_rows(value) else _listed(value, source)
    if missing is not None:
        flat = [missing if is_missing(one) else one for one in flat]
    odd = next(
        (one for one in flat if not isinstance(one, int) and not (isinstance(one, float) and one.is_integer())), 0
    )
    if odd != 0:
        said = f"holds {odd if isinstance(odd, float) else type(odd).__name__}, which is no whole number"
        raise wrong(source, said, "Save whole numbers, or texts where they are ids")
    return [int(one) for one in flat]


def step_counts(value: Value, n: int, source: str) -> NDArray[np.int64]:
    """How many steps of each of n items are features.

    Raises:
        UserError: They are none.
    """
    found = integers_of(value, source, missing=0)
    if len(found) != n:
        raise wrong(source, f"has {len(found):,} lengths for {n:,} items", "Save one for each")
    if any(abs(one) > ALL_STEPS for one in found):
        raise wrong(source, "holds a length that no array has", "Save the number of time steps of each item")
    if found and min(found) < 0:
        raise wrong(source, f"holds the length {min(found)}", "Save the number of time steps of each item")
    return np.array(found, np.int64)


def ids_of(value: Value, source: str, found: Recognised) -> list[str]:
    """Ids; a row of several texts is one, joined, as MulT's segments are: video, begin and end.

    Raises:
        UserError: They are none.
    """
    if is_rows(value) or not any(isinstance(one, list | tuple) and len(one) > 1 for one in _listed(value, source)):
        return texts_of(value, source)
    found.notes.append(f"{source} has several texts in a row: the ids are these, joined by '_'.")
    rows = [one if isinstance(one, list | tuple) else [one] for one in value]
    return ["_".join(_text(part, source) for part in row) for row in rows]


def captions_of(value: Value, source: str) -> list[tuple[str, ...]]:
    """The captions of each row: of a list each, where any of them has several words; else it is the words of one.

    Raises:
        UserError: They are none.
    """
    if is_rows(value):
        return [(text,) for text in texts_of(value, source)]
    lists = [one for one in _listed(value, source) if isinstance(one, list | tuple)]
    several = any(
        isinstance(part, list | tuple) or (isinstance(part, str) and " " in part) for one in lists for part in one
    )
    return [
        tuple(_text(part, source) for part in one)
        if isinstance(one, list | tuple) and (several or not one)
        else (_text(one, source),)
        for one in value
    ]


def texts_of(value: Value, source: str) -> list[str]:
    """Texts, one each; of lists of one the one, of lists of words their line, whole numbers as texts.

    Raises:
        UserError: They are none.
    """
    if is_rows(value):
        return [str(one) for one in integers_of(value, source)]
    return [_text(one, source) for one in _listed(value, source)]


def _text(value: Value, source: str) -> str:
    while isinstance(value, list | tuple) and value:
        words = len(value) > 1 and all(isinstance(part, str) for part in value)
        value = " ".join(value) if words else value[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if not isinstance(value, str | int | float) or is_missing(value):
        raise wrong(source, f"must be texts; found {'NaN' if is_missing(value) else type(value).__name__}")
    try:
        return str(int(value) if isinstance(value, float) and value.is_integer() else value)
    except ValueError as error:  # Python writes no number of more than some thousand digits
        raise wrong(source, "holds a number of thousands of digits, which is no text") from error


def _listed(value: Value, source: str) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    raise wrong(source, f"is no list of texts or numbers, one for each item, but {type(value).__name__}")
