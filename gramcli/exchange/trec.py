"""Ranked lists as a TREC run, and what answers them as qrels: trec_eval, ir-measures and ranx score them again.

A line of a run is `QUERY Q0 CANDIDATE RANK SCORE METHOD`, of qrels `QUERY 0 CANDIDATE 1`. An item is called by its id,
one of several captions by `ID#K`, K from 0. What would break a line, or be read as such a number, stands as in a URL:
a space is `%20`. Higher scores are better, so those of methods for which lower is better are negated.

trec_eval holds scores in float32 and orders equal ones by the candidates' ids. Scores are written in float64; where
two in one list differ and would be equal in float32, the lower one is written a step of float32 lower, so that the
order is ours.
Scores that are really equal stay so: we count their mean rank, trec_eval orders them by id, others as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from gramcli.exchange.destination import check_destination, new_file
from gramcli.results.lists import ListSide, RankedLists
from gramcli.results.runs import ExportedRun

_LARGEST: Final = float(np.finfo(np.float32).max)


def write_run(
    lists: RankedLists, output: str | Path, qrels: str | Path | None = None, *, store: Path | None = None
) -> ExportedRun:
    """Write a run, and the judgements where asked for.

    Args:
        lists: Of every query.
        output: The run.
        qrels: The judgements.
        store: What they were made from: nothing is written into it.

    Returns:
        What was written, and what a reader must know.

    Raises:
        UserError: A file cannot be written.
    """
    output, other = Path(output), None if qrels is None else Path(qrels)
    for path in (output, *([other] if other else [])):
        check_destination(path, store)
    scores = separated(lists.scores)
    asking, answering = names_of(lists.queries), names_of(lists.candidates)
    with new_file(output) as file:
        for text in _run(lists, scores, asking, answering):
            file.write(text.encode("utf-8"))
    if other:
        with new_file(other) as file:
            for text in _judgements(lists, asking, answering):
                file.write(text.encode("utf-8"))
    sizes = len(asking), len(answering), lists.columns.shape[1]
    notes = (*lists.notes, *_notes(lists, scores))
    return ExportedRun(output, other, lists.task, lists.method, *sizes, lists.left_out, notes)


def names_of(side: ListSide) -> list[str]:
    """What queries or candidates are called in a run: unique, and without what ends a field.

    Example:
        >>> names_of(ListSide(("a b", "50%"), None, "video", np.arange(2)))
        ['a%20b', '50%25']
        >>> names_of(ListSide(("a#", "a#"), (0, 1), "text", np.arange(2)))
        ['a%23#0', 'a%23#1']
    """
    if side.captions is None:
        return [_escaped(name, "%") for name in side.ids]
    return [f"{_escaped(name, '%#')}#{k}" for name, k in zip(side.ids, side.captions, strict=True)]


def separated(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of which two that differ within a list also differ, in the same order, once they are float32.

    Args:
        scores: Each row from best to worst, shape [n, k].

    Returns:
        The scores themselves but for those that must give way, which become the next lower float32 number.

    Example:
        >>> separated(np.array([[0.5, 0.5 - 1e-12, 0.5 - 1e-12, 0.25]])).tolist()
        [[0.5, 0.4999999701976776, 0.4999999701976776, 0.25]]
    """
    bounded = np.clip(scores, -_LARGEST / 2, _LARGEST)  # below it there is room to give way
    out = bounded.copy()
    for column in range(1, scores.shape[1]):
        before = out[:, column - 1].astype(np.float32)
        ties = scores[:, column] == scores[:, column - 1]
        close = bounded[:, column].astype(np.float32) >= before
        lower = np.nextafter(before, np.float32(-np.inf)).astype(np.float64)
        out[:, column] = np.where(ties, out[:, column - 1], np.where(close, lower, bounded[:, column]))
    return out


def _escaped(name: str, marks: str) -> str:
    return "".join(
        quote(one, safe="") if one in marks or one.isspace() or not one.isprintable() else one for one in name
    )


def _run(
    lists: RankedLists, scores: NDArray[np.float64], asking: Sequence[str], answering: Sequence[str]
) -> Iterator[str]:
    tag = _escaped(lists.method, "%")
    for query, columns, values in zip(asking, lists.columns.tolist(), scores.tolist(), strict=True):
        ranked = enumerate(zip(columns, values, strict=True), 1)
        yield "".join(f"{query} Q0 {answering[column]} {rank} {value!r} {tag}\n" for rank, (column, value) in ranked)


def _judgements(lists: RankedLists, asking: Sequence[str], answering: Sequence[str]) -> Iterator[str]:
    for place, query in enumerate(asking):
        right = lists.indices[lists.indptr[place] : lists.indptr[place + 1]].tolist()
        yield "".join(f"{query} 0 {answering[column]} 1\n" for column in right)


def _notes(lists: RankedLists, scores: NDArray[np.float64]) -> Iterator[str]:
    n, depth = len(lists.candidates.ids), lists.columns.shape[1]
    if depth < n:
        yield (
            f"Each list holds the best {depth:,} of {n:,}; an answer beyond is not found when the run is scored: "
            "--top says how many."
        )
    if moved := int((scores != lists.scores).sum()):
        yield (
            f"{moved:,} scores were written lower by a step of float32, in which trec_eval holds them, so that "
            "they stay below the one before."
        )
    if lists.n_tied:
        yield (
            f"{lists.n_tied:,} queries have a right answer that ties with wrong ones: gram counts the mean of their "
            "places, trec_eval orders them by id, others as they come; their figures differ by so much."
        )
