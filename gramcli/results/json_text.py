"""Strict JSON text of what we hold: no number that JSON has not, two blanks of indent; no third-party imports.

`json.dumps` with an indent is Python all the way, a second for 20,000 ranks of every task. Here lists of plain values,
which are nearly all of a document, go through the encoder in C whole; the text is the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

_PLAIN: Final = frozenset({str, int, bool, float, type(None)})
_STEP: Final = "  "


def strict(value: Any) -> Any:  # noqa: ANN401 - any JSON-able value
    """Return `value` with every number JSON cannot hold replaced by None.

    Args:
        value: Dicts, lists, tuples, paths, numbers (NumPy scalars too) and strings in any nesting.

    Returns:
        The same nesting of dict, list, str, int, float, bool and None.

    Example:
        >>> strict({"value": float("nan"), "ranks": (1.0, 2.5)})
        {'value': None, 'ranks': [1.0, 2.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [strict(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    # NumPy scalars and zero-dimensional tensors say what they hold without NumPy being imported here.
    return strict(value.item()) if hasattr(value, "item") else str(value)


def dump_json(document: Mapping[str, Any]) -> str:
    """Return `document` as strict JSON text: ASCII, never NaN, ending in a newline.

    Example:
        >>> print(dump_json({"ranks": (1.0, 2.5), "tied": [], "value": float("inf")}), end="")
        {
          "ranks": [
            1.0,
            2.5
          ],
          "tied": [],
          "value": null
        }
    """
    return _text(document, "\n").replace("\x7f", "\\u007f") + "\n"


def _text(value: Any, line: str) -> str:  # noqa: ANN401 - any JSON-able value
    """A value whose lines begin with `line`: a line break and the indent."""
    inner = line + _STEP
    if isinstance(value, Mapping):
        found = {str(key): one for key, one in value.items()}
        entries = [f"{json.dumps(key)}: {_text(one, inner)}" for key, one in found.items()]
        return f"{{{inner}{f',{inner}'.join(entries)}{line}}}" if entries else "{}"
    if isinstance(value, (list, tuple, set, frozenset)):
        body = _plain(list(value), f",{inner}") if _PLAIN.issuperset(map(type, value)) else None
        body = f",{inner}".join(_text(one, inner) for one in value) if body is None else body
        return f"[{inner}{body}{line}]" if value else "[]"
    return _text(made, line) if isinstance(made := strict(value), (dict, list)) else json.dumps(made, allow_nan=False)


def _plain(values: Sequence[str | float | None], separator: str) -> str:
    """Values without nesting, apart by `separator`."""
    kinds = set(map(type, values))
    if float in kinds and not (kinds == {float} and all(map(math.isfinite, values))):  # type: ignore[arg-type]
        values = [strict(one) for one in values]
    return json.dumps(values, separators=(separator, ": "), allow_nan=False)[1:-1]
