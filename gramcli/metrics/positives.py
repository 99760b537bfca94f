"""Which candidates answer which query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gramcli.errors import UserError

PositivesLike = Tensor | tuple[Tensor, Tensor] | None
"""None: query i has candidate i. int64 [n]: query -> its candidate. (indptr [n + 1], indices): several each."""


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


def read_positives(positives: PositivesLike, n: int, n_candidates: int) -> Positives:
    """Validate positives in any accepted form.

    Args:
        positives: See `PositivesLike`.
        n: Number of queries.
        n_candidates: Number of candidates.

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
                f"{n_candidates} candidates: say which candidate answers which query.",
            )
        return Positives(torch.arange(n), torch.arange(n), n, n_candidates)
    if isinstance(positives, list) or type(positives).__module__ == "numpy":
        positives = torch.as_tensor(positives)
    if isinstance(positives, Tensor):
        _check_integers(positives, n, "positives")
        return _checked(Positives(torch.arange(n), positives.long().cpu(), n, n_candidates))
    pair: Any = positives
    if not isinstance(pair, tuple) or len(pair) != 2:
        rule = "positives must be None, int64 [n], or a CSR pair (indptr, indices)"
        raise UserError("embedding", f"{rule}; got {type(pair).__name__}.")
    indptr, indices = (torch.as_tensor(part) for part in pair)
    _check_integers(indptr, n + 1, "indptr of positives")
    _check_integers(indices, len(indices), "indices of positives")
    indptr, indices = indptr.long().cpu(), indices.long().cpu()
    counts = indptr.diff()
    if int(indptr[0]) != 0 or int(indptr[-1]) != len(indices) or bool((counts < 0).any()):
        raise UserError("embedding", f"indptr of positives must rise from 0 to {len(indices)}, the number of indices.")
    return _checked(Positives(torch.repeat_interleave(torch.arange(n), counts), indices, n, n_candidates))


def _check_integers(values: Tensor, length: int, what: str) -> None:
    if values.dim() != 1 or len(values) != length or values.is_floating_point() or values.dtype == torch.bool:
        raise UserError(
            "embedding", f"{what} must be integers of shape [{length}]; got {values.dtype} {list(values.shape)}."
        )


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
