"""An Evaluation as one strict JSON document, and back; no torch, no third-party imports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from gramcli.errors import UserError
from gramcli.files.reading import read_regular
from gramcli.results.facts import DatasetFacts, ModelFacts
from gramcli.results.json_text import dump_json, strict
from gramcli.results.records import SCHEMA, Evaluation, LeftOut, Questions, RankVector, Reference, ResultRow
from gramcli.results.schema import Count, Size, Source, checked, parse_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "dump_json",
    "evaluation_document",
    "evaluation_of",
    "is_evaluation",
    "load_evaluation",
    "read_document",
    "strict",
]

_WHERE_ASKED_FOR: Final = "best"  # of ranks
_AGAIN: Final = "Evaluate again to write it anew."


class _Normalization(msgspec.Struct):
    parameters: dict[str, float] | None = None


class _Pair(msgspec.Struct):
    """A single pair that a joint task is held against."""

    task: str
    method: str
    share: float = msgspec.field(name="R@1")
    difference: float | None = None
    low: float | None = None
    high: float | None = None


class _Gain(msgspec.Struct):
    """What a joint task gains over the pairs it is made of."""

    task: str
    method: str
    any: _Pair | None = None
    pairs: list[_Pair] = []


class _Direction(msgspec.Struct):
    task: str
    query: list[str]
    candidates: list[str]


class _Task(msgspec.Struct):
    """What became of a task's items."""

    left_out: Count | None = None


class _Provenance(msgspec.Struct):
    """What is read of a provenance; the rest is only shown."""

    model: ModelFacts | str | None = None
    dataset: DatasetFacts | str | None = None
    protocol: str | None = None
    relevant: str | None = None
    ties: str | None = None
    missing: str | None = None
    stage: str | None = None
    normalize: _Normalization | str | None = None
    gains: list[_Gain] = []
    directions: list[_Direction] = []
    tasks: dict[str, _Task] = {}


class _Recorded(msgspec.Struct):
    provenance: _Provenance


class Ranks(msgspec.Struct):
    """A `RankVector` as it is written."""

    task: str
    method: str
    query_ids: list[str]
    ranks: list[Annotated[float, msgspec.Meta(ge=1)] | None]
    n_candidates: Count
    tied: list[tuple[Count, Size, Size]] = []  # older evaluations lack it
    best: list[tuple[str, ...]] = []  # written where it was asked for


class _Document(msgspec.Struct):
    """An evaluation as it is written; older ones lack what has a default."""

    provenance: dict[str, Any]
    results: tuple[ResultRow, ...]
    left_out: tuple[LeftOut, ...]
    ranks: list[Ranks]
    notes: tuple[str, ...] = ()
    reference: tuple[Reference, ...] = ()
    questions: tuple[Questions, ...] = ()


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
        "ranks": ranks_document(evaluation.ranks),
        "questions": [_shallow(one) for one in evaluation.questions],
        "notes": list(evaluation.notes),
    }
    return document | ({"reference": published} if published else {})


def ranks_document(ranks: Sequence[RankVector]) -> list[dict[str, Any]]:
    """Return ranks as JSON has them; `best` only where it was asked for."""
    return [
        {name: value for name, value in _shallow(vector).items() if value or name != _WHERE_ASKED_FOR}
        for vector in ranks
    ]


def _shallow(record: RankVector | Questions) -> dict[str, Any]:
    """A record of plain values and tuples of them; `asdict` would copy one by one what nobody changes."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


def read_document(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a JSON file holds.

    Raises:
        UserError: No such file, or not JSON.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise UserError("input", f"{path} does not exist. Give the JSON that `gram eval -o FILE.json` wrote.") from None
    except IsADirectoryError:
        raise UserError("input", f"{path} is a directory, not the JSON file of an evaluation.") from None
    except OSError as error:
        raise UserError("input", f"{path} cannot be read: {error.strerror}. Name the JSON of an evaluation.") from None
    return parse_json(data, Source(path, "input", "Write it with `gram eval -o FILE.json`."))


def is_evaluation(document: object) -> bool:
    """Say whether a JSON document is an evaluation's (of whatever schema)."""
    return isinstance(document, dict) and "schema" in document and "results" in document


def load_evaluation(path: Path) -> Evaluation:
    """Read an evaluation that `gram eval -o FILE.json` wrote.

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
    return evaluation_of(document, path)


def evaluation_of(document: dict[str, Any], path: Path) -> Evaluation:
    """Return the evaluation that a document is.

    Args:
        document: What a file holds.
        path: The file, for messages.

    Raises:
        UserError: As `load_evaluation`.
    """
    source = Source(path, "input", _AGAIN)
    schema = checked(document["schema"], int, Source(f"{path}: schema", "input", _AGAIN))
    if schema != SCHEMA:
        raise UserError(
            "input", f"{path} has schema {schema}; this version reads {SCHEMA}. Update gramcli, or evaluate again."
        )
    if "names" in document and "ranks" not in document:
        raise UserError(
            "input",
            f"{path} is not an evaluation's JSON but a comparison's, which gram report and gram plot read. "
            "Give the evaluations that it compares.",
        )
    found = checked(document, _Document, source)
    checked({"provenance": found.provenance}, _Recorded, source)
    return Evaluation(
        provenance=found.provenance,
        results=found.results,
        left_out=found.left_out,
        ranks=rank_vectors(source, found.ranks),
        notes=found.notes,
        reference=found.reference,
        questions=found.questions,
    )


def rank_vectors(source: Source, found: Sequence[Ranks]) -> tuple[RankVector, ...]:
    """Return the ranks of a document.

    Args:
        source: The document, for messages.
        found: As they were written.

    Raises:
        UserError: They contradict one another.
    """
    return tuple(_rank_vector(source, number, one) for number, one in enumerate(found))


def _rank_vector(source: Source, number: int, found: Ranks) -> RankVector:
    """The ranks of one task and method, their fields held against each other.

    Raises:
        UserError: They contradict one another.
    """
    n, held = len(found.ranks), [rank for rank in found.ranks if rank is not None]
    if len(found.query_ids) != n:
        raise source.wrong(f": ranks[{number}].query_ids must name one query per rank, {n}; got {len(found.query_ids)}")
    if found.best and len(found.best) != n:
        raise source.wrong(f": ranks[{number}].best must hold answers for each of {n} queries; got {len(found.best)}")
    if held and max(held) > found.n_candidates:
        raise source.wrong(f": ranks[{number}] has a rank of {max(held):g} among {found.n_candidates} candidates")
    if found.tied and max(place for place, _, _ in found.tied) >= n:
        raise source.wrong(f": ranks[{number}].tied names a query beyond the {n} there are")
    ranks = tuple(math.nan if rank is None else rank for rank in found.ranks)
    return RankVector(
        found.task,
        found.method,
        tuple(found.query_ids),
        ranks,
        found.n_candidates,
        best=tuple(found.best),
        tied=tuple(found.tied),
    )
