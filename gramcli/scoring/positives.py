"""Which candidates answer which query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.scoring.checks import check_dense

Integers = Tensor | NDArray[np.integer[Any]] | Sequence[int]
"""Whole numbers in one dimension."""

PositivesLike = Integers | tuple[Integers, Integers] | None
"""None: query i has candidate i. Integers [n]: query -> its candidate. (indptr [n + 1], indices): several each."""


@dataclass(frozen=True)
class Positives:
    """The relevant pairs, sorted by query.

    Attributes:
        query: Query of each pair, shape [P], int64.
        candidate: Candidate of each pair, shape [P], int64.
        n: Number of queries.
        n_candidates: Number of candidates.
    """

    query: Tensor
    candidate: Tensor
    n: int
    n_candidates: int

    def reversed(self) -> Positives:
        """The same pairs asked from the candidates' side, sorted by candidate."""
        order = torch.argsort(self.candidate, stable=True)
        return Positives(self.candidate[order], self.query[order], self.n_candidates, self.n)

    def counts(self) -> Tensor:
        """Positives of each query, shape [n], int64."""
        return torch.bincount(self.query, minlength=self.n)

    def slots(self) -> Tensor:
        """Position of each pair within its query's pairs, shape [P], counted from 0."""
        starts = torch.cumsum(self.counts(), 0) - self.counts()
        return torch.arange(len(self.query)) - starts[self.query]


def read_positives(positives: PositivesLike, n: int, n_candidates: int, sides: str = "") -> Positives:
    """Validate positives in any accepted form.

    Args:
        positives: See `PositivesLike`.
        n: Number of queries.
        n_candidates: Number of candidates.
        sides: Both sides' modalities, for the message.

    Returns:
        The pairs.

    Raises:
        UserError: None with n != N, wrong length or dtype, an index outside the candidates, a query
            without positives, or a pair named twice.
    """
    if positives is None:
        if n != n_candidates:
            raise UserError(
                "embedding",
                f"Without positives query i is answered by candidate i, but there are {n} queries and "
                f"{n_candidates} candidates{f' ({sides})' if sides else ''}: say which candidate answers which query.",
            )
        return Positives(torch.arange(n), torch.arange(n), n, n_candidates)
    if not _is_pair(positives):
        answers = _integers(positives, n, "positives")
        return _checked(Positives(torch.arange(n), answers, n, n_candidates))
    indptr = _integers(positives[0], n + 1, "indptr of positives")
    indices = _integers(positives[1], None, "indices of positives")
    counts = indptr.diff()
    if int(indptr[0]) != 0 or int(indptr[-1]) != len(indices) or bool((counts < 0).any()):
        raise UserError("embedding", f"indptr of positives must rise from 0 to {len(indices)}, the number of indices.")
    return _checked(Positives(torch.repeat_interleave(torch.arange(n), counts), indices, n, n_candidates))


def _is_pair(positives: object) -> TypeGuard[tuple[Integers, Integers]]:
    """Whether it is (indptr, indices) and not two whole numbers."""
    return (
        isinstance(positives, (tuple, list))
        and len(positives) == 2
        and not any(isinstance(entry, (int, np.integer)) for entry in positives)
    )


def _integers(values: object, length: int | None, what: str) -> Tensor:
    """Whole numbers in any form as int64 [length] on the CPU."""
    found = values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        found = torch.from_numpy(values.astype(np.int64))
    elif isinstance(values, (list, tuple)) and all(
        isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) for entry in values
    ):
        found = torch.tensor([int(entry) for entry in values], dtype=torch.int64)
    if not isinstance(found, Tensor):
        got = f"an array of {values.dtype}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
        raise UserError(
            "embedding",
            f"{what} must be whole numbers (a tensor, a numpy array or a list), one per query, or a pair (indptr, "
            f"indices) of them for several each; got {got}.",
        )
    wanted = len(found) if length is None and found.dim() == 1 else length
    if found.dim() != 1 or len(found) != wanted or not _whole(found.dtype):
        shape = "n" if wanted is None else wanted
        raise UserError(
            "embedding", f"{what} must be integers of shape [{shape}]; got {found.dtype} {list(found.shape)}."
        )
    check_dense(what, found)
    return found.long().cpu()


def _whole(dtype: torch.dtype) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex or dtype == torch.bool)


def _checked(pairs: Positives) -> Positives:
    outside = (pairs.candidate < 0) | (pairs.candidate >= pairs.n_candidates)
    if bool(outside.any()):
        k = int(outside.nonzero()[0])
        raise UserError(
            "embedding",
            f"Query {int(pairs.query[k])} has the positive {int(pairs.candidate[k])}, "
            f"but candidates run from 0 to {pairs.n_candidates - 1}.",
        )
    without = (pairs.counts() == 0).nonzero()
    if len(without):
        raise UserError("embedding", f"Query {int(without[0])} has no positive: leave it out, its rank is undefined.")
    code = pairs.query * pairs.n_candidates + pairs.candidate
    values, repeats = torch.unique(code, return_counts=True)
    if bool((repeats > 1).any()):
        twice = int(values[int((repeats > 1).nonzero()[0])])
        raise UserError(
            "embedding",
            f"Query {twice // pairs.n_candidates} names candidate {twice % pairs.n_candidates} twice as positive.",
        )
    return pairs
