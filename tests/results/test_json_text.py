"""JSON text: what `json.dumps` with an indent would write, of anything we hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.results.json_text import dump_json, strict

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=3), NESTED | st.lists(st.floats(), max_size=5).map(tuple), max_size=4))
def test_the_text_is_that_of_the_standard_encoder(document: dict[str, object]) -> None:
    expected = json.dumps(strict(document), indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n"
    assert dump_json(document) == expected


def test_foreign_values_are_written_as_what_they_hold() -> None:
    found = dump_json(
        {"a": (np.float64(1.5), np.int64(2)), "b": Path("x"), 3: [math.nan, 1, None], "c": np.float32("inf")}
    )
    assert json.loads(found) == {"a": [1.5, 2], "b": "x", "3": [None, 1, None], "c": None}
