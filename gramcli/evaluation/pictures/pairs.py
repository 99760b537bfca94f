"""Matched and mismatched pairs of a task: all of the latter where they are few, else a seeded sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from gramcli.evaluation.selection import Selection
from gramcli.metrics.geometry.rows import subsample
from gramcli.scoring.screening import Presence

MOST_MATCHED: Final = 20_000
MOST_MISMATCHED: Final = 20_000
"""Pairs beyond which a seeded sample is taken."""


@dataclass(frozen=True)
class Pairs:
    """Rows of pairs, and the items that they are of.

    Attributes:
        query: Row among the queries, shape [K], int64.
        candidate: Row among the candidates, shape [K], int64.
        items: Item of the query and of the candidate, whole numbers from 0, each shape [K].
        total: How many pairs these were taken from.
    """

    query: Tensor
    candidate: Tensor
    items: tuple[Tensor, Tensor]
    total: int


def matched_pairs(selection: Selection, seed: int) -> Pairs:
    """Every pair of a query and an answer, or a sample of them."""
    query, candidate = positive_rows(selection)
    chosen = subsample(len(query), MOST_MATCHED, seed)
    return _pairs(selection, query[chosen], candidate[chosen], len(query))


def mismatched_pairs(selection: Selection, seed: int) -> Pairs:
    """Every pair of a query and what does not answer it, or a sample of them, each pair equally likely."""
    n, N = len(selection.query_ids), len(selection.candidate_ids)
    query, candidate = positive_rows(selection)
    taken = (query * N + candidate).sort().values
    total = n * N - len(taken)
    if total <= MOST_MISMATCHED:
        codes = torch.ones(n * N, dtype=torch.bool)
        codes[taken] = False
        found = codes.nonzero().flatten()
    else:
        found = _drawn(taken, n * N, torch.Generator().manual_seed(seed))
    return _pairs(selection, found // N, found % N, total)


def positive_rows(selection: Selection) -> tuple[Tensor, Tensor]:
    """Query row and candidate row of every matched pair, sorted by query."""
    indptr, candidates = selection.positives
    return torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff()), candidates


def part_of(
    selection: Selection, rows: Tensor, columns: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor], Presence]:
    """Some rows of either side, with what is known of their presence."""
    present = replace(
        selection.present,
        queries=_masks(selection.present.queries, rows),
        candidates=_masks(selection.present.candidates, columns),
    )
    queries = {name: x[rows] for name, x in selection.queries.items()}
    return queries, {name: x[columns] for name, x in selection.candidates.items()}, present


def first_of_each_item(selection: Selection) -> tuple[Tensor, Tensor]:
    """Query row and candidate row of one matched pair of every item, none of them in two pairs."""
    first: dict[str, tuple[int, int]] = {}
    for query, candidate in zip(*(rows.tolist() for rows in positive_rows(selection)), strict=True):
        name = selection.query_ids[query]
        if name == selection.candidate_ids[candidate]:  # where labels decide, others answer too
            first.setdefault(name, (query, candidate))
    found = torch.tensor(list(first.values()), dtype=torch.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def sample_text(found: Pairs, what: str, seed: int) -> str:
    """Say in words which pairs these are."""
    if len(found.query) == found.total:
        return f"all {found.total:,} {what} pairs"
    return f"{len(found.query):,} of the {found.total:,} {what} pairs (seed {seed})"


def _drawn(taken: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Distinct pairs that are not taken, in order."""
    found = torch.zeros(0, dtype=torch.int64)
    while len(found) < MOST_MISMATCHED:
        more = torch.randint(size, (2 * MOST_MISMATCHED,), generator=generator)
        more = more[~torch.isin(more, taken)]
        found = _first_of_each(torch.cat([found, more]))
    return found[:MOST_MISMATCHED].sort().values


def _first_of_each(codes: Tensor) -> Tensor:
    """The codes without repetition, in the order of their first appearance."""
    _, where = torch.unique(codes, return_inverse=True)
    first = torch.full((int(where.max()) + 1,), len(codes), dtype=torch.int64)
    first.scatter_reduce_(0, where, torch.arange(len(codes)), "amin")
    return codes[first.sort().values]


def _pairs(selection: Selection, query: Tensor, candidate: Tensor, total: int) -> Pairs:
    numbers = {name: k for k, name in enumerate(dict.fromkeys((*selection.candidate_ids, *selection.query_ids)))}
    asking, answering = (
        torch.tensor([numbers[name] for name in side]) for side in (selection.query_ids, selection.candidate_ids)
    )
    return Pairs(query, candidate, (asking[query], answering[candidate]), total)


def _masks(masks: Mapping[str, Tensor] | None, rows: Tensor) -> dict[str, Tensor] | None:
    return None if masks is None else {name: mask[rows] for name, mask in masks.items()}
