"""Figures of explicit ranked lists (a TREC run and its judgements), by the rules of NIST's trec_eval.

A query's documents are sorted by score, highest first, and equal scores by document id, highest first; the
run's own rank column is ignored. Documents nobody judged count as not relevant, except in bpref, which
leaves them out. Queries count that are in both the run and the judgements.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.files.reading import LARGE, read_regular

NumberT = TypeVar("NumberT", int, float)

Run = Mapping[str, Mapping[str, float]]
"""Query -> document -> score, higher is better."""

Judgements = Mapping[str, Mapping[str, int]]
"""Query -> document -> level: from the relevance level on relevant, 0 judged not relevant, below 0 not judged."""

RECALL_LEVELS: Final = tuple(f"{level / 10:.2f}" for level in range(11))
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SMALLEST_PRECISION: Final = 1e-5  # trec_eval's floor in geometric means
_LARGEST_SCORE: Final = float(np.finfo(np.float32).max)
_GEOMETRIC: Final = {"gm_map": "map"}


@dataclass(frozen=True)
class JudgedList:
    """One query's ranked list with its judgements.

    Attributes:
        relevant: Whether the document at each rank is relevant, shape [R], bool.
        judged: Whether anybody judged it, shape [R], bool.
        gain: Its level where positive, else 0, shape [R], float64.
        ideal: All positive levels of the query, highest first, shape [G], float64.
        n_relevant: Relevant documents of the query, found or not.
        n_rejected: Documents judged not relevant.
    """

    relevant: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    gain: NDArray[np.float64]
    ideal: NDArray[np.float64]
    n_relevant: int
    n_rejected: int

    def found(self, k: int | None = None) -> int:
        """Relevant documents among the first k, or in the whole list."""
        return int(self.relevant[:k].sum())


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a run: lines of query, Q0, document, rank, score, tag; whatever follows the tag is ignored.

    Scores are rounded to float32, in which trec_eval holds them: that decides what ties.

    Args:
        path: The file.

    Returns:
        Query -> document -> score.

    Raises:
        UserError: The file cannot be read or holds no line, a line has fewer fields, a score is not a finite
            number, or a query lists a document twice; the message names the line.
    """
    run: dict[str, dict[str, float]] = {}
    for number, fields in _lines(path, 6, "query Q0 document rank score tag"):
        query, _, document, _, score = fields[:5]
        value = _number(path, number, "score", score, float)
        if not abs(value) <= _LARGEST_SCORE:
            raise UserError("input", f"{path}, line {number}: score '{score}' is not a finite float32 number.")
        _add(path, number, run.setdefault(query, {}), (query, document), float(np.float32(value)))
    return run


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements: lines of query, iteration, document, level.

    Args:
        path: The file.

    Returns:
        Query -> document -> level.

    Raises:
        UserError: The file cannot be read or holds no line, a line has not four fields, a level is not a whole
            number, or a document is judged twice for a query; the message names the line.
    """
    judgements: dict[str, dict[str, int]] = {}
    for number, fields in _lines(path, 4, "query 0 document level"):
        query, _, document, level = fields[:4]
        value = _number(path, number, "level", level, int)
        _add(path, number, judgements.setdefault(query, {}), (query, document), value)
    return judgements


def run_from_lists(lists: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """A run from documents listed best first, where there are no scores.

    Args:
        lists: Query -> documents, best first.

    Returns:
        The run; scores are minus the position.

    Raises:
        UserError: A query lists a document twice.

    Example:
        >>> run_from_lists({"q": ["b", "a"]})
        {'q': {'b': -1.0, 'a': -2.0}}
    """
    run = {}
    for query, documents in lists.items():
        if len(set(documents)) != len(documents):
            twice = next(name for name in documents if documents.count(name) > 1)
            raise UserError("input", f"Query '{query}' lists document '{twice}' twice; list it once.")
        run[query] = {name: -float(position) for position, name in enumerate(documents, 1)}
    return run


def list_values(run: Run, judgements: Judgements, measure: str, *, level: int = 1) -> dict[str, float]:
    """A measure's value for every query that is in both the run and the judgements.

    Args:
        run: Query -> document -> score.
        judgements: Query -> document -> level.
        measure: A name of trec_eval's: `map`, `Rprec`, `recip_rank`, `bpref`, `ndcg`, `11pt_avg`; with a cut-off
            `P_10`, `recall_10`, `success_10`, `ndcg_cut_10`, `map_cut_10`; `iprec_at_recall_0.10`.
        level: Smallest judgement that counts as relevant; nDCG takes all positive ones as gains.

    Returns:
        Query -> value in [0, 1], in the run's order; 0 where the query has no relevant document.

    Raises:
        UserError: Unknown measure, or no query in common.

    Example:
        >>> list_values({"q": {"a": 0.9, "b": 0.8}}, {"q": {"b": 1}}, "recip_rank")
        {'q': 0.5}
    """
    evaluate = _parse(measure)
    lists = _judged(run, judgements, level)
    return {query: evaluate(ranked) for query, ranked in lists.items()}


def list_means(run: Run, judgements: Judgements, measures: Sequence[str], *, level: int = 1) -> dict[str, float]:
    """Mean over queries of each measure, as trec_eval prints it under `all`; `gm_map` is the geometric mean of `map`.

    Args:
        run: Query -> document -> score.
        judgements: Query -> document -> level.
        measures: Names as in `list_values`, and `gm_map`.
        level: Smallest judgement that counts as relevant.

    Returns:
        Measure -> mean.

    Raises:
        UserError: As `list_values`.
    """
    evaluators = {name: _parse(_GEOMETRIC.get(name, name)) for name in measures}
    lists = _judged(run, judgements, level)
    means = {}
    for name, evaluate in evaluators.items():
        values = np.array([evaluate(ranked) for ranked in lists.values()])
        if name in _GEOMETRIC:
            means[name] = float(np.exp(np.log(np.maximum(values, _SMALLEST_PRECISION)).mean()))
        else:
            means[name] = float(values.mean())
    return means


def _lines(path: Path, n_fields: int, form: str) -> Iterator[tuple[int, list[str]]]:
    try:
        text = read_regular(path, LARGE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("input", f"{path} cannot be read as text: {error}") from error
    lines = [(number, line.split()) for number, line in enumerate(_LINE_END.split(text), 1) if line.strip()]
    if not lines:
        raise UserError("input", f"{path} holds no line of the form '{form}'.")
    for number, fields in lines:
        if len(fields) < n_fields:
            raise UserError(
                "input", f"{path}, line {number}: {len(fields)} fields where '{form}' needs {n_fields}; got {fields}."
            )
        yield number, fields


def _number(path: Path, line: int, what: str, text: str, kind: Callable[[str], NumberT]) -> NumberT:
    try:
        return kind(text)
    except ValueError:
        rule = "whole number" if kind is int else "number"
        raise UserError("input", f"{path}, line {line}: {what} '{text}' is not a {rule}.") from None


def _add(path: Path, line: int, documents: dict[str, NumberT], key: tuple[str, str], value: NumberT) -> None:
    if key[1] in documents:
        raise UserError("input", f"{path}, line {line}: query {key[0]} names document '{key[1]}' twice; keep one.")
    documents[key[1]] = value


def _judged(run: Run, judgements: Judgements, level: int) -> dict[str, JudgedList]:
    common = [query for query in run if query in judgements]
    if not common:
        raise UserError("input", "The run and the judgements have no query in common: are they of one collection?")
    return {query: _judge(run[query], judgements[query], level) for query in common}


def _judge(scores: Mapping[str, float], levels: Mapping[str, int], level: int) -> JudgedList:
    names = sorted(scores, reverse=True)
    names.sort(key=lambda name: -scores[name])  # stable: equal scores keep the higher id first
    found = np.array([levels.get(name, -1) for name in names], dtype=np.int64)
    every = np.array(sorted(levels.values(), reverse=True), dtype=np.int64)
    return JudgedList(
        relevant=found >= level,
        judged=found >= 0,
        gain=np.maximum(found, 0).astype(np.float64),
        ideal=every[every > 0].astype(np.float64),
        n_relevant=int((every >= level).sum()),
        n_rejected=int(((every >= 0) & (every < level)).sum()),
    )


def _precision_at(ranked: JudgedList, k: int) -> float:
    return ranked.found(k) / k


def _recall_at(ranked: JudgedList, k: int) -> float:
    return ranked.found(k) / max(1, ranked.n_relevant)


def _success_at(ranked: JudgedList, k: int) -> float:
    return float(ranked.found(k) > 0)


def _average_precision(ranked: JudgedList, k: int | None = None) -> float:
    ranks = np.flatnonzero(ranked.relevant[:k]) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).sum()) / max(1, ranked.n_relevant)


def _r_precision(ranked: JudgedList) -> float:
    return ranked.found(ranked.n_relevant) / max(1, ranked.n_relevant)


def _reciprocal_rank(ranked: JudgedList) -> float:
    ranks = np.flatnonzero(ranked.relevant)
    return 1.0 / (int(ranks[0]) + 1) if len(ranks) else 0.0


def _bpref(ranked: JudgedList) -> float:
    """Share of judged non-relevant documents below each relevant one (Buckley and Voorhees 2004, bounded)."""
    rejected = np.cumsum(ranked.judged & ~ranked.relevant)[ranked.relevant]
    bound = max(1, min(ranked.n_relevant, ranked.n_rejected))
    above = np.minimum(rejected, ranked.n_relevant) / bound
    return float((1.0 - above).sum()) / max(1, ranked.n_relevant)


def _ndcg(ranked: JudgedList, k: int | None = None) -> float:
    ideal = _discounted(ranked.ideal[:k])
    return _discounted(ranked.gain[:k]) / ideal if ideal > 0 else 0.0


def _discounted(gain: NDArray[np.float64]) -> float:
    return float((gain / np.log2(np.arange(2, len(gain) + 2))).sum())


def _interpolated_precision(ranked: JudgedList, recall: float) -> float:
    """Highest precision at any rank from where the recall, as a rounded count, is reached (trec_eval 10)."""
    needed = math.floor(recall * ranked.n_relevant + 0.5)
    found = np.cumsum(ranked.relevant)
    precision = (found / np.arange(1, len(found) + 1))[found >= needed]
    return float(precision.max()) if len(precision) else 0.0


def _eleven_points(ranked: JudgedList) -> float:
    return float(np.mean([_interpolated_precision(ranked, float(recall)) for recall in RECALL_LEVELS]))


_PLAIN: Final[dict[str, Callable[[JudgedList], float]]] = {
    "map": _average_precision,
    "Rprec": _r_precision,
    "recip_rank": _reciprocal_rank,
    "bpref": _bpref,
    "ndcg": _ndcg,
    "11pt_avg": _eleven_points,
}
_CUT: Final[dict[str, Callable[[JudgedList, int], float]]] = {
    "P": _precision_at,
    "recall": _recall_at,
    "success": _success_at,
    "ndcg_cut": _ndcg,
    "map_cut": _average_precision,
}
_INTERPOLATED: Final = "iprec_at_recall"


def _parse(measure: str) -> Callable[[JudgedList], float]:
    if measure in _PLAIN:
        return _PLAIN[measure]
    base, _, parameter = measure.rpartition("_")
    if base in _CUT and re.fullmatch(r"[1-9]\d*", parameter):
        cut, k = _CUT[base], int(parameter)
        return lambda ranked: cut(ranked, k)
    if base == _INTERPOLATED and re.fullmatch(r"0\.\d+|1\.0+", parameter):
        recall = float(parameter)
        return lambda ranked: _interpolated_precision(ranked, recall)
    known = [*_PLAIN, *_GEOMETRIC, *(f"{name}_10" for name in _CUT), f"{_INTERPOLATED}_0.10"]
    raise UserError("usage", f"Unknown measure '{measure}'.{did_you_mean(measure, known)} Known: {', '.join(known)}.")
