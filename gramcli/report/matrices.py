"""Alignment matrices: files by suffix, and a summary for people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from gramcli.errors import UserError
from gramcli.report.answer import Answer, Table, listing
from gramcli.report.files import write_result
from gramcli.results import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SHOWN_WHOLE = 12


def _npy(matrix: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, matrix, allow_pickle=False)
    return buffer.getvalue()


def _npz(matrix: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, scores=matrix)
    return buffer.getvalue()


def _safetensors(matrix: NDArray[np.float32]) -> bytes:
    from safetensors.numpy import save  # noqa: PLC0415 - one suffix needs it

    return bytes(save({"scores": np.ascontiguousarray(matrix)}))


def _csv(matrix: NDArray[np.float32]) -> bytes:
    return "".join(",".join(map(repr, map(float, row))) + "\n" for row in matrix).encode()


WRITERS: dict[str, Callable[[NDArray[np.float32]], bytes]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".csv": _csv,
    ".safetensors": _safetensors,
}
"""Suffix -> writer; arrays with names are called `scores`."""


def check_matrix_path(path: Path | None) -> None:
    """Refuse a suffix that no writer has, before anything is computed.

    Raises:
        UserError: The suffix is unknown.
    """
    if path is not None and path.suffix.lower() not in WRITERS:
        raise UserError("usage", f"{path}: a matrix is written by its suffix; use {', '.join(WRITERS)}.")


def write_matrix(matrix: NDArray[np.float32], path: Path) -> None:
    """Write an alignment matrix in the form its suffix names.

    Args:
        matrix: Scores, shape [n, N], float32.
        path: Ends in a suffix of `WRITERS`.

    Raises:
        UserError: Unknown suffix, or the file cannot be written.
    """
    check_matrix_path(path)
    write_result(path, WRITERS[path.suffix.lower()](matrix))


def matrix_answer(matrix: NDArray[np.float32], title: str) -> Answer:
    """Return a summary of an alignment matrix; up to 12 x 12 the matrix itself too.

    Args:
        matrix: Scores, shape [n, N].
        title: Task and method.

    Returns:
        The summary as a table; a square matrix also has the mean of its diagonal (its matched pairs when
        queries and candidates are the same items). CSV rows are the summary.
    """
    facts = {"queries": matrix.shape[0], "candidates": matrix.shape[1], **_summary(matrix)}
    tables = [listing(("figure", "value"), [(name, _text(value)) for name, value in facts.items()], title)]
    if matrix.size and max(matrix.shape) <= SHOWN_WHOLE:
        columns = ("query", *map(str, range(matrix.shape[1])))
        rows = tuple((str(number), *(f"{value:.3f}" for value in row)) for number, row in enumerate(matrix))
        tables.append(Table(columns, rows, frozenset(), "Scores, queries down, candidates across"))
    results = tuple({"figure": name, "value": value} for name, value in facts.items())
    return Answer(tuple(tables), ("figure", "value"), results, {"schema": SCHEMA, "title": title, "results": results})


def _summary(matrix: NDArray[np.float32]) -> dict[str, float]:
    if not matrix.size:
        return {}
    summary = {"min": matrix.min(), "mean": matrix.mean(dtype=np.float64), "max": matrix.max()}
    if matrix.shape[0] == matrix.shape[1]:
        summary["matched pairs, mean"] = np.diagonal(matrix).mean(dtype=np.float64)
    return {name: float(value) for name, value in summary.items()}


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
