"""A store as .csv: a row for each vector, which is a JSON list in one cell."""

from __future__ import annotations

import csv
import io
import json
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gramcli.exchange.export_layout import CSV_MARK, Outgoing, table_columns
from gramcli.exchange.export_tables import Block, blocks

COLUMNS = ("id", "split", "label", "modality", "caption", "status", "digest", "vector")


def write(file: IO[bytes], outgoing: Outgoing) -> None:
    r"""Write the table: UTF-8, `\r\n` between lines, so that any line break within a cell is kept.

    Args:
        file: To write to.
        outgoing: The store.
    """
    more = table_columns(outgoing.columns)
    mark = outgoing.facts().decode("ascii")
    _lines(file, [[*COLUMNS, *more, CSV_MARK]])
    for block in blocks(outgoing):
        rows = _rows(block)
        if mark and rows:
            rows[0][-1], mark = mark, ""
        _lines(file, rows)


def vector_text(row: NDArray[np.float32]) -> str:
    """A vector as a JSON list, every number with the fewest digits that name it among float32.

    Example:
        >>> vector_text(np.array([0.1, -2, 1e-45], dtype=np.float32))
        '[0.1, -2.0, 1e-45]'
    """
    return f"[{', '.join(map(str, row))}]"


def _rows(block: Block) -> list[list[Any]]:
    vectors = iter(block.vectors)
    found = []
    for line, item in enumerate(block.items):
        vector = vector_text(next(vectors)) if block.present[line] else None
        status = item.status[block.modality]
        more = [_cell(values[line]) for values in block.more.values()]
        row = [item.id, item.split, item.label, block.modality, block.captions[line], status, block.digests[line]]
        found.append([*row, vector, *more, None])
    return found


def _cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


def _lines(file: IO[bytes], rows: list[list[Any]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    file.write(text.getvalue().encode("utf-8"))
