"""Alignment matrices: files by suffix, and a summary for people."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from gramcli.errors import UserError
from gramcli.report.answer import Answer, Table, listing
from gramcli.report.escaping import csv_cell
from gramcli.report.files import write_result
from gramcli.report.tables import left_out_tables
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.results.matrices import AlignmentMatrix

SHOWN_WHOLE = 12


def _npy(matrix: AlignmentMatrix) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, matrix.scores, allow_pickle=False)
    return buffer.getvalue()


def _npz(matrix: AlignmentMatrix) -> bytes:
    buffer = io.BytesIO()
    ids = np.array(matrix.query_ids), np.array(matrix.candidate_ids)
    np.savez(buffer, scores=matrix.scores, query_ids=ids[0], candidate_ids=ids[1])
    return buffer.getvalue()


def _safetensors(matrix: AlignmentMatrix) -> bytes:
    from safetensors.numpy import save  # noqa: PLC0415 - one suffix needs it

    ids = {"query_ids": matrix.query_ids, "candidate_ids": matrix.candidate_ids}
    metadata = {name: json.dumps(found) for name, found in ids.items()}
    return bytes(save({"scores": np.ascontiguousarray(matrix.scores)}, metadata))


def _csv(matrix: AlignmentMatrix) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["query", *map(csv_cell, matrix.candidate_ids)])
    for name, row in zip(matrix.query_ids, matrix.scores.tolist(), strict=True):
        writer.writerow([csv_cell(name), *row])
    return text.getvalue().encode()


WRITERS: dict[str, Callable[[AlignmentMatrix], bytes]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _csv,
    ".safetensors": _safetensors,
}
"""Suffix -> writer. All but .npy hold the ids of rows and columns; arrays with names are called `scores`."""


def check_matrix_path(path: Path | None) -> None:
    """Refuse a suffix that no writer has, before anything is computed.

    Raises:
        UserError: The suffix is unknown.
    """
    if path is not None and path.suffix.lower() not in WRITERS:
        raise UserError("usage", f"{path}: a matrix is written by its suffix; use {', '.join(WRITERS)}.")


def write_matrix(matrix: AlignmentMatrix, path: Path) -> None:
    """Write an alignment matrix in the form its suffix names.

    Args:
        matrix: Scores and ids.
        path: Ends in a suffix of `WRITERS`.

    Raises:
        UserError: Unknown suffix, or the file cannot be written.
    """
    check_matrix_path(path)
    write_result(path, WRITERS[path.suffix.lower()](matrix))


def matrix_answer(found: AlignmentMatrix) -> Answer:
    """Return a summary of an alignment matrix; up to 12 x 12 the matrix itself too.

    Args:
        found: Scores and ids.

    Returns:
        The summary as a table; a square matrix also has the mean of its diagonal (its matched pairs when
        queries and candidates are the same items). CSV rows are the summary.
    """
    matrix, title = found.scores, f"{found.task}, {found.method}"
    facts = {"queries": matrix.shape[0], "candidates": matrix.shape[1], **_summary(matrix)}
    tables = [listing(("figure", "value"), [(name, _text(value)) for name, value in facts.items()], title)]
    if matrix.size and max(matrix.shape) <= SHOWN_WHOLE:
        columns = ("query", *found.candidate_ids)
        named = zip(found.query_ids, matrix, strict=True)
        rows = tuple((name, *(f"{value:.3f}" for value in row)) for name, row in named)
        tables.append(Table(columns, rows, frozenset({"query"}), "Scores, queries down, candidates across"))
    results = tuple({"figure": name, "value": value} for name, value in facts.items())
    left_out = [asdict(entry) for entry in found.left_out]
    document = {"schema": SCHEMA, "title": title, "results": results, "left_out": left_out, "notes": found.notes}
    return Answer(
        tables=(*tables, *left_out_tables(found.left_out)),
        columns=("figure", "value"),
        rows=results,
        document=document,
        notes=tuple(found.notes),
        left_out=len(found.left_out),
    )


def _summary(matrix: NDArray[np.float32]) -> dict[str, float]:
    if not matrix.size:
        return {}
    summary = {"min": matrix.min(), "mean": matrix.mean(dtype=np.float64), "max": matrix.max()}
    if matrix.shape[0] == matrix.shape[1]:
        summary["matched pairs, mean"] = np.diagonal(matrix).mean(dtype=np.float64)
    return {name: float(value) for name, value in summary.items()}


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
