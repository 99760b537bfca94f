"""Rows that are the same: of several tasks, which are then held once, and of texts of several items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from gramcli.evaluation.selection import TEXT, Selection


def share_rows(selections: Sequence[Selection]) -> list[Selection]:
    """The same tasks, where equal rows of one embedding are one tensor, so that they are held and multiplied once.

    Args:
        selections: The tasks' rows. Those of a store with several vectors of a modality are left as they are.
    """
    known: dict[tuple[str, bool, bytes], Tensor] = {}

    def side(vectors: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
        """The first tensor that was seen of each embedding at these rows, which are of texts where text takes part."""
        at = rows.numpy().tobytes()
        return {name: known.setdefault((name, TEXT in vectors, at), one) for name, one in vectors.items()}

    return [
        one
        if one.source is not None
        else replace(
            one, queries=side(one.queries, one.query_rows), candidates=side(one.candidates, one.candidate_rows)
        )
        for one in selections
    ]


def duplicate_texts(selection: Selection) -> int:
    """How many texts have, bit for bit, the embedding of a text of another item; captions often repeat."""
    asks = TEXT in selection.queries
    texts = (selection.queries if asks else selection.candidates).get(TEXT)
    if texts is None:
        return 0
    names = np.array(selection.query_ids if asks else selection.candidate_ids)
    rows = np.ascontiguousarray(texts.cpu().numpy())
    _, vector = np.unique(rows.view(f"V{rows.strides[0]}")[:, 0], return_inverse=True)
    _, owner = np.unique(names, return_inverse=True)
    first = np.full(len(rows), -1)
    first[vector] = owner  # of any of the rows of each vector
    several = np.zeros(len(rows), dtype=bool)
    several[vector[first[vector] != owner]] = True
    return int(several[vector].sum())
