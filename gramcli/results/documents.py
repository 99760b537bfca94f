"""An Evaluation as one strict JSON document, and back; no torch, no third-party imports."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import read_regular
from gramcli.results.records import SCHEMA, Evaluation, KnownBy, LeftOut, Questions, RankVector, Reference, ResultRow

if TYPE_CHECKING:
    from pathlib import Path

RecordT = TypeVar("RecordT", ResultRow, LeftOut, RankVector, Reference, Questions)
_PARTS = ("results", "left_out", "ranks")
_NOT_WRITTEN = "best"  # of ranks: --per-query writes it
_OPTIONAL = {"tied"}  # older evaluations lack it


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
    """Return `document` as strict JSON text: ASCII, never NaN, ending in a newline."""
    return json.dumps(strict(document), indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Return the JSON document of an evaluation.

    Args:
        evaluation: What `gram eval` found.

    Returns:
        `{"schema", "provenance", "results", "left_out", "ranks", "notes"}` (CLI contract), and `reference` where
        published figures were asked for.
    """
    published = [{**asdict(figure), "difference": figure.difference} for figure in evaluation.reference]
    document = {
        "schema": SCHEMA,
        "provenance": evaluation.provenance,
        "results": [asdict(row) for row in evaluation.results],
        "left_out": [asdict(item) for item in evaluation.left_out],
        "ranks": [{k: v for k, v in asdict(vector).items() if k != _NOT_WRITTEN} for vector in evaluation.ranks],
        "questions": [asdict(one) for one in evaluation.questions],
        "notes": list(evaluation.notes),
    }
    return document | ({"reference": published} if published else {})


def read_document(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a JSON file holds.

    Raises:
        UserError: No such file, or not JSON.
    """
    try:
        return json.loads(read_regular(path))
    except FileNotFoundError:
        raise UserError(
            "input", f"{path} does not exist. Give the JSON that `gram eval --format json` wrote."
        ) from None
    except IsADirectoryError:
        raise UserError("input", f"{path} is a directory, not the JSON file of an evaluation.") from None
    except OSError as error:
        raise UserError("input", f"{path} cannot be read: {error.strerror}. Name the JSON of an evaluation.") from None
    except (ValueError, RecursionError) as error:
        refuse_pointer(path, "input")
        raise UserError("input", f"{path} is not JSON ({error}). Write it with `gram eval --format json`.") from None


def is_evaluation(document: object) -> bool:
    """Say whether a JSON document is an evaluation's (of whatever schema)."""
    return isinstance(document, dict) and "schema" in document and "results" in document


def load_evaluation(path: Path) -> Evaluation:
    """Read an evaluation that `gram eval --format json` wrote.

    Args:
        path: The JSON file.

    Returns:
        The evaluation as it was written: a figure that is not finite comes back as None, the rank of a query
        that nobody answers as NaN.

    Raises:
        UserError: No such file, not JSON, another kind of JSON, a newer schema, or a damaged row.
    """
    document = read_document(path)
    if not is_evaluation(document):
        raise UserError("input", f"{path} is JSON, but not an evaluation's: it has no 'schema' and 'results'.")
    schema = document["schema"]
    if schema != SCHEMA:
        raise UserError(
            "input", f"{path} has schema {schema!r}; this version reads {SCHEMA}. Update gramcli, or evaluate again."
        )
    missing = [part for part in ("provenance", *_PARTS) if part not in document]
    if missing or any("metric" not in row for row in _rows(path, document, "results")):
        what = f"'{missing[0]}' is missing" if missing else "its rows have no 'metric'"
        raise UserError("input", f"{path} is not an evaluation's JSON: {what}. A comparison cannot be read back.")
    return Evaluation(
        provenance=_mapping(path, document["provenance"]),
        results=_records(path, document, "results", ResultRow),
        left_out=_records(path, document, "left_out", LeftOut),
        ranks=_rank_vectors(path, document),
        notes=tuple(str(note) for note in document.get("notes", ())),
        reference=_records(path, {"reference": [], **document}, "reference", Reference),
        questions=tuple(
            _checked_questions(path, number, one)
            for number, one in enumerate(_records(path, {"questions": [], **document}, "questions", Questions))
        ),
    )


def _mapping(path: Path, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError("input", f"{path}: 'provenance' must be an object; got {type(value).__name__}.")
    return value


def _rows(path: Path, document: Mapping[str, Any], part: str) -> Sequence[Mapping[str, Any]]:
    rows = document[part]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError("input", f"{path}: '{part}' must be a list of objects. Evaluate again to write it anew.")
    return rows


def _records(path: Path, document: Mapping[str, Any], part: str, record: type[RecordT]) -> tuple[RecordT, ...]:
    names = [field.name for field in fields(record) if field.name != _NOT_WRITTEN]
    found = []
    for number, row in enumerate(_rows(path, document, part)):
        absent = [name for name in names if name not in row and name not in _OPTIONAL]
        if absent:
            raise UserError("input", f"{path}: {part}[{number}] has no '{absent[0]}'. Evaluate again to write it anew.")
        values = {name: row[name] for name in names if name in row}
        _check_numbers(f"{path}: {part}[{number}]", values)
        found.append(record(**values))
    return tuple(found)


def _check_numbers(where: str, values: Mapping[str, Any]) -> None:
    for name in ("value", "low", "high", "n", "n_candidates", "measured"):
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise UserError("input", f"{where}: '{name}' must be a number; got {value!r}. Evaluate again.")


def _rank_vectors(path: Path, document: Mapping[str, Any]) -> tuple[RankVector, ...]:
    return tuple(
        _checked_ranks(f"{path}: ranks[{number}]", vector)
        for number, vector in enumerate(_records(path, document, "ranks", RankVector))
    )


def _checked_ranks(where: str, vector: RankVector) -> RankVector:
    ranks: Any = vector.ranks  # what JSON held, not yet known to be numbers
    ids: Any = vector.query_ids
    if not isinstance(ranks, list) or not all(rank is None or _is_rank(rank) for rank in ranks):
        raise UserError("input", f"{where} must hold ranks from 1 upwards. Evaluate again to write it anew.")
    if not isinstance(ids, list) or len(ids) != len(ranks):
        raise UserError("input", f"{where} must name one query id per rank. Evaluate again to write it anew.")
    if any(rank is not None and rank > vector.n_candidates for rank in ranks):
        worst = max(rank for rank in ranks if rank is not None)
        raise UserError(
            "input", f"{where} has a rank of {worst:g} among {vector.n_candidates} candidates. Evaluate again."
        )
    return replace(
        vector,
        query_ids=tuple(map(str, ids)),
        ranks=tuple(math.nan if rank is None else float(rank) for rank in ranks),
        tied=_checked_ties(where, vector.tied, len(ranks)),
    )


def _checked_ties(where: str, tied: object, n: int) -> tuple[tuple[int, ...], ...]:
    """(place, wrong, right) of queries whose best answer ties.

    Raises:
        UserError: Anything else.
    """
    found: list[tuple[int, ...]] = []
    for row in tied if isinstance(tied, list | tuple) else [tied]:
        match row:
            case [int(place), int(wrong), int(right)] if 0 <= place < n and wrong >= 1 and right >= 1:
                found.append((place, wrong, right))
            case _:
                rule = "[query, wrong answers, right answers]"
                raise UserError("input", f"{where}: 'tied' must hold {rule}; got {row!r}. Evaluate again.")
    return tuple(found)


def _checked_questions(path: Path, number: int, asked: Questions) -> Questions:
    digests: Any = asked.digests  # what JSON held
    kinds = {asked.asked_by, asked.answered_by} <= set(get_args(KnownBy))
    if not isinstance(digests, list) or not kinds or not all(isinstance(one, str) for one in [asked.gallery, *digests]):
        raise UserError("input", f"{path}: questions[{number}] must hold digests, and say by what. Evaluate again.")
    return replace(asked, digests=tuple(digests))


def _is_rank(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 1
