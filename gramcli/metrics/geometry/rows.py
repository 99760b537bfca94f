"""What the measures of geometry share: checked rows, unit vectors in pieces, seeded subsamples, moments, intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.metrics.noise import differ, rounding
from gramcli.scoring.checks import check_embeddings

CHUNK: Final = 4096
"""Rows in float64 at a time: 16 MB at d = 512."""

MOST_ROWS: Final = 10_000
"""Rows that measures of all pairs of rows look at; more are subsampled by the caller, with a seed."""


@dataclass(frozen=True)
class Moments:
    """First and second moments of unit rows.

    Attributes:
        n: Number of rows.
        total: Sum of the rows, shape [d], float64.
        gram: Sum of their outer products, shape [d, d], float64.
        varies: Whether the rows differ by more than rounding.
    """

    n: int
    total: Tensor
    gram: Tensor
    varies: bool

    @property
    def mean(self) -> Tensor:
        """Mean row, not scaled to unit length, shape [d]."""
        return self.total / self.n

    def scatter(self) -> Tensor:
        """Sum of the outer products of the centred rows, shape [d, d]."""
        return self.gram - torch.outer(self.total, self.mean)


def check_rows(measure: str, x: Tensor, least: int = 1) -> None:
    """Refuse rows that no measure of geometry is defined for.

    Args:
        measure: Its name, for the message.
        x: Embeddings, shape [n, d].
        least: Fewest rows the measure is defined for.

    Raises:
        UserError: Not [n, d], not floating, too few rows, a row that is zero, NaN or infinite.
    """
    check_embeddings(measure, {"rows": x})
    if x.shape[0] < least:
        raise UserError("embedding", f"{measure} needs at least {least} rows; got {x.shape[0]}. Embed more items.")


def check_same_items(measure: str, x: Tensor, y: Tensor, *, least: int = 1, one_space: bool = True) -> None:
    """Refuse two modalities whose rows cannot be the same items.

    Raises:
        UserError: As `check_rows`, unequal numbers of rows, or unequal dimensions where `one_space`.
    """
    check_rows(measure, x, least)
    check_rows(measure, y, least)
    if x.shape[0] != y.shape[0]:
        raise UserError(
            "embedding", f"{measure} compares row i with row i; got {x.shape[0]} and {y.shape[0]} rows. Give one each."
        )
    if one_space and x.shape[1] != y.shape[1]:
        raise UserError(
            "embedding", f"{measure} needs one space; got {x.shape[1]} and {y.shape[1]} dimensions: align them first."
        )


def directions_vary(*sides: Tensor) -> bool:
    """Whether the unit rows of all sides together differ by more than the coarsest rounding among them.

    Args:
        *sides: Embeddings of one dimension, each shape [n, d].

    Example:
        >>> directions_vary(torch.tensor([[0.6, 0.8], [1.2, 1.6]])), directions_vary(torch.eye(2))
        (False, True)
    """
    ends = [_ends(piece) for x in sides for (piece,) in unit_chunks(x)]
    low, high = (torch.stack(found) for found in zip(*ends, strict=True))
    return differ(low.amin(dim=0), high.amax(dim=0), max(map(rounding, sides)))


def check_varies(measure: str, *sides: Tensor) -> None:
    """Refuse a side whose rows do not vary.

    Raises:
        UserError: The directions of its rows differ by rounding alone.
    """
    if not all(directions_vary(x) for x in sides):
        raise UserError("embedding", f"{measure} is undefined: the rows do not vary.")


def unit(x: Tensor) -> Tensor:
    """Scale rows to unit length; unlike `gramcli.methods.linalg.unit_rows` not to the same bits on every machine.

    Args:
        x: Vectors, shape [n, d]; a zero row stays zero.

    Returns:
        Shape [n, d], float64.
    """
    wide = x.to(torch.float64)
    if x.dtype == torch.float64:  # squares of float32 numbers neither over- nor underflow, those of float64 can
        largest = wide.abs().amax(dim=1, keepdim=True)
        wide = wide / torch.where(largest > 0, largest, 1.0)
    length = torch.linalg.vector_norm(wide, dim=1, keepdim=True)
    return wide / torch.where(length > 0, length, 1.0)


def unit_chunks(*sides: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the same rows of every side, scaled to unit length, at most `CHUNK` at a time.

    Args:
        *sides: Embeddings, each shape [n, d] with its own d.

    Yields:
        One tensor [chunk, d] per side, float64.
    """
    for start in range(0, sides[0].shape[0], CHUNK):
        yield tuple(unit(x[start : start + CHUNK]) for x in sides)


def subsample(n: int, most: int, seed: int) -> Tensor:
    """Pick rows without repetition: all of them where there are at most `most`.

    Args:
        n: Number of rows.
        most: How many to pick at most.
        seed: Of the choice.

    Returns:
        Rows in rising order, shape [min(n, most)], int64.

    Example:
        >>> subsample(3, 10, seed=0)
        tensor([0, 1, 2])
    """
    if n <= most:
        return torch.arange(n)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n, generator=generator)[:most].sort().values


def moments(x: Tensor) -> Moments:
    """Sum of the unit rows and of their outer products, in one pass; O(n d^2) time, O(d^2) memory.

    Args:
        x: Embeddings, shape [n, d].

    Raises:
        UserError: As `check_rows`.
    """
    check_rows("geometry", x)
    d = x.shape[1]
    total, gram = torch.zeros(d, dtype=torch.float64), torch.zeros(d, d, dtype=torch.float64)
    ends = []
    for (z,) in unit_chunks(x):
        total += z.sum(dim=0)
        gram.addmm_(z.T, z)
        ends.append(_ends(z))
    low, high = (torch.stack(found) for found in zip(*ends, strict=True))
    return Moments(x.shape[0], total, gram, differ(low.amin(dim=0), high.amax(dim=0), rounding(x)))


def totals(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the unit rows of both sides, [d] and [e]; all of them in float64.

    Args:
        x: Embeddings of one modality, shape [n, d].
        y: The same items in the other, shape [n, e].
    """
    found = [torch.zeros(side.shape[1], dtype=torch.float64) for side in (x, y)]
    for pieces in unit_chunks(x, y):
        for side, piece in enumerate(pieces):
            found[side] += piece.sum(dim=0)
    return found[0], found[1]


def _ends(z: Tensor) -> tuple[Tensor, Tensor]:
    return z.amin(dim=0), z.amax(dim=0)


def mean_interval(values: Tensor, items: Tensor) -> tuple[float, float] | None:
    """95 % interval of a mean by Student's t; values of one item are not independent.

    Args:
        values: One per row, shape [n].
        items: Item of each row, whole numbers from 0, shape [n].

    Returns:
        Lower and upper bound from the variance between items; None for fewer than 2 items.
    """
    residuals = values.double() - values.double().mean()
    sums = torch.zeros(int(items.max()) + 1, dtype=torch.float64).index_add_(0, items, residuals)
    count = int((torch.bincount(items) > 0).sum())
    if count < 2:
        return None
    error = t_95(count - 1) * float((sums.square().sum() * count / (count - 1)).sqrt()) / len(values)
    mean = float(values.double().mean())
    return mean - error, mean + error


def t_95(freedom: int) -> float:
    """Half the width of a 95 % interval in standard errors, by Student's t.

    Example:
        >>> round(t_95(9), 3)
        2.262
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - only figures that print an interval pay for it

    return float(stdtrit(freedom, 0.975))
